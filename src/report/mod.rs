//! One experiment as one offline page: what was measured, how sure it is, and what it cost.
//!
//! [`Report`] is plain data that a job fills in; [`render`] makes a single HTML file of it, without scripts and
//! without anything to load. [`confirm_summary`] and [`verdict()`] compute the two statements that other places
//! print as well. A section that has nothing to show says so in a sentence.

mod confirm;
mod estimate;
mod learning;
mod page;
mod plot;
mod sections;
mod surfaces;
mod ternary;
mod verdict;

use std::collections::BTreeMap;

pub use confirm::{ConfirmSummary, PairedGain, PairedRuns, confirm_summary};
pub use estimate::{Estimate, Interval};
pub use learning::learning_curves;
pub use surfaces::{
    Centre, Effect, Explore, Front, Map, NextRun, Response, Shown, ShownTarget, Surfaces, TriedPoint, explore,
};
pub use verdict::{sure_gain, verdict};

use crate::{
    data::check::Check,
    mixture::Mixture,
    name::Name,
    run::{BenchmarkScore, Decoding, Domain, Part, RunId, RunRecord},
    score::Score,
};

/// All that the page shows.
#[derive(Clone, Debug)]
pub struct Report {
    /// The experiment's name or a phrase; heads the page.
    pub title: String,
    /// Where the runs came from.
    pub source: Source,
    /// The one honest sentence, see [`verdict()`].
    pub verdict: String,
    /// What mixtures are compared by.
    pub objective: Objective,
    /// Scores of the checkpoint that every run starts from, where it was evaluated.
    pub base: Option<Vec<BenchmarkScore>>,
    /// Every run, finished or not, in the order of the plan.
    pub runs: Vec<ReportRun>,
    /// Left-out predictions, per target.
    pub predictions: Vec<TargetPrediction>,
    /// Spread between mixtures beside spread between seeds, per target.
    pub signal: Vec<TargetSignal>,
    /// What the predictor recommends, where it was asked.
    pub proposal: Option<Proposal>,
    /// What it says about mixtures that nobody tried; `None` where nothing was fitted.
    pub surfaces: Option<Surfaces>,
    /// Paired comparisons on report questions; the first is proposal against uniform.
    pub confirm: Vec<ConfirmSummary>,
    /// How the reward of each benchmark weighs answer and format; one that is not named has the default weights.
    pub reward_weights: BTreeMap<Name, RewardWeights>,
    /// Sentences that the reader has to know, such as how the world's settings were chosen.
    pub notes: Vec<String>,
    /// What the last check of each dataset and benchmark found, where there was one.
    pub data: Vec<DataCheck>,
    /// Ledger hash, base hash, version of modo and the like: name → value.
    pub provenance: BTreeMap<String, String>,
    /// The text of `plan.toml`; empty when there is none.
    pub plan: String,
}

/// Where the runs came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An experiment of modo: runs with records, curves and costs.
    Experiment,
    /// A table of shares and scores: [`Report::runs`] is empty, and the page leaves out what only runs can show.
    Table,
}

/// What `modo data check` found in a dataset.
#[derive(Clone, Debug)]
pub struct DataCheck {
    /// `train`, or which kind of benchmark.
    pub role: &'static str,
    /// What was found; overlap with the datasets that were checked in the same command.
    pub check: Check,
    /// Whether the dataset's content is another one now.
    pub changed: bool,
}

/// What mixtures are compared by.
#[derive(Clone, Debug)]
pub struct Objective {
    /// The target that proposals maximise.
    pub target: Target,
    /// Greedy or sampled; means nothing for a [`Target::Column`], here and below.
    pub decoding: Decoding,
    /// The objective in words, with its weights and guardrails.
    pub description: String,
}

/// A benchmark, or what several of them come to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// One benchmark.
    Benchmark(Name),
    /// In-Score: sample-count-weighted mean of the in-domain benchmarks.
    In,
    /// Out-Score: the same of the out-of-domain benchmarks.
    Out,
    /// The same of all benchmarks.
    Overall,
    /// A weighted sum of benchmarks, or what is no sum of them and was not measured.
    Weighted(Weighted),
    /// A column of a table, or a weighted sum of its columns; no run of ours was scored on it.
    Column(String),
}

/// A plan's own objective.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weighted {
    /// What it is, in words.
    pub words: String,
    /// Weights in millionths; empty for what is no sum, such as the smallest of several gains.
    pub weights: Vec<(Name, i64)>,
}

