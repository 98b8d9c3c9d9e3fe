//! `prediction.json`: what was decided, with everything a table, a plot or a report needs to show it.

use serde::{Deserialize, Serialize};

use crate::{
    mixture::{
        Mixture,
        named::{Interval, MixtureFile, Origin, Predicted},
    },
    name::Name,
    optimize::{
        next_runs::Suggestion,
        proposal::{COVERAGE, Proposal},
    },
    predict::skill::{Skill, Verdict},
    run::{Decoding, Domain},
};

/// Version of [`Prediction`] on disk.
pub const SCHEMA: u32 = 1;

/// `experiments/NAME/prediction.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// The predictor's name.
    pub predictor: String,
    /// What was maximised, in words: `In-Score, sampled`.
    pub objective: String,
    /// Hash of the ledger that it was fitted on.
    pub ledger: String,
    /// The datasets, in the order of all shares here.
    pub datasets: Vec<Name>,
    /// Different mixtures among the runs.
    pub n_mixtures: usize,
    /// Whether the data carry a proposal.
    pub verdict: Verdict,
    /// The objective's skill as one sentence.
    pub sentence: String,
    /// The mixture to train on.
    pub proposal: Proposed,
    /// The mixture that scored highest.
    pub best_observed: Best,
    /// What to run next, the most promising first.
    pub next: Vec<Next>,
    /// The paper's rules, where the runs are enough for them.
    #[serde(default)]
    pub heuristics: Vec<Heuristic>,
    /// In-Score, Out-Score and Overall, with every decoding.
    pub aggregates: Vec<Score>,
    /// Every benchmark with every decoding.
    pub targets: Vec<Score>,
    /// The runs it was fitted on, in the order of every [`Skill::held_out`].
    pub runs: Vec<RunPoint>,
    /// Runs that it was not fitted on.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    /// Scores that do not fit the others; they were used.
    #[serde(default)]
    pub outliers: Vec<Outlier>,
    /// What a reader has to know.
    pub notes: Vec<String>,
}

/// A run that was not used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The run's id, or that of a row.
    pub run: String,
    /// Its mixture's label.
    pub label: String,
    /// Why.
    pub why: String,
}

/// A score far from what the other mixtures predict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlier {
    /// The run.
    pub run: String,
    /// Its mixture's label.
    pub label: String,
    /// The benchmark.
    pub target: String,
    /// Its score.
    pub observed: f64,
    /// What the other mixtures predict.
    pub expected: f64,
    /// How far it is off, in the standard deviations that most runs keep to.
    pub deviations: f64,
}

/// Digits after the point with which numbers that stand together are written: four, and more where those would leave
/// fewer than three of the largest.
pub fn decimals(of: &[f64]) -> usize {
    let largest = of.iter().copied().filter(|x| x.is_finite()).fold(0.0, |a: f64, b| a.max(b.abs()));
    if largest > 0.0 { (2.0 - largest.log10().floor()).clamp(4.0, 15.0) as usize } else { 4 }
}

impl Outlier {
    /// What has to be said of it.
    pub fn sentence(&self) -> String {
        let digits = decimals(&[self.observed, self.expected]);
        let label = if self.label == self.run { String::new() } else { format!(" ({})", self.label) };
        format!(
            "run {}{label} has {:.digits$} in `{}` where the others predict {:.digits$}, {:.1} standard deviations off: it was \
             used; look at it, or leave it out with `--without {}`",
            self.run,
            self.observed,
            self.target,
            self.expected,
            self.deviations.abs(),
            self.run
        )
    }
}

/// A mixture by one of the paper's rules (arXiv:2505.24871, Algorithms 1 to 3), from the runs of equal shares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heuristic {
    /// `alpha_in`, `alpha_out`, `alpha_balanced`, `coli`, `norm`.
    pub rule: String,
    /// Its shares.
    pub shares: Vec<f64>,
    /// What the surface expects of it, constraints apart.
    pub predicted: Interval,
}

