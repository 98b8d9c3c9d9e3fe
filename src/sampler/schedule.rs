//! The order in which the samples of a mixture are drawn.

use std::{collections::BTreeSet, ops::Range, sync::OnceLock};

use serde::{Deserialize, Serialize};

use super::{
    chairman::{Chairman, MOST_SOURCES},
    iid::{FURTHEST, Independent},
    permutation::RowOrder,
};
use crate::{
    mixture::{Mixture, PARTS},
    name::Name,
    seed::Seed,
};

/// A dataset as the schedule sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// What the mixture calls it.
    pub name: Name,
    /// [`crate::sample::Rows::content_hash`]: decides the order of its rows.
    pub content_hash: blake3::Hash,
    /// How many rows there are; at most 2⁶².
    pub rows: u64,
}

/// How the dataset of each draw is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrawRule {
    /// Exact shares: after any number of draws every dataset is within one draw of its share.
    #[default]
    Exact,
    /// Each draw by chance, every row at most once, and the end at the first draw of a dataset that has no unseen
    /// row left: as in MoDoMoDo (arXiv:2505.24871). Seeking counts from the start and is limited to 10⁸ draws.
    Iid,
}

/// How to draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How the dataset of each draw is chosen.
    pub draw: DrawRule,
    /// The schedule ends before any dataset begins pass number `max_passes` (counted from 0); without it rows
    /// repeat, freshly shuffled, for ever. [`DrawRule::Iid`] has one pass at most.
    pub max_passes: Option<u64>,
}

/// One draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Draw {
    /// Its number, from 0.
    pub n: u64,
    /// Index into the datasets the schedule was made with.
    pub dataset: usize,
    /// How many draws of this dataset came before.
    pub ordinal: u64,
    /// How many times every row of this dataset was drawn before: `ordinal / rows`.
    pub pass: u64,
    /// The row.
    pub row: u64,
}

/// Datasets or settings that make no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    /// The mixture gives a share to a dataset that is not there.
    #[error("the mixture names the dataset `{name}`; there are {}", listed(known))]
    UnknownDataset {
        /// What it names.
        name: Name,
        /// What there is.
        known: Vec<Name>,
    },
    /// A dataset is there twice.
    #[error("two datasets are called `{0}`")]
    TwiceNamed(Name),
    /// Nothing can be drawn from a dataset with a share.
    #[error("the dataset `{0}` has a share and no rows")]
    NoRows(Name),
    /// A size that cannot be real.
    #[error("the dataset `{0}` claims {1} rows; the limit is 2^62")]
    TooManyRows(Name, u64),
    /// More datasets with a share than the table of draws is made for.
    #[error("{0} datasets have a share; the limit is {MOST_SOURCES}")]
    TooManyDatasets(usize),
    /// A cap that allows nothing.
    #[error("`max_passes` is 0; it must be 1 or more")]
    NoPasses,
}

/// Where a schedule ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct End {
    /// The first draw that there is not.
    pub n: u64,
    /// The dataset it would come from.
    pub dataset: Name,
    /// Why not.
    pub reason: Reason,
}

/// Why a schedule ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The dataset would begin a pass beyond `max_passes`.
    MaxPasses,
    /// Independent draws: no unseen row is left.
    Exhausted,
}

/// A draw that a schedule does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The schedule ends before it.
    #[error("there is no draw {n}: `{}` {} at draw {}", end.dataset, end.reason.words(), end.n)]
    Before {
        /// The draw asked for.
        n: u64,
        /// Where it ends.
        end: End,
    },
    /// Independent draws are counted one by one.
    #[error("draw {0} is too far for independent draws, which go up to {FURTHEST}; use `draw = \"exact\"`")]
    TooFar(u64),
}

impl Reason {
    fn words(self) -> &'static str {
        match self {
            Self::MaxPasses => "has reached `max_passes`",
            Self::Exhausted => "has no unseen row left",
        }
    }
}

