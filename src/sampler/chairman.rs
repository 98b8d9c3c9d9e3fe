//! Which dataset comes next, so that every share is exact at every moment.
//!
//! Tijdeman's chairman assignment (Discrete Mathematics 32, 1980): among the datasets that are owed enough, the
//! one with the earliest deadline is drawn. After any number of draws each of D datasets is within
//! 1 − 1/(2D−2) draws of its share, which is the best possible, and after one period it is exact.

use std::{
    hint::select_unpredictable,
    sync::{Mutex, OnceLock, PoisonError},
};

/// The most sources with a share above zero.
pub const MOST_SOURCES: usize = 1000;

/// Draws that are worked out together. Everything that is touched for each of them then fits the first cache.
const BLOCK: usize = 2048;

/// Bits of a source's index.
const SOURCE: u32 = 10;

/// Bits after the point of a moment in a key, see [`Maker`]; a moment is below 2²⁰.
const FRACTION: u32 = 64 - 20 - SOURCE;

/// Bits after the point of a moment while it is stepped.
const FINE: u32 = 96;

/// Bits after the point of a share in [`Chairman::per_draw`].
const SHARE: u32 = 44;

/// The endless sequence of sources for integer weights; every draw of it can be computed alone.
///
/// The sequence repeats after (sum of weights) / (their greatest common divisor) draws. One period is kept as a
/// table of two bytes a draw, at most 2 MB for weights that sum to 10⁶, with the counts at every 2048th draw. It is
/// made from the start on as far as draws are asked for.
pub(super) struct Chairman {
    /// Weights divided by their greatest common divisor; each is also the number of draws in a period.
    weights: Vec<u64>,
    /// weight / period in units of 2⁻⁴⁴, rounded down.
    per_draw: Vec<u64>,
    period: u64,
    blocks: Vec<OnceLock<Block>>,
    maker: Mutex<Maker>,
}

/// Some draws in a row.
struct Block {
    /// Of each draw the source, and above it the last six bits of the number of its earlier draws in the period.
    draws: Vec<u16>,
    /// Draws of each source in the period before the block.
    before: Vec<u32>,
}

impl Chairman {
    /// For `weights` that sum to 1..=10⁶, at most [`MOST_SOURCES`] of them above zero, and no more than
    /// [`MOST_SOURCES`] in all.
    pub(super) fn new(weights: &[u32]) -> Self {
        let divisor = weights.iter().fold(0, |a, b| greatest_common_divisor(a, *b)).max(1);
        let weights: Vec<u64> = weights.iter().map(|w| u64::from(w / divisor)).collect();
        let period: u64 = weights.iter().sum();
        let per_draw = weights.iter().map(|w| (w << SHARE) / period).collect();
        let blocks = (0..period.div_ceil(BLOCK as u64)).map(|_| OnceLock::new()).collect();
        let maker = Mutex::new(Maker::new(&weights, period));
        Self { weights, per_draw, period, blocks, maker }
    }

    /// Draws after which the sequence starts again.
    pub(super) fn period(&self) -> u64 {
        self.period
    }

    /// Source of draw `n` and how many draws of that source came before it.
    #[inline]
    pub(super) fn draw(&self, n: u64) -> (usize, u64) {
        let (periods, at) = (n / self.period, n % self.period);
        let entry = self.block(at as usize / BLOCK).draws[at as usize % BLOCK];
        self.read(entry, periods, at)
    }

    /// What an entry of the table says. The count of a source is within one of its share, so that share and six
    /// bits tell it.
    #[inline]
    fn read(&self, entry: u16, periods: u64, at: u64) -> (usize, u64) {
        let source = usize::from(entry) % (1 << SOURCE);
        // Below 2²⁰ times at most 2⁴⁴.
        let share = (at + 1).wrapping_mul(self.per_draw[source]) >> SHARE;
        let off = u64::from(entry >> SOURCE).wrapping_sub(share) << 58;
        let rank = share.wrapping_add_signed(off.cast_signed() >> 58);
        // No more draws of a source than of all.
        (source, periods.wrapping_mul(self.weights[source]).wrapping_add(rank))
    }

    /// How often each source is drawn in draws `0..n`.
    pub(super) fn counts(&self, n: u64) -> Vec<u64> {
        let (periods, at) = (n / self.period, (n % self.period) as usize);
        let block = self.block(at / BLOCK);
        let mut counts: Vec<u64> = self
            .weights
            .iter()
            .zip(&block.before)
            .map(|(w, before)| w * periods + u64::from(*before))
            .collect();
        for entry in &block.draws[..at % BLOCK] {
            counts[usize::from(*entry) % (1 << SOURCE)] += 1;
        }
        counts
    }