impl Weighted {
    /// The sum over the benchmarks; none where one was not measured.
    fn sum(&self, score: impl Fn(&Name) -> Option<Score>) -> Option<Score> {
        let mut all = Vec::new();
        for (name, millionths) in &self.weights {
            all.push((score(name)?, *millionths as f64 / 1e6));
        }
        let first = all.first()?.0;
        Some(Score {
            mean: all.iter().map(|(score, weight)| weight * score.mean).sum(),
            standard_error: all
                .iter()
                .map(|(s, weight)| (weight * s.standard_error).powi(2))
                .sum::<f64>()
                .sqrt(),
            n_questions: all.iter().map(|(score, _)| score.n_questions).sum(),
            n_completions: first.n_completions,
        })
    }
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// A proxy run: its selection questions feed the predictor.
    Sweep,
    /// A run with a fresh seed whose report questions no decision saw.
    Confirm,
}

/// One run.
#[derive(Clone, Debug)]
pub struct ReportRun {
    /// Hash of its spec.
    pub id: RunId,
    /// What it is for, in tables.
    pub label: String,
    /// Sweep or confirm.
    pub group: Group,
    /// The shares it was told.
    pub mixture: Mixture,
    /// Its result; `None` while it is not finished.
    pub record: Option<RunRecord>,
    /// Why it is given up, if it is.
    pub failure: Option<Failure>,
    /// Its training metrics, in any order; thinned for the page.
    pub curves: Vec<CurvePoint>,
}

/// A run that was given up.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Attempts that were made.
    pub attempts: u32,
    /// The last error.
    pub reason: String,
    /// Path of the last attempt's log.
    pub log: String,
}

/// One dataset's metrics in one step of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvePoint {
    /// Step, from 1.
    pub step: u64,
    /// The training dataset.
    pub dataset: Name,
    /// Mean reward, in the reward's own unit.
    pub reward: f64,
    /// Share of completions in the right format, in [0, 1].
    pub format: f64,
    /// Divergence from the base, in nats per token; NaN where it was not measured.
    pub kl: f64,
    /// Whether `kl` is that of the whole batch, as earlier versions measured it.
    pub kl_of_batch: bool,
    /// Mean completion length in tokens.
    pub tokens: f64,
}

/// One target as predicted for mixtures left out.
#[derive(Clone, Debug)]
pub struct TargetPrediction {
    /// What is predicted.
    pub target: Target,
    /// Greedy or sampled.
    pub decoding: Decoding,
    /// Name of the predictor.
    pub predictor: String,
    /// Every run with its prediction from the other mixtures.
    pub pairs: Vec<LeftOut>,
    /// Whether to believe it; `None` when there were too few runs to say.
    pub skill: Option<Skill>,
}

/// One run and what was expected of it by a predictor that never saw its mixture.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// The run's label.
    pub label: String,
    /// Its score.
    pub observed: f64,
    /// What was expected, with a 90 % interval for a new run.
    pub predicted: Interval,
}

/// How well left-out mixtures are predicted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skill {
    /// 1 − squared error / squared distance from the mean; 0 or less is no better than the mean.
    pub r2: f64,
    /// Spearman's rank correlation of prediction and observation, in [−1, 1].
    pub rank_correlation: f64,
    /// Chance of an `r2` this high when scores are shuffled over the runs.
    pub p: f64,
    /// Distinct mixtures.
    pub n_mixtures: usize,
    /// Runs.
    pub n_runs: usize,
    /// Whether a proposal may follow from it.
    pub signal: bool,
}

/// Spread between mixtures beside spread between runs of one mixture (one-way analysis of variance).
#[derive(Clone, Debug)]
pub struct TargetSignal {
    /// What was scored.
    pub target: Target,
    /// Greedy or sampled.
    pub decoding: Decoding,
    /// Standard deviation between mixtures beyond what runs of one mixture differ by.
    pub between_sd: f64,
    /// Standard deviation between runs of one mixture; `None` where nothing was replicated.
    pub within_sd: Option<f64>,
    /// Variance ratio.
    pub f: Option<f64>,
    /// Chance of an `f` this high when mixtures do not differ.
    pub p: Option<f64>,
    /// Distinct mixtures.
    pub n_mixtures: usize,
    /// Runs.
    pub n_runs: usize,
}

/// What the predictor recommends.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The shares.
    pub mixture: Mixture,
    /// Name of the predictor.
    pub predictor: String,
    /// Whether the data carry it; otherwise the shares are uniform, or the allowed ones nearest to that.
    pub signal: bool,
    /// Expected objective, with a 90 % interval.
    pub predicted: Interval,
    /// Expected objective at uniform shares.
    pub uniform: f64,
    /// Expected gain over uniform shares, with a 90 % interval.
    pub gain: Interval,
    /// Where the worst of several gains over uniform shares was made large: of which score it is, and that gain in its standard
    /// deviations. All other figures are of the mean of them.
    pub worst: Option<(String, Interval)>,
    /// Chance that it beats uniform shares, in [0, 1].
    pub p_beats_uniform: f64,
    /// What has to be said whenever it is used, such as why there is no signal.
    pub note: Option<String>,
    /// The constraints it touches, as sentences.
    pub binding: Vec<String>,
}

