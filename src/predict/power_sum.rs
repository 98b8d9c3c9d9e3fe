//! c + Σ fᵢ (wᵢ + a)^−γ, the shape of BiMix (arXiv:2405.14908) and AutoScale (arXiv:2407.20177).
//!
//! Offset and exponent are common to all datasets and those of a grid under which the scores are most likely; the
//! factors are held down by the evidence. Free exponents per dataset need hundreds of runs.

use ndarray::Array1;

use super::{
    Difference, FitError, Method, Observation, Prediction, Predictor, check, entry,
    linear::{Linear, Penalty, rows},
};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Method> = entry::<PowerSum>();

struct PowerSum;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

impl Named for PowerSum {
    const NAME: &'static str = "power_sum";
    const SUMMARY: &'static str = "Sum of powers of the shares (BiMix, AutoScale)";
    type Config = Config;

    fn new(_: Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

const OFFSETS: [f64; 4] = [0.003, 0.01, 0.03, 0.1];
const EXPONENTS: [f64; 5] = [0.1, 0.2, 0.4, 0.7, 1.0];

impl Method for PowerSum {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        let checked = check(Self::NAME, 3, runs)?;
        let scores = runs.iter().map(|run| run.score).collect();
        let shapes = OFFSETS.iter().flat_map(|&offset| EXPONENTS.map(|exponent| Shape { offset, exponent }));
        let fits = shapes.map(|shape| {
            let x = rows(runs, |shares| shape.features(shares));
            Fitted { linear: Linear::fit(&x, &scores, &checked.mixtures, Penalty::Evidence), shape }
        });
        let best = fits.min_by(|a, b| a.linear.surprise().total_cmp(&b.linear.surprise()));
        Ok(Box::new(best.expect("the grid is not empty")))
    }
}

#[derive(Clone, Copy)]
struct Shape {
    offset: f64,
    exponent: f64,
}

impl Shape {
    fn features(self, shares: &[f64]) -> Array1<f64> {
        shares.iter().map(|share| (share.max(0.0) + self.offset).powf(-self.exponent)).collect()
    }
}

struct Fitted {
    linear: Linear,
    shape: Shape,
}

impl Predictor for Fitted {
    fn predict(&self, shares: &[f64]) -> Prediction {
        self.linear.predict(self.shape.features(shares).view())
    }

    fn mean(&self, shares: &[f64]) -> f64 {
        self.linear.mean(self.shape.features(shares).view())
    }

    fn difference(&self, a: &[f64], b: &[f64]) -> Difference {
        self.linear.difference(self.shape.features(a).view(), self.shape.features(b).view())
    }

    fn held_out(&self) -> Vec<Prediction> {
        self.linear.held_out().to_vec()
    }
}
