//! The part of the draws that one reader takes: the order is global, whoever reads it.

/// Reader number `worker` of `workers` on rank `rank` of `ranks`: every draw belongs to exactly one.
///
/// Draws are dealt out in turn, first to ranks and then to the workers of a rank. Nothing is remembered: after any
/// draw another number of ranks or workers can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    offset: u64,
    stride: u64,
}

/// Ranks or workers that there are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no worker {worker} of {workers} on rank {rank} of {ranks}; both are counted from 0, and ranks times workers is below 2^32"
)]
pub struct BadSlice {
    rank: u64,
    ranks: u64,
    worker: u64,
    workers: u64,
}

impl Slice {
    /// Everything: one rank with one worker.
    pub const ALL: Self = Self { offset: 0, stride: 1 };

    /// `rank < ranks`, `worker < workers`.
    pub fn new(rank: u64, ranks: u64, worker: u64, workers: u64) -> Result<Self, BadSlice> {
        let readers = ranks.checked_mul(workers).filter(|readers| *readers < 1 << 32);
        match readers {
            Some(stride) if rank < ranks && worker < workers => {
                Ok(Self { offset: worker * ranks + rank, stride })
            }
            _ => Err(BadSlice { rank, ranks, worker, workers }),
        }
    }

    /// Whether draw `n` is one of them.
    pub fn contains(self, n: u64) -> bool {
        n % self.stride == self.offset
    }

    /// Numbers of its draws from `from` on.
    pub fn numbers(self, from: u64) -> impl Iterator<Item = u64> {
        let gap = (self.offset + self.stride - from % self.stride) % self.stride;
        std::iter::successors(from.checked_add(gap), move |n| n.checked_add(self.stride))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranks_and_workers_share_out_every_draw_exactly_once(ranks in 1_u64..9, workers in 1_u64..6, from in 0_u64..1 << 62) {
            let mut seen = Vec::new();
            for rank in 0..ranks {
                for worker in 0..workers {
                    let slice = Slice::new(rank, ranks, worker, workers).unwrap();
                    let mine: Vec<u64> = slice.numbers(from).take_while(|n| *n < from + 200).collect();
                    prop_assert!(mine.iter().all(|n| slice.contains(*n)));
                    seen.extend(mine);
                }
            }
            seen.sort_unstable();
            prop_assert!(seen.into_iter().eq(from..from + 200));
        }

        #[test]
        fn the_workers_of_a_rank_share_out_what_the_rank_has(ranks in 1_u64..9, workers in 1_u64..6, n in 0_u64..1 << 62) {
            let rank = n % ranks;
            prop_assert!(Slice::new(rank, ranks, 0, 1).unwrap().contains(n));
            let takers = (0..workers).filter(|w| Slice::new(rank, ranks, *w, workers).unwrap().contains(n));
            prop_assert_eq!(takers.count(), 1);
        }
    }

    #[test]
    fn a_reader_that_is_not_there_is_refused() {
        let error = Slice::new(2, 2, 0, 1).unwrap_err().to_string();
        assert!(error.starts_with("there is no worker 0 of 1 on rank 2 of 2"), "{error}");
        assert!(Slice::new(0, 0, 0, 1).is_err() && Slice::new(0, 1, 3, 3).is_err());
        assert!(Slice::new(0, u64::MAX, 0, u64::MAX).is_err());
    }
}