/// What every draw is: a function of its number.
///
/// The j-th sample of a dataset is the same under every mixture, every [`DrawRule`] and among any other datasets,
/// as long as seed and content are the same: runs of a sweep are paired. Renaming a dataset or listing the datasets
/// in another order changes nothing.
pub struct Schedule {
    datasets: Vec<Dataset>,
    /// The datasets with a share, by content hash and then by name, so that ties between them fall the same way
    /// whatever they are called.
    sources: Vec<Source>,
    sequence: Sequence,
    max_passes: Option<u64>,
    /// Where exact draws end: found once, by a walk over the table.
    exact_end: OnceLock<Option<End>>,
}

struct Source {
    dataset: usize,
    parts: u32,
    order: RowOrder,
}

enum Sequence {
    Exact(Chairman),
    Iid(Independent),
}

impl Schedule {
    /// The schedule of a mixture; datasets that the mixture does not name have no share.
    pub fn new(
        mixture: &Mixture,
        datasets: &[Dataset],
        seed: Seed,
        settings: &Settings,
    ) -> Result<Self, BadSchedule> {
        check(mixture, datasets, settings)?;
        let mut sources: Vec<Source> = Vec::new();
        for (name, parts) in mixture.parts().filter(|(_, parts)| *parts > 0) {
            let at = datasets.iter().position(|d| d.name == *name).expect("`check` found every name");
            let order = RowOrder::new(seed, &datasets[at].content_hash, datasets[at].rows);
            sources.push(Source { dataset: at, parts, order });
        }
        sources.sort_by_key(|s| {
            (*datasets[s.dataset].content_hash.as_bytes(), datasets[s.dataset].name.clone())
        });
        let weights: Vec<u32> = sources.iter().map(|s| s.parts).collect();
        let sequence = match settings.draw {
            DrawRule::Exact => Sequence::Exact(Chairman::new(&weights)),
            DrawRule::Iid => Sequence::Iid(Independent::new(&weights, seed.child("iid"))),
        };
        Ok(Self {
            datasets: datasets.to_vec(),
            sources,
            sequence,
            max_passes: settings.max_passes,
            exact_end: OnceLock::new(),
        })
    }

    /// The datasets, in the order they were given: what [`Draw::dataset`] counts.
    pub fn datasets(&self) -> &[Dataset] {
        &self.datasets
    }

    /// Draw number `n`, below 2⁶³.
    pub fn draw(&self, n: u64) -> Result<Draw, Ended> {
        let (source, ordinal) = match &self.sequence {
            Sequence::Exact(chairman) => chairman.draw(n),
            Sequence::Iid(_) if n > FURTHEST => return Err(Ended::TooFar(n)),
            Sequence::Iid(independent) => independent.draw(n),
        };
        let draw = self.at(n, source, ordinal);
        // Every dataset's passes grow with n, so the schedule may have ended before although this one has rows.
        let may_have_ended = match self.sequence {
            Sequence::Exact(_) => self.max_passes.is_some(),
            Sequence::Iid(_) => true,
        };
        if may_have_ended && let Some(end) = self.end_by(n.saturating_add(1)) {
            return Err(Ended::Before { n, end });
        }
        Ok(draw)
    }

