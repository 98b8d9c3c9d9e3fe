//! The mixture to train on, what it is expected to score, and how sure that is; or uniform shares and why.

use serde::{Deserialize, Serialize};

use super::{Objective, Optimizer, Surface, next_runs::expected_improvement};
use crate::{
    mixture::{constraint::Region, named::Interval},
    predict::{
        Difference, Observation, Prediction, Predictor, mixtures,
        skill::{Assessment, Skill, Verdict},
    },
    seed::Seed,
};

/// Coverage of every interval here.
pub const COVERAGE: f64 = 0.9;

/// A recommended mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Share of each dataset.
    pub shares: Vec<f64>,
    /// Expected value of the objective, with the interval of the surface.
    pub predicted: Interval,
    /// The same with the interval of one new run: seeds and evaluation add to it.
    pub new_run: Interval,
    /// Expected value of the objective at uniform shares.
    pub uniform: f64,
    /// Expected gain over uniform shares; what both predictions have in common cancels.
    pub gain: Interval,
    /// Chance that it beats uniform shares, in [0, 1]. The best of many points by the same predictions is flattered.
    pub p_beats_uniform: f64,
    /// What it is expected to lose against the best of uniform shares and the mixtures tried, had one known their true
    /// scores; at least, since untried mixtures are not asked. In the unit of the objective.
    pub expected_regret: f64,
    /// Every target at these shares, with the interval of the surface.
    pub targets: Vec<Interval>,
    /// Every target at uniform shares.
    pub targets_uniform: Vec<f64>,
    /// The constraints it touches, as sentences.
    pub binding: Vec<String>,
    /// Largest violation of any constraint, in shares: at most 1e-9.
    pub violation: f64,
    /// Most that moving one thousandth between two datasets would still gain.
    pub local_gain: f64,
    /// Share of the budget spent differently from the nearest mixture tried, in [0, 1]: how far it extrapolates.
    pub distance_to_tried: f64,
    /// Whether the data carry it.
    pub verdict: Verdict,
    /// What has to be said whenever it is used, such as that there is no signal.
    pub note: Option<String>,
}

/// How the best mixture is chosen.
pub struct Settings<'a> {
    /// How to search.
    pub optimizer: &'a dyn Optimizer,
    /// Standard deviations of the (rescaled) surface that are taken off its mean: 0 trusts the mean, 1 prefers
    /// mixtures near those tried.
    pub caution: f64,
    /// Of the search's random starts.
    pub seed: Seed,
}

/// The best mixture of `region` under `surface` where `assessment` found signal; otherwise the allowed mixture
/// nearest to uniform, with a note. `runs`: those of any target.
pub fn propose(
    surface: &Surface,
    assessment: &Assessment,
    runs: &[Observation],
    region: &Region,
    settings: &Settings,
) -> Proposal {
    let d = region.datasets().len();
    let uniform = vec![1.0 / d as f64; d];
    let skill = &assessment.objective;
    let (shares, local_gain) = if skill.verdict == Verdict::Signal {
        let cautious = |shares: &[f64]| {
            let prediction = surface.predict(shares);
            prediction.mean - settings.caution * skill.scale * prediction.sd
        };
        let objective: &dyn Objective = if settings.caution == 0.0 { surface } else { &cautious };
        let mut starts: Vec<Vec<f64>> =
            mixtures(runs).iter().map(|rows| runs[rows[0]].shares.clone()).collect();
        // Climbing from the best dozen finds what climbing from hundreds does.
        starts.sort_by(|a, b| objective.value(b).total_cmp(&objective.value(a)));
        starts.truncate(12);
        let best = settings.optimizer.maximize(objective, region, &starts, settings.seed);
        (best.shares, best.local_gain)
    } else {
        (region.project(&uniform), 0.0)
    };

    let prediction = surface.predict(&shares);
    let gain = surface.difference(&shares, &uniform);
    // Exactly uniform shares are not better than themselves by half a chance of rounding.
    let same = distance(&shares, &uniform) < 1e-9;
    let target = |(predictor, skill): (&dyn Predictor, &Skill)| {
        let one = predictor.predict(&shares);
        interval(skill, one.mean, one.sd)
    };
    let regret = |other: &[f64]| {
        let Difference { mean, sd } = surface.difference(other, &shares);
        // What one would gain by knowing which of the two is better.
        expected_improvement(Prediction { mean, sd: skill.scale * sd, noise_sd: 0.0 }, 0.0)
    };
    let tried = mixtures(runs);
    let others = tried.iter().map(|rows| runs[rows[0]].shares.as_slice()).chain([uniform.as_slice()]);
    let expected_regret = others.filter(|o| distance(o, &shares) > 1e-9).map(regret).fold(0.0, f64::max);
    Proposal {
        expected_regret,
        predicted: interval(skill, prediction.mean, prediction.sd),
        new_run: interval(skill, prediction.mean, prediction.run_sd()),
        uniform: surface.mean(&uniform),
        gain: if same {
            Interval { mean: 0.0, low: 0.0, high: 0.0 }
        } else {
            interval(skill, gain.mean, gain.sd)
        },
        p_beats_uniform: if same { 0.5 } else { skill.chance_above_zero(gain.mean, gain.sd) },
        targets: surface
            .predictors()
            .iter()
            .map(AsRef::as_ref)
            .zip(&assessment.targets)
            .map(target)
            .collect(),
        targets_uniform: surface.predictors().iter().map(|predictor| predictor.mean(&uniform)).collect(),
        binding: region.binding(&shares),
        violation: region.violation(&shares),
        local_gain,
        distance_to_tried: runs
            .iter()
            .map(|run| distance(&run.shares, &shares))
            .fold(f64::INFINITY, f64::min),
        verdict: skill.verdict,
        note: (skill.verdict == Verdict::NoSignal).then(|| {
            let kept = if same {
                "uniform shares are kept"
            } else {
                "the allowed shares nearest to uniform are kept"
            };
            format!("{kept}: {}", skill.sentence())
        }),
        shares,
    }
}

fn interval(skill: &Skill, mean: f64, sd: f64) -> Interval {
    let half = skill.half_width(sd, COVERAGE);
    Interval { mean, low: mean - half, high: mean + half }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
}