    /// The first draw of a source that has given its `limits` draws, and the source; none where no source has a
    /// limit that a number of a draw can reach.
    pub(super) fn first_beyond(&self, limits: &[Option<u64>]) -> Option<(u64, usize)> {
        // The earliest period first; in it, the draws with these ranks.
        let beyond = |(source, limit): (usize, &Option<u64>)| {
            let weight = self.weights[source];
            let limit = (*limit)?;
            Some((limit.checked_div(weight)?, source, limit.checked_rem(weight)?))
        };
        let places: Vec<(u64, usize, u64)> = limits.iter().enumerate().filter_map(beyond).collect();
        let periods = places.iter().map(|(periods, ..)| *periods).min()?;
        let mut sought = vec![None; self.weights.len()];
        let mut from = self.period;
        for (_, source, rank) in places.into_iter().filter(|place| place.0 == periods) {
            sought[source] = Some(rank);
            // A draw never comes before the earlier ones of its source are owed.
            from = from.min(rank * self.period / self.weights[source]);
        }
        let mut walk = self.walk(from);
        let at = (from..self.period).find_map(|at| {
            let (source, rank) = walk.next();
            (sought[source] == Some(rank)).then_some((at, source))
        });
        let (at, source) = at.expect("every rank below its weight is drawn once in a period");
        Some((periods.checked_mul(self.period)?.checked_add(at)?, source))
    }

    /// The draws from `n` on, one after another.
    pub(super) fn walk(&self, n: u64) -> Walk<'_> {
        let (periods, at) = (n / self.period, n % self.period);
        Walk { chairman: self, block: &self.block(at as usize / BLOCK).draws, periods, at }
    }

    #[inline]
    fn block(&self, number: usize) -> &Block {
        match self.blocks[number].get() {
            Some(block) => block,
            None => self.make(number),
        }
    }

    /// Makes all blocks up to this one.
    #[cold]
    fn make(&self, number: usize) -> &Block {
        // The maker changes only when a block is whole; whoever panicked left it as it was.
        let mut maker = self.maker.lock().unwrap_or_else(PoisonError::into_inner);
        for block in &self.blocks[..=number] {
            block.get_or_init(|| maker.next());
        }
        self.blocks[number].get().expect("it was just made")
    }
}

/// Draws one after another; see [`Chairman::walk`].
pub(super) struct Walk<'a> {
    chairman: &'a Chairman,
    block: &'a [u16],
    periods: u64,
    at: u64,
}

impl Walk<'_> {
    /// The next draw's source and how many draws of that source came before it.
    #[inline]
    pub(super) fn next(&mut self) -> (usize, u64) {
        let Some(entry) = self.block.get(self.at as usize % BLOCK) else { return self.turn() };
        let read = self.chairman.read(*entry, self.periods, self.at);
        self.at += 1;
        if (self.at as usize).is_multiple_of(BLOCK) {
            self.block = &[];
        }
        read
    }

    /// The next draw, which is the first of another block.
    #[cold]
    fn turn(&mut self) -> (usize, u64) {
        if self.at == self.chairman.period {
            self.periods += 1;
            self.at = 0;
        }
        self.block = &self.chairman.block(self.at as usize / BLOCK).draws;
        self.next()
    }
}

/// What makes one block of a period after the other.
///
/// With W the sum of weights, m = 2D−2 and a the draws a source of weight w has had, its next draw may be the
/// n-th (n from 1) once m·(n·w − W·a) ≥ W, that is from W·(1/m + a)/w on, and is due by W·(1 − 1/m + a)/w: moments that
/// do not depend on what is drawn. So every draw of every source is a job of length one with a release and a
/// deadline, and the earliest deadline goes first. With fixed priorities and jobs of length one that is the same as
/// giving, in the order of deadlines, each job the first free place from its release on.
///
/// A block takes the jobs that are left from before and those released in it, puts them in the order of deadlines
/// and places them; what finds no place is left for the next block. A job is a number: its deadline with 34 bits
/// after the point, then its source, so that numbers compare as deadlines do and ties go to the source that comes first.
/// That is exact: deadlines of two sources are equal or differ by ≥ W/(m·w·w′) ≥ 4/(m·W) ≥ 2·10⁻⁹, and 2⁻³⁴ is 6·10⁻¹¹.
struct Maker {
    sources: Vec<Source>,
    /// Of all weights, those of zero included.
    counts: Vec<u32>,
    start: usize,
    period: usize,
    /// Jobs that were released and have no place yet.
    left: Vec<u64>,
    /// Jobs in the order of their deadlines; kept for its memory.
    sorted: Vec<u64>,
}