    /// The draws from number `from` on, until the schedule ends; much faster than asking for one after another.
    pub fn draws(&self, from: u64) -> Draws<'_> {
        let end = match &self.sequence {
            Sequence::Exact(_) => self.end().map_or(u64::MAX, |end| end.n),
            Sequence::Iid(_) => FURTHEST,
        };
        let counts = match &self.sequence {
            Sequence::Exact(_) => Vec::new(),
            Sequence::Iid(independent) => independent.counts(from.min(FURTHEST)),
        };
        Draws { schedule: self, next: from, end, counts }
    }

    /// Where it ends; none for exact draws without `max_passes`, and none where independent draws go on for
    /// [`FURTHEST`] draws. Independent draws are counted up to their end.
    pub fn end(&self) -> Option<End> {
        self.end_by(u64::MAX)
    }

    /// The end, if there is one among draws `0..n`.
    fn end_by(&self, n: u64) -> Option<End> {
        match &self.sequence {
            Sequence::Exact(chairman) => {
                let first_beyond = |(source, of): (usize, &Source)| {
                    let limit = of.order.rows().checked_mul(self.max_passes?)?;
                    Some((chairman.find(source, limit)?, source))
                };
                let end = self.exact_end.get_or_init(|| {
                    let (at, source) = self.sources.iter().enumerate().filter_map(first_beyond).min()?;
                    Some(self.end_at(at, source, Reason::MaxPasses))
                });
                end.clone().filter(|end| end.n < n)
            }
            Sequence::Iid(independent) => {
                let n = n.min(FURTHEST);
                let exhausted = |at: u64| {
                    independent.counts(at).iter().zip(&self.sources).any(|(c, s)| *c > s.order.rows())
                };
                // Counts only grow: find the first prefix in which some dataset gave more than it has.
                let rows = self.sources.iter().map(|s| s.order.rows()).fold(0, u64::saturating_add);
                let (mut low, mut high) = (0, n.min(rows.saturating_add(1)));
                if !exhausted(high) {
                    return None;
                }
                while low + 1 < high {
                    let middle = low.midpoint(high);
                    if exhausted(middle) { high = middle } else { low = middle }
                }
                Some(self.end_at(low, independent.source(low), Reason::Exhausted))
            }
        }
    }

    fn end_at(&self, n: u64, source: usize, reason: Reason) -> End {
        End { n, dataset: self.datasets[self.sources[source].dataset].name.clone(), reason }
    }

    fn at(&self, n: u64, source: usize, ordinal: u64) -> Draw {
        let Source { dataset, order, .. } = &self.sources[source];
        let (pass, position) = (ordinal / order.rows(), ordinal % order.rows());
        Draw { n, dataset: *dataset, ordinal, pass, row: order.row(pass, position) }
    }

    /// The row that a dataset's draw number `ordinal` takes; none for a dataset without a share.
    pub fn row(&self, dataset: usize, ordinal: u64) -> Option<u64> {
        let order = self.sources.iter().find(|s| s.dataset == dataset)?.order;
        Some(order.row(ordinal / order.rows(), ordinal % order.rows()))
    }

    /// Planned and realised shares over a range of draws, cut where the schedule ends.
    ///
    /// Takes a few milliseconds for exact draws however long the range is; independent draws are walked.
    pub fn summary(&self, range: Range<u64>) -> Summary {
        let furthest = match self.sequence {
            Sequence::Exact(_) => range.end,
            Sequence::Iid(_) => range.end.min(FURTHEST),
        };
        let end = self.end_by(furthest);
        let until = end.as_ref().map_or(furthest, |end| end.n);
        let range = range.start.min(until)..until;
        let (before, after) = (self.counts(range.start), self.counts(range.end));
        let rows = self.datasets.iter().enumerate().map(|(at, dataset)| {
            let source = self.sources.iter().position(|s| s.dataset == at);
            let of = |counts: &[u64]| source.map_or(0, |s| counts[s]);
            let groups = of(&after) - of(&before);
            SummaryRow {
                dataset: dataset.name.clone(),
                planned_share: source.map_or(0.0, |s| f64::from(self.sources[s].parts) / f64::from(PARTS)),
                realised_share: groups as f64 / ((range.end - range.start) as f64).max(1.0),
                groups,
                passes: of(&after) as f64 / (dataset.rows as f64).max(1.0),
                unique_rows: of(&after).min(dataset.rows),
            }
        });
        Summary {
            rows: rows.collect(),
            largest_deviation: self.largest_deviation(&range, &before, &after),
            range,
            end,
        }
    }

    fn counts(&self, n: u64) -> Vec<u64> {
        match &self.sequence {
            Sequence::Exact(chairman) => chairman.counts(n),
            Sequence::Iid(independent) => independent.counts(n),
        }
    }

    /// Largest distance between a dataset's count and its share, in draws, over the prefixes that end in `range`.
    fn largest_deviation(&self, range: &Range<u64>, before: &[u64], after: &[u64]) -> f64 {
        // In millionths of a draw, so that it is exact for any n.
        let deviation = |n: u64, source: usize, count: u64| {
            (i128::from(n) * i128::from(self.sources[source].parts) - i128::from(count) * i128::from(PARTS))
                .abs()
        };
        let at_ends = (0..self.sources.len())
            .map(|s| deviation(range.start, s, before[s]).max(deviation(range.end, s, after[s])))
            .max()
            .unwrap_or(0);
        let walked = match &self.sequence {
            // Deviations repeat with the period.
            Sequence::Exact(chairman) => {
                range.start..range.end.min(range.start.saturating_add(chairman.period()))
            }
            Sequence::Iid(_) => range.clone(),
        };
        // A count is furthest below its share just before it grows, and furthest above just after.
        let mut largest = at_ends;
        let mut counts = before.to_vec();
        for n in walked {
            let source = match &self.sequence {
                Sequence::Exact(chairman) => chairman.draw(n).0,
                Sequence::Iid(independent) => independent.source(n),
            };
            let below = deviation(n, source, counts[source]);
            counts[source] += 1;
            largest = largest.max(below).max(deviation(n + 1, source, counts[source]));
        }
        largest as f64 / f64::from(PARTS)
    }
}

