//! Which dataset comes next, so that every share is exact at every moment.
//!
//! Tijdeman's chairman assignment (Discrete Mathematics 32, 1980): among the datasets that are owed enough, the
//! one with the earliest deadline is drawn. After any number of draws each of D datasets is within
//! 1 − 1/(2D−2) draws of its share, which is the best possible, and after one period it is exact.

use std::{cmp::Reverse, collections::BinaryHeap, sync::OnceLock};

/// The most sources with a share above zero.
pub const MOST_SOURCES: usize = 1000;

/// The endless sequence of sources for integer weights; every draw of it can be computed alone.
///
/// The sequence repeats after (sum of weights) / (their greatest common divisor) draws. One period is kept as a
/// table of six bytes a draw, at most 6 MB for weights that sum to 10⁶, built when the first draw is asked for.
pub(super) struct Chairman {
    /// Weights divided by their greatest common divisor; each is also the number of draws in a period.
    weights: Vec<u64>,
    period: u64,
    table: OnceLock<Table>,
}

/// One period.
struct Table {
    /// Source of each draw.
    sources: Vec<u16>,
    /// Earlier draws of the same source in this period.
    ranks: Vec<u32>,
}

impl Chairman {
    /// For `weights` that sum to 1..=10⁶, at most [`MOST_SOURCES`] of them above zero.
    pub(super) fn new(weights: &[u32]) -> Self {
        let divisor = weights.iter().fold(0, |a, b| greatest_common_divisor(a, *b)).max(1);
        let weights: Vec<u64> = weights.iter().map(|w| u64::from(w / divisor)).collect();
        let period = weights.iter().sum();
        Self { weights, period, table: OnceLock::new() }
    }

    /// Draws after which the sequence starts again.
    pub(super) fn period(&self) -> u64 {
        self.period
    }

    /// Source of draw `n` and how many draws of that source came before it.
    pub(super) fn draw(&self, n: u64) -> (usize, u64) {
        let table = self.table();
        let (periods, at) = (n / self.period, (n % self.period) as usize);
        let source = usize::from(table.sources[at]);
        (source, periods * self.weights[source] + u64::from(table.ranks[at]))
    }

    /// How often each source is drawn in draws `0..n`.
    pub(super) fn counts(&self, n: u64) -> Vec<u64> {
        let (periods, at) = (n / self.period, (n % self.period) as usize);
        let mut counts: Vec<u64> = self.weights.iter().map(|w| w * periods).collect();
        for source in &self.table().sources[..at] {
            counts[usize::from(*source)] += 1;
        }
        counts
    }

    /// The number of the draw that is the `ordinal`-th of `source`, counted from 0; none when the source is
    /// never drawn or that is beyond what a `u64` can number.
    pub(super) fn find(&self, source: usize, ordinal: u64) -> Option<u64> {
        let weight = self.weights[source];
        let (periods, rank) = (ordinal.checked_div(weight)?, ordinal.checked_rem(weight)?);
        let table = self.table();
        let is_it = |(s, r): (&u16, &u32)| usize::from(*s) == source && u64::from(*r) == rank;
        let at = table.sources.iter().zip(&table.ranks).position(is_it)?;
        periods.checked_mul(self.period)?.checked_add(at as u64)
    }

    fn table(&self) -> &Table {
        self.table.get_or_init(|| build(&self.weights, self.period as usize))
    }
}