/// One source with a weight, between two blocks.
struct Source {
    /// Index among all weights.
    index: u16,
    /// Deadline of the next job that no block has taken yet, with 96 bits after the point.
    by: u128,
    step: u128,
    /// Time from release to deadline, as keys hold it.
    window: u64,
}

impl Maker {
    fn new(weights: &[u64], period: u64) -> Self {
        let n_sources = weights.iter().filter(|w| **w > 0).count() as u128;
        // One source alone is drawn always, whatever m is.
        let m = (2 * n_sources).saturating_sub(2).max(2);
        let total = u128::from(period);
        let of = |(index, weight): (usize, &u64)| {
            let weight = u128::from(*weight);
            Source {
                index: index as u16,
                // Rounded down it would be off by up to 2⁻⁷⁶ after 2²⁰ steps; raised by 2⁻³⁶ no deadline, a fraction of
                // a denominator below 2³¹, is near enough to a multiple of 2⁻³⁴ for that to tell equal ones apart.
                by: quotient(total * (m - 1), m * weight) + (1 << (FINE - 36)),
                step: quotient(total, weight),
                // A place is the number of a draw less one: with two units more than it is, a release less the window
                // is below its moment by more than 0 and less than 3·2⁻³⁴, which is below 1/(m·w), so that rounding
                // down gives the draw that comes before the first allowed one, counted from 1.
                window: (quotient(total * (m - 2), m * weight) >> (FINE - FRACTION)) as u64 + 2,
            }
        };
        let sources = weights.iter().enumerate().filter(|(_, weight)| **weight > 0).map(of).collect();
        let counts = vec![0; weights.len()];
        Self { sources, counts, start: 0, period: period as usize, left: Vec::new(), sorted: Vec::new() }
    }

    fn next(&mut self) -> Block {
        let length = BLOCK.min(self.period - self.start);
        self.sort(length);
        let before = self.counts.clone();
        let mut draws = vec![0; length];
        // Places that are free, and the words of them that are not zero.
        let mut free = [0_u64; BLOCK / 64];
        let mut some = 0_u32;
        for (number, word) in free.iter_mut().enumerate() {
            *word = match length.saturating_sub(64 * number) {
                0 => 0,
                rest @ 1..64 => (1 << rest) - 1,
                _ => u64::MAX,
            };
            some |= u32::from(*word != 0) << number;
        }
        let mut ready = [(0, 0, 0); 1 << SOURCE];
        for (ready, source) in ready.iter_mut().zip(&self.sources) {
            let low = (self.counts[usize::from(source.index)] % 64) as u16;
            *ready = (source.window + key(self.start), source.index | (low << SOURCE), 0);
        }
        self.left.clear();
        for job in &self.sorted {
            let (window, entry, drawn) = &mut ready[*job as usize % (1 << SOURCE)];
            let from = ((job >> SOURCE).saturating_sub(*window) >> FRACTION) as usize;
            let first = (from / 64) % free.len();
            let here = free[first] & (u64::MAX << (from % 64));
            let later = some & ((u32::MAX - 1) << first);
            if here == 0 && later == 0 {
                self.left.push(*job);
                continue;
            }
            // A branch here would be guessed wrong every other time.
            let later = later.trailing_zeros() as usize % free.len();
            let word = select_unpredictable(here != 0, first, later);
            let places = select_unpredictable(here != 0, here, free[later]);
            free[word] &= !(places & places.wrapping_neg());
            if free[word] == 0 {
                some &= !(1 << word);
            }
            draws[64 * word + places.trailing_zeros() as usize] = *entry;
            *entry = entry.wrapping_add(1 << SOURCE);
            *drawn += 1;
        }
        for ((.., drawn), source) in ready.iter().zip(&self.sources) {
            self.counts[usize::from(source.index)] += drawn;
        }
        self.start += length;
        Block { draws, before }
    }

