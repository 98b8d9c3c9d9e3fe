//! Mean score of all runs, whatever the mixture: what a predictor with skill has to beat.

use super::{Difference, FitError, Method, Observation, Prediction, Predictor, check, entry};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Method> = entry::<Mean>();

struct Mean;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

impl Named for Mean {
    const NAME: &'static str = "mean";
    const SUMMARY: &'static str = "Mean score of all runs, whatever the mixture";
    type Config = Config;

    fn new(_: Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Method for Mean {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        let groups = check(Self::NAME, 1, runs)?.mixtures;
        let all: Vec<f64> = runs.iter().map(|run| run.score).collect();
        let mut held_out = vec![of(&all); runs.len()];
        // The mean of nothing is undefined: with one mixture there is no prediction without it but its own.
        if groups.len() > 1 {
            for group in &groups {
                let others: Vec<f64> =
                    (0..runs.len()).filter(|row| !group.contains(row)).map(|row| all[row]).collect();
                for &row in group {
                    held_out[row] = of(&others);
                }
            }
        }
        Ok(Box::new(Fitted { all: of(&all), held_out }))
    }
}

fn of(scores: &[f64]) -> Prediction {
    let n = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let variance = scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    Prediction { mean, sd: (variance / n).sqrt(), noise_sd: variance.sqrt() }
}

struct Fitted {
    all: Prediction,
    held_out: Vec<Prediction>,
}

impl Predictor for Fitted {
    fn predict(&self, _: &[f64]) -> Prediction {
        self.all
    }

    fn difference(&self, _: &[f64], _: &[f64]) -> Difference {
        Difference { mean: 0.0, sd: 0.0 }
    }

    fn held_out(&self) -> Vec<Prediction> {
        self.held_out.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_predicted_from_the_other_mixtures_only() {
        let run =
            |share: f64, score| Observation { shares: vec![share, 1.0 - share], score, noise_variance: None };
        let fitted = Mean.fit(&[run(0.0, 1.0), run(0.0, 2.0), run(1.0, 6.0)]).unwrap();
        assert_eq!(fitted.predict(&[0.5, 0.5]).mean, 3.0); // (1 + 2 + 6) / 3
        assert_eq!(fitted.held_out().map_means(), [6.0, 6.0, 1.5]);
    }

    trait Means {
        fn map_means(self) -> Vec<f64>;
    }

    impl Means for Vec<Prediction> {
        fn map_means(self) -> Vec<f64> {
            self.into_iter().map(|p| p.mean).collect()
        }
    }
}
