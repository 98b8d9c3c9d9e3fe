//! From the mixtures already tried to the score of one not tried, and whether to believe it.
//!
//! A [`Method`] holds settings, a [`Predictor`] what was learnt. [`skill`] says whether it beats the mean.

pub mod algebra;
mod algorithm4;
mod average;
mod boosted_trees;
pub mod compare;
mod extra_trees;
mod gp;
mod gp3;
mod gp3_cube;
mod gp_ard;
mod gp_iso;
mod linear;
mod log_linear;
mod mean;
mod nearest;
mod ols;
mod plain;
mod power_sum;
mod process;
mod proposer;
mod quadratic;
mod ridge;
mod ridge_log;
mod scheffe;
pub mod skill;
mod trend_gp;
pub mod two_fidelity;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::registry::{Entry, Named, Registry};

/// A way to predict: the settings, nothing learnt yet.
pub trait Method: Send + Sync {
    /// Learns from runs that are done. The same runs give the same predictor.
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError>;

    /// Learns several targets of the same runs, in their order; what is alike between them may be shared. As one by one
    /// where a method shares nothing.
    fn fit_all(&self, targets: &[Vec<Observation>]) -> Result<Vec<Box<dyn Predictor>>, FitError> {
        targets.par_iter().map(|runs| self.fit(runs)).collect()
    }
}

/// What a [`Method`] learnt. Only fitting makes one, so there is nothing to call too early.
pub trait Predictor: Send + Sync {
    /// Expected score of training on these shares; as many shares as the runs had that it was fitted on.
    fn predict(&self, shares: &[f64]) -> Prediction;

    /// The mean of [`predict`](Self::predict) alone, for optimizers, which ask a thousand times.
    fn mean(&self, shares: &[f64]) -> f64 {
        self.predict(shares).mean
    }

    /// How fast the mean rises with each share at `shares`, where that is cheap to say; optimizers take differences
    /// elsewhere. The slope of √share is bounded, as at 0 it is infinite.
    fn slope(&self, _shares: &[f64]) -> Option<Vec<f64>> {
        None
    }

    /// How fast the variance of the surface, the square of [`Prediction::sd`], rises with each share; as
    /// [`slope`](Self::slope).
    fn variance_slope(&self, _shares: &[f64]) -> Option<Vec<f64>> {
        None
    }

    /// The surface at `a` minus the surface at `b`, with the standard deviation of that difference: what the two
    /// predictions have in common cancels.
    fn difference(&self, a: &[f64], b: &[f64]) -> Difference;

    /// For every run fitted, in order, its prediction without any run of its own mixture, settings kept as learnt on
    /// all runs: closed form, so hundreds of times cheaper than refits, and a little too good.
    fn held_out(&self) -> Vec<Prediction>;

    /// What a reader of its predictions has to know, such as a rank deficiency; empty when there is nothing.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// One finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Share of each dataset, in [0, 1]; they sum to 1.
    pub shares: Vec<f64>,
    /// Benchmark score, in any unit, higher or lower better: fitting does not care.
    pub score: f64,
    /// Known variance of `score` (its squared standard error, from the benchmark's sample count); `None` when
    /// not known. What seeds add is learnt on top.
    pub noise_variance: Option<f64>,
}

/// What is expected at one mixture, in the unit of the scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Expected score.
    pub mean: f64,
    /// Standard deviation of the surface: what more runs would reduce.
    pub sd: f64,
    /// Standard deviation of one run around the surface: seeds and evaluation.
    pub noise_sd: f64,
}

impl Prediction {
    /// Standard deviation of a new run's score around the prediction.
    pub fn run_sd(&self) -> f64 {
        self.sd.hypot(self.noise_sd)
    }
}

/// How much better one mixture is expected to be than another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Expected difference.
    pub mean: f64,
    /// Its standard deviation.
    pub sd: f64,
}

