//! Predictors that give a mean and know nothing of their errors: those come from mixtures left out.

use super::{Difference, Observation, Prediction, Predictor, mixtures};

/// Mixtures are left out in at most this many parts: a refit each.
const FOLDS: usize = 20;

/// Shares in, mean score out.
pub(super) type Surface = Box<dyn Fn(&[f64]) -> f64 + Send + Sync>;

/// A surface with the error that it makes on mixtures left out.
pub(super) struct Plain {
    surface: Surface,
    held_out: Vec<f64>,
    /// Root mean square of the errors on mixtures left out.
    error: f64,
    notes: Vec<String>,
}

impl Plain {
    /// `learn` is called once on all runs and once for every part left out.
    pub(super) fn fit(
        runs: &[Observation],
        notes: Vec<String>,
        learn: impl Fn(&[Observation]) -> Surface,
    ) -> Self {
        let groups = mixtures(runs);
        let folds = FOLDS.min(groups.len());
        let mut held_out = vec![0.0; runs.len()];
        for fold in 0..folds {
            let left: Vec<usize> = groups.iter().skip(fold).step_by(folds).flatten().copied().collect();
            let others: Vec<Observation> =
                (0..runs.len()).filter(|row| !left.contains(row)).map(|row| runs[row].clone()).collect();
            // With one mixture nothing is left.
            let surface = learn(if others.is_empty() { runs } else { &others });
            for row in left {
                held_out[row] = surface(&runs[row].shares);
            }
        }
        let squared = runs.iter().zip(&held_out).map(|(run, mean)| (run.score - mean).powi(2)).sum::<f64>();
        let error = (squared / runs.len() as f64).sqrt();
        Self { surface: learn(runs), held_out, error, notes }
    }

    /// The error is not told apart into surface and noise: each gets half of its square.
    fn prediction(&self, mean: f64) -> Prediction {
        let half = self.error / 2.0_f64.sqrt();
        Prediction { mean, sd: half, noise_sd: half }
    }
}

impl Predictor for Plain {
    fn predict(&self, shares: &[f64]) -> Prediction {
        self.prediction((self.surface)(shares))
    }

    fn mean(&self, shares: &[f64]) -> f64 {
        (self.surface)(shares)
    }

    fn difference(&self, a: &[f64], b: &[f64]) -> Difference {
        Difference { mean: self.mean(a) - self.mean(b), sd: self.error }
    }

    fn held_out(&self) -> Vec<Prediction> {
        self.held_out.iter().map(|&mean| self.prediction(mean)).collect()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

/// The datasets in an order that depends on their columns alone, so that methods which draw or break ties by place do
/// not depend on the order in which datasets were given.
pub(super) fn canonical(runs: &[Observation]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..runs[0].shares.len()).collect();
    let column = |i: usize| runs.iter().map(move |run| run.shares[i]);
    order.sort_by(|&a, &b| {
        let pairs = column(a).zip(column(b));
        pairs.map(|(x, y)| x.total_cmp(&y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
    order
}