    /// Puts the jobs of the next block in the order of their deadlines.
    fn sort(&mut self, length: usize) {
        // One drawer for each whole number that a deadline may begin with, and a heap for those that come later:
        // of the sources with small shares, at most one job each.
        const DRAWERS: usize = BLOCK + BLOCK / 4;
        let start = key(self.start);
        let drawer = |deadline: u64| ((deadline - start) >> FRACTION) as usize;
        let mut sizes = [0_u32; DRAWERS];
        let (mut jobs, mut far) = (Vec::with_capacity(2 * BLOCK), Vec::new());
        let mut take = |job: u64| match sizes.get_mut(drawer(job >> SOURCE)) {
            Some(size) => {
                *size += 1;
                jobs.push(job);
            }
            None => far.push(job),
        };
        self.left.iter().for_each(|job| take(*job));
        for (number, source) in self.sources.iter_mut().enumerate() {
            let end = u128::from(key(self.start + length) + source.window) << (FINE - FRACTION);
            while source.by < end {
                take(((source.by >> (FINE - FRACTION)) as u64) << SOURCE | number as u64);
                source.by += source.step;
            }
        }
        let mut sum = 0;
        for size in &mut sizes {
            sum += std::mem::replace(size, sum);
        }
        self.sorted.clear();
        self.sorted.resize(jobs.len(), 0);
        for job in jobs {
            let place = &mut sizes[drawer(job >> SOURCE)];
            self.sorted[*place as usize] = job;
            *place += 1;
        }
        // There is about one in each drawer.
        for at in 1..self.sorted.len() {
            let job = self.sorted[at];
            let mut to = at;
            while to > 0 && self.sorted[to - 1] > job {
                self.sorted[to] = self.sorted[to - 1];
                to -= 1;
            }
            self.sorted[to] = job;
        }
        far.sort_unstable();
        self.sorted.append(&mut far);
    }
}

/// A whole moment as keys hold it.
fn key(moment: usize) -> u64 {
    (moment as u64) << FRACTION
}

/// a / b with 96 bits after the point, rounded down, for b < 2⁶⁴.
fn quotient(a: u128, b: u128) -> u128 {
    let (whole, rest) = (a / b, (a % b) << (FINE / 2));
    let (high, rest) = (rest / b, (rest % b) << (FINE / 2));
    (whole << FINE) | (high << (FINE / 2)) | (rest / b)
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
        for n_sources in [1, 2, 3, 5, 10, 50, 300] {
            check_definition(&skewed(n_sources, 4.0), 20_000);
        }
        // Equal shares of 300, as nearly as millionths go: many deadlines are the same or nearly so.
        check_definition(&(0..300).map(|i| 3333 + u32::from(i % 3 == 0)).collect::<Vec<_>>(), 20_000);
        // The largest product of a weight and the number of sources: the finest fractions.
        let mut weights = vec![1; MOST_SOURCES];
        weights[500] = PARTS - 999;
        check_definition(&weights, 10_000);
        check_bound(&weights);
    }

    #[test]
    #[ignore = "slow: a scan of all sources for each of a million draws"]
    fn a_whole_period_is_that_of_the_definition() {
        for n_sources in [2, 3, 5, 10, 50, 300] {
            check_definition(&skewed(n_sources, 2.0), PARTS as usize);
        }
        check_definition(&(0..300).map(|i| 3333 + u32::from(i % 3 == 0)).collect::<Vec<_>>(), PARTS as usize);
    }

    #[test]
    fn the_order_in_which_draws_are_asked_for_changes_none() {
        let weights = skewed(50, 2.0);
        let (forwards, backwards) = (Chairman::new(&weights), Chairman::new(&weights));
        let asked: Vec<u64> = (0..2_000_000).step_by(9_973).collect();
        let mut later: Vec<(usize, u64)> = asked.iter().rev().map(|n| backwards.draw(*n)).collect();
        later.reverse();
        assert_eq!(asked.iter().map(|n| forwards.draw(*n)).collect::<Vec<_>>(), later);
        let walked = Chairman::new(&weights);
        let mut walk = walked.walk(999_990);
        assert!((999_990..1_003_000).all(|n| walk.next() == forwards.draw(n)));
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
        #![proptest_config(ProptestConfig::with_cases(14))]

        #[test]
        fn any_shares_stay_within_the_bound_at_every_prefix(
            n_sources in prop_oneof![Just(1_usize), Just(2), Just(3), Just(5), Just(10), Just(50), Just(300)],
            skew in 0.0..12.0,
            at in proptest::collection::vec(0.001_f64..1.0, 300),
        ) {
            let raw: Vec<f64> = at[..n_sources].iter().map(|at| at.powf(skew)).collect();
            let sum: f64 = raw.iter().sum();
            let mut parts: Vec<u32> = raw.iter().map(|r| (r / sum * f64::from(PARTS)) as u32).collect();
            parts[0] += PARTS - parts.iter().sum::<u32>();
            check_bound(&parts);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn any_weights_follow_the_definition(
            parts in proptest::collection::vec(prop_oneof![Just(0_u32), 1_u32..10, 1_u32..3000], 1..30)
                .prop_filter("not all zero", |p| p.iter().any(|x| *x > 0)),
        ) {
            check_definition(&parts, 10_000);
        }

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

    /// Compares the first draws with those of the definition.
    fn check_definition(weights: &[u32], n_draws: usize) {
        let chairman = Chairman::new(weights);
        for (n, expected) in by_definition(weights, n_draws).into_iter().enumerate() {
            assert_eq!(chairman.draw(n as u64).0, expected, "draw {n} of {weights:?}");
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
