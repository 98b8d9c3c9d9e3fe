//! Which dataset comes next, so that every share is exact at every moment.
//!
//! Tijdeman's chairman assignment (Discrete Mathematics 32, 1980): among the datasets that are owed enough, the
//! one with the earliest deadline is drawn. After any number of draws each of D datasets is within
//! 1 − 1/(2D−2) draws of its share, which is the best possible, and after one period it is exact.

use std::sync::OnceLock;

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
    /// Draws that the table holds: a whole period, or as many as are ever asked for.
    length: usize,
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
        let period: u64 = weights.iter().sum();
        Self { weights, period, length: period as usize, table: OnceLock::new() }
    }

    /// Only draws `0..draws` will be asked for from now on: a short segment needs a short table.
    pub(super) fn cut(&mut self, draws: u64) {
        if draws < self.length as u64 {
            self.length = draws as usize;
            self.table = OnceLock::new();
        }
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

    /// The first draw of a source that has given its `limits` draws, and the source; none where no limit is
    /// reached within the draws that are ever asked for.
    pub(super) fn first_beyond(&self, limits: &[Option<u64>]) -> Option<(u64, usize)> {
        // The earliest period first; within it the table says which source is the first.
        let beyond = |source: usize, limit: u64| -> Option<(u64, u64)> {
            let weight = self.weights[source];
            Some((limit.checked_div(weight)?, limit.checked_rem(weight)?))
        };
        let places: Vec<Option<(u64, u64)>> =
            limits.iter().enumerate().map(|(source, limit)| beyond(source, (*limit)?)).collect();
        let periods = places.iter().flatten().map(|(periods, _)| *periods).min()?;
        let table = self.table();
        let is_it =
            |(source, rank): (&u16, &u32)| places[usize::from(*source)] == Some((periods, u64::from(*rank)));
        let at = table.sources.iter().zip(&table.ranks).position(is_it)?;
        let n = periods.checked_mul(self.period)?.checked_add(at as u64)?;
        Some((n, usize::from(table.sources[at])))
    }

    /// Where one after another the draws from `n` on stand in the table.
    pub(super) fn walk(&self, n: u64) -> Walk<'_> {
        Walk { chairman: self, table: self.table(), periods: n / self.period, at: (n % self.period) as usize }
    }

    fn table(&self) -> &Table {
        self.table.get_or_init(|| build(&self.weights, self.period, self.length))
    }
}

/// Draws one after another; see [`Chairman::walk`].
pub(super) struct Walk<'a> {
    chairman: &'a Chairman,
    table: &'a Table,
    periods: u64,
    at: usize,
}

impl Walk<'_> {
    /// The next draw's source and how many draws of that source came before it.
    #[inline]
    pub(super) fn next(&mut self) -> (usize, u64) {
        if self.at as u64 == self.chairman.period {
            self.periods += 1;
            self.at = 0;
        }
        let source = usize::from(self.table.sources[self.at]);
        let rank = u64::from(self.table.ranks[self.at]);
        self.at += 1;
        (source, self.periods * self.chairman.weights[source] + rank)
    }
}

