//! What to run next: expected improvement, with a constant liar between the runs of a batch or over what all runs
//! may truly score.
//!
//! In the published RegMix runs, ten runs and then batches of ten chosen so come within .007 standard deviations of the best of
//! 512 at a budget of 30, random choice within .147 (docs/predict.md).

use rayon::prelude::*;
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use super::{Objective, Optimizer, Surface, goal::Guardrail, joint::Joint, projected_gradient::exchange};
use crate::{
    mixture::constraint::Region,
    predict::{FitError, Method, Observation, Prediction, mixtures},
    seed::Seed,
};

/// A mixture worth a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// Share of each dataset.
    pub shares: Vec<f64>,
    /// By how much it is expected to exceed the best mixture tried, in the unit of the objective, times the chance that
    /// it keeps every guardrail.
    pub expected_improvement: f64,
    /// The objective there; with a liar, fitted on the runs and on the earlier suggestions' lies.
    pub predicted: Prediction,
}

/// How the runs of a batch are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Batch {
    /// After each suggestion every target is told a lie, what is expected of it at the best mixture tried (Ginsbourger et al. 2010,
    /// "CL max", with means for noisy scores): the next suggestion then goes where more is to be gained. The mean of all
    /// runs as the lie would push it away from the good ones. One fit per suggestion.
    #[default]
    ConstantLiar,
    /// Improvement over the best of what the runs and the earlier suggestions may truly score, averaged over draws
    /// (Letham et al. 2019): noise of the best run is not taken for height. One fit in all.
    NoisyImprovement,
}

/// Draws of what the runs may truly score.
const DRAWS: usize = 64;

/// Mixtures tried whose true scores are drawn: the best ones, which alone can be exceeded.
const RIVALS: usize = 10;

/// Random mixtures among which noisy improvement looks for a hill.
const POOL: usize = 200;

/// What runs are chosen from, and for what.
pub struct Wanted<'a> {
    /// Fitted again for every lie.
    pub method: &'a dyn Method,
    /// As for [`Surface::fit`].
    pub targets: &'a [Vec<Observation>],
    /// One per target.
    pub weights: &'a [f64],
    /// What must not get worse: a run counts as much as it is likely to keep them all (Gardner et al. 2014).
    pub guardrails: &'a [Guardrail],
    /// Shares of mixtures whose runs were chosen before and have no scores yet: nothing is to be gained beside them.
    pub pending: &'a [Vec<f64>],
    /// Mixtures that may be tried.
    pub region: &'a Region,
    /// How to search.
    pub optimizer: &'a dyn Optimizer,
    /// Of random starts and draws.
    pub seed: Seed,
}

/// The next `count` runs.
pub fn next_runs(wanted: &Wanted, batch: Batch, count: usize) -> Result<Vec<Suggestion>, FitError> {
    match batch {
        Batch::ConstantLiar => constant_liar(wanted, count),
        Batch::NoisyImprovement => noisy_improvement(wanted, count),
    }
}

