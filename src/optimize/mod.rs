//! The best mixture under a predictor and constraints, the paper's heuristics, and what to run next.
//!
//! Benchmarks are predicted one by one and weighed here, so that other weights refit nothing.

mod gaussian_search;
pub mod goal;
pub mod heuristics;
pub mod hull;
mod joint;
pub mod next_runs;
pub mod pareto;
mod projected_gradient;
pub mod proposal;

use std::sync::Arc;

use crate::{
    mixture::constraint::Region,
    predict::{Difference, FitError, Method, Observation, Prediction, Predictor},
    registry::{Entry, Named, Registry, UnknownName},
    seed::Seed,
};

/// A way to find the highest point of a function on the allowed mixtures.
pub trait Optimizer: Send + Sync {
    /// The best point found; inside `region` to 1e-9, the same for the same seed. `starts`: mixtures to begin from, the
    /// likeliest first; there may be none, and they need not be allowed.
    fn maximize(
        &self,
        objective: &dyn Objective,
        region: &Region,
        starts: &[Vec<f64>],
        seed: Seed,
    ) -> Optimum;
}

/// What is maximised. Closures from shares to a value are objectives without a slope.
pub trait Objective: Sync {
    /// At these shares.
    fn value(&self, shares: &[f64]) -> f64;

    /// How fast it rises with each share, where that is cheap to say.
    fn slope(&self, _shares: &[f64]) -> Option<Vec<f64>> {
        None
    }
}

impl<F: Fn(&[f64]) -> f64 + Sync> Objective for F {
    fn value(&self, shares: &[f64]) -> f64 {
        self(shares)
    }
}

/// The expected value of a surface.
impl Objective for Surface {
    fn value(&self, shares: &[f64]) -> f64 {
        self.mean(shares)
    }

    fn slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        self.slope(shares)
    }
}

/// The best point found, with what certifies it.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimum {
    /// Share of each dataset.
    pub shares: Vec<f64>,
    /// The objective there.
    pub value: f64,
    /// Largest violation of any constraint, in shares: at most 1e-9.
    pub violation: f64,
    /// Most that moving one thousandth from one dataset to another would still gain: 0 at a local optimum.
    pub local_gain: f64,
}

/// Every optimizer.
pub const OPTIMIZERS: Registry<dyn Optimizer> = Registry {
    kind: "optimizer",
    entries: &[
        projected_gradient::ENTRY, //
        gaussian_search::ENTRY,
    ],
};

const fn entry<O: Named + Optimizer + 'static>() -> Entry<dyn Optimizer> {
    Entry { name: O::NAME, summary: O::SUMMARY, build: |table| Ok(Box::new(O::new(table.try_into()?)?)) }
}

/// The optimizer that proposals use.
pub const DEFAULT: &str = "projected_gradient";

/// The optimizer called `name` with its default settings.
pub fn by_name(name: &str) -> Result<Box<dyn Optimizer>, UnknownName> {
    let entry = OPTIMIZERS.get(name)?;
    Ok((entry.build)(toml::Table::new()).expect("every optimizer has defaults for all its settings"))
}

/// [`DEFAULT`] with its default settings.
pub fn default_optimizer() -> Box<dyn Optimizer> {
    by_name(DEFAULT).expect("it is in the registry above")
}

/// What is not a number is never best.
fn value_of(objective: &dyn Objective, shares: &[f64]) -> f64 {
    let value = objective.value(shares);
    if value.is_nan() { f64::NEG_INFINITY } else { value }
}

/// A predictor per benchmark, and the weight of each in the objective.
pub struct Surface {
    predictors: Arc<[Box<dyn Predictor>]>,
    weights: Vec<f64>,
}

impl Surface {
    /// Fits one predictor per target; `weights`: one per target, negative to minimise.
    pub fn fit(method: &dyn Method, targets: &[Vec<Observation>], weights: &[f64]) -> Result<Self, FitError> {
        Ok(Self { predictors: method.fit_all(targets)?.into(), weights: weights.to_vec() })
    }

    /// The same predictors under other weights, one per target: nothing is fitted again.
    #[must_use]
    pub fn weighed(&self, weights: &[f64]) -> Self {
        Self { predictors: Arc::clone(&self.predictors), weights: weights.to_vec() }
    }

    /// The objective's expected value.
    pub fn mean(&self, shares: &[f64]) -> f64 {
        self.weighted().map(|(weight, predictor)| weight * predictor.mean(shares)).sum()
    }

    /// How fast the expected value rises with each share, where every predictor can say so.
    pub fn slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        let mut sum = vec![0.0; shares.len()];
        for (weight, predictor) in self.weighted() {
            let slope = predictor.slope(shares)?;
            sum.iter_mut().zip(slope).for_each(|(sum, slope)| *sum += weight * slope);
        }
        Some(sum)
    }

    /// How fast the variance of [`predict`](Self::predict) rises with each share, where every predictor can say so.
    pub fn variance_slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        let mut sum = vec![0.0; shares.len()];
        for (weight, predictor) in self.weighted() {
            let slope = predictor.variance_slope(shares)?;
            sum.iter_mut().zip(slope).for_each(|(sum, slope)| *sum += weight * weight * slope);
        }
        Some(sum)
    }

    /// The objective's prediction; errors of benchmarks are taken as independent, and the scale that left-out
    /// mixtures give the objective corrects what that misses.
    pub fn predict(&self, shares: &[f64]) -> Prediction {
        let (mut mean, mut variance, mut noise) = (0.0, 0.0, 0.0);
        for (weight, predictor) in self.weighted() {
            let one = predictor.predict(shares);
            mean += weight * one.mean;
            variance += (weight * one.sd).powi(2);
            noise += (weight * one.noise_sd).powi(2);
        }
        Prediction { mean, sd: variance.sqrt(), noise_sd: noise.sqrt() }
    }

    /// The objective at `a` minus the objective at `b`.
    pub fn difference(&self, a: &[f64], b: &[f64]) -> Difference {
        difference(self.weighted(), a, b)
    }

    /// The same of another weighted sum of the targets: nothing is fitted again.
    pub fn difference_of(&self, members: &[(usize, f64)], a: &[f64], b: &[f64]) -> Difference {
        difference(members.iter().map(|(i, weight)| (*weight, self.predictors[*i].as_ref())), a, b)
    }

    /// The predictor of each target, in their order.
    pub fn predictors(&self) -> &[Box<dyn Predictor>] {
        &self.predictors
    }

    fn weighted(&self) -> impl Iterator<Item = (f64, &dyn Predictor)> {
        // A benchmark of no weight is predicted for tables only; asking it here would be most of the time.
        let all = self.weights.iter().zip(self.predictors.iter()).filter(|(weight, _)| **weight != 0.0);
        all.map(|(weight, predictor)| (*weight, predictor.as_ref()))
    }
}

fn difference<'a>(of: impl Iterator<Item = (f64, &'a dyn Predictor)>, a: &[f64], b: &[f64]) -> Difference {
    let (mut mean, mut variance) = (0.0, 0.0);
    for (weight, predictor) in of {
        let one = predictor.difference(a, b);
        mean += weight * one.mean;
        variance += (weight * one.sd).powi(2);
    }
    Difference { mean, sd: variance.sqrt() }
}
