//! Few dear runs with the help of many cheap ones: y = b + ρ f_low(w) + Gaussian process (AR(1), Kennedy and O'Hagan
//! 2000).
//!
//! The cheap runs are of a smaller model or of fewer steps. ρ is shrunk towards the ratio of the standard deviations,
//! as if three runs had said so; where the two levels do not go together it falls to 0 and a note says so.

use std::sync::Arc;

use rayon::prelude::*;

use super::{
    Difference, FitError, Method, Observation, Prediction, Predictor, check,
    gp::hierarchical,
    gp3_cube::Gp3Cube,
    process::{Belief, Process, ROOT, Scale},
    skill::rank_correlation,
};

/// What tables and files call it: it is no entry of the registry, as it needs cheap runs.
pub const NAME: &str = "two_fidelity";

/// Weight of the prior slope, in runs.
const PRIOR_RUNS: f64 = 3.0;

/// What is left of the dear runs: smooth, and noisier than a surface of its own would be taken for.
const RESIDUAL: Belief = Belief { tau: 0.3, noise_centre: 0.5, ..hierarchical(ROOT) };

/// Fits dear runs; knows the cheap ones.
#[derive(Clone)]
pub struct TwoFidelity {
    low: Arc<dyn Predictor>,
    low_sd: f64,
}

impl TwoFidelity {
    /// Learns from the cheap runs of one target.
    pub fn new(low: &[Observation]) -> Result<Self, FitError> {
        let scores: Vec<f64> = low.iter().map(|run| run.score).collect();
        Ok(Self { low: Arc::from(Gp3Cube.fit(low)?), low_sd: Scale::of(&scores).sd })
    }

    /// Rank correlation of dear scores with what the cheap runs predict for their mixtures: how much transfers.
    pub fn transfer(&self, high: &[Observation]) -> f64 {
        let (low, scores): (Vec<f64>, Vec<f64>) =
            high.iter().map(|run| (self.low.mean(&run.shares), run.score)).unzip();
        rank_correlation(&low, &scores)
    }
}

impl Method for TwoFidelity {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        let groups = check(NAME, 3, runs)?.mixtures;
        let low: Vec<f64> = runs.iter().map(|run| self.low.mean(&run.shares)).collect();
        let scores: Vec<f64> = runs.iter().map(|run| run.score).collect();
        let (x, y) = (Scale::of(&low), Scale::of(&scores));
        // In standard deviations of each level the prior slope is 1.
        let of_low = |l: f64| (l - x.mean) / self.low_sd;
        let products: f64 = low.iter().zip(&scores).map(|(l, s)| of_low(*l) * (s - y.mean) / y.sd).sum();
        let squares: f64 = low.iter().map(|l| of_low(*l).powi(2)).sum();
        let slope = (products + PRIOR_RUNS) / (squares + PRIOR_RUNS) * y.sd / self.low_sd;
        let transfer = rank_correlation(&low, &scores);
        let mut notes = Vec::new();
        let slope = if transfer > 0.0 {
            slope.max(0.0)
        } else {
            notes.push(format!(
                "the cheap runs do not transfer (rank correlation {transfer:.2} over {} runs): they are left out",
                runs.len()
            ));
            0.0
        };
        let line: Vec<f64> = low.iter().map(|l| y.mean + slope * (l - x.mean)).collect();
        let rest: Vec<Observation> = runs
            .iter()
            .zip(&line)
            .map(|(run, line)| Observation { score: run.score - line, ..run.clone() })
            .collect();
        let process = Process::fit(&rest, RESIDUAL);
        let start = y.mean - slope * x.mean;
        Ok(Box::new(Fitted { low: Arc::clone(&self.low), start, slope, line, groups, process, notes }))
    }
}

/// The same of several targets, each with cheap runs of its own.
#[derive(Clone)]
pub struct TwoFidelities(Vec<TwoFidelity>);

impl TwoFidelities {
    /// `low`: the cheap runs of every target.
    pub fn new(low: &[Vec<Observation>]) -> Result<Self, FitError> {
        low.par_iter().map(|runs| TwoFidelity::new(runs)).collect::<Result<_, _>>().map(Self)
    }

    /// Of some of the targets alone.
    #[must_use]
    pub fn only(&self, targets: &[usize]) -> Self {
        Self(targets.iter().map(|&target| self.0[target].clone()).collect())
    }