/// The first `length` draws of a period.
///
/// With W the sum of weights, m = 2D−2 and a the draws a source of weight w has had, its next draw may be the
/// n-th (n from 1) once m·(n·w − W·a) ≥ W, and is due by n = W·(m−1+m·a)/(m·w). W and m are common to all, so
/// deadlines compare as (m−1+m·a)/w. As `f64` that quotient is exact enough to compare: two different ones
/// differ by ≥ 1/(w·w′) ≥ 4·10⁻¹², rounding is ≤ 2.3·10⁻¹³ for values up to m < 2000, and equal quotients round
/// equally because IEEE division is correctly rounded on every machine.
///
/// Both moments advance by W/w from draw to draw, so they are stepped without dividing; sources wait in one list
/// per moment. A draw costs the same for any number of sources: about as many are due at each n as are drawn.
fn build(weights: &[u64], period: u64, length: usize) -> Table {
    let n_sources = weights.iter().filter(|w| **w > 0).count() as u64;
    let m = (2 * n_sources).saturating_sub(2).max(1);
    let mut waiting: Vec<Waiting> = weights
        .iter()
        .map(|&weight| {
            let scale = m * weight.max(1);
            Waiting {
                weight: weight as f64,
                drawn: 0,
                deadline: 0.0,
                from: Moment { whole: (period / scale) as u32, part: period % scale },
                by: Moment { whole: (period * (m - 1) / scale) as u32, part: period * (m - 1) % scale },
                step: Moment { whole: (period / weight.max(1)) as u32, part: period % weight.max(1) * m },
                scale,
                next: NONE,
            }
        })
        .collect();
    // Sources that may be drawn from draw n on, and those due by n, as linked lists through the sources.
    let mut may = vec![NONE; length + 1];
    let mut due = vec![NONE; length + 1];
    let mut has_due = vec![0_u64; length / 64 + 1];
    for source in (0..weights.len()).filter(|s| weights[*s] > 0) {
        let from = waiting[source].from.ceil().max(1);
        if from <= length {
            waiting[source].next = std::mem::replace(&mut may[from], source as u16);
        }
    }
    let m = m as f64;
    let mut table = Table { sources: Vec::with_capacity(length), ranks: Vec::with_capacity(length) };
    // No source is due before this.
    let mut earliest = 0;
    for n in 1..=length {
        let mut source = may[n];
        while source != NONE {
            let one = &mut waiting[usize::from(source)];
            one.deadline = (m - 1.0 + m * f64::from(one.drawn)) / one.weight;
            let by = (one.by.whole as usize).min(length);
            let following = std::mem::replace(&mut one.next, std::mem::replace(&mut due[by], source));
            has_due[by / 64] |= 1 << (by % 64);
            earliest = earliest.min(by);
            source = following;
        }
        let mut word = earliest / 64;
        while has_due[word] == 0 {
            // n draws' worth is owed before draw n, so somebody is owed and the scan ends.
            word += 1;
        }
        earliest = word * 64 + has_due[word].trailing_zeros() as usize;
        let source = take_first(&mut due[earliest], &mut waiting);
        if due[earliest] == NONE {
            has_due[word] &= !(1 << (earliest % 64));
        }
        let one = &mut waiting[usize::from(source)];
        table.sources.push(source);
        table.ranks.push(one.drawn);
        one.drawn += 1;
        one.from.add(one.step, one.scale);
        one.by.add(one.step, one.scale);
        // A large share may be owed its next draw before this one is made.
        let from = one.from.ceil().max(n + 1);
        if from <= length {
            one.next = std::mem::replace(&mut may[from], source);
        }
    }
    table
}

/// No source.
const NONE: u16 = u16::MAX;

/// A source between two of its draws.
struct Waiting {
    weight: f64,
    drawn: u32,
    /// Of the next draw, in units in which those of all sources compare.
    deadline: f64,
    /// From when on the next draw may be.
    from: Moment,
    /// By when it is due.
    by: Moment,
    /// How far both are from one draw to the next.
    step: Moment,
    /// What `part` counts: as many as this are one draw.
    scale: u64,
    /// The next source in the same list.
    next: u16,
}

/// A draw number with its fraction.
#[derive(Clone, Copy)]
struct Moment {
    whole: u32,
    part: u64,
}

impl Moment {
    fn add(&mut self, step: Self, scale: u64) {
        self.whole += step.whole;
        self.part += step.part;
        if self.part >= scale {
            self.part -= scale;
            self.whole += 1;
        }
    }

    fn ceil(self) -> usize {
        self.whole as usize + usize::from(self.part > 0)
    }
}

/// Takes the source with the earliest deadline out of a list, of equal ones the first.
fn take_first(head: &mut u16, waiting: &mut [Waiting]) -> u16 {
    let (mut best, mut before_best) = (*head, NONE);
    let (mut before, mut at) = (best, waiting[usize::from(best)].next);
    while at != NONE {
        let (one, first) = (&waiting[usize::from(at)], &waiting[usize::from(best)]);
        if one.deadline < first.deadline || (one.deadline == first.deadline && at < best) {
            (best, before_best) = (at, before);
        }
        (before, at) = (at, one.next);
    }
    let after = waiting[usize::from(best)].next;
    match before_best {
        NONE => *head = after,
        before => waiting[usize::from(before)].next = after,
    }
    best
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
            let mut limits = vec![None; parts.len()];
            limits[source] = Some(ordinal);
            prop_assert_eq!(chairman.first_beyond(&limits), Some((n, source)));
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
