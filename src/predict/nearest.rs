//! Mean score of the nearest mixtures tried: the baseline any fitted surface has to beat.

use super::{Difference, FitError, Method, Observation, Prediction, Predictor, check, entry};
use crate::{
    mixture,
    registry::{BuildError, Entry, Named},
};

pub(super) const ENTRY: Entry<dyn Method> = entry::<Nearest>();

struct Nearest {
    n_neighbours: usize,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default = "one")]
    n_neighbours: usize,
}

fn one() -> usize {
    1
}

impl Named for Nearest {
    const NAME: &'static str = "nearest";
    const SUMMARY: &'static str = "Mean score of the nearest mixtures tried";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        if config.n_neighbours == 0 {
            return Err(BuildError::Value("`n_neighbours` is 0; it must be 1 or more".to_owned()));
        }
        Ok(Self { n_neighbours: config.n_neighbours })
    }
}

impl Method for Nearest {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        let groups = check(Self::NAME, self.n_neighbours, runs)?.mixtures;
        let n = runs.len() as f64;
        let mean = runs.iter().map(|run| run.score).sum::<f64>() / n;
        let spread =
            (runs.iter().map(|run| (run.score - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
        let tried: Vec<Tried> = groups
            .iter()
            .map(|rows| Tried {
                shares: runs[rows[0]].shares.clone(),
                score: rows.iter().map(|&row| runs[row].score).sum::<f64>() / rows.len() as f64,
            })
            .collect();
        let mut of_run = vec![0; runs.len()];
        for (mixture, rows) in groups.iter().enumerate() {
            for &row in rows {
                of_run[row] = mixture;
            }
        }
        Ok(Box::new(Fitted { tried, of_run, spread, n_neighbours: self.n_neighbours }))
    }
}

struct Fitted {
    /// Distinct mixtures, with the mean score of their runs.
    tried: Vec<Tried>,
    /// Which of `tried` each run was.
    of_run: Vec<usize>,
    /// Standard deviation of all scores: the only honest error of a method without a model.
    spread: f64,
    n_neighbours: usize,
}

struct Tried {
    shares: Vec<f64>,
    score: f64,
}

impl Fitted {
    fn without(&self, left_out: Option<usize>, shares: &[f64]) -> Prediction {
        let mut by_distance: Vec<(f64, f64)> = (self.tried.iter().enumerate())
            .filter(|(i, _)| Some(*i) != left_out)
            .map(|(_, tried)| (distance(&tried.shares, shares), tried.score))
            .collect();
        // Ties are broken by score, so that neither the order of runs nor of datasets matters.
        by_distance.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let nearest = &by_distance[..self.n_neighbours.min(by_distance.len())];
        let count = nearest.len().max(1) as f64;
        let mean = nearest.iter().map(|(_, score)| score).sum::<f64>() / count;
        Prediction { mean, sd: self.spread / count.sqrt(), noise_sd: self.spread }
    }
}

impl Predictor for Fitted {
    fn predict(&self, shares: &[f64]) -> Prediction {
        self.without(None, shares)
    }

    fn difference(&self, a: &[f64], b: &[f64]) -> Difference {
        let (a, b) = (self.predict(a), self.predict(b));
        Difference { mean: a.mean - b.mean, sd: a.sd.hypot(b.sd) }
    }

    fn held_out(&self) -> Vec<Prediction> {
        if self.tried.len() == 1 {
            return vec![self.predict(&self.tried[0].shares); self.of_run.len()];
        }
        self.of_run.iter().map(|&own| self.without(Some(own), &self.tried[own].shares)).collect()
    }
}

/// Rounded, so that the order of summation cannot break a tie.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    (mixture::distance(a, b) * 1e12).round() / 1e12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_run_decides() {
        // Tried: all on the first dataset (0.2), all on the second (0.6). Asked: 3/4 on the second.
        check(1, &[0.25, 0.75], 0.6);
        check(2, &[0.25, 0.75], 0.4);
    }

    #[test]
    fn more_neighbours_than_mixtures_is_an_error() {
        let error = Nearest { n_neighbours: 3 }.fit(&tried()).err().unwrap().to_string();
        assert!(
            error.starts_with("`nearest` needs 3 finished runs of different mixtures and there are 2"),
            "{error}"
        );
    }

    fn tried() -> [Observation; 2] {
        [(vec![1.0, 0.0], 0.2), (vec![0.0, 1.0], 0.6)].map(|(shares, score)| Observation {
            shares,
            score,
            noise_variance: None,
        })
    }

    fn check(n_neighbours: usize, shares: &[f64], expected: f64) {
        let predictor = Nearest { n_neighbours }.fit(&tried()).unwrap();
        assert!((predictor.predict(shares).mean - expected).abs() < 1e-12);
    }
}
