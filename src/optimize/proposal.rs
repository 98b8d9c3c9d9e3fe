//! The mixture to train on, what it is expected to score, and how sure that is; or uniform shares and why.

use serde::{Deserialize, Serialize};

use super::{
    Optimizer, Surface,
    goal::{Aim, Goal, Kept, Search, maximize},
    hull,
    joint::Joint,
};
use crate::{
    mixture::{constraint::Region, distance, named::Interval},
    predict::{
        Observation, Prediction, Predictor, mixtures,
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
    /// scores; mixtures not tried are not asked. In the unit of the objective.
    pub expected_regret: f64,
    /// Every target at these shares, with the interval of the surface.
    pub targets: Vec<Interval>,
    /// Every target at uniform shares.
    pub targets_uniform: Vec<f64>,
    /// Where the worst of several gains was made large: which, and that gain.
    #[serde(default)]
    pub worst: Option<Worst>,
    /// What became of the guardrails.
    #[serde(default)]
    pub guardrails: Vec<Kept>,
    /// The constraints it touches, as sentences, and the guardrails that hold it back.
    pub binding: Vec<String>,
    /// Largest violation of any constraint, in shares: at most 1e-9.
    pub violation: f64,
    /// Most that moving one thousandth between two datasets would still gain; none where nothing was searched for.
    #[serde(default)]
    pub local_gain: Option<f64>,
    /// Share of the budget spent differently from the nearest mixture tried, in [0, 1]: how far it extrapolates.
    pub distance_to_tried: f64,
    /// Share of the budget spent differently from the nearest mean of mixtures tried, in [0, 1]: 0 between them.
    #[serde(default)]
    pub outside_tried: f64,
    /// Whether the data carry it.
    pub verdict: Verdict,
    /// What has to be said whenever it is used, such as that there is no signal.
    pub note: Option<String>,
}

/// The smallest of several gains over uniform shares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// Which target, from 0.
    pub target: usize,
    /// Its gain, weighted as in the objective.
    pub gain: Interval,
}

/// How the best mixture is chosen.
pub struct Settings<'a> {
    /// How to search.
    pub optimizer: &'a dyn Optimizer,
    /// What is made large, and what must not get worse.
    pub goal: &'a Goal,
    /// Of the search's random starts.
    pub seed: Seed,
}

/// Mixtures tried that the regret is counted against: the best ones.
const RIVALS: usize = 32;

/// The best mixture of `region` under `surface` where `assessment` found signal; otherwise the allowed mixture
/// nearest to uniform, with a note. So it is where nothing that was found keeps the guardrails. `runs`: those of any
/// target.
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
    let mut tried: Vec<Vec<f64>> = mixtures(runs).iter().map(|rows| runs[rows[0]].shares.clone()).collect();
    let by_mean = |shares: &Vec<f64>| surface.mean(shares);
    tried.sort_by(|a, b| by_mean(b).total_cmp(&by_mean(a)));
    let guardrails = |shares: &[f64]| -> Vec<Kept> {
        settings.goal.guardrails.iter().map(|g| g.kept(surface, shares)).collect()
    };
    let (mut shares, mut local_gain) = (region.project(&uniform), None);
    let mut broken: Vec<Kept> = Vec::new();
    if skill.verdict == Verdict::Signal {
        let search = Search { optimizer: settings.optimizer, starts: &tried, seed: settings.seed };
        let best = maximize(surface, settings.goal, region, &search);
        broken = guardrails(&best.shares).into_iter().filter(|rail| !rail.kept).collect();
        if broken.is_empty() {
            (shares, local_gain) = (best.shares, Some(best.local_gain));
        }
    }

    let prediction = surface.predict(&shares);
    let gain = surface.difference(&shares, &uniform);
    // Exactly uniform shares are not better than themselves by half a chance of rounding.
    let same = distance(&shares, &uniform) < 1e-9;
    let target = |(predictor, skill): (&dyn Predictor, &Skill)| {
        let one = predictor.predict(&shares);
        interval(skill, one.mean, one.sd)
    };
    let rivals = tried.iter().map(Vec::as_slice).chain([uniform.as_slice()]);
    let rivals = rivals.filter(|other| distance(other, &shares) > 1e-9).take(RIVALS).map(<[f64]>::to_vec);
    let points: Vec<Vec<f64>> = std::iter::once(shares.clone()).chain(rivals).collect();
    let joint = Joint::new(surface, points, 1024, settings.seed.child("regret"));
    // Draws have the predictor's own spread; the calibrated one is `scale` times as wide around the same means.
    let expected_regret = joint.map_or(0.0, |joint| joint.regret(0, skill.scale));
    let kept = guardrails(&shares);
    let mut binding = region.binding(&shares);
    let moved = !same && broken.is_empty() && skill.verdict == Verdict::Signal;
    binding.extend(
        kept.iter()
            .filter(|rail| moved && rail.binding)
            .map(|rail| format!("guardrail: {}", rail.sentence())),
    );
    let worst = match &settings.goal.aim {
        Aim::Sum => None,
        Aim::Worst { members, over } => {
            let gain = |&(target, weight): &(usize, f64)| {
                let gain = surface.difference_of(&[(target, weight)], &shares, over);
                Worst { target, gain: interval(&assessment.targets[target], gain.mean, gain.sd) }
            };
            members.iter().map(gain).min_by(|a, b| a.gain.mean.total_cmp(&b.gain.mean))
        }
    };
    let tried: Vec<&[f64]> = tried.iter().map(Vec::as_slice).collect();
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
        worst,
        guardrails: kept,
        binding,
        violation: region.violation(&shares),
        local_gain,
        distance_to_tried: runs
            .iter()
            .map(|run| distance(&run.shares, &shares))
            .fold(f64::INFINITY, f64::min),
        outside_tried: hull::outside(&shares, &tried),
        verdict: skill.verdict,
        note: note(skill, same, &broken),
        shares,
    }
}

impl Proposal {
    /// Expects the same of every mixture: what `prediction` says, as a predictor without settings of its own does.
    pub fn expect(&mut self, prediction: &Prediction, skill: &Skill) {
        let plain = Skill { scale: 1.0, ..skill.clone() };
        self.predicted = interval(&plain, prediction.mean, prediction.sd);
        self.new_run = interval(&plain, prediction.mean, prediction.run_sd());
        self.uniform = prediction.mean;
        self.gain = Interval { mean: 0.0, low: 0.0, high: 0.0 };
        self.p_beats_uniform = 0.5;
    }
}

/// Mean and standard deviation, as a predictor gave them, as an interval.
pub fn interval(skill: &Skill, mean: f64, sd: f64) -> Interval {
    let half = skill.half_width(sd, COVERAGE);
    Interval { mean, low: mean - half, high: mean + half }
}

/// Why the proposal is no more than uniform shares, where it is.
fn note(skill: &Skill, same: bool, broken: &[Kept]) -> Option<String> {
    let kept =
        if same { "uniform shares are kept" } else { "the allowed shares nearest to uniform are kept" };
    if skill.verdict == Verdict::NoSignal {
        return Some(format!("{kept}: {}", skill.sentence()));
    }
    let sentences: Vec<String> = broken.iter().map(Kept::sentence).collect();
    (!sentences.is_empty())
        .then(|| format!("{kept}: no allowed mixture was found with {}", sentences.join(" and ")))
}
