//! The order in which the samples of a mixture are drawn.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
};

use serde::{Deserialize, Serialize};

use super::{
    chairman::{Chairman, MOST_SOURCES, Walk},
    iid::{FURTHEST, Independent},
    lengths::MeanLength,
    permutation::{RowOrder, Rows},
    slice::Slice,
};
use crate::{
    mixture::{
        Mixture, PARTS,
        draw_rule::DrawRule,
        limit::{Limit, Then},
    },
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

/// How to draw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How the dataset of each draw is chosen.
    pub draw: DrawRule,
    /// Draws of an optimizer step, at most 10⁶: what [`DrawRule::Batch`] shuffles; other rules do not ask.
    pub step: u64,
    /// How often the rows of some datasets may be drawn.
    pub limits: BTreeMap<Name, Limit>,
    /// The same for all others; without it rows repeat for ever, and with [`DrawRule::Iid`] are drawn once.
    pub otherwise: Option<Limit>,
}

/// One draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Draw {
    /// Its number, from 0.
    pub n: u64,
    /// Index into the datasets the schedule was made with.
    pub dataset: usize,
    /// How many draws of this dataset came before; with [`DrawRule::Batch`], in the exact order.
    pub ordinal: u64,
    /// How many times every row of this dataset was drawn before: `ordinal / rows`.
    pub pass: u64,
    /// The row.
    pub row: u64,
}

/// From some draw on, other shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The first draw with the new shares.
    pub start: u64,
    /// The new shares; a dataset that is not named, or has no share, is drawn no more.
    pub mixture: Mixture,
    /// Datasets that were not there before.
    pub added: Vec<Dataset>,
    /// Why, for the record.
    pub reason: String,
}

/// Datasets, settings or changes that make no schedule.
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
    #[error("the dataset `{0}` has a share, or is handed one, and no rows")]
    NoRows(Name),
    /// A size that cannot be real.
    #[error("the dataset `{0}` claims {1} rows; the limit is 2^62")]
    TooManyRows(Name, u64),
    /// More datasets with a share than the table of draws is made for.
    #[error("{0} datasets have a share; the limit is {MOST_SOURCES}")]
    TooManyDatasets(usize),
    /// A limit for, or a share handed to, a dataset that is not there.
    #[error("a limit names the dataset `{name}`; there are {}", listed(known))]
    UnknownInLimit {
        /// What it names.
        name: Name,
        /// What there is.
        known: Vec<Name>,
    },
    /// What a dataset has given it cannot take.
    #[error("the dataset `{0}` hands its share to itself; name another one, or write `renormalise`")]
    HandsToItself(Name),
    /// Steps of a length that cannot be shuffled.
    #[error("draws are to be shuffled inside steps of {0} draws; a step has 1 to {MOST_IN_STEP}")]
    Step(u64),
    /// A change of what was drawn already.
    #[error("a change at draw {start} is in the past: {drawn} draws are made")]
    InThePast {
        /// Where it would start.
        start: u64,
        /// How many draws are made.
        drawn: u64,
    },
    /// A change that does not come after the one before it.
    #[error("a change at draw {start} does not come after the one at draw {last}")]
    NotAfter {
        /// Where it would start.
        start: u64,
        /// Where the last one starts.
        last: u64,
    },
    /// A change inside a step whose draws are shuffled.
    #[error("a change at draw {start} is inside a step of {step} draws, which are shuffled together")]
    InsideStep {
        /// Where it would start.
        start: u64,
        /// Draws of a step.
        step: u64,
    },
    /// Independent draws are counted one by one.
    #[error("a change at draw {0} is too far for independent draws, which go up to {FURTHEST}")]
    TooFar(u64),
    /// A limit that leaves a dataset no draw at all.
    #[error("the limit `{limit}` leaves no draw of the dataset `{name}`, which has {rows} rows")]
    NoDraws {
        /// The dataset.
        name: Name,
        /// Its limit.
        limit: String,
        /// Its rows.
        rows: u64,
    },
    /// A change after the end.
    #[error("a change at draw {start} is never reached: {end}")]
    AfterEnd {
        /// Where it would start.
        start: u64,
        /// Where the schedule ends.
        end: End,
    },
}

/// Most draws of a step that are shuffled.
const MOST_IN_STEP: u64 = 1_000_000;

/// Where a schedule ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The first draw that there is not.
    pub n: u64,
    /// The dataset it would come from.
    pub dataset: Name,
    /// Why not.
    pub reason: Reason,
}

/// Why a schedule ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    #[error("there is no draw {n}: {end}")]
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

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.reason {
            Reason::MaxPasses => "has reached `max_passes`",
            Reason::Exhausted => "has no unseen row left",
        };
        write!(f, "`{}` {why} at draw {}", self.dataset, self.n)
    }
}

/// What every draw is: a function of its number.
///
/// The j-th sample of a dataset is the same under every mixture, every [`DrawRule`] and among any other datasets,
/// as long as seed and content are the same: runs of a sweep are paired. Renaming a dataset or listing the datasets
/// in another order changes nothing.
///
/// Shares hold from one draw to another: a change of mixture, or a dataset that has given what it may, begins a
/// new segment. Datasets go on with the row that comes next in each, so that no row is lost or repeated.
pub struct Schedule {
    seed: Seed,
    settings: Settings,
    datasets: Vec<Dataset>,
    segments: Vec<Segment>,
    end: Option<End>,
}

/// Draws with the same shares.
pub(super) struct Segment {
    pub(super) start: u64,
    /// Share of each dataset in millionths, in the order of the datasets; those that were added later have none.
    pub(super) parts: Vec<u32>,
    /// Draws of each dataset before the start.
    pub(super) before: Vec<u64>,
    pub(super) why: Why,
    /// The datasets with a share, by content hash and then by name, so that ties between them fall the same way
    /// whatever they are called.
    sources: Vec<Source>,
    sequence: Sequence,
}

impl Segment {
    /// Draws of each dataset among draws `0..n`, those of the segment in their exact order.
    fn counts(&self, n: u64) -> Vec<u64> {
        let inside = match &self.sequence {
            Sequence::Exact(chairman) => chairman.counts(n - self.start),
            Sequence::Iid(independent) => independent.counts(n - self.start),
        };
        let mut counts = self.before.clone();
        for (source, draws) in self.sources.iter().zip(inside) {
            counts[source.dataset] += draws;
        }
        counts
    }
}

/// Why a segment begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It is the first.
    Start,
    /// Somebody changed the mixture.
    Change(String),
    /// A dataset has given what it may.
    Limit(String),
}

