//! GP-3: the equal average of three Gaussian processes that see the shares differently.
//!
//! √share with lengths that differ a little (τ .8) wins on noisy accuracies, √share with lengths that may differ a
//! lot (1.6) and ln(share + .01) (1.2) on smooth losses of ten to twenty runs. `gp3_cube` is the same on ∛share and
//! predicts better on every table measured (`docs/predict.md`).

use super::{
    Difference, FitError, Method, Observation, Prediction, Predictor, average, check, entry,
    process::{Belief, Coordinates, NOISE_CENTRE, Process},
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
        Belief { coordinates, tau, linear: true, noise_centre: NOISE_CENTRE }
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
}

/// Three processes as one.
pub(super) struct Fitted {
    groups: Vec<Vec<usize>>,
    members: [Process; 3],
}

impl Fitted {
    pub(super) fn new(runs: &[Observation], groups: Vec<Vec<usize>>, beliefs: [Belief; 3]) -> Self {
        let mut found = None;
        let members = beliefs.map(|belief| {
            let (process, own) = Process::fit_like(runs, belief, found.as_ref());
            found.get_or_insert(own);
            process
        });
        Self { groups, members }
    }
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
