//! The mean of GP-3 and of trend + GP: what proposals are made with.
//!
//! GP-3 predicts best between the mixtures tried and cannot rank what is better than all of them; trend + GP can, and
//! is too optimistic there. Their mean keeps both (`docs/predict.md`).

use super::{
    Difference, FitError, Method, Observation, Prediction, Predictor, average, check, entry,
    gp3_cube::Gp3Cube, trend_gp::TrendGp,
};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Method> = entry::<Proposer>();

struct Proposer;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

impl Named for Proposer {
    const NAME: &'static str = "proposer";
    const SUMMARY: &'static str = "Mean of `gp3_cube` and `trend_gp`: what mixtures are proposed with";
    type Config = Config;

    fn new(_: Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Method for Proposer {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        check(Self::NAME, 3, runs)?;
        Ok(Box::new(Fitted([Gp3Cube.fit(runs)?, TrendGp.fit(runs)?])))
    }

    fn fit_all(&self, targets: &[Vec<Observation>]) -> Result<Vec<Box<dyn Predictor>>, FitError> {
        for runs in targets {
            check(Self::NAME, 3, runs)?;
        }
        let pairs = Gp3Cube.fit_all(targets)?.into_iter().zip(TrendGp.fit_all(targets)?);
        Ok(pairs.map(|(one, other)| -> Box<dyn Predictor> { Box::new(Fitted([one, other])) }).collect())
    }
}

struct Fitted([Box<dyn Predictor>; 2]);

impl Predictor for Fitted {
    fn predict(&self, shares: &[f64]) -> Prediction {
        average::predictions(&self.0.each_ref().map(|member| member.predict(shares)))
    }

    fn mean(&self, shares: &[f64]) -> f64 {
        self.0.iter().map(|member| member.mean(shares)).sum::<f64>() / 2.0
    }

    fn slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        let members = self.0.iter().map(|member| member.slope(shares));
        Some(average::slopes(&members.collect::<Option<Vec<_>>>()?))
    }

    fn variance_slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        let all = |of: &dyn Fn(&dyn Predictor) -> Option<Vec<f64>>| -> Option<Vec<Vec<f64>>> {
            self.0.iter().map(|member| of(member.as_ref())).collect()
        };
        Some(average::variance_slopes(
            &self.0.each_ref().map(|member| member.mean(shares)),
            &all(&|member| member.slope(shares))?,
            &all(&|member| member.variance_slope(shares))?,
        ))
    }

    fn difference(&self, a: &[f64], b: &[f64]) -> Difference {
        average::differences(&self.0.each_ref().map(|member| member.difference(a, b)))
    }

    fn held_out(&self) -> Vec<Prediction> {
        average::rows(&self.0.each_ref().map(|member| member.held_out()))
    }

    fn notes(&self) -> Vec<String> {
        average::notes(self.0.iter().map(|member| member.notes()))
    }
}