struct Source {
    dataset: usize,
    parts: u32,
    order: RowOrder,
    /// Draws of it before the segment.
    before: u64,
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
        check_datasets(datasets)?;
        check_settings(datasets, settings)?;
        let parts = parts_of(mixture, datasets)?;
        let mut schedule = Self {
            seed,
            settings: settings.clone(),
            datasets: datasets.to_vec(),
            segments: Vec::new(),
            end: None,
        };
        schedule.begin(0, parts, vec![0; datasets.len()], Why::Start);
        schedule.settle();
        Ok(schedule)
    }

    /// Other shares from some draw on; what came before stays as it is, and every dataset goes on with its next row.
    ///
    /// `drawn`: how many draws are made already; a change that starts before is refused. What limits will do later
    /// is worked out anew.
    pub fn change(&mut self, change: &Change, drawn: u64) -> Result<(), BadSchedule> {
        let start = change.start;
        if start < drawn {
            return Err(BadSchedule::InThePast { start, drawn });
        }
        let is_planned = |s: &&Segment| !matches!(s.why, Why::Limit(_));
        let last = self.segments.iter().filter(is_planned).map(|s| s.start).max().unwrap_or(0);
        if start <= last {
            return Err(BadSchedule::NotAfter { start, last });
        }
        let step = self.settings.step;
        if self.settings.draw == DrawRule::Batch && !start.is_multiple_of(step) {
            return Err(BadSchedule::InsideStep { start, step });
        }
        if let Some(end) = self.end.clone().filter(|end| end.n <= start) {
            return Err(BadSchedule::AfterEnd { start, end });
        }
        if self.settings.draw == DrawRule::Iid && start > FURTHEST {
            return Err(BadSchedule::TooFar(start));
        }
        let datasets = [&self.datasets[..], &change.added].concat();
        check_datasets(&datasets)?;
        let parts = parts_of(&change.mixture, &datasets)?;
        let mut before = self.counts(start);
        before.resize(datasets.len(), 0);
        self.datasets = datasets;
        self.segments.retain(|s| s.start < start);
        self.end = None;
        self.begin(start, parts, before, Why::Change(change.reason.clone()));
        self.settle();
        Ok(())
    }

    /// The datasets, in the order they were given: what [`Draw::dataset`] counts.
    pub fn datasets(&self) -> &[Dataset] {
        &self.datasets
    }

    /// How it draws.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn seed(&self) -> Seed {
        self.seed
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    fn begin(&mut self, start: u64, parts: Vec<u32>, before: Vec<u64>, why: Why) {
        let mut sources: Vec<Source> = Vec::new();
        for (at, dataset) in self.datasets.iter().enumerate().filter(|(at, _)| parts[*at] > 0) {
            let order = RowOrder::new(self.seed, &dataset.content_hash, dataset.rows);
            sources.push(Source { dataset: at, parts: parts[at], order, before: before[at] });
        }
        let key = |s: &Source| {
            let dataset = &self.datasets[s.dataset];
            (*dataset.content_hash.as_bytes(), dataset.name.clone())
        };
        sources.sort_by_cached_key(key);
        let weights: Vec<u32> = sources.iter().map(|s| s.parts).collect();
        let sequence = match self.settings.draw {
            DrawRule::Exact | DrawRule::Batch => Sequence::Exact(Chairman::new(&weights)),
            DrawRule::Iid => Sequence::Iid(Independent::new(&weights, self.seed.child("iid"), start)),
        };
        self.segments.push(Segment { start, parts, before, why, sources, sequence });
    }

    /// Begins a segment wherever a dataset of the last one has given what it may, until none has or it ends.
    fn settle(&mut self) {
        while let Some((n, dataset)) = self.next_limit() {
            let last = self.segments.last().expect("a schedule has a segment");
            // The segment ends here, so what it holds is known whatever its order: a step that is cut is shuffled
            // within its part.
            let counts = last.counts(n);
            let mut parts = last.parts.clone();
            let name = &self.datasets[dataset].name;
            let limit = self.limit(dataset);
            let Some(then) = limit.as_ref().and_then(Limit::then) else { return };
            let stopped = match then {
                Then::Stop => true,
                Then::Renormalise => !renormalise(&mut parts, dataset),
                Then::HandTo(other) => {
                    let other = self.datasets.iter().position(|d| d.name == *other);
                    // Handed on in a circle of datasets that all have given what they may, it ends there.
                    let takes = other.filter(|o| *o != dataset && self.left(*o, &counts) > 0);
                    match takes {
                        Some(other) => {
                            parts[other] += std::mem::take(&mut parts[dataset]);
                            false
                        }
                        None => true,
                    }
                }
            };
            if stopped {
                let reason =
                    if self.settings.draw == DrawRule::Iid { Reason::Exhausted } else { Reason::MaxPasses };
                self.end = Some(End { n, dataset: name.clone(), reason });
                return;
            }
            let limit = limit.map_or(String::new(), |limit| limit.to_string());
            let why = Why::Limit(format!("`{name}` has reached its limit {limit}"));
            // Two limits at the same draw leave an empty segment between them, for the record.
            self.begin(n, parts, counts, why);
        }
    }

    /// Where the last segment would draw more of a dataset than it may, and which.
    fn next_limit(&self) -> Option<(u64, usize)> {
        let last = self.segments.last()?;
        let left = |source: &Source| {
            let draws = self.limit(source.dataset)?.draws(self.datasets[source.dataset].rows)?;
            Some(draws.saturating_sub(source.before))
        };
        let limits: Vec<Option<u64>> = last.sources.iter().map(left).collect();
        let (at, source) = match &last.sequence {
            _ if limits.iter().all(Option::is_none) => return None,
            Sequence::Exact(chairman) => chairman.first_beyond(&limits)?,
            Sequence::Iid(independent) => independent.first_beyond(&limits)?,
        };
        Some((last.start.checked_add(at)?, last.sources[source].dataset))
    }

    fn limit(&self, dataset: usize) -> Option<Limit> {
        let own = self.settings.limits.get(&self.datasets[dataset].name).or(self.settings.otherwise.as_ref());
        own.cloned().or_else(|| (self.settings.draw == DrawRule::Iid).then_some(Limit::STOP))
    }

    /// Draws that a dataset still has.
    fn left(&self, dataset: usize, counts: &[u64]) -> u64 {
        let draws = self.limit(dataset).and_then(|limit| limit.draws(self.datasets[dataset].rows));
        draws.map_or(u64::MAX, |draws| draws.saturating_sub(counts[dataset]))
    }

    fn segment_of(&self, n: u64) -> usize {
        self.segments.partition_point(|s| s.start <= n) - 1
    }

    /// The first draw after a segment: where the next one starts, or where it all ends.
    fn until(&self, segment: usize) -> u64 {
        let end = self.end.as_ref().map_or(u64::MAX, |end| end.n);
        self.segments.get(segment + 1).map_or(end, |next| next.start)
    }

    /// Draw number `n`, below 2⁶³.
    pub fn draw(&self, n: u64) -> Result<Draw, Ended> {
        if let Some(end) = self.end.as_ref().filter(|end| end.n <= n) {
            return match self.settings.draw {
                DrawRule::Iid if n > FURTHEST => Err(Ended::TooFar(n)),
                _ => Err(Ended::Before { n, end: end.clone() }),
            };
        }
        let at = self.segment_of(n);
        let segment = &self.segments[at];
        let (source, ordinal) = match &segment.sequence {
            Sequence::Exact(chairman) if self.settings.draw == DrawRule::Batch => {
                chairman.draw(self.window(at, n).exact(n) - segment.start)
            }
            Sequence::Exact(chairman) => chairman.draw(n - segment.start),
            Sequence::Iid(_) if n > FURTHEST => return Err(Ended::TooFar(n)),
            Sequence::Iid(independent) => independent.draw(n - segment.start),
        };
        let Source { dataset, order, before, .. } = &segment.sources[source];
        let ordinal = before + ordinal;
        let (pass, position) = (ordinal / order.rows(), ordinal % order.rows());
        Ok(Draw { n, dataset: *dataset, ordinal, pass, row: order.row(pass, position) })
    }

    /// The draws from number `from` on, until the schedule ends; much faster than asking for one after another.
    pub fn draws(&self, from: u64) -> Draws<'_> {
        let (segment, until, way, sources) = (0, 0, Way::Nowhere, Vec::new());
        let mut draws = Draws { schedule: self, next: from, segment, until, way, sources };
        draws.enter(from);
        draws
    }

    /// The draws of one reader from number `from` on.
    pub fn slice(&self, slice: Slice, from: u64) -> impl Iterator<Item = Draw> + '_ {
        slice.numbers(from).map_while(|n| self.draw(n).ok())
    }

    /// Where it ends; none where it goes on for ever, or independent draws for [`FURTHEST`] draws.
    pub fn end(&self) -> Option<End> {
        self.end.clone()
    }

    /// The draws among which a shuffled one has its place: those of its step, cut to its segment.
    fn window(&self, segment: usize, n: u64) -> Window {
        let step = n / self.settings.step;
        let first = (step * self.settings.step).max(self.segments[segment].start);
        let length = (step + 1).saturating_mul(self.settings.step).min(self.until(segment)) - first;
        let key = self.seed.child("batch").bits();
        Window { first, step, order: RowOrder::keyed(key, length) }
    }

    /// The row that a dataset's draw number `ordinal` takes; none for a dataset without a row.
    pub fn row(&self, dataset: usize, ordinal: u64) -> Option<u64> {
        let dataset = self.datasets.get(dataset).filter(|dataset| dataset.rows > 0)?;
        let order = RowOrder::new(self.seed, &dataset.content_hash, dataset.rows);
        Some(order.row(ordinal / order.rows(), ordinal % order.rows()))
    }

    /// Draws of each dataset among draws `0..n`.
    pub(super) fn counts(&self, n: u64) -> Vec<u64> {
        let at = self.segment_of(n);
        let segment = &self.segments[at];
        match &segment.sequence {
            Sequence::Exact(chairman) if self.settings.draw == DrawRule::Batch && n < self.until(at) => {
                let window = self.window(at, n);
                let mut counts = segment.counts(window.first);
                for n in window.first..n {
                    let (source, _) = chairman.draw(window.exact(n) - segment.start);
                    counts[segment.sources[source].dataset] += 1;
                }
                counts
            }
            _ => segment.counts(n),
        }
    }

    /// Planned and realised shares over a range of draws, cut where the schedule ends.
    ///
    /// Takes a few milliseconds per segment for exact draws however long the range is; independent draws are walked.
    pub fn summary(&self, range: Range<u64>) -> Summary {
        let furthest = match self.settings.draw {
            DrawRule::Iid => range.end.min(FURTHEST + 1),
            _ => range.end,
        };
        let end = self.end.clone().filter(|end| end.n < furthest);
        let until = end.as_ref().map_or(furthest, |end| end.n);
        let range = range.start.min(until)..until;
        let (before, after) = (self.counts(range.start), self.counts(range.end));
        let count = |counts: &[u64], at: usize| counts.get(at).copied().unwrap_or(0);
        let length = ((range.end - range.start) as f64).max(1.0);
        let mut planned = vec![0.0; self.datasets.len()];
        let mut largest_deviation = 0.0_f64;
        for (i, segment) in self.segments.iter().enumerate() {
            let part = range.start.max(segment.start)..range.end.min(self.until(i));
            if part.start >= part.end && !(range.is_empty() && segment.start == range.start) {
                continue;
            }
            for (planned, parts) in planned.iter_mut().zip(&segment.parts) {
                *planned += f64::from(*parts) / f64::from(PARTS) * ((part.end - part.start) as f64 / length);
            }
            largest_deviation = largest_deviation.max(self.largest_deviation(i, &part));
        }
        let rows = self.datasets.iter().enumerate().map(|(at, dataset)| {
            let (drawn, groups) = (count(&after, at), count(&after, at) - count(&before, at));
            SummaryRow {
                dataset: dataset.name.clone(),
                planned_share: planned[at],
                realised_share: groups as f64 / length,
                groups,
                passes: drawn as f64 / (dataset.rows as f64).max(1.0),
                unique_rows: drawn.min(dataset.rows),
                tokens: None,
                pixels: None,
            }
        });
        let starts_inside = |s: &&Segment| s.start > range.start && s.start < range.end;
        let segments = self.segments.iter().filter(starts_inside).map(|s| s.start).collect();
        let shuffled = self.settings.draw == DrawRule::Batch;
        Summary { rows: rows.collect(), largest_deviation, shuffled, segments, range, end }
    }

    /// Largest distance between a dataset's count and its share since the segment's start, in draws, over the
    /// prefixes that end in `part`; with shuffled steps, over those that end with a step or with the segment.
    fn largest_deviation(&self, segment: usize, part: &Range<u64>) -> f64 {
        let until = self.until(segment);
        let segment = &self.segments[segment];
        let (from, to) = (part.start - segment.start, part.end - segment.start);
        // In millionths of a draw, so that it is exact for any n.
        let deviation = |at: u64, source: usize, count: u64| {
            (i128::from(at) * i128::from(segment.sources[source].parts)
                - i128::from(count) * i128::from(PARTS))
            .unsigned_abs()
        };
        let counts_at = |at: u64| match &segment.sequence {
            Sequence::Exact(chairman) => chairman.counts(at),
            Sequence::Iid(independent) => independent.counts(at),
        };
        let (mut counts, last) = (counts_at(from), counts_at(to));
        let all = |at: u64, counts: &[u64]| {
            counts.iter().enumerate().map(|(s, c)| deviation(at, s, *c)).max().unwrap_or(0)
        };
        let shuffled = self.settings.draw == DrawRule::Batch;
        // A step that the segment's end cuts is complete there.
        let ends_a_step = |at: u64| {
            let n = segment.start + at;
            n.is_multiple_of(self.settings.step) || n == until
        };
        let looked_at = |at: u64| !shuffled || ends_a_step(at);
        let largest_at = |at: u64, counts: &[u64]| if looked_at(at) { all(at, counts) } else { 0 };
        let mut largest = largest_at(from, &counts).max(largest_at(to, &last));
        let walked = match &segment.sequence {
            // Deviations repeat with the period.
            Sequence::Exact(chairman) => from..to.min(from.saturating_add(chairman.period())),
            Sequence::Iid(_) => from..to,
        };
        // A count is furthest below its share just before it grows, and furthest above just after.
        for at in walked {
            let source = match &segment.sequence {
                Sequence::Exact(chairman) => chairman.draw(at).0,
                Sequence::Iid(independent) => independent.source(at),
            };
            let below = deviation(at, source, counts[source]);
            counts[source] += 1;
            if !shuffled {
                largest = largest.max(below).max(deviation(at + 1, source, counts[source]));
            } else if ends_a_step(at + 1) {
                largest = largest.max(all(at + 1, &counts));
            }
        }
        largest as f64 / f64::from(PARTS)
    }
}

