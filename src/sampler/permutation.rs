//! The order of a dataset's rows in one pass: a shuffle of which any single position can be computed alone.

use crate::seed::Seed;

/// Datasets up to this size are shuffled outright. Mixing knows too few different rounds to reach all orders of so
/// few rows evenly: with four half-rounds the 120 orders of five rows had a chi-square of 4226 instead of 119.
const SHUFFLED: u64 = 16;

/// Half-rounds of mixing. With four, neighbours among 17 rows were not independent (chi-square 99.8 instead of 15).
const HALF_ROUNDS: u32 = 6;

/// The row orders of one dataset, one per pass; each is a bijection on `0..rows`.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowOrder {
    key: u64,
    rows: u64,
    /// Rows are mixed as (left, right) on a rectangle `width` × `height` that just covers them.
    width: u64,
    height: u64,
}

impl RowOrder {
    /// For a dataset of 1..=2⁶² rows. Only the seed and the content decide: not the dataset's name, nor its
    /// place among others.
    pub(super) fn new(seed: Seed, content_hash: &blake3::Hash, rows: u64) -> Self {
        Self::keyed(seed.child("rows").child(content_hash.to_hex()).bits(), rows)
    }

    /// The orders that belong to a key.
    pub(super) fn keyed(key: u64, rows: u64) -> Self {
        let width = ceil_root(rows);
        Self { key, rows, width, height: rows.div_ceil(width) }
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The row at `position < rows` of `pass`.
    pub(super) fn row(&self, pass: u64, position: u64) -> u64 {
        let key = self.pass_key(pass);
        if self.rows <= SHUFFLED {
            return shuffled(key, self.rows)[position as usize];
        }
        self.mixed(key, position / self.height, position % self.height)
    }

    fn pass_key(&self, pass: u64) -> u64 {
        mix(self.key ^ mix(pass ^ PASS))
    }

    /// The row whose place on the rectangle, mixed until it is one of a row, this place becomes.
    fn mixed(&self, key: u64, left: u64, right: u64) -> u64 {
        let mut cells = [[left, right]];
        loop {
            cells = self.rounds(key, cells);
            // Cycle walking: the rectangle has fewer than `width` cells too many, so this is one turn nearly always.
            if let Some(row) = self.row_of(cells[0]) {
                return row;
            }
        }
    }

    /// As [`Self::mixed`], of several places; nothing sensible for those beyond the last row, which may never become a row.
    #[inline]
    fn group(&self, key: u64, cells: [[u64; 2]; GROUP]) -> [u64; GROUP] {
        let mixed = self.rounds(key, cells);
        std::array::from_fn(|i| match self.row_of(mixed[i]) {
            Some(row) => row,
            None if self.row_of(cells[i]).is_some() => self.mixed(key, mixed[i][0], mixed[i][1]),
            None => 0,
        })
    }

    /// A Feistel network on a rectangle: each half-round shifts one coordinate by a keyed hash of the other.
    #[inline]
    fn rounds<const N: usize>(&self, key: u64, mut cells: [[u64; 2]; N]) -> [[u64; 2]; N] {
        for round in 0..HALF_ROUNDS / 2 {
            for [left, right] in &mut cells {
                *left = shift(*left, below(hash(key, 2 * round, *right), self.width), self.width);
            }
            for [left, right] in &mut cells {
                *right = shift(*right, below(hash(key, 2 * round + 1, *left), self.height), self.height);
            }
        }
        cells
    }

    #[inline]
    fn row_of(&self, [left, right]: [u64; 2]) -> Option<u64> {
        // At most 2⁶³: rectangles of 2⁶² rows have fewer than 2³² cells too many.
        let row = left.wrapping_mul(self.height).wrapping_add(right);
        (row < self.rows).then_some(row)
    }
}

/// Rows that are worked out together, one group after the other; a whole pass of a dataset that is shuffled outright.
const AHEAD: usize = SHUFFLED as usize;

/// Rows of a group: their rounds do not wait for each other, so that a group takes little longer than one of them.
const GROUP: usize = 4;

/// The rows that the draws of a dataset take, quicker than [`RowOrder::row`] for one draw after another: some are
/// worked out ahead.
pub(super) struct Rows {
    order: RowOrder,
    /// The draw that takes the first of the rows in hand.
    first: u64,
    /// How many rows are in hand, all of one pass.
    held: u64,
    ahead: [u64; AHEAD],
    pass: u64,
    /// Of the pass.
    key: u64,
    /// The position in the pass that comes after them, and its place on the rectangle.
    position: u64,
    left: u64,
    right: u64,
}

impl Rows {
    pub(super) fn new(order: RowOrder) -> Self {
        let key = order.pass_key(0);
        let ahead = [0; AHEAD];
        Self { order, first: 0, held: 0, ahead, pass: 0, key, position: 0, left: 0, right: 0 }
    }