/// Runs that a method cannot be fitted on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    /// Fitting asked for more runs than there are.
    #[error(
        "`{method}` needs {needs} finished runs of different mixtures and there are {has}; run more, or choose `mean`"
    )]
    TooFew {
        /// The method's name.
        method: &'static str,
        /// Distinct mixtures it needs.
        needs: usize,
        /// Distinct mixtures there are.
        has: usize,
    },
    /// A run that is not one.
    #[error("run {row} (counted from 0) has {what}")]
    BadRun {
        /// Which one, from 0.
        row: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// Every method; the first is not the default, [`DEFAULT`] is.
pub const PREDICTORS: Registry<dyn Method> = Registry {
    kind: "predictor",
    entries: &[
        mean::ENTRY, //
        nearest::ENTRY,
        ols::ENTRY,
        quadratic::ENTRY,
        algorithm4::ENTRY,
        scheffe::ENTRY,
        ridge::ENTRY,
        ridge_log::ENTRY,
        log_linear::ENTRY,
        power_sum::ENTRY,
        extra_trees::ENTRY,
        boosted_trees::ENTRY,
        gp_iso::ENTRY,
        gp_ard::ENTRY,
        gp::ENTRY,
        gp3::ENTRY,
        gp3_cube::ENTRY,
        trend_gp::ENTRY,
        proposer::ENTRY,
    ],
};

/// The method that predicts best from ten runs to hundreds: see its file for the measurement.
pub const DEFAULT: &str = "gp3_cube";

/// The method whose best mixture is proposed: like the default between the mixtures tried, better beyond them.
pub const PROPOSER: &str = "proposer";

/// The method called `name` with its default settings.
pub fn by_name(name: &str) -> Result<Box<dyn Method>, crate::registry::UnknownName> {
    let entry = PREDICTORS.get(name)?;
    Ok((entry.build)(toml::Table::new()).expect("every method has defaults for all its settings"))
}

const fn entry<M: Named + Method + 'static>() -> Entry<dyn Method> {
    Entry { name: M::NAME, summary: M::SUMMARY, build: |table| Ok(Box::new(M::new(table.try_into()?)?)) }
}

/// Refuses runs that no method can use; gives which mixture each run had.
fn check(method: &'static str, needs: usize, runs: &[Observation]) -> Result<Checked, FitError> {
    let n_datasets = runs.first().map_or(0, |run| run.shares.len());
    for (row, run) in runs.iter().enumerate() {
        let bad = |what: String| Err(FitError::BadRun { row, what });
        if run.shares.is_empty() || run.shares.len() != n_datasets {
            return bad(format!("{} shares where the first run has {n_datasets}", run.shares.len()));
        }
        if let Some(share) = run.shares.iter().find(|s| !s.is_finite() || **s < 0.0) {
            return bad(format!("a share of {share}; shares are numbers from 0 to 1"));
        }
        let sum: f64 = run.shares.iter().sum();
        if (sum - 1.0).abs() > 0.01 {
            return bad(format!("shares that sum to {sum:.4}, not to 1"));
        }
        if !run.score.is_finite() {
            return bad(format!("a score of {}", run.score));
        }
        if run.noise_variance.is_some_and(|v| !v.is_finite() || v < 0.0) {
            return bad("a noise variance that is no variance".to_owned());
        }
    }
    let mixtures = mixtures(runs);
    if mixtures.len() < needs {
        return Err(FitError::TooFew { method, needs, has: mixtures.len() });
    }
    Ok(Checked { mixtures })
}

/// See [`check`].
struct Checked {
    /// Rows of each distinct mixture.
    mixtures: Vec<Vec<usize>>,
}

/// Rows of each distinct mixture, in order of first appearance. Shares equal to 1e-9 are the same mixture.
pub fn mixtures(runs: &[Observation]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (row, run) in runs.iter().enumerate() {
        let same = |group: &&mut Vec<usize>| {
            let first = &runs[group[0]].shares;
            first.len() == run.shares.len()
                && first.iter().zip(&run.shares).all(|(a, b)| (a - b).abs() < 1e-9)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

/// Mean of the known noise variances; 0 where none is known.
fn mean_known_noise(runs: &[Observation]) -> f64 {
    let known: Vec<f64> = runs.iter().filter_map(|run| run.noise_variance).collect();
    known.iter().sum::<f64>() / known.len().max(1) as f64
}

/// Standard deviation of the scores; 1 where they are all the same.
pub fn spread(runs: &[Observation]) -> f64 {
    let n = runs.len() as f64;
    let mean = runs.iter().map(|run| run.score).sum::<f64>() / n;
    let sd = (runs.iter().map(|run| (run.score - mean).powi(2)).sum::<f64>() / n).sqrt();
    if sd > 0.0 { sd } else { 1.0 }
}