/// Draws one after another; see [`Schedule::draws`].
pub struct Draws<'a> {
    schedule: &'a Schedule,
    next: u64,
    end: u64,
    /// Draws of each source so far, for independent draws.
    counts: Vec<u64>,
}

impl Iterator for Draws<'_> {
    type Item = Draw;

    fn next(&mut self) -> Option<Draw> {
        if self.next >= self.end {
            return None;
        }
        let n = self.next;
        let (source, ordinal) = match &self.schedule.sequence {
            Sequence::Exact(chairman) => chairman.draw(n),
            Sequence::Iid(independent) => {
                let source = independent.source(n);
                let exhausted = |(c, s): (&u64, &Source)| *c > s.order.rows();
                self.counts[source] += 1;
                if self.counts.iter().zip(&self.schedule.sources).any(exhausted) {
                    self.end = n;
                    return None;
                }
                (source, self.counts[source] - 1)
            }
        };
        self.next += 1;
        Some(self.schedule.at(n, source, ordinal))
    }
}

/// What a range of draws comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The draws counted.
    pub range: Range<u64>,
    /// One row per dataset, in the order they were given.
    pub rows: Vec<SummaryRow>,
    /// Largest distance of a dataset's count from its share, in draws, over all prefixes that end in the range;
    /// below 1 for exact draws.
    pub largest_deviation: f64,
    /// Why the range was cut, where it was.
    pub end: Option<End>,
}

/// What a range of draws comes to for one dataset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SummaryRow {
    /// The dataset.
    pub dataset: Name,
    /// Its share in the mixture, in [0, 1].
    pub planned_share: f64,
    /// Its share of the draws in the range, in [0, 1].
    pub realised_share: f64,
    /// Prompt groups drawn in the range.
    pub groups: u64,
    /// Passes over its rows from draw 0 to the end of the range, in rows drawn per row there is.
    pub passes: f64,
    /// Different rows drawn from draw 0 to the end of the range.
    pub unique_rows: u64,
}