fn constant_liar(wanted: &Wanted, count: usize) -> Result<Vec<Suggestion>, FitError> {
    let &Wanted { method, targets, weights, guardrails, pending, region, optimizer, seed } = wanted;
    let mut told = targets.to_vec();
    let n_real = targets.first().map_or(0, Vec::len);
    // Of a mixture that has no score yet every target is told the lie, as noisy as the others.
    let lie = |told: &mut [Vec<Observation>], surface: &Surface, best: &[f64], shares: &[f64]| {
        for (runs, predictor) in told.iter_mut().zip(surface.predictors()) {
            let (noise_variance, score) = (runs[0].noise_variance, predictor.mean(best));
            runs.push(Observation { shares: shares.to_vec(), score, noise_variance });
        }
    };
    if count > 0 && !pending.is_empty() {
        let surface = Surface::fit(method, &told, weights)?;
        let best = best_known(&surface, targets.first().map_or(&[][..], Vec::as_slice), guardrails).to_vec();
        for shares in pending {
            lie(&mut told, &surface, &best, shares);
        }
    }
    let mut suggestions = Vec::with_capacity(count);
    for number in 0..count {
        let surface = Surface::fit(method, &told, weights)?;
        // Means, not scores: the best score of noisy runs is a lucky one.
        let tried = told.first().map_or(&[][..], |runs| &runs[..n_real.min(runs.len())]);
        let best = best_known(&surface, tried, guardrails).to_vec();
        let objective = Improvement { surface: &surface, guardrails, best: surface.mean(&best) };
        let starts: Vec<Vec<f64>> = best_first(&surface, tried).into_iter().take(8).collect();
        let found = optimizer.maximize(&objective, region, &starts, seed.child("next_runs").child(number));
        lie(&mut told, &surface, &best, &found.shares);
        suggestions.push(Suggestion {
            predicted: surface.predict(&found.shares),
            expected_improvement: found.value,
            shares: found.shares,
        });
    }
    Ok(suggestions)
}

/// What a run has to exceed: of mixtures tried, and mixtures that guardrails compare with, the one of the highest mean that keeps
/// the guardrails; the one of the lowest mean where none does.
fn best_known<'a>(surface: &Surface, tried: &'a [Observation], guardrails: &'a [Guardrail]) -> &'a [f64] {
    let known = tried.iter().map(|run| &run.shares).chain(guardrails.iter().map(|rail| &rail.than));
    let mut known: Vec<(f64, &Vec<f64>)> = known.map(|shares| (surface.mean(shares), shares)).collect();
    known.sort_by(|a, b| b.0.total_cmp(&a.0));
    let kept = |one: &&(f64, &Vec<f64>)| guardrails.iter().all(|rail| rail.kept(surface, one.1).kept);
    known.iter().find(kept).or(known.last()).expect("runs were made before a run is suggested").1
}

/// Chance that `shares` keep all guardrails, as if they failed independently.
fn chance_kept(surface: &Surface, guardrails: &[Guardrail], shares: &[f64]) -> f64 {
    guardrails.iter().map(|rail| rail.chance_kept(surface, shares)).product()
}

/// Expected improvement over a height, times the chance that guardrails are kept.
struct Improvement<'a> {
    surface: &'a Surface,
    guardrails: &'a [Guardrail],
    best: f64,
}

impl Objective for Improvement<'_> {
    fn value(&self, shares: &[f64]) -> f64 {
        let improvement = expected_improvement(self.surface.predict(shares), self.best);
        if improvement == 0.0 {
            return 0.0;
        }
        improvement * chance_kept(self.surface, self.guardrails, shares)
    }

    fn slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        if !self.guardrails.is_empty() {
            return None;
        }
        let Prediction { mean, sd, .. } = self.surface.predict(shares);
        let slope = self.surface.slope(shares)?;
        if sd <= 0.0 {
            return Some(slope);
        }
        // ∇ EI = Φ(z) ∇mean + φ(z) ∇sd, and ∇sd = ∇variance / 2 sd.
        let (z, normal) = ((mean - self.best) / sd, Normal::standard());
        let (above, density) = (normal.cdf(z), normal.pdf(z));
        let variance = self.surface.variance_slope(shares)?;
        Some(slope.iter().zip(variance).map(|(m, v)| above * m + density * v / (2.0 * sd)).collect())
    }
}

