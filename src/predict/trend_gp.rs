//! A straight line in √share with a Gaussian process on what it leaves: can rank mixtures better than all tried.
//!
//! A process alone returns to the mean beyond the runs, and ranked the best quarter of RegMix at −.5 when fitted on
//! the other three; with the line first it reached +.9, at the price of optimism.

use ndarray::{Array1, Array2};

use super::{
    Difference, FitError, Method, Observation, Prediction, Predictor, check, entry,
    gp::hierarchical,
    linear::{Linear, Penalty, left_out_inverse, rows},
    process::{Belief, Process, ROOT},
};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Method> = entry::<TrendGp>();

#[derive(Default)]
pub(super) struct TrendGp;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {}

const RESIDUAL: Belief = hierarchical(ROOT);

impl Named for TrendGp {
    const NAME: &'static str = "trend_gp";
    const SUMMARY: &'static str =
        "A line in √share (Bayesian, by evidence) and a Gaussian process on the rest";
    type Config = Config;

    fn new(_: Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Method for TrendGp {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        let groups = check(Self::NAME, 3, runs)?.mixtures;
        let x = rows(runs, roots);
        let scores: Array1<f64> = runs.iter().map(|run| run.score).collect();
        let trend = Linear::fit(&x, &scores, &groups, Penalty::Evidence);
        let hat = trend.hat();
        let left = &scores - &hat.dot(&scores);
        let rest: Vec<Observation> =
            runs.iter().zip(&left).map(|(run, left)| Observation { score: *left, ..run.clone() }).collect();
        let process = Process::fit(&rest, RESIDUAL);
        Ok(Box::new(Fitted { groups, trend, hat, left, process }))
    }
}

fn roots(shares: &[f64]) -> Array1<f64> {
    shares.iter().map(|share| share.max(0.0).sqrt()).collect()
}

struct Fitted {
    groups: Vec<Vec<usize>>,
    trend: Linear,
    /// `[n, n]`: [`Linear::hat`].
    hat: Array2<f64>,
    /// `[n]`: what the line leaves of each score.
    left: Array1<f64>,
    process: Process,
}

impl Predictor for Fitted {
    fn predict(&self, shares: &[f64]) -> Prediction {
        let (trend, rest) = (self.trend.predict(roots(shares).view()), self.process.predict(shares));
        Prediction { mean: trend.mean + rest.mean, sd: trend.sd.hypot(rest.sd), noise_sd: rest.noise_sd }
    }

    fn mean(&self, shares: &[f64]) -> f64 {
        self.trend.mean(roots(shares).view()) + self.process.mean(shares)
    }

    fn slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        let along = self.process.slope(shares).into_iter().zip(self.trend.coefficients()).zip(shares);
        Some(along.map(|((rest, trend), share)| rest + trend * ROOT.slope(*share)).collect())
    }

    fn variance_slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        let trend = self.trend.variance_slope(roots(shares).view());
        let along = self.process.variance_slope(shares).into_iter().zip(&trend).zip(shares);
        Some(along.map(|((rest, trend), share)| rest + trend * ROOT.slope(*share)).collect())
    }

    fn difference(&self, a: &[f64], b: &[f64]) -> Difference {
        let trend = self.trend.difference(roots(a).view(), roots(b).view());
        let rest = self.process.difference(a, b);
        Difference { mean: trend.mean + rest.mean, sd: trend.sd.hypot(rest.sd) }
    }

    /// Without a mixture the line moves everywhere, by the hat matrix times the errors it then makes on that mixture.
    fn held_out(&self) -> Vec<Prediction> {
        let without = |rows: &[usize]| -> Option<Array1<f64>> {
            let inverse = left_out_inverse(&self.hat, rows)?;
            let own: Array1<f64> = rows.iter().map(|&row| self.left[row]).collect();
            let errors = inverse.dot(&own);
            let mut left = self.left.clone();
            for (error, &row) in errors.iter().zip(rows) {
                left.scaled_add(*error, &self.hat.column(row));
            }
            Some(left)
        };
        let rest = self.process.held_out_given(&self.groups, without);
        let one = |(trend, rest): (&Prediction, Prediction)| Prediction {
            mean: trend.mean + rest.mean,
            sd: trend.sd.hypot(rest.sd),
            noise_sd: rest.noise_sd,
        };
        self.trend.held_out().iter().zip(rest).map(one).collect()
    }

    fn notes(&self) -> Vec<String> {
        self.process.notes()
    }
}
