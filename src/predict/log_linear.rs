//! The data-mixing law: c + k exp(Σ tᵢ wᵢ), with k of either sign (arXiv:2403.16952).
//!
//! The scale k and the base c follow from the exponents by least squares, so that only t is searched; a weak penalty
//! and a bound keep it finite (without them predictions of 10¹⁸ were seen). About as many runs as datasets let it
//! explode all the same: fewer than its parameters are refused.

use argmin::{
    core::{CostFunction, Executor, Gradient},
    solver::{linesearch::MoreThuenteLineSearch, quasinewton::LBFGS},
};
use ndarray::Array1;
use rand::Rng;

use super::{
    FitError, Method, Observation, Predictor, check, entry,
    plain::{Plain, Surface, canonical},
};
use crate::{
    registry::{BuildError, Entry, Named},
    seed::Seed,
};

pub(super) const ENTRY: Entry<dyn Method> = entry::<LogLinear>();

struct LogLinear {
    starts: usize,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Starts of the search.
    #[serde(default = "default_starts")]
    starts: usize,
}

fn default_starts() -> usize {
    8
}

/// Exponents are held to ± this.
const BOUND: f64 = 8.0;
/// On squared exponents, in units of the scores' variance.
const PENALTY: f64 = 1e-4;

impl Named for LogLinear {
    const NAME: &'static str = "log_linear";
    const SUMMARY: &'static str = "Data-mixing law: a constant plus an exponential of the shares";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        if config.starts == 0 || config.starts > 10_000 {
            return Err(BuildError::Value(format!(
                "`starts` is {}; it must be from 1 to 10000",
                config.starts
            )));
        }
        Ok(Self { starts: config.starts })
    }
}

impl Method for LogLinear {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        // On the simplex k is one of the exponents: d + 1 parameters.
        let parameters = runs.first().map_or(0, |run| run.shares.len()) + 1;
        let checked = check(Self::NAME, parameters.max(3), runs)?;
        let mut notes = Vec::new();
        if 2 * checked.mixtures.len() < 3 * parameters {
            notes.push(format!(
                "the law has {parameters} parameters and wants {} mixtures; there are {}",
                (3 * parameters).div_ceil(2),
                checked.mixtures.len()
            ));
        }
        Ok(Box::new(Plain::fit(runs, notes, |runs| law(runs, self.starts))))
    }
}

/// The rows of one fit, scores standardised.
struct Rows {
    shares: Vec<Vec<f64>>,
    scores: Vec<f64>,
}

impl Rows {
    /// exp of the exponents at every run, and the c and k that go with them.
    fn solve(&self, t: &Array1<f64>) -> (Vec<f64>, f64, f64) {
        let e: Vec<f64> = self.shares.iter().map(|w| exponential(t, w)).collect();
        let n = e.len() as f64;
        let mean = e.iter().sum::<f64>() / n;
        let spread: f64 = e.iter().map(|e| (e - mean).powi(2)).sum();
        let product: f64 = e.iter().zip(&self.scores).map(|(e, y)| (e - mean) * y).sum();
        let k = if spread > 1e-12 * (1.0 + mean * mean) { product / spread } else { 0.0 };
        let middle = self.scores.iter().sum::<f64>() / n;
        (e, middle - k * mean, k)
    }
}

fn exponential(t: &Array1<f64>, w: &[f64]) -> f64 {
    t.iter().zip(w).map(|(t, w)| t * w).sum::<f64>().clamp(-BOUND, BOUND).exp()
}

impl CostFunction for &Rows {
    type Param = Array1<f64>;
    type Output = f64;

    fn cost(&self, t: &Self::Param) -> Result<f64, argmin::core::Error> {
        let (e, c, k) = self.solve(t);
        let squared: f64 = e.iter().zip(&self.scores).map(|(e, y)| (y - c - k * e).powi(2)).sum();
        Ok(0.5 * squared / e.len() as f64 + 0.5 * PENALTY * t.dot(t))
    }
}

impl Gradient for &Rows {
    type Param = Array1<f64>;
    type Gradient = Array1<f64>;

    /// c and k are optimal, so that they do not count (variable projection).
    fn gradient(&self, t: &Self::Param) -> Result<Self::Gradient, argmin::core::Error> {
        let (e, c, k) = self.solve(t);
        let mut gradient = t * PENALTY;
        for ((e, y), w) in e.iter().zip(&self.scores).zip(&self.shares) {
            let slope = -(y - c - k * e) * k * e / self.scores.len() as f64;
            gradient.iter_mut().zip(w).for_each(|(g, w)| *g += slope * w);
        }
        Ok(gradient)
    }
}

fn law(runs: &[Observation], starts: usize) -> Surface {
    let order = canonical(runs);
    let n = runs.len() as f64;
    let mean = runs.iter().map(|run| run.score).sum::<f64>() / n;
    let sd = (runs.iter().map(|run| (run.score - mean).powi(2)).sum::<f64>() / n).sqrt().max(1e-12);
    let rows = Rows {
        shares: runs.iter().map(|run| order.iter().map(|&i| run.shares[i]).collect()).collect(),
        scores: runs.iter().map(|run| (run.score - mean) / sd).collect(),
    };
    let mut rng = Seed::new(0).child("log_linear").rng();
    let mut best: Option<(f64, Array1<f64>)> = None;
    for _ in 0..starts {
        let start = Array1::from_shape_simple_fn(order.len(), || 4.0 * rng.random::<f64>() - 2.0);
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), 10);
        let run = Executor::new(&rows, solver)
            .configure(|state| state.param(start).max_iters(100))
            .timer(false)
            .run();
        // A start whose line search fails is one start less.
        let Ok(run) = run else { continue };
        let Some(t) = run.state.best_param else { continue };
        let cost = run.state.best_cost;
        if cost.is_finite() && best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, t));
        }
    }
    let t = best.map_or_else(|| Array1::zeros(order.len()), |(_, t)| t);
    let (_, c, k) = rows.solve(&t);
    Box::new(move |shares| {
        let own: Vec<f64> = order.iter().map(|&i| shares[i]).collect();
        mean + sd * (c + k * exponential(&t, &own))
    })
}
