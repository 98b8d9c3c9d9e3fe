//! Draws by chance, as published baselines do them: each draw picks its dataset without regard to the others.

use std::sync::Mutex;

use super::permutation::below;
use crate::{mixture::PARTS, seed::Seed};

/// The highest draw number that is computed: independent draws have to be counted from the first one on.
pub const FURTHEST: u64 = 100_000_000;

/// Draws between two counts that are kept.
const EVERY: u64 = 4096;

/// The sequence of sources drawn independently, each with probability weight / 10⁶.
///
/// The source of a draw is a hash of its number. How often it came before has to be counted; the counts every
/// 4096 draws are kept as far as anybody has asked.
pub(super) struct Independent {
    /// Sums of the weights up to and including each source.
    until: Vec<u32>,
    seed: Seed,
    counts: Mutex<Vec<Vec<u64>>>,
}

impl Independent {
    /// For `weights` that sum to 10⁶.
    pub(super) fn new(weights: &[u32], seed: Seed) -> Self {
        let until = weights.iter().scan(0, |sum, w| {
            *sum += w;
            Some(*sum)
        });
        Self { until: until.collect(), seed, counts: Mutex::new(vec![vec![0; weights.len()]]) }
    }

    /// Source of draw `n` and how many draws of it came before; `n` ≤ [`FURTHEST`].
    pub(super) fn draw(&self, n: u64) -> (usize, u64) {
        let source = self.source(n);
        (source, self.counts(n)[source])
    }

    /// How often each source is drawn in draws `0..n`; `n` ≤ [`FURTHEST`].
    pub(super) fn counts(&self, n: u64) -> Vec<u64> {
        let block = (n / EVERY) as usize;
        let mut kept = self.counts.lock().expect("counting does not panic");
        while kept.len() <= block {
            let from = (kept.len() as u64 - 1) * EVERY;
            let next =
                self.counted(kept.last().expect("the first counts are always there"), from..from + EVERY);
            kept.push(next);
        }
        self.counted(&kept[block], block as u64 * EVERY..n)
    }

    /// The source of draw `n`.
    pub(super) fn source(&self, n: u64) -> usize {
        let at = below(self.seed.child(n).bits(), u64::from(PARTS)) as u32;
        self.until.partition_point(|until| *until <= at)
    }

    fn counted(&self, before: &[u64], draws: std::ops::Range<u64>) -> Vec<u64> {
        let mut counts = before.to_vec();
        for n in draws {
            counts[self.source(n)] += 1;
        }
        counts
    }
}