/// The draws of one step in a shuffled order.
struct Window {
    first: u64,
    step: u64,
    order: RowOrder,
}

impl Window {
    /// The number that draw `n` of the window has in the exact order.
    fn exact(&self, n: u64) -> u64 {
        self.first + self.order.row(self.step, n - self.first)
    }
}

/// Draws one after another; see [`Schedule::draws`].
pub struct Draws<'a> {
    schedule: &'a Schedule,
    next: u64,
    segment: usize,
    /// The first draw that is not of this segment.
    until: u64,
    way: Way<'a>,
    /// Of each source of the segment the dataset, its draws before the segment, and its rows.
    sources: Vec<(usize, u64, Rows)>,
}

/// How one segment is walked.
enum Way<'a> {
    Nowhere,
    Exact(Walk<'a>),
    Shuffled(&'a Chairman, Option<Window>),
    /// With the draws of each source so far.
    Iid(&'a Independent, Vec<u64>),
}

impl Draws<'_> {
    fn enter(&mut self, n: u64) {
        let schedule = self.schedule;
        if schedule.end.as_ref().is_some_and(|end| end.n <= n) {
            (self.until, self.way) = (n, Way::Nowhere);
            return;
        }
        self.segment = schedule.segment_of(n);
        self.until = schedule.until(self.segment);
        let segment = &schedule.segments[self.segment];
        let follow = |source: &Source| (source.dataset, source.before, Rows::new(source.order));
        self.sources = segment.sources.iter().map(follow).collect();
        self.way = match &segment.sequence {
            Sequence::Exact(chairman) if schedule.settings.draw == DrawRule::Batch => {
                Way::Shuffled(chairman, None)
            }
            Sequence::Exact(chairman) => Way::Exact(chairman.walk(n - segment.start)),
            Sequence::Iid(_) if n > FURTHEST => {
                self.until = n;
                Way::Nowhere
            }
            Sequence::Iid(independent) => {
                self.until = self.until.min(FURTHEST + 1);
                Way::Iid(independent, independent.counts(n - segment.start))
            }
        };
    }
}

impl Iterator for Draws<'_> {
    type Item = Draw;

    #[inline]
    fn next(&mut self) -> Option<Draw> {
        if self.next >= self.until {
            self.enter(self.next);
            if self.next >= self.until {
                return None;
            }
        }
        let n = self.next;
        let schedule = self.schedule;
        let inside = |n: u64| n - schedule.segments[self.segment].start;
        let (source, rank) = match &mut self.way {
            Way::Nowhere => return None,
            Way::Exact(walk) => walk.next(),
            Way::Shuffled(chairman, window) => {
                if window.as_ref().is_none_or(|w| n - w.first >= w.order.rows()) {
                    *window = Some(schedule.window(self.segment, n));
                }
                let window = window.as_ref().expect("it was just made");
                chairman.draw(inside(window.exact(n)))
            }
            Way::Iid(independent, counts) => {
                let source = independent.source(inside(n));
                counts[source] += 1;
                (source, counts[source] - 1)
            }
        };
        self.next += 1;
        let (dataset, before, rows) = &mut self.sources[source];
        let ordinal = *before + rank;
        let (pass, row) = rows.at(ordinal);
        Some(Draw { n, dataset: *dataset, ordinal, pass, row })
    }
}