/// What a right answer and the right format are worth in the reward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RewardWeights {
    /// Weight of accuracy or IoU.
    pub accuracy: f64,
    /// Weight of format.
    pub format: f64,
}

impl Default for RewardWeights {
    /// 2.0 and 1.0 (arXiv:2505.24871, appendix).
    fn default() -> Self {
        Self { accuracy: 2.0, format: 1.0 }
    }
}

/// The whole page: one HTML document of at most 5 MB that loads nothing.
///
/// Texts are escaped and clipped, tables and plots of very many runs are thinned, and the page says so.
pub fn render(report: &Report) -> String {
    page::render(&sections::page(report))
}

impl Target {
    /// How tables and plots call it.
    pub fn name(&self) -> &str {
        match self {
            Self::Benchmark(name) => name.as_str(),
            Self::In => "In-Score",
            Self::Out => "Out-Score",
            Self::Overall => "Overall",
            Self::Weighted(objective) => &objective.words,
            Self::Column(name) => name,
        }
    }

    /// Name and decoding, as sentences call it: `Overall, sampled`.
    fn phrase(&self, decoding: Decoding) -> String {
        match self {
            Self::Column(name) | Self::Weighted(Weighted { words: name, .. }) => name.clone(),
            _ => format!("{}, {}", self.name(), decoding.word()),
        }
    }

    /// Its score among `scores`; `None` where it was not measured.
    pub fn score(&self, scores: &[BenchmarkScore], part: Part, decoding: Decoding) -> Option<Score> {
        self.of(scores, part, decoding, &|s| s.score)
    }

    /// As [`score`](Self::score), for scores with the format not asked for.
    pub fn lenient(&self, scores: &[BenchmarkScore], part: Part, decoding: Decoding) -> Option<Score> {
        self.of(scores, part, decoding, &|s| s.lenient_score)
    }

    /// As [`score`](Self::score), for the share of completions in the right format.
    pub fn format_rate(&self, scores: &[BenchmarkScore], part: Part, decoding: Decoding) -> Option<Score> {
        self.of(scores, part, decoding, &|s| Score { mean: s.format_rate, ..s.score })
    }

    fn of(
        &self,
        scores: &[BenchmarkScore],
        part: Part,
        decoding: Decoding,
        which: &dyn Fn(&BenchmarkScore) -> Score,
    ) -> Option<Score> {
        if let Self::Weighted(objective) = self {
            return objective.sum(|name| Self::Benchmark(name.clone()).of(scores, part, decoding, which));
        }
        let takes = |s: &&BenchmarkScore| {
            s.part == part
                && s.decoding == decoding
                && match self {
                    Self::Benchmark(name) => s.benchmark == *name,
                    Self::In => s.domain == Domain::InDomain,
                    Self::Out => s.domain == Domain::OutOfDomain,
                    Self::Overall => true,
                    Self::Weighted(_) | Self::Column(_) => false,
                }
        };
        let all: Vec<Score> = scores.iter().filter(takes).map(which).collect();
        match all.as_slice() {
            [] => None,
            [one] => Some(*one),
            all => Some(Score::weighted_by_count(all)),
        }
    }
}

/// Every benchmark by name, then the aggregates, that `scores` allow for one half and decoding.
fn targets<'a>(scores: impl IntoIterator<Item = &'a BenchmarkScore>, part: Part) -> Vec<Target> {
    let mut benchmarks: BTreeMap<&Name, Domain> = BTreeMap::new();
    for score in scores.into_iter().filter(|s| s.part == part) {
        benchmarks.insert(&score.benchmark, score.domain);
    }
    let has = |domain| benchmarks.values().any(|d| *d == domain);
    let aggregates = [
        (has(Domain::InDomain), Target::In),
        (has(Domain::OutOfDomain), Target::Out),
        (!benchmarks.is_empty(), Target::Overall),
    ];
    benchmarks
        .keys()
        .map(|name| Target::Benchmark((*name).clone()))
        .chain(aggregates.into_iter().filter_map(|(there, target)| there.then_some(target)))
        .collect()
}

/// Label of the runs that test the proposal.
pub const PROPOSAL: &str = "proposal";

/// Both, the one with more to say about training first.
const DECODINGS: [Decoding; 2] = [Decoding::Sampled, Decoding::Greedy];