/// One run it was fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunPoint {
    /// The run's id, or that of a row.
    pub run: String,
    /// Its mixture's label.
    pub label: String,
    /// Share of each dataset, in the order of [`Prediction::datasets`].
    pub shares: Vec<f64>,
}

/// A benchmark or an aggregate: how far mixtures differ in it, and whether that can be predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The benchmark, the aggregate or the column.
    pub name: String,
    /// In- or out-of-domain.
    pub domain: Option<Domain>,
    /// Of which completions.
    pub decoding: Option<Decoding>,
    /// Questions behind the score of one run; 0 where it is not known.
    pub n_questions: usize,
    /// Weight in the objective; of aggregates 1 for the objective itself and 0 for the others.
    pub weight: f64,
    /// Signal between mixtures and skill on mixtures left out.
    pub skill: Skill,
}

/// The proposed mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposed {
    /// Shares, predicted score and gain, constraints.
    pub mixture: Proposal,
    /// Every benchmark of the objective's decoding there.
    pub targets: Vec<TargetAt>,
    /// Chance, in [0, 1], that it beats the mixture that scored highest.
    pub p_beats_best_observed: f64,
    /// Chance, in [0, 1], that it beats shares in proportion to the datasets' sizes, where those are known.
    #[serde(default)]
    pub p_beats_natural: Option<f64>,
}

/// What one benchmark is expected to score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetAt {
    /// The benchmark.
    pub name: String,
    /// At the proposed mixture.
    pub proposed: Interval,
    /// At uniform shares.
    pub uniform: f64,
}

/// The mixture that scored highest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Its label.
    pub label: String,
    /// Its shares.
    pub shares: Vec<f64>,
    /// Its mean score.
    pub score: f64,
    /// Runs behind that mean.
    pub n_runs: usize,
    /// What the fitted surface says there: the score without the luck of being the best of many.
    #[serde(default)]
    pub shrunk: f64,
    /// Why not to take it for the best.
    pub note: String,
}

/// A mixture worth a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Next {
    /// Its shares.
    pub shares: Vec<f64>,
    /// By how much it is expected to exceed the best mixture tried, times the chance that it keeps every guardrail.
    pub expected_improvement: f64,
    /// Expected score, with the interval of the surface.
    pub predicted: Interval,
}

impl Next {
    pub(super) fn new(suggestion: Suggestion, skill: &Skill) -> Self {
        let mean = suggestion.predicted.mean;
        let half = skill.half_width(suggestion.predicted.sd, COVERAGE);
        Self {
            shares: suggestion.shares,
            expected_improvement: suggestion.expected_improvement,
            predicted: Interval { mean, low: mean - half, high: mean + half },
        }
    }
}

/// `mixtures/best.json`: the proposed shares; where there is no signal the uniform ones, with the reason.
pub fn mixture_file(prediction: &Prediction) -> MixtureFile {
    let proposal = &prediction.proposal.mixture;
    // Projection on the simplex is exact to rounding, which may fall below 0.
    let shares = proposal.shares.iter().map(|share| share.max(0.0));
    let shares = prediction.datasets.iter().cloned().zip(shares).collect();
    let mixture = Mixture::new(&shares).expect("an optimizer stays on the simplex");
    let mut file = MixtureFile::new(&mixture);
    file.origin = Some(Origin::Prediction {
        ledger: prediction.ledger.clone(),
        predictor: prediction.predictor.clone(),
        n_runs: prediction.runs.len(),
    });
    let of = match proposal.worst {
        Some(worst) => format!(
            "{}: the figures are of the mean of them; the least gain is {:+.3}, on `{}`",
            prediction.objective, worst.gain.mean, prediction.proposal.targets[worst.target].name
        ),
        None => prediction.objective.clone(),
    };
    file.predicted = Some(Predicted {
        objective: of,
        score: proposal.predicted,
        gain_over_uniform: proposal.gain,
        chance_of_beating_uniform: proposal.p_beats_uniform,
    });
    file.constraints.clone_from(&proposal.binding);
    file.note.clone_from(&proposal.note);
    file
}
