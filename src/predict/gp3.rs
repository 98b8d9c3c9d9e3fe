//! GP-3: the equal average of three Gaussian processes that see the shares differently.
//!
//! √share with lengths that differ a little (τ .8) wins on noisy accuracies, √share with lengths that may differ a
//! lot (1.6) and ln(share + .01) (1.2) on smooth losses of ten to twenty runs. `gp3_cube` is the same on ∛share and
//! predicts better on every table measured (`docs/predict.md`).

use rayon::prelude::*;

use super::{
    Difference, FitError, Method, Observation, Prediction, Predictor,
    algebra::dot,
    average, check, entry,
    gp::hierarchical,
    process::{Belief, Coordinates, Found, Process},
    skill,
};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Method> = entry::<Gp3>();

struct Gp3;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

/// What the three members believe, where the first two see `share` to this power.
pub(super) const fn members(power: f64) -> [Belief; 3] {
    const fn member(coordinates: Coordinates, tau: f64) -> Belief {
        Belief { tau, ..hierarchical(coordinates) }
    }
    let power = Coordinates::Power(power);
    [member(power, 0.8), member(power, 1.6), member(Coordinates::Log, 1.2)]
}

impl Named for Gp3 {
    const NAME: &'static str = "gp3";
    const SUMMARY: &'static str = "Mean of three Gaussian processes, on √share and on its logarithm";
    type Config = Config;

    fn new(_: Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Method for Gp3 {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        let groups = check(Self::NAME, 3, runs)?.mixtures;
        Ok(Box::new(Fitted::new(runs, groups, members(0.5))))
    }

    fn fit_all(&self, targets: &[Vec<Observation>]) -> Result<Vec<Box<dyn Predictor>>, FitError> {
        let groups = targets.iter().map(|runs| check(Self::NAME, 3, runs).map(|checked| checked.mixtures));
        let groups = groups.collect::<Result<Vec<_>, FitError>>()?;
        let all = Fitted::of_all(targets, groups, members(0.5));
        Ok(all.into_iter().map(|fitted| -> Box<dyn Predictor> { Box::new(fitted) }).collect())
    }
}

/// Three processes as one.
pub(super) struct Fitted {
    groups: Vec<Vec<usize>>,
    members: [Process; 3],
}

/// With more runs than this a target's own tell its hyperparameters.
const SHARE_UP_TO: usize = 40;

/// How far the prior moves to what similar targets have: 0 not at all, 1 all the way.
const SHARED: f64 = 0.8;

impl Fitted {
    pub(super) fn new(runs: &[Observation], groups: Vec<Vec<usize>>, beliefs: [Belief; 3]) -> Self {
        let (members, _) = search(runs, beliefs);
        Self { groups, members }
    }

    /// Of several targets of the same runs; `groups`: those of each target.
    ///
    /// With few runs it is hardly told which datasets matter, and targets that go along with each other agree in it: each
    /// is fitted alone, then again with its prior moved to the mean hyperparameters of all, each counting as much as the
    /// square of its rank correlation with the target.
    pub(super) fn of_all(
        targets: &[Vec<Observation>],
        groups: Vec<Vec<Vec<usize>>>,
        beliefs: [Belief; 3],
    ) -> Vec<Self> {
        let alone: Vec<_> = targets.par_iter().map(|runs| search(runs, beliefs)).collect();
        let few = targets.iter().all(|runs| runs.len() <= SHARE_UP_TO);
        if targets.len() < 2 || !few {
            let alone = alone.into_iter().zip(groups);
            return alone.map(|((members, _), groups)| Self { groups, members }).collect();
        }
        let ranks: Vec<Vec<f64>> = (targets.iter())
            .map(|runs| skill::standard_ranks(&runs.iter().map(|run| run.score).collect::<Vec<_>>()))
            .collect();
        let again = |(target, groups): (usize, Vec<Vec<usize>>)| {
            let alike = |other: usize| {
                // A constant target agrees with itself alone.
                if other == target { 1.0 } else { dot(&ranks[target], &ranks[other]).powi(2) }
            };
            let members = std::array::from_fn(|k| {
                let found = alone.iter().enumerate().map(|(other, (_, found))| (alike(other), &found[k]));
                Process::fit_near(&targets[target], &alone[target].1[k], &Found::mean(found, SHARED))
            });
            Self { groups, members }
        };
        groups.into_par_iter().enumerate().map(again).collect()
    }
}

/// One target alone. The later searches begin where the first ended.
fn search(runs: &[Observation], beliefs: [Belief; 3]) -> ([Process; 3], [Found; 3]) {
    let [first, second, third] = beliefs;
    let (a, found) = Process::fit_like(runs, first, None);
    let (b, of_b) = Process::fit_like(runs, second, Some(&found));
    let (c, of_c) = Process::fit_like(runs, third, Some(&found));
    ([a, b, c], [found, of_b, of_c])
}

impl Predictor for Fitted {
    fn predict(&self, shares: &[f64]) -> Prediction {
        average::predictions(&self.members.each_ref().map(|member| member.predict(shares)))
    }

    fn mean(&self, shares: &[f64]) -> f64 {
        self.members.iter().map(|member| member.mean(shares)).sum::<f64>() / 3.0
    }

    fn slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        Some(average::slopes(&self.members.each_ref().map(|member| member.slope(shares))))
    }

    fn variance_slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        Some(average::variance_slopes(
            &self.members.each_ref().map(|member| member.mean(shares)),
            &self.members.each_ref().map(|member| member.slope(shares)),
            &self.members.each_ref().map(|member| member.variance_slope(shares)),
        ))
    }

    fn difference(&self, a: &[f64], b: &[f64]) -> Difference {
        average::differences(&self.members.each_ref().map(|member| member.difference(a, b)))
    }

    fn held_out(&self) -> Vec<Prediction> {
        average::rows(&self.members.each_ref().map(|member| member.held_out(&self.groups)))
    }

    fn notes(&self) -> Vec<String> {
        average::notes(self.members.iter().map(Process::notes))
    }
}