/// What a range of draws comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The draws counted.
    pub range: Range<u64>,
    /// One row per dataset, in the order they were given.
    pub rows: Vec<SummaryRow>,
    /// Largest distance of a dataset's count from its share since the shares began to hold, in draws, over all
    /// prefixes that end in the range; below 1 for exact draws. With shuffled steps: over all prefixes that end
    /// with a step, or with a part of one that other shares or the end of the schedule cut.
    pub largest_deviation: f64,
    /// Whether the draws of each step are shuffled.
    pub shuffled: bool,
    /// Draws inside the range at which other shares begin.
    pub segments: Vec<u64>,
    /// Why the range was cut, where it was.
    pub end: Option<End>,
}

/// What a range of draws comes to for one dataset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SummaryRow {
    /// The dataset.
    pub dataset: Name,
    /// Its share in the mixture, in [0, 1]; over several segments their mean, weighted by their draws.
    pub planned_share: f64,
    /// Its share of the draws in the range, in [0, 1].
    pub realised_share: f64,
    /// Prompt groups drawn in the range.
    pub groups: u64,
    /// Passes over its rows from draw 0 to the end of the range, in rows drawn per row there is.
    pub passes: f64,
    /// Different rows drawn from draw 0 to the end of the range.
    pub unique_rows: u64,
    /// Prompt tokens of these groups by the dataset's mean length; see [`Summary::measure`].
    pub tokens: Option<f64>,
    /// Pixels of these groups by the dataset's mean; see [`Summary::measure`].
    pub pixels: Option<f64>,
}

