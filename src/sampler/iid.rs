//! Draws by chance, as published baselines do them: each draw picks its dataset without regard to the others.

use std::sync::Mutex;

use super::permutation::below;
use crate::{mixture::PARTS, seed::Seed};

/// The highest draw number that is computed: independent draws have to be counted from the first one on.
pub const FURTHEST: u64 = 100_000_000;

/// Draws between two counts that are kept.
const EVERY: u64 = 4096;

/// The sequence of sources drawn independently, each with probability weight / 10⁶, from draw `start` on.
///
/// The source of a draw is a hash of its number. How often it came before has to be counted; the counts every
/// 4096 draws are kept as far as anybody has asked.
pub(super) struct Independent {
    /// Sums of the weights up to and including each source.
    until: Vec<u32>,
    seed: Seed,
    start: u64,
    counts: Mutex<Vec<Vec<u64>>>,
}

impl Independent {
    /// For `weights` that sum to 10⁶.
    pub(super) fn new(weights: &[u32], seed: Seed, start: u64) -> Self {
        let until = weights.iter().scan(0, |sum, w| {
            *sum += w;
            Some(*sum)
        });
        Self { until: until.collect(), seed, start, counts: Mutex::new(vec![vec![0; weights.len()]]) }
    }

    /// Source of the draw `at` draws after the start, and how many draws of it came in between.
    pub(super) fn draw(&self, at: u64) -> (usize, u64) {
        let source = self.source(at);
        (source, self.counts(at)[source])
    }

    /// How often each source is drawn in the first `at` draws.
    pub(super) fn counts(&self, at: u64) -> Vec<u64> {
        let block = (at / EVERY) as usize;
        let mut kept = self.counts.lock().expect("counting does not panic");
        while kept.len() <= block {
            let from = (kept.len() as u64 - 1) * EVERY;
            let next =
                self.counted(kept.last().expect("the first counts are always there"), from..from + EVERY);
            kept.push(next);
        }
        self.counted(&kept[block], block as u64 * EVERY..at)
    }

    /// The first draw, in draws after the start, of a source that has given its `limits` draws; none below
    /// [`FURTHEST`].
    pub(super) fn first_beyond(&self, limits: &[Option<u64>]) -> Option<(u64, usize)> {
        let beyond = |at: u64| self.counts(at).iter().zip(limits).any(|(c, l)| l.is_some_and(|l| *c > l));
        let furthest = FURTHEST.saturating_sub(self.start);
        if limits.iter().all(Option::is_none) {
            return None;
        }
        // Counts only grow: double until some source is beyond its limit, then halve down to where.
        let mut high = EVERY.min(furthest);
        while !beyond(high) {
            if high == furthest {
                return None;
            }
            high = (2 * high).min(furthest);
        }
        let mut low = 0;
        while low + 1 < high {
            let middle = low.midpoint(high);
            if beyond(middle) { high = middle } else { low = middle }
        }
        Some((low, self.source(low)))
    }

    /// The source of the draw `at` draws after the start.
    pub(super) fn source(&self, at: u64) -> usize {
        let at = below(self.seed.child(self.start + at).bits(), u64::from(PARTS)) as u32;
        self.until.partition_point(|until| *until <= at)
    }

    fn counted(&self, before: &[u64], draws: std::ops::Range<u64>) -> Vec<u64> {
        let mut counts = before.to_vec();
        for at in draws {
            counts[self.source(at)] += 1;
        }
        counts
    }
}