    /// [`TwoFidelity::transfer`] of every target.
    pub fn transfers(&self, high: &[Vec<Observation>]) -> Vec<f64> {
        self.0.iter().zip(high).map(|(own, runs)| own.transfer(runs)).collect()
    }
}

impl Method for TwoFidelities {
    /// Where there is one target.
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        assert_eq!(self.0.len(), 1, "one target is fitted with the cheap runs of one");
        self.0[0].fit(runs)
    }

    fn fit_all(&self, targets: &[Vec<Observation>]) -> Result<Vec<Box<dyn Predictor>>, FitError> {
        assert_eq!(self.0.len(), targets.len(), "every target has cheap runs of its own");
        targets.par_iter().zip(&self.0).map(|(runs, own)| own.fit(runs)).collect()
    }
}

struct Fitted {
    low: Arc<dyn Predictor>,
    start: f64,
    slope: f64,
    /// `[n]`: the line at every dear run.
    line: Vec<f64>,
    groups: Vec<Vec<usize>>,
    process: Process,
    notes: Vec<String>,
}

impl Predictor for Fitted {
    fn predict(&self, shares: &[f64]) -> Prediction {
        let (low, rest) = (self.low.predict(shares), self.process.predict(shares));
        Prediction {
            mean: self.start + self.slope * low.mean + rest.mean,
            sd: (self.slope * low.sd).hypot(rest.sd),
            noise_sd: rest.noise_sd,
        }
    }

    fn mean(&self, shares: &[f64]) -> f64 {
        self.start + self.slope * self.low.mean(shares) + self.process.mean(shares)
    }

    fn slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        let low = self.low.slope(shares)?;
        Some(self.process.slope(shares).iter().zip(low).map(|(rest, low)| rest + self.slope * low).collect())
    }

    fn difference(&self, a: &[f64], b: &[f64]) -> Difference {
        let (low, rest) = (self.low.difference(a, b), self.process.difference(a, b));
        Difference { mean: self.slope * low.mean + rest.mean, sd: (self.slope * low.sd).hypot(rest.sd) }
    }

    /// The line, two parameters of which one is nearly given, is kept.
    fn held_out(&self) -> Vec<Prediction> {
        let rest = self.process.held_out(&self.groups);
        rest.into_iter()
            .zip(&self.line)
            .map(|(rest, line)| Prediction { mean: line + rest.mean, ..rest })
            .collect()
    }

    fn notes(&self) -> Vec<String> {
        [self.notes.clone(), self.process.notes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use rand::Rng;

    fn runs(n: usize, score: impl Fn(&[f64]) -> f64) -> Vec<Observation> {
        let mut rng = Seed::new(3).child(n).rng();
        let one = |_| {
            let raw: Vec<f64> = (0..4).map(|_| -rng.random::<f64>().ln()).collect();
            let shares: Vec<f64> = raw.iter().map(|r| r / raw.iter().sum::<f64>()).collect();
            Observation { score: score(&shares), shares, noise_variance: None }
        };
        (0..n).map(one).collect()
    }

    fn surface(w: &[f64]) -> f64 {
        w[0].sqrt() - w[1] + w[2] * w[3]
    }

    #[test]
    fn cheap_runs_that_transfer_help_few_dear_ones() {
        let two = TwoFidelity::new(&runs(40, surface)).unwrap();
        let dear = runs(6, |w| 3.0 + 2.0 * surface(w));
        assert!(two.transfer(&dear) > 0.8);
        let asked = runs(50, |w| 3.0 + 2.0 * surface(w));
        let error = |fitted: &dyn Predictor| {
            asked.iter().map(|run| (fitted.mean(&run.shares) - run.score).powi(2)).sum::<f64>()
        };
        let (with, without) = (two.fit(&dear).unwrap(), Gp3Cube.fit(&dear).unwrap());
        assert!(error(with.as_ref()) < 0.5 * error(without.as_ref()));
        assert!(with.notes().is_empty());
    }

    #[test]
    fn cheap_runs_that_go_the_other_way_are_left_out_and_it_is_said() {
        let two = TwoFidelity::new(&runs(40, surface)).unwrap();
        let fitted = two.fit(&runs(8, |w| -surface(w))).unwrap();
        assert!(fitted.notes()[0].contains("do not transfer"), "{:?}", fitted.notes());
    }
}