fn check(mixture: &Mixture, datasets: &[Dataset], settings: &Settings) -> Result<(), BadSchedule> {
    if settings.max_passes == Some(0) {
        return Err(BadSchedule::NoPasses);
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = datasets.iter().find(|d| !names.insert(&d.name)) {
        return Err(BadSchedule::TwiceNamed(twice.name.clone()));
    }
    let mut n_drawn = 0;
    for (name, parts) in mixture.parts() {
        let dataset =
            datasets.iter().find(|d| d.name == *name).ok_or_else(|| BadSchedule::UnknownDataset {
                name: name.clone(),
                known: datasets.iter().map(|d| d.name.clone()).collect(),
            })?;
        if parts > 0 && dataset.rows == 0 {
            return Err(BadSchedule::NoRows(name.clone()));
        }
        if dataset.rows > 1 << 62 {
            return Err(BadSchedule::TooManyRows(name.clone(), dataset.rows));
        }
        n_drawn += usize::from(parts > 0);
    }
    if n_drawn > MOST_SOURCES {
        return Err(BadSchedule::TooManyDatasets(n_drawn));
    }
    Ok(())
}

fn listed(names: &[Name]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_single_draw_is_the_same_as_walking_there() {
        for draw in [DrawRule::Exact, DrawRule::Iid] {
            let schedule = schedule(&[("a", 0.5), ("b", 0.3), ("c", 0.2)], &abc(), draw, None);
            for expected in schedule.draws(0).take(9_000).step_by(7) {
                assert_eq!(schedule.draw(expected.n), Ok(expected));
            }
            let from_the_middle: Vec<Draw> = schedule.draws(5_000).take(10).collect();
            let walked: Vec<Draw> = schedule.draws(0).skip(5_000).take(10).collect();
            assert_eq!(from_the_middle, walked);
        }
    }

    #[test]
    fn a_draw_far_beyond_any_training_is_found_at_once() {
        let schedule = schedule(&[("a", 0.6), ("b", 0.4)], &abc(), DrawRule::Exact, None);
        let draw = schedule.draw(1 << 63).unwrap();
        // Shares 3 : 2, so 2⁶³ = 5q + 3 draws hold 3q + 2 of a, or 2q + 1 of b, give or take one.
        let share = if draw.dataset == 0 { 0.6 } else { 0.4 };
        assert!((draw.ordinal as f64 / (1_u64 << 63) as f64 - share).abs() < 1e-9);
        assert_eq!(draw.pass, draw.ordinal / schedule.datasets()[draw.dataset].rows);
    }

    #[test]
    fn the_order_of_rows_does_not_depend_on_mixture_rule_names_or_neighbours() {
        let rows_of = |schedule: &Schedule, at: usize| -> Vec<(u64, u64)> {
            schedule.draws(0).filter(|d| d.dataset == at).take(1_000).map(|d| (d.pass, d.row)).collect()
        };
        let even = schedule(&[("a", 0.5), ("b", 0.5)], &abc(), DrawRule::Exact, None);
        let expected = rows_of(&even, 0);
        assert_eq!(
            rows_of(&schedule(&[("a", 0.01), ("c", 0.99)], &abc(), DrawRule::Exact, None), 0),
            expected
        );
        assert_eq!(rows_of(&schedule(&[("a", 0.9), ("b", 0.1)], &abc(), DrawRule::Iid, None), 0), expected);
        let renamed = [dataset("z", "contents of a", 10_000), dataset("b", "contents of b", 20_000)];
        assert_eq!(
            rows_of(&schedule(&[("z", 0.5), ("b", 0.5)], &renamed, DrawRule::Exact, None), 0),
            expected
        );
        let reversed: Vec<Dataset> = abc().into_iter().rev().collect();
        assert_eq!(
            rows_of(&schedule(&[("a", 0.5), ("b", 0.5)], &reversed, DrawRule::Exact, None), 2),
            expected
        );
    }

    #[test]
    fn renaming_or_reordering_datasets_changes_no_draw() {
        let one = schedule(&[("a", 0.5), ("b", 0.5)], &abc(), DrawRule::Exact, None);
        let swapped = [dataset("a", "contents of b", 20_000), dataset("b", "contents of a", 10_000)];
        let two = schedule(&[("a", 0.5), ("b", 0.5)], &swapped, DrawRule::Exact, None);
        for (x, y) in one.draws(0).zip(two.draws(0)).take(100) {
            assert_eq!((x.dataset, x.row), (1 - y.dataset, y.row));
        }
    }

    #[test]
    fn other_content_or_another_seed_is_another_order() {
        let base = schedule(&[("a", 1.0)], &abc(), DrawRule::Exact, None);
        let changed =
            schedule(&[("a", 1.0)], &[dataset("a", "contents of A", 10_000)], DrawRule::Exact, None);
        let reseeded =
            Schedule::new(&mixture(&[("a", 1.0)]), &abc(), Seed::new(2), &Settings::default()).unwrap();
        for other in [changed, reseeded] {
            let same = base.draws(0).zip(other.draws(0)).take(1_000).filter(|(x, y)| x.row == y.row).count();
            // 1 000 positions, each the same by chance once in 10 000.
            assert!(same < 5, "{same} rows are the same");
        }
    }

    #[test]
    fn every_pass_shuffles_afresh() {
        let schedule = schedule(&[("a", 1.0)], &[dataset("a", "x", 100)], DrawRule::Exact, None);
        let draws: Vec<Draw> = schedule.draws(0).take(300).collect();
        for pass in draws.chunks(100) {
            let mut rows: Vec<u64> = pass.iter().map(|d| d.row).collect();
            rows.sort_unstable();
            assert!(rows.into_iter().eq(0..100));
        }
        let fixed = draws[..100].iter().zip(&draws[100..200]).filter(|(x, y)| x.row == y.row).count();
        // Two shuffles agree at one position on average.
        assert!(fixed < 8, "{fixed} of 100 positions hold the same row in both passes");
    }

    #[test]
    fn max_passes_ends_the_schedule_where_the_first_dataset_would_go_on() {
        // Equal shares in turns; b with 3 rows has had its two passes after 6 draws of its own.
        let datasets = [dataset("a", "a", 100), dataset("b", "b", 3)];
        let schedule = schedule(&[("a", 0.5), ("b", 0.5)], &datasets, DrawRule::Exact, Some(2));
        let end = schedule.end().unwrap();
        assert_eq!((end.dataset.as_str(), end.reason), ("b", Reason::MaxPasses));
        let draws: Vec<Draw> = schedule.draws(0).collect();
        assert_eq!(draws.len() as u64, end.n);
        assert_eq!(draws.iter().filter(|d| d.dataset == 1).count(), 6);
        assert_eq!(schedule.draw(end.n - 1).unwrap(), draws[draws.len() - 1]);
        let error = schedule.draw(50).unwrap_err().to_string();
        assert_eq!(error, format!("there is no draw 50: `b` has reached `max_passes` at draw {}", end.n));
        assert_eq!(schedule.summary(0..1_000).range, 0..end.n);
    }

    #[test]
    fn independent_draws_end_at_the_first_dataset_without_an_unseen_row() {
        let datasets = [dataset("a", "a", 5_000), dataset("b", "b", 400)];
        let schedule = schedule(&[("a", 0.8), ("b", 0.2)], &datasets, DrawRule::Iid, None);
        let end = schedule.end().unwrap();
        assert_eq!((end.dataset.as_str(), end.reason), ("b", Reason::Exhausted));
        // b's 401st draw comes after 2 005 draws on average, with a spread of √(401·.8)/.2 = 90.
        assert!((1_600..2_400).contains(&end.n), "{}", end.n);
        let draws: Vec<Draw> = schedule.draws(0).collect();
        assert_eq!(draws.len() as u64, end.n);
        assert!(draws.iter().all(|d| d.pass == 0));
        assert_eq!(draws.iter().filter(|d| d.dataset == 1).count(), 400);
        assert!(schedule.draw(end.n).is_err() && schedule.draw(end.n + 500).is_err());
        let error = schedule.draw(1 << 60).unwrap_err();
        assert_eq!(error, Ended::TooFar(1 << 60));
    }

    #[test]
    fn a_summary_counts_what_walking_counts() {
        let shares = [("a", 0.123_456), ("b", 0.376_544), ("c", 0.5)];
        for (draw, range) in [(DrawRule::Exact, 1_234..9_876), (DrawRule::Iid, 100..3_000)] {
            let schedule = schedule(&shares, &abc(), draw, None);
            let summary = schedule.summary(range.clone());
            for (at, row) in summary.rows.iter().enumerate() {
                let drawn = |d: &Draw| d.dataset == at;
                let groups =
                    schedule.draws(range.start).take_while(|d| d.n < range.end).filter(drawn).count();
                assert_eq!(row.groups, groups as u64);
                let rows: BTreeSet<u64> =
                    schedule.draws(0).take_while(|d| d.n < range.end).filter(drawn).map(|d| d.row).collect();
                assert_eq!(row.unique_rows, rows.len() as u64);
                assert_eq!(row.planned_share, shares[at].1);
            }
            let mut counts = [0.0; 3];
            let mut largest = 0.0_f64;
            for d in schedule.draws(0).take_while(|d| d.n < range.end) {
                counts[d.dataset] += 1.0;
                if d.n + 1 >= range.start {
                    let off = |i: usize| (counts[i] - (d.n + 1) as f64 * shares[i].1).abs();
                    largest = (0..3).map(off).fold(largest, f64::max);
                }
            }
            assert!((summary.largest_deviation - largest).abs() < 1e-6);
            assert_eq!(draw == DrawRule::Exact, largest < 1.0);
        }
    }

    #[test]
    fn a_million_draws_are_exactly_the_integer_shares() {
        let shares = [("a", 0.123_456), ("b", 0.376_543), ("c", 0.500_001)];
        let summary = schedule(&shares, &abc(), DrawRule::Exact, None).summary(0..1_000_000);
        let groups: Vec<u64> = summary.rows.iter().map(|r| r.groups).collect();
        assert_eq!(groups, [123_456, 376_543, 500_001]);
    }

    #[test]
    fn a_schedule_without_its_datasets_is_refused() {
        let of = |shares: &[(&str, f64)], datasets: &[Dataset], max_passes| {
            let settings = Settings { max_passes, ..Settings::default() };
            Schedule::new(&mixture(shares), datasets, Seed::new(1), &settings).err().unwrap().to_string()
        };
        let one = [dataset("a", "a", 10), dataset("empty", "e", 0)];
        let unknown = of(&[("a", 0.5), ("x", 0.5)], &one, None);
        assert_eq!(unknown, "the mixture names the dataset `x`; there are `a`, `empty`");
        assert_eq!(of(&[("empty", 1.0)], &one, None), "the dataset `empty` has a share and no rows");
        assert_eq!(of(&[("a", 1.0)], &one, Some(0)), "`max_passes` is 0; it must be 1 or more");
        let twice = [one[0].clone(), one[0].clone()];
        assert_eq!(of(&[("a", 1.0)], &twice, None), "two datasets are called `a`");
        let vast = [dataset("a", "a", u64::MAX)];
        assert!(of(&[("a", 1.0)], &vast, None).contains("the limit is 2^62"));
    }

    fn abc() -> Vec<Dataset> {
        [("a", 10_000), ("b", 20_000), ("c", 30_000)]
            .map(|(name, rows)| dataset(name, &format!("contents of {name}"), rows))
            .to_vec()
    }

    fn dataset(name: &str, content: &str, rows: u64) -> Dataset {
        Dataset { name: name.parse().unwrap(), content_hash: blake3::hash(content.as_bytes()), rows }
    }

    fn mixture(shares: &[(&str, f64)]) -> Mixture {
        let shares: BTreeMap<Name, f64> = shares.iter().map(|(n, s)| (n.parse().unwrap(), *s)).collect();
        Mixture::new(&shares).unwrap()
    }

    fn schedule(
        shares: &[(&str, f64)],
        datasets: &[Dataset],
        draw: DrawRule,
        max_passes: Option<u64>,
    ) -> Schedule {
        Schedule::new(&mixture(shares), datasets, Seed::new(1), &Settings { draw, max_passes }).unwrap()
    }
}
