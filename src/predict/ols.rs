//! A straight line in the shares by ordinary least squares: the baseline of RegMix.
//!
//! With about as many runs as datasets it explodes (R² of −5.6 from 20 runs of 17 datasets); below that it is refused.

use ndarray::Array1;

use super::{
    Difference, FitError, Method, Observation, Prediction, Predictor, check, entry,
    linear::{Linear, Penalty, rows},
};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Method> = entry::<Ols>();

struct Ols;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

impl Named for Ols {
    const NAME: &'static str = "ols";
    const SUMMARY: &'static str = "A straight line in the shares by ordinary least squares";
    type Config = Config;

    fn new(_: Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Method for Ols {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        let needs = runs.first().map_or(3, |run| run.shares.len().max(3));
        let checked = check(Self::NAME, needs, runs)?;
        let x = rows(runs, features);
        let scores = runs.iter().map(|run| run.score).collect();
        Ok(Box::new(Fitted(Linear::fit(&x, &scores, &checked.mixtures, Penalty::None))))
    }
}

/// The shares themselves: they sum to 1, so that an intercept is among their combinations.
fn features(shares: &[f64]) -> Array1<f64> {
    shares.iter().copied().collect()
}

struct Fitted(Linear);

impl Predictor for Fitted {
    fn predict(&self, shares: &[f64]) -> Prediction {
        self.0.predict(features(shares).view())
    }

    fn mean(&self, shares: &[f64]) -> f64 {
        self.0.mean(features(shares).view())
    }

    fn difference(&self, a: &[f64], b: &[f64]) -> Difference {
        self.0.difference(features(a).view(), features(b).view())
    }

    fn held_out(&self) -> Vec<Prediction> {
        self.0.held_out().to_vec()
    }
}