impl Summary {
    /// Fills in tokens and pixels of the datasets whose mean lengths are known.
    pub fn measure(&mut self, means: &BTreeMap<Name, MeanLength>) {
        for row in &mut self.rows {
            let Some(mean) = means.get(&row.dataset) else { continue };
            row.tokens = mean.tokens.map(|tokens| tokens * row.groups as f64);
            row.pixels = Some(mean.pixels * row.groups as f64);
        }
    }
}

/// Gives a dataset's share to the others in the proportions they have, by largest remainders; false if there are none.
fn renormalise(parts: &mut [u32], dataset: usize) -> bool {
    let given = u64::from(std::mem::take(&mut parts[dataset]));
    let rest: u64 = parts.iter().map(|p| u64::from(*p)).sum();
    if rest == 0 {
        parts[dataset] = given as u32;
        return false;
    }
    let total = rest + given;
    let exact = |p: u32| (u64::from(p) * total / rest, u64::from(p) * total % rest);
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|i| (std::cmp::Reverse(exact(parts[*i]).1), *i));
    let floors: Vec<u32> = parts.iter().map(|p| exact(*p).0 as u32).collect();
    let missing = total - floors.iter().map(|p| u64::from(*p)).sum::<u64>();
    parts.copy_from_slice(&floors);
    order.into_iter().take(missing as usize).for_each(|i| parts[i] += 1);
    true
}

/// Pairs of datasets with the same rows: a mixture that names both draws the same rows twice, in the same order.
pub(super) fn same_rows(datasets: &[Dataset]) -> Vec<(&Name, &Name)> {
    let mut seen: BTreeMap<[u8; 32], &Name> = BTreeMap::new();
    let mut pairs = Vec::new();
    for dataset in datasets {
        match seen.get(dataset.content_hash.as_bytes()) {
            Some(first) => pairs.push((*first, &dataset.name)),
            None => drop(seen.insert(*dataset.content_hash.as_bytes(), &dataset.name)),
        }
    }
    pairs
}

fn check_datasets(datasets: &[Dataset]) -> Result<(), BadSchedule> {
    let mut names = BTreeSet::new();
    if let Some(twice) = datasets.iter().find(|d| !names.insert(&d.name)) {
        return Err(BadSchedule::TwiceNamed(twice.name.clone()));
    }
    match datasets.iter().find(|d| d.rows > 1 << 62) {
        Some(vast) => Err(BadSchedule::TooManyRows(vast.name.clone(), vast.rows)),
        None => Ok(()),
    }
}

fn check_settings(datasets: &[Dataset], settings: &Settings) -> Result<(), BadSchedule> {
    let known = |name: &Name| datasets.iter().any(|d| d.name == *name);
    let all = || settings.limits.values().chain(&settings.otherwise);
    let handed_to = || {
        all().filter_map(|limit| match limit.then() {
            Some(Then::HandTo(name)) => Some(name),
            _ => None,
        })
    };
    if let Some(name) = settings.limits.keys().chain(handed_to()).find(|name| !known(name)) {
        let known = datasets.iter().map(|d| d.name.clone()).collect();
        return Err(BadSchedule::UnknownInLimit { name: name.clone(), known });
    }
    // One limit for all may name a dataset that is itself among them: there it ends.
    let to_itself =
        |(name, limit): &(&Name, &Limit)| matches!(limit.then(), Some(Then::HandTo(to)) if to == *name);
    if let Some((name, _)) = settings.limits.iter().find(to_itself) {
        return Err(BadSchedule::HandsToItself(name.clone()));
    }
    for dataset in datasets {
        if dataset.rows == 0 {
            if handed_to().any(|name| *name == dataset.name) {
                return Err(BadSchedule::NoRows(dataset.name.clone()));
            }
            continue;
        }
        let limit = settings.limits.get(&dataset.name).or(settings.otherwise.as_ref());
        if let Some(limit) = limit.filter(|limit| limit.draws(dataset.rows) == Some(0)) {
            let (name, limit, rows) = (dataset.name.clone(), limit.to_string(), dataset.rows);
            return Err(BadSchedule::NoDraws { name, limit, rows });
        }
    }
    if settings.draw == DrawRule::Batch && !(1..=MOST_IN_STEP).contains(&settings.step) {
        return Err(BadSchedule::Step(settings.step));
    }
    Ok(())
}

