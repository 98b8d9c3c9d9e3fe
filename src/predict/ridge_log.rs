//! Ridge regression on ln(share + .01): the first hundredth of a dataset matters as much as its next tenth.

use ndarray::Array1;

use super::{
    Difference, FitError, Method, Observation, Prediction, Predictor, check, entry,
    linear::{Linear, Penalty, rows},
};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Method> = entry::<RidgeLog>();

struct RidgeLog;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

impl Named for RidgeLog {
    const NAME: &'static str = "ridge_log";
    const SUMMARY: &'static str = "Ridge regression on ln(share + .01)";
    type Config = Config;

    fn new(_: Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Method for RidgeLog {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        let checked = check(Self::NAME, 3, runs)?;
        let scores = runs.iter().map(|run| run.score).collect();
        let x = rows(runs, features);
        Ok(Box::new(Fitted(Linear::fit(&x, &scores, &checked.mixtures, Penalty::LeftOut))))
    }
}

fn features(shares: &[f64]) -> Array1<f64> {
    shares.iter().map(|share| (share.max(0.0) + 0.01).ln()).collect()
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