/// One period of the sequence.
///
/// With W the sum of weights, m = 2D−2 and a the draws a source of weight w has had, its next draw may be the
/// n-th (n from 1) once m·(n·w − W·a) ≥ W, and is due by n = W·(m−1+m·a)/(m·w). W and m are common to all, so
/// deadlines compare as (m−1+m·a)/w. As `f64` that quotient is exact enough to compare: two different ones
/// differ by ≥ 1/(w·w′) ≥ 4·10⁻¹², rounding is ≤ 2.3·10⁻¹³ for values up to m < 2000, and equal quotients round
/// equally because IEEE division is correctly rounded on every machine.
fn build(weights: &[u64], period: usize) -> Table {
    const NONE: u16 = u16::MAX;
    let n_sources = weights.iter().filter(|w| **w > 0).count() as u64;
    let m = (2 * n_sources).saturating_sub(2).max(1);
    let total = period as u64;
    // Sources that may be drawn from draw n on, as one linked list per n; the lists share one array of links.
    let mut released_at = vec![NONE; period + 1];
    let mut next_released = vec![NONE; weights.len()];
    let release = |released_at: &mut [u16], next: &mut [u16], source: usize, drawn: u64, now: usize| {
        // A large share may be owed its next draw before this one is made.
        let from = ((total * (1 + m * drawn)).div_ceil(m * weights[source]) as usize).max(now + 1);
        if from <= period {
            next[source] = std::mem::replace(&mut released_at[from], source as u16);
        }
    };
    let mut drawn = vec![0_u64; weights.len()];
    for source in (0..weights.len()).filter(|s| weights[*s] > 0) {
        release(&mut released_at, &mut next_released, source, 0, 0);
    }
    // The bits of positive floats order as the floats do.
    let mut due: BinaryHeap<Reverse<(u64, u16)>> = BinaryHeap::new();
    let mut table = Table { sources: Vec::with_capacity(period), ranks: Vec::with_capacity(period) };
    for n in 1..=period {
        let mut source = released_at[n];
        while source != NONE {
            let at = usize::from(source);
            let deadline = (m - 1 + m * drawn[at]) as f64 / weights[at] as f64;
            due.push(Reverse((deadline.to_bits(), source)));
            source = next_released[at];
        }
        let Reverse((_, source)) =
            due.pop().expect("n draws' worth is owed before draw n, so somebody is owed");
        let at = usize::from(source);
        table.sources.push(source);
        table.ranks.push(drawn[at] as u32);
        drawn[at] += 1;
        release(&mut released_at, &mut next_released, at, drawn[at], n);
    }
    table
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mixture::PARTS;

    #[test]
    fn every_prefix_is_within_the_bound_and_a_period_is_exact() {
        for n_sources in [1, 2, 3, 5, 10, 50, 300] {
            for skew in [1.0, 3.0, 12.0] {
                check_bound(&skewed(n_sources, skew));
            }
        }
        check_bound(&[0, 600_000, 0, 399_999, 1]);
        check_bound(&[999_999, 1]);
        check_bound(&[0, 0, PARTS]);
    }

    #[test]
    fn the_sequence_is_that_of_the_definition() {
        for n_sources in [1, 2, 3, 5, 10, 50] {
            let weights = skewed(n_sources, 4.0);
            let chairman = Chairman::new(&weights);
            for (n, expected) in by_definition(&weights, 20_000).into_iter().enumerate() {
                assert_eq!(chairman.draw(n as u64).0, expected, "draw {n} of {n_sources} sources");
            }
        }
    }

    #[test]
    fn a_thousand_sources_stay_within_the_bound() {
        check_bound(&skewed(MOST_SOURCES, 2.0));
    }

    #[test]
    fn a_draw_of_any_number_is_what_single_steps_come_to() {
        let chairman = Chairman::new(&skewed(7, 3.0));
        let mut counts = vec![0; 7];
        for n in 0..2 * chairman.period() + 10 {
            let (source, ordinal) = chairman.draw(n);
            assert_eq!(ordinal, counts[source]);
            counts[source] += 1;
        }
        assert_eq!(chairman.counts(2 * chairman.period() + 10), counts);
        // 2⁶³ draws: the ordinals of all sources still sum to the number of draws.
        let last = 1 << 63;
        assert_eq!(chairman.counts(last).iter().sum::<u64>(), last);
        let (source, ordinal) = chairman.draw(last);
        assert_eq!(chairman.counts(last)[source], ordinal);
    }

    #[test]
    fn shares_with_a_common_divisor_need_a_short_table() {
        // .35 .25 .20 .15 .05 = 7 5 4 3 1 twentieths.
        let chairman = Chairman::new(&[350_000, 250_000, 200_000, 150_000, 50_000]);
        assert_eq!(chairman.period(), 20);
        assert_eq!(chairman.counts(1_000_000), [350_000, 250_000, 200_000, 150_000, 50_000]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn finding_a_draw_undoes_it(
            parts in proptest::collection::vec(0_u32..50, 1..12).prop_filter("not all zero", |p| p.iter().any(|x| *x > 0)),
            n in 0_u64..1 << 63,
        ) {
            let chairman = Chairman::new(&parts);
            let (source, ordinal) = chairman.draw(n);
            prop_assert_eq!(chairman.find(source, ordinal), Some(n));
            prop_assert_eq!(chairman.counts(n)[source], ordinal);
        }

        #[test]
        fn any_weights_stay_within_the_bound(
            parts in proptest::collection::vec(prop_oneof![Just(0_u32), 1_u32..10, 1_u32..3000], 1..30)
                .prop_filter("not all zero", |p| p.iter().any(|x| *x > 0)),
        ) {
            check_bound(&parts);
        }
    }

    /// Walks one period and compares every count with its share at every prefix.
    fn check_bound(weights: &[u32]) {
        let chairman = Chairman::new(weights);
        let total: u64 = weights.iter().map(|w| u64::from(*w)).sum();
        let n_sources = weights.iter().filter(|w| **w > 0).count() as f64;
        let bound = if n_sources > 1.0 { 1.0 - 1.0 / (2.0 * n_sources - 2.0) } else { 0.0 };
        let mut counts = vec![0_u64; weights.len()];
        // A count is furthest below its share just before it grows, and furthest above just after.
        for n in 0..chairman.period() {
            let (source, _) = chairman.draw(n);
            let share = f64::from(weights[source]) / total as f64;
            let below = n as f64 * share - counts[source] as f64;
            counts[source] += 1;
            let above = counts[source] as f64 - (n + 1) as f64 * share;
            assert!(
                below <= bound + 1e-9 && above <= bound + 1e-9,
                "draw {n}: {below} {above}, bound {bound}"
            );
        }
        let periods = total / chairman.period();
        assert!(counts.iter().zip(weights).all(|(c, w)| c * periods == u64::from(*w)));
    }

    /// Weights that sum to [`PARTS`] and fall off as a power; with every third one zero where there are many.
    fn skewed(n_sources: usize, skew: f64) -> Vec<u32> {
        let zero = |i: usize| n_sources > 3 && n_sources < MOST_SOURCES && i % 3 == 2;
        let raw: Vec<f64> = (0..n_sources)
            .map(|i| if zero(i) { 0.0 } else { (1.0 - i as f64 / n_sources as f64).powf(skew) + 1e-4 })
            .collect();
        let sum: f64 = raw.iter().sum();
        let mut parts: Vec<u32> = raw.iter().map(|r| (r / sum * f64::from(PARTS)) as u32).collect();
        parts[0] += PARTS - parts.iter().sum::<u32>();
        parts
    }

    /// The algorithm as `Tijdeman` states it, in integers, with a scan over all sources at every draw.
    fn by_definition(weights: &[u32], n_draws: usize) -> Vec<usize> {
        let total: i64 = weights.iter().map(|w| i64::from(*w)).sum();
        let n_sources = weights.iter().filter(|w| **w > 0).count() as i64;
        let m = (2 * n_sources - 2).max(1);
        let mut owed = vec![0_i64; weights.len()];
        (0..n_draws)
            .map(|_| {
                for (owed, weight) in owed.iter_mut().zip(weights) {
                    *owed += i64::from(*weight);
                }
                let urgency = |i: usize| i128::from(total * (m - 1) - m * owed[i]);
                let chosen = (0..weights.len())
                    .filter(|i| weights[*i] > 0 && m * owed[*i] >= total)
                    .min_by(|a, b| {
                        (urgency(*a) * i128::from(weights[*b])).cmp(&(urgency(*b) * i128::from(weights[*a])))
                    })
                    .unwrap();
                owed[chosen] -= total;
                chosen
            })
            .collect()
    }
}