/// Integer shares in the order of the datasets.
fn parts_of(mixture: &Mixture, datasets: &[Dataset]) -> Result<Vec<u32>, BadSchedule> {
    let at: BTreeMap<&Name, usize> = datasets.iter().enumerate().map(|(i, d)| (&d.name, i)).collect();
    let mut all = vec![0; datasets.len()];
    for (name, parts) in mixture.parts() {
        let at = *at.get(name).ok_or_else(|| BadSchedule::UnknownDataset {
            name: name.clone(),
            known: datasets.iter().map(|d| d.name.clone()).collect(),
        })?;
        if parts > 0 && datasets[at].rows == 0 {
            return Err(BadSchedule::NoRows(name.clone()));
        }
        all[at] = parts;
    }
    match all.iter().filter(|parts| **parts > 0).count() {
        many if many > MOST_SOURCES => Err(BadSchedule::TooManyDatasets(many)),
        _ => Ok(all),
    }
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

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_single_draw_is_the_same_as_walking_there() {
        for draw in [DrawRule::Exact, DrawRule::Batch, DrawRule::Iid] {
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
        let schedule = schedule(&[("a", 0.5), ("b", 0.5)], &datasets, DrawRule::Exact, Some("2"));
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
        let of = |shares: &[(&str, f64)], datasets: &[Dataset], settings: Settings| {
            Schedule::new(&mixture(shares), datasets, Seed::new(1), &settings).err().unwrap().to_string()
        };
        let one = [dataset("a", "a", 10), dataset("empty", "e", 0)];
        let unknown = of(&[("a", 0.5), ("x", 0.5)], &one, Settings::default());
        assert_eq!(unknown, "the mixture names the dataset `x`; there are `a`, `empty`");
        assert_eq!(
            of(&[("empty", 1.0)], &one, Settings::default()),
            "the dataset `empty` has a share, or is handed one, and no rows"
        );
        let handed = settings(DrawRule::Exact, Some("1:hand_to=empty"));
        assert!(
            of(&[("a", 1.0)], &one, handed).contains("`empty` has a share, or is handed one, and no rows")
        );
        assert_eq!(
            of(&[("a", 1.0)], &one, settings(DrawRule::Exact, Some("0.01:renormalise"))),
            "the limit `0.01:renormalise` leaves no draw of the dataset `a`, which has 10 rows"
        );
        let batch = Settings { draw: DrawRule::Batch, ..Settings::default() };
        assert!(of(&[("a", 1.0)], &one, batch).contains("steps of 0 draws"));
        let elsewhere = settings(DrawRule::Exact, Some("1:hand_to=x"));
        assert_eq!(
            of(&[("a", 1.0)], &one, elsewhere),
            "a limit names the dataset `x`; there are `a`, `empty`"
        );
        let limits = [("a".parse().unwrap(), "1:hand_to=a".parse().unwrap())].into();
        assert_eq!(
            of(&[("a", 1.0)], &one, Settings { limits, ..Settings::default() }),
            "the dataset `a` hands its share to itself; name another one, or write `renormalise`"
        );
        let twice = [one[0].clone(), one[0].clone()];
        assert_eq!(of(&[("a", 1.0)], &twice, Settings::default()), "two datasets are called `a`");
        let vast = [dataset("a", "a", u64::MAX)];
        assert!(of(&[("a", 1.0)], &vast, Settings::default()).contains("the limit is 2^62"));
    }

    #[test]
    fn shuffled_steps_hold_what_exact_steps_hold() {
        let shares = [("a", 0.5), ("b", 0.3), ("c", 0.2)];
        let exact = schedule(&shares, &abc(), DrawRule::Exact, None);
        let shuffled = schedule(&shares, &abc(), DrawRule::Batch, None);
        let (exact, shuffled): (Vec<Draw>, Vec<Draw>) =
            (exact.draws(0).take(4_800).collect(), shuffled.draws(0).take(4_800).collect());
        let mut moved = 0;
        for (a, b) in exact.chunks(48).zip(shuffled.chunks(48)) {
            let set =
                |step: &[Draw]| step.iter().map(|d| (d.dataset, d.ordinal, d.row)).collect::<BTreeSet<_>>();
            assert_eq!(set(a), set(b));
            moved += a.iter().zip(b).filter(|(x, y)| x.row != y.row).count();
        }
        // One of 48 stays by chance.
        assert!(moved > 4_500, "{moved} of 4800 moved");
        let orders: BTreeSet<Vec<usize>> =
            shuffled.chunks(48).map(|step| step.iter().map(|d| d.dataset).collect()).collect();
        assert_eq!(orders.len(), 100, "every step has its own order");
    }

    #[test]
    fn a_dataset_at_its_limit_hands_its_share_on_and_nothing_is_silent() {
        let datasets = [dataset("a", "a", 100), dataset("b", "b", 10), dataset("c", "c", 50)];
        let shares = [("a", 0.5), ("b", 0.25), ("c", 0.25)];
        let of = |limit: &str| {
            let limits = [("b".parse().unwrap(), limit.parse().unwrap())].into();
            let settings = Settings { limits, ..Settings::default() };
            Schedule::new(&mixture(&shares), &datasets, Seed::new(1), &settings).unwrap()
        };
        // b's eleventh draw would be one of draws 40 to 43.
        for (limit, parts) in
            [("1:renormalise", [666_667, 0, 333_333]), ("1:hand_to=c", [500_000, 0, 500_000])]
        {
            let schedule = of(limit);
            let [_, after] = schedule.segments() else { panic!("two segments") };
            assert_eq!(after.parts, parts, "{limit}");
            assert!((40..44).contains(&after.start), "{}", after.start);
            assert_eq!(after.why, Why::Limit(format!("`b` has reached its limit {limit}")));
            let drawn = schedule.draws(0).take(10_000).filter(|d| d.dataset == 1).count();
            assert_eq!(drawn, 10);
            assert_eq!(schedule.summary(0..1_000).segments, [after.start]);
        }
        assert_eq!(of("1:stop").end().unwrap().dataset.as_str(), "b");
        assert_eq!(of("repeat").end(), None);
    }

    #[test]
    fn shares_handed_round_in_a_circle_end_when_all_have_given() {
        let datasets = [dataset("a", "a", 7), dataset("b", "b", 5)];
        let limits = [("a", "2:hand_to=b"), ("b", "1:hand_to=a")];
        let limits = limits.map(|(n, l)| (n.parse().unwrap(), l.parse().unwrap())).into();
        let settings = Settings { limits, ..Settings::default() };
        let schedule =
            Schedule::new(&mixture(&[("a", 0.5), ("b", 0.5)]), &datasets, Seed::new(1), &settings).unwrap();
        // Two passes over seven rows and one over five.
        assert_eq!(schedule.draws(0).count(), 19);
        assert_eq!(schedule.end().unwrap().n, 19);
    }

    #[test]
    fn a_change_in_the_past_or_out_of_turn_is_refused() {
        let mut schedule = schedule(&[("a", 0.5), ("b", 0.5)], &abc(), DrawRule::Exact, None);
        let change = |start| Change {
            start,
            mixture: mixture(&[("a", 1.0)]),
            added: Vec::new(),
            reason: "fit 2".to_owned(),
        };
        let error = schedule.change(&change(99), 100).unwrap_err().to_string();
        assert_eq!(error, "a change at draw 99 is in the past: 100 draws are made");
        schedule.change(&change(100), 100).unwrap();
        let error = schedule.change(&change(100), 100).unwrap_err().to_string();
        assert_eq!(error, "a change at draw 100 does not come after the one at draw 100");
        let mut shuffled =
            Schedule::new(&mixture(&[("a", 1.0)]), &abc(), Seed::new(1), &settings(DrawRule::Batch, None))
                .unwrap();
        let error = shuffled.change(&change(100), 100).unwrap_err().to_string();
        assert_eq!(error, "a change at draw 100 is inside a step of 48 draws, which are shuffled together");
        let mut independent = Schedule::new(
            &mixture(&[("a", 1.0)]),
            &abc(),
            Seed::new(1),
            &settings(DrawRule::Iid, Some("repeat")),
        )
        .unwrap();
        assert_eq!(independent.change(&change(1 << 40), 0), Err(BadSchedule::TooFar(1 << 40)));
        let unknown = Change { mixture: mixture(&[("x", 1.0)]), ..change(200) };
        assert!(schedule.change(&unknown, 100).unwrap_err().to_string().contains("names the dataset `x`"));
    }

    #[test]
    fn a_step_that_a_limit_cuts_is_shuffled_within_its_part() {
        let datasets = [dataset("a", "a", 40), dataset("b", "b", 500)];
        let of = |limit: &str| {
            let limits = [("a".parse().unwrap(), limit.parse().unwrap())].into();
            let settings = Settings { draw: DrawRule::Batch, step: 64, limits, otherwise: None };
            Schedule::new(&mixture(&[("a", 0.5), ("b", 0.5)]), &datasets, Seed::new(1), &settings).unwrap()
        };
        let schedule = of("1:renormalise");
        let [first, after] = schedule.segments() else { panic!("two segments") };
        // All 40 rows of `a`, and of `b` as many or one more.
        assert_eq!(after.before[0], 40);
        let end = after.start;
        let drawn = schedule.draws(first.start).take(end as usize).filter(|d| d.dataset == 0).count();
        assert_eq!((drawn, schedule.summary(0..200).rows[0].groups), (40, 40));
        // The end inside a step is looked at as the end of a step is: one draw of `b` more than of `a` is half a draw.
        let schedule = of("1:stop");
        let end = schedule.end().unwrap().n;
        assert!(!end.is_multiple_of(64));
        let expected = (schedule.counts(end)[1] as f64 - end as f64 / 2.0).abs();
        assert_eq!(schedule.summary(0..200).largest_deviation, expected.max(0.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn changes_lose_and_repeat_no_row_and_move_no_earlier_draw(
            starts in proptest::collection::btree_set(1_u64..3_000, 1..5),
            seed in 0_u64..1000,
            rule in prop_oneof![Just(DrawRule::Exact), Just(DrawRule::Batch), Just(DrawRule::Iid)],
        ) {
            let mut schedule =
                Schedule::new(&mixture(&[("a", 0.6), ("b", 0.4)]), &abc(), Seed::new(seed), &settings(rule, Some("repeat")))
                    .unwrap();
            let shares = [[0.1, 0.2, 0.7], [0.0, 0.5, 0.5], [0.3, 0.3, 0.4], [1.0, 0.0, 0.0]];
            // A whole number of steps: the draws of a shuffled one are complete at its end only.
            let end = 4_032;
            // Shuffled steps are changed between two of them.
            let aligned = |s: &u64| if rule == DrawRule::Batch { s.next_multiple_of(48) } else { *s };
            let starts: BTreeSet<u64> = starts.iter().map(aligned).collect();
            for (i, start) in starts.iter().enumerate() {
                let earlier: Vec<Draw> = schedule.draws(0).take(*start as usize).collect();
                let [a, b, c] = shares[i];
                let new = dataset(&format!("new{i}"), &format!("new {i}"), 77);
                let names = [("a", a), ("b", b), ("c", c / 2.0), (new.name.as_str(), c / 2.0)];
                let change =
                    Change { start: *start, mixture: mixture(&names), added: vec![new.clone()], reason: String::new() };
                schedule.change(&change, *start).unwrap();
                let now: Vec<Draw> = schedule.draws(0).take(*start as usize).collect();
                prop_assert_eq!(earlier, now);
            }
            let mut ordinals = vec![Vec::new(); schedule.datasets().len()];
            for (n, draw) in schedule.draws(0).take(end).enumerate() {
                prop_assert_eq!(draw.n, n as u64);
                prop_assert_eq!(schedule.draw(n as u64).unwrap(), draw);
                ordinals[draw.dataset].push(draw.ordinal);
            }
            for (at, mut drawn) in ordinals.into_iter().enumerate() {
                drawn.sort_unstable();
                prop_assert!(drawn.iter().copied().eq(0..drawn.len() as u64), "dataset {at}");
                prop_assert_eq!(schedule.counts(end as u64)[at], drawn.len() as u64);
            }
            if rule == DrawRule::Exact {
                prop_assert!(schedule.summary(0..end as u64).largest_deviation < 1.0);
            }
        }

        #[test]
        fn shuffled_steps_with_limits_draw_no_row_twice_and_listing_summary_and_record_agree(
            shares in [1_u32..100, 1_u32..100, 0_u32..100],
            limits in proptest::collection::vec(any_limit(), 3),
            step in 1_u64..200,
            count in 1_u64..700,
            seed in 0_u64..1000,
        ) {
            let datasets = [dataset("a", "a", 40), dataset("b", "b", 60), dataset("c", "c", 25)];
            let names = ["a", "b", "c"];
            let sum = f64::from(shares.iter().sum::<u32>());
            let shares: Vec<(&str, f64)> =
                names.into_iter().zip(shares.map(|share| f64::from(share) / sum)).collect();
            let limits = names.into_iter().zip(limits).map(|(n, l)| (n.parse().unwrap(), l.parse().unwrap()));
            // Nobody hands anything to itself.
            let limits: BTreeMap<Name, Limit> =
                limits.filter(|(name, limit): &(Name, Limit)| limit.then() != Some(&Then::HandTo(name.clone()))).collect();
            let settings = Settings { draw: DrawRule::Batch, step, limits, otherwise: None };
            let schedule = Schedule::new(&mixture(&shares), &datasets, Seed::new(seed), &settings).unwrap();
            let drawn: Vec<Draw> = schedule.draws(0).take(count as usize).collect();
            let different: BTreeSet<(usize, u64, u64)> = drawn.iter().map(|d| (d.dataset, d.pass, d.row)).collect();
            prop_assert_eq!(different.len(), drawn.len(), "a row of a pass was drawn twice");
            let counted = |until: u64| -> Vec<u64> {
                let of = |at: usize| drawn.iter().filter(|d| d.dataset == at && d.n < until).count() as u64;
                (0..datasets.len()).map(of).collect()
            };
            let summary = schedule.summary(0..count);
            prop_assert_eq!(summary.rows.iter().map(|row| row.groups).collect::<Vec<_>>(), counted(count));
            prop_assert_eq!(summary.range.end, drawn.len() as u64);
            let record = schedule.record();
            for segment in record.segments.iter().filter(|segment| segment.start <= drawn.len() as u64) {
                let at_start: Vec<u64> = segment.counts_at_start.values().copied().collect();
                prop_assert_eq!(at_start, counted(segment.start));
            }
            for (dataset, rows) in datasets.iter().zip(&summary.rows) {
                let most = settings.limits.get(&dataset.name).and_then(|limit| limit.draws(dataset.rows));
                prop_assert!(most.is_none_or(|most| rows.groups <= most), "{} is beyond its limit", dataset.name);
            }
        }

        #[test]
        fn every_million_draws_are_exactly_the_shares(shares in any_shares(), million in 0_u64..1 << 43) {
            let (mixture, datasets) = mixed(&shares);
            let schedule = Schedule::new(&mixture, &datasets, Seed::new(1), &Settings::default()).unwrap();
            let start = million * u64::from(PARTS);
            let summary = schedule.summary(start..start + u64::from(PARTS));
            let groups: Vec<u64> = summary.rows.iter().map(|row| row.groups).collect();
            let parts: Vec<u64> = mixture.parts().map(|(_, parts)| u64::from(parts)).collect();
            prop_assert_eq!(groups, parts);
            prop_assert!(summary.largest_deviation < 1.0);
        }

        #[test]
        fn seeking_is_the_same_as_walking(
            shares in any_shares(),
            rule in prop_oneof![Just(DrawRule::Exact), Just(DrawRule::Batch), Just(DrawRule::Iid)],
            limit in prop_oneof![Just("repeat"), Just("20:renormalise"), Just("700:stop")],
            from in prop_oneof![0_u64..5_000, 0_u64..1 << 16],
        ) {
            let (mixture, datasets) = mixed(&shares);
            let schedule =
                Schedule::new(&mixture, &datasets, Seed::new(1), &settings(rule, Some(limit))).unwrap();
            let walked: Vec<Draw> = schedule.draws(0).skip(from as usize).take(200).collect();
            prop_assert_eq!(&walked, &schedule.draws(from).take(200).collect::<Vec<_>>());
            let sought: Vec<Draw> = (from..from + 200).map_while(|n| schedule.draw(n).ok()).collect();
            prop_assert_eq!(walked, sought);
        }

        #[test]
        fn seeking_far_is_the_same_as_walking_from_there(shares in any_shares(), from in 0_u64..1 << 63) {
            let (mixture, datasets) = mixed(&shares);
            let schedule = Schedule::new(&mixture, &datasets, Seed::new(1), &Settings::default()).unwrap();
            let sought: Vec<Draw> = (from..from + 3_000).map(|n| schedule.draw(n).unwrap()).collect();
            prop_assert_eq!(schedule.draws(from).take(3_000).collect::<Vec<_>>(), sought);
        }

        #[test]
        fn a_datasets_order_is_its_own(
            shares in any_shares(),
            others in any_shares(),
            chosen in 0.0..1.0,
            rule in prop_oneof![Just(DrawRule::Exact), Just(DrawRule::Batch), Just(DrawRule::Iid)],
        ) {
            // The rows of one dataset in the order of its draws.
            let order = |mixture: &Mixture, datasets: &[Dataset], rule, at: usize| -> Vec<(u64, u64)> {
                let schedule = Schedule::new(mixture, datasets, Seed::new(1), &settings(rule, Some("repeat"))).unwrap();
                let of = schedule.draws(0).take(20_016).filter(|d| d.dataset == at);
                let mut drawn: Vec<(u64, (u64, u64))> = of.map(|d| (d.ordinal, (d.pass, d.row))).collect();
                drawn.sort_unstable();
                drawn.into_iter().map(|(_, row)| row).collect()
            };
            let (mixture, datasets) = mixed(&shares);
            let at = ((chosen * shares.len() as f64) as usize).min(shares.len() - 1);
            let alone = order(&mixture, &datasets, DrawRule::Exact, at);
            // Among other datasets, in another place, under another name and another share.
            let mut names: Vec<(String, u32)> = others.iter().enumerate().map(|(i, s)| (format!("other{i}"), *s)).collect();
            let mut among: Vec<Dataset> =
                names.iter().map(|(name, _)| dataset(name, &format!("contents of {name}"), 77)).collect();
            let place = others.len() / 2;
            among.insert(place, Dataset { name: "renamed".parse().unwrap(), ..datasets[at].clone() });
            names.insert(place, ("renamed".to_owned(), 500));
            let sum: u32 = names.iter().map(|(_, s)| *s).sum();
            let mixture = names.iter().map(|(n, s)| (n.parse().unwrap(), f64::from(*s) / f64::from(sum)));
            let elsewhere = order(&Mixture::new(&mixture.collect()).unwrap(), &among, rule, place);
            // Both have drawn some of it; the shorter is the beginning of the longer.
            let both = alone.len().min(elsewhere.len());
            prop_assert_eq!(&alone[..both], &elsewhere[..both]);
            prop_assert!(both > 0 || shares[at] * 1000 < shares.iter().sum::<u32>());
        }

        #[test]
        fn readers_of_any_number_share_out_the_global_order(ranks in 1_u64..5, workers in 1_u64..4, from in 0_u64..1 << 60) {
            let schedule = schedule(&[("a", 0.5), ("b", 0.3), ("c", 0.2)], &abc(), DrawRule::Exact, None);
            let mut read: Vec<Draw> = Vec::new();
            for rank in 0..ranks {
                for worker in 0..workers {
                    let slice = Slice::new(rank, ranks, worker, workers).unwrap();
                    read.extend(schedule.slice(slice, from).take_while(|d| d.n < from + 100));
                }
            }
            read.sort_by_key(|d| d.n);
            prop_assert_eq!(read, schedule.draws(from).take(100).collect::<Vec<_>>());
        }
    }

    /// How often a dataset of the first test on limits may be drawn, and what then.
    fn any_limit() -> impl Strategy<Value = &'static str> {
        let limits = [
            "repeat",
            "1:stop",
            "1:renormalise",
            "2.5:renormalise",
            "1:hand_to=a",
            "0.5:hand_to=b",
            "2:hand_to=c",
        ];
        proptest::sample::select(limits.to_vec())
    }

    /// Relative shares of up to 300 datasets, of which some are zero and some thousands of times others.
    fn any_shares() -> impl Strategy<Value = Vec<u32>> {
        let share = prop_oneof![Just(0_u32), 1_u32..20, 1_u32..3000];
        prop_oneof![proptest::collection::vec(share.clone(), 1..12), proptest::collection::vec(share, 300)]
            .prop_filter("not all zero", |shares| shares.iter().any(|s| *s > 0))
    }

    /// The mixture of these relative shares, and its datasets with 11 rows and more.
    fn mixed(shares: &[u32]) -> (Mixture, Vec<Dataset>) {
        let sum: u32 = shares.iter().sum();
        let datasets: Vec<Dataset> = (0..shares.len())
            .map(|i| dataset(&format!("d{i:03}"), &format!("contents {i}"), 11 + i as u64))
            .collect();
        let of = datasets.iter().zip(shares).map(|(d, s)| (d.name.clone(), f64::from(*s) / f64::from(sum)));
        (Mixture::new(&of.collect()).unwrap(), datasets)
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
        otherwise: Option<&str>,
    ) -> Schedule {
        Schedule::new(&mixture(shares), datasets, Seed::new(1), &settings(draw, otherwise)).unwrap()
    }

    fn settings(draw: DrawRule, otherwise: Option<&str>) -> Settings {
        let otherwise = otherwise.map(|limit| limit.parse().unwrap());
        Settings { draw, step: 48, limits: BTreeMap::new(), otherwise }
    }
}