fn noisy_improvement(wanted: &Wanted, count: usize) -> Result<Vec<Suggestion>, FitError> {
    let &Wanted { method, targets, weights, guardrails, pending, region, .. } = wanted;
    let (surface, seed) = (Surface::fit(method, targets, weights)?, wanted.seed.child("noisy"));
    let surface = &surface;
    let tried = best_first(surface, targets.first().map_or(&[][..], Vec::as_slice));
    let kept = |shares: &&Vec<f64>| guardrails.iter().all(|rail| rail.kept(surface, shares).kept);
    let mut rivals: Vec<Vec<f64>> = tried.iter().filter(kept).take(RIVALS).cloned().collect();
    // What guardrails compare with keeps them, where nothing tried does.
    if rivals.is_empty() {
        rivals.extend(guardrails.iter().map(|rail| rail.than.clone()));
    }
    rivals.extend(pending.iter().cloned());
    let d = region.datasets().len();
    let mut suggestions = Vec::with_capacity(count);
    for number in 0..count {
        let seed = seed.child(number);
        let Some(joint) = Joint::new(surface, rivals.clone(), DRAWS, seed.child("draws")) else { break };
        let objective = |shares: &[f64]| joint.improvement(shares) * chance_kept(surface, guardrails, shares);
        // An evaluation asks every rival, so that climbing by differences from everywhere would take seconds: a pool
        // finds the hills, and pairwise exchanges climb the best two.
        let mut rng = seed.child("pool").rng();
        let mut pool: Vec<Vec<f64>> = tried.iter().take(20).map(|shares| region.project(shares)).collect();
        pool.push(region.project(&vec![1.0 / d as f64; d]));
        pool.extend(
            (0..d).map(|i| region.project(&(0..d).map(|j| f64::from(u8::from(i == j))).collect::<Vec<_>>())),
        );
        pool.extend((0..POOL).map(|_| {
            let draws: Vec<f64> =
                (0..d).map(|_| rand_distr::Distribution::sample(&rand_distr::Exp1, &mut rng)).collect();
            let sum: f64 = draws.iter().sum();
            region.project(&draws.iter().map(|draw| draw / sum).collect::<Vec<_>>())
        }));
        let mut valued: Vec<(Vec<f64>, f64)> = pool
            .into_par_iter()
            .map(|shares| {
                let value = objective(&shares);
                (shares, value)
            })
            .collect();
        valued.sort_by(|a, b| b.1.total_cmp(&a.1));
        valued.truncate(2);
        let climbed: Vec<(Vec<f64>, f64)> =
            valued.into_par_iter().map(|start| exchange(&objective, region, start, 1e-3)).collect();
        let best = climbed.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a });
        let (shares, value) = best.expect("the pool is not empty");
        suggestions.push(Suggestion {
            predicted: surface.predict(&shares),
            expected_improvement: value,
            shares: shares.clone(),
        });
        rivals.push(shares);
    }
    Ok(suggestions)
}

/// The mixtures tried, by what the surface expects of them.
fn best_first(surface: &Surface, tried: &[Observation]) -> Vec<Vec<f64>> {
    let shares = mixtures(tried).into_iter().map(|rows| tried[rows[0]].shares.clone());
    let mut valued: Vec<(f64, Vec<f64>)> = shares.map(|shares| (surface.mean(&shares), shares)).collect();
    valued.sort_by(|a, b| b.0.total_cmp(&a.0));
    valued.into_iter().map(|(_, shares)| shares).collect()
}

/// E max(0, f − best) for f ~ N(mean, sd²) (Močkus 1975).
pub fn expected_improvement(prediction: Prediction, best: f64) -> f64 {
    let gain = prediction.mean - best;
    if prediction.sd <= 0.0 {
        return gain.max(0.0);
    }
    let z = gain / prediction.sd;
    let normal = Normal::standard();
    gain * normal.cdf(z) + prediction.sd * normal.pdf(z)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_improvement_is_that_of_the_formula() {
        let at = |mean, sd| expected_improvement(Prediction { mean, sd, noise_sd: 0.0 }, 1.0);
        assert_eq!(at(1.5, 0.0), 0.5);
        assert_eq!(at(0.5, 0.0), 0.0);
        assert!((at(1.0, 2.0) - 2.0 * 0.398_942_280).abs() < 1e-8); // sd × φ(0)
    }
}