    /// Pass and row of the dataset's draw number `ordinal`.
    #[inline]
    pub(super) fn at(&mut self, ordinal: u64) -> (u64, u64) {
        let mut within = ordinal.wrapping_sub(self.first);
        if within >= self.held {
            self.fill(ordinal);
            within = 0;
        }
        (self.pass, self.ahead[within as usize % AHEAD])
    }

    /// Takes the rows from this draw on in hand, as far as its pass goes.
    #[inline(never)]
    fn fill(&mut self, ordinal: u64) {
        let RowOrder { rows, height, .. } = self.order;
        if ordinal != self.first.wrapping_add(self.held) || self.position == rows {
            (self.pass, self.position) = (ordinal / rows, ordinal % rows);
            self.key = self.order.pass_key(self.pass);
            (self.left, self.right) = (self.position / height, self.position % height);
        }
        self.first = ordinal;
        self.held = (rows - self.position).min(AHEAD as u64);
        if rows <= SHUFFLED {
            self.ahead = shuffled(self.key, rows);
            self.ahead.rotate_left(self.position as usize);
        } else {
            for group in self.ahead.chunks_exact_mut(GROUP) {
                let cells: [[u64; 2]; GROUP] = std::array::from_fn(|_| {
                    let cell = [self.left, self.right];
                    self.right = self.right.wrapping_add(1);
                    if self.right == height {
                        (self.left, self.right) = (self.left.wrapping_add(1), 0);
                    }
                    cell
                });
                group.copy_from_slice(&self.order.group(self.key, cells));
            }
        }
        self.position += self.held;
    }
}

/// Keeps the mixing of a pass apart from that of a key.
const PASS: u64 = 0x9e37_79b9_7f4a_7c15;

/// Fisher–Yates; the entries from `rows` on are unused.
fn shuffled(key: u64, rows: u64) -> [u64; SHUFFLED as usize] {
    let mut order: [u64; SHUFFLED as usize] = std::array::from_fn(|i| i as u64);
    for last in (1..rows).rev() {
        order.swap(last as usize, below(hash(mix(key ^ last), 0, 0), last + 1) as usize);
    }
    order
}

/// Only its high bits are good, and [`below`] uses only those.
fn hash(key: u64, round: u32, value: u64) -> u64 {
    let x = (value ^ key.rotate_left(11 * round)).wrapping_mul(PASS);
    (x ^ (x >> 32)).wrapping_mul(0xd1b5_4a32_d192_ed03)
}

/// The finaliser of SplitMix64 (Stafford's variant 13).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Sixty-four random bits to `0..limit`; the bias is below limit / 2⁶⁴.
pub(super) fn below(bits: u64, limit: u64) -> u64 {
    ((u128::from(bits) * u128::from(limit)) >> 64) as u64
}

/// `at` and `by` are below `size`, which is at most 2³¹.
fn shift(at: u64, by: u64, size: u64) -> u64 {
    let sum = at.wrapping_add(by);
    sum.min(sum.wrapping_sub(size))
}

fn ceil_root(n: u64) -> u64 {
    let root = n.isqrt();
    if root * root < n { root + 1 } else { root.max(1) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_pass_visits_every_row_once() {
        for rows in (1..40).chain([99, 100, 101, 1000, 12_345, 65_536, 65_537]) {
            for pass in 0..3 {
                let order = RowOrder::new(Seed::new(1), &blake3::hash(b"x"), rows);
                let mut seen: Vec<u64> = (0..rows).map(|p| order.row(pass, p)).collect();
                seen.sort_unstable();
                assert!(seen.into_iter().eq(0..rows), "{rows} rows, pass {pass}");
            }
        }
    }

    #[test]
    fn every_order_of_five_rows_is_equally_likely() {
        let mut counts = std::collections::HashMap::new();
        for_each_key(12_000, 5, |order| {
            let whole: Vec<u64> = (0..5).map(order).collect();
            *counts.entry(whole).or_insert(0_u64) += 1;
        });
        assert_eq!(counts.len(), 120);
        check_uniform(counts.into_values(), 120);
    }

    #[test]
    fn every_row_is_equally_likely_at_every_position() {
        for rows in [5, 17, 100] {
            let mut counts = vec![0_u64; (rows * rows) as usize];
            for_each_key(10_000, rows, |order| {
                (0..rows).for_each(|p| counts[(p * rows + order(p)) as usize] += 1);
            });
            for at_position in counts.chunks(rows as usize) {
                check_uniform(at_position.iter().copied(), rows);
            }
        }
        // 12 345 rows: a hundred positions over the whole range, rows in a hundred bins (of 123 or 124 rows).
        for position in (0..12_345).step_by(123) {
            let mut bins = vec![0_u64; 100];
            for_each_key(10_000, 12_345, |order| bins[(order(position) * 100 / 12_345) as usize] += 1);
            check_uniform(bins.into_iter(), 100);
        }
    }

    #[test]
    #[ignore = "slow: 10 000 orders of 12 345 rows"]
    fn every_row_is_equally_likely_at_every_position_of_a_large_dataset() {
        // Rows in a hundred bins, at every one of the positions: 12 345 chi-squares, of which the largest is beyond 5.5
        // standard deviations once in 4000 times by chance.
        let mut bins = vec![0_u32; 12_345 * 100];
        for_each_key(10_000, 12_345, |order| {
            (0..12_345).for_each(|p| bins[(p * 100 + order(p) * 100 / 12_345) as usize] += 1);
        });
        for at_position in bins.chunks(100) {
            let counts: Vec<u64> = at_position.iter().map(|c| u64::from(*c)).collect();
            let z = standard(chi_square_binned(&counts, 12_345), 99);
            assert!(z < 5.5, "z = {z:.1}");
        }
    }

    #[test]
    fn neighbouring_positions_are_not_correlated() {
        // Pearson's correlation of the rows at neighbouring positions, over all of them and 10 000 keys; rows are
        // drawn without repetition, which makes it −1/(rows − 1). Its standard error is 1/√(keys · rows).
        for rows in [5_u64, 100] {
            let (mean, variance) = ((rows - 1) as f64 / 2.0, ((rows * rows - 1) as f64) / 12.0);
            let (mut sum, mut n) = (0.0, 0.0);
            for_each_key(10_000, rows, |order| {
                for p in 0..rows - 1 {
                    sum += (order(p) as f64 - mean) * (order(p + 1) as f64 - mean);
                    n += 1.0;
                }
            });
            let off = sum / n / variance + 1.0 / (rows - 1) as f64;
            assert!(off.abs() < 4.5 / f64::sqrt(n), "{rows} rows: {off}");
        }
    }

    #[test]
    fn neighbours_and_passes_know_nothing_of_each_other() {
        for rows in [17_u64, 100, 12_345] {
            // The distance from one position's row to the next one's, round the circle, is uniform on 1..rows.
            let bins = (rows - 1).min(50);
            let mut distances = vec![0_u64; bins as usize];
            let mut passes = vec![0_u64; bins as usize];
            for key in 0..1000 {
                let order = RowOrder::new(Seed::new(key), &blake3::hash(b"x"), rows);
                for position in (0..rows - 1).step_by((rows / 10) as usize) {
                    let row = order.row(0, position);
                    let step = (order.row(0, position + 1) + rows - row) % rows;
                    distances[((step - 1) * bins / (rows - 1)) as usize] += 1;
                    let later = (order.row(1, position) + rows - row) % rows;
                    passes[(later * bins / rows) as usize] += 1;
                }
            }
            check_binned(&distances, rows - 1);
            check_binned(&passes, rows);
        }
    }

    proptest! {
        #[test]
        fn rows_one_after_another_are_those_of_single_positions(
            rows in 1_u64..300,
            ordinals in proptest::collection::vec((0_u64..2000, 1_u64..400), 1..10),
        ) {
            let order = RowOrder::new(Seed::new(4), &blake3::hash(b"x"), rows);
            let mut one_by_one = Rows::new(order);
            for ordinal in ordinals.into_iter().flat_map(|(from, count)| from..from + count) {
                let (pass, position) = (ordinal / rows, ordinal % rows);
                prop_assert_eq!(one_by_one.at(ordinal), (pass, order.row(pass, position)));
            }
        }

        #[test]
        fn rows_stay_inside_datasets_of_any_size(rows in 1_u64..1 << 62, at in 0.0..1.0, pass: u64) {
            let order = RowOrder::new(Seed::new(3), &blake3::hash(b"x"), rows);
            prop_assert!(order.row(pass, ((rows as f64 * at) as u64).min(rows - 1)) < rows);
        }
    }

    fn for_each_key(keys: u64, rows: u64, mut visit: impl FnMut(&dyn Fn(u64) -> u64)) {
        let mut order = RowOrder::new(Seed::new(0), &blake3::hash(b"x"), rows);
        for key in 0..keys {
            order.key = mix(key);
            visit(&|position| order.row(0, position));
        }
    }

    fn check_uniform(counts: impl Iterator<Item = u64>, cells: u64) {
        let counts: Vec<u64> = counts.collect();
        let expected = counts.iter().sum::<u64>() as f64 / cells as f64;
        let chi_square: f64 = counts.iter().map(|c| (*c as f64 - expected).powi(2) / expected).sum();
        check_chi_square(chi_square, cells - 1);
    }

    /// As [`check_uniform`] for bins of `values` values, which differ in size by one value.
    fn check_binned(counts: &[u64], values: u64) {
        check_chi_square(chi_square_binned(counts, values), counts.len() as u64 - 1);
    }

    fn chi_square_binned(counts: &[u64], values: u64) -> f64 {
        let bins = counts.len() as u64;
        let draws = counts.iter().sum::<u64>() as f64;
        let mut sizes = vec![0_u64; counts.len()];
        (0..values).for_each(|v| sizes[(v * bins / values) as usize] += 1);
        let cells = counts.iter().zip(&sizes).map(|(c, s)| {
            let expected = draws * *s as f64 / values as f64;
            (*c as f64 - expected).powi(2) / expected
        });
        cells.sum()
    }

    /// The tests look at some hundred values with fixed keys; 4.5 standard deviations would come up by chance once in
    /// 150 000 each.
    fn check_chi_square(chi_square: f64, freedom: u64) {
        let z = standard(chi_square, freedom);
        assert!(z < 4.5, "chi-square {chi_square:.1} with {freedom} degrees of freedom, z = {z:.1}");
    }

    /// The cube root of chi-square / f is nearly normal (Wilson and Hilferty).
    fn standard(chi_square: f64, freedom: u64) -> f64 {
        let f = freedom as f64;
        ((chi_square / f).cbrt() - (1.0 - 2.0 / (9.0 * f))) / (2.0 / (9.0 * f)).sqrt()
    }
}
