//! What several mixtures are expected to score together: their predictions with the covariances between them.

use ndarray::{Array1, Array2};
use rand_distr::{Distribution, StandardNormal};

use super::{Surface, next_runs::expected_improvement};
use crate::{
    predict::{Prediction, algebra::Cholesky},
    seed::Seed,
};

/// The objective at some mixtures as one normal distribution. Covariances come from predictors' standard deviations of
/// differences: cov(a, b) = (var a + var b − var(a − b)) / 2.
pub(super) struct Joint<'a> {
    surface: &'a Surface,
    points: Vec<Vec<f64>>,
    mean: Array1<f64>,
    variance: Vec<f64>,
    cholesky: Cholesky,
    /// `[draw]`: K⁻¹ (draw − mean), and the best of the draw.
    draws: Vec<(Array1<f64>, f64)>,
    /// `[draw][point]`.
    values: Vec<Array1<f64>>,
}

impl<'a> Joint<'a> {
    /// `None` where the predictor's differences belong to no distribution.
    pub(super) fn new(surface: &'a Surface, points: Vec<Vec<f64>>, draws: usize, seed: Seed) -> Option<Self> {
        let n = points.len();
        let predictions: Vec<Prediction> = points.iter().map(|point| surface.predict(point)).collect();
        let variance: Vec<f64> = predictions.iter().map(|p| p.sd * p.sd).collect();
        let mean: Array1<f64> = predictions.iter().map(|p| p.mean).collect();
        let mut covariance = Array2::zeros((n, n));
        for i in 0..n {
            covariance[[i, i]] = variance[i];
            for j in 0..i {
                let apart = surface.difference(&points[i], &points[j]).sd;
                covariance[[i, j]] = 0.5 * (variance[i] + variance[j] - apart * apart);
                covariance[[j, i]] = covariance[[i, j]];
            }
        }
        // A surface that is sure of everything has no covariance to factor.
        let largest = variance.iter().copied().fold(0.0, f64::max);
        if largest > 0.0 {
            covariance.diag_mut().mapv_inplace(|v| v + 1e-9 * largest);
        } else {
            covariance.diag_mut().fill(1e-300);
        }
        let cholesky = Cholesky::new(&covariance)?;
        let mut rng = seed.rng();
        let mut joint =
            Self { surface, points, mean, variance, cholesky, draws: Vec::new(), values: Vec::new() };
        // Every draw with its mirror image: their mean is exact.
        for _ in 0..draws.div_ceil(2) {
            let normal: Array1<f64> = (0..n).map(|_| StandardNormal.sample(&mut rng)).collect();
            for sign in [1.0, -1.0] {
                let away = joint.cholesky.factor.dot(&(&normal * sign));
                let values = &joint.mean + &away;
                let best = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                joint.draws.push((joint.cholesky.solve(away.view()), best));
                joint.values.push(values);
            }
        }
        Some(joint)
    }

    /// By how much the best of all points is expected to exceed point `at`, with all deviations from the means
    /// multiplied by `scale`.
    pub(super) fn regret(&self, at: usize, scale: f64) -> f64 {
        let one = |values: &Array1<f64>| {
            let scaled = values.iter().zip(&self.mean).map(|(value, mean)| mean + scale * (value - mean));
            let scaled: Vec<f64> = scaled.collect();
            scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max) - scaled[at]
        };
        self.values.iter().map(one).sum::<f64>() / self.values.len() as f64
    }

    /// By how much `shares` is expected to exceed the best of the points, whose true values are not known either
    /// (noisy expected improvement; Letham et al. 2019).
    pub(super) fn improvement(&self, shares: &[f64]) -> f64 {
        let here = self.surface.predict(shares);
        let variance = here.sd * here.sd;
        let with: Array1<f64> = (self.points.iter().zip(&self.variance))
            .map(|(point, own)| {
                let apart = self.surface.difference(shares, point).sd;
                0.5 * (variance + own - apart * apart)
            })
            .collect();
        let known = self.cholesky.half_solve(with.view());
        let sd = (variance - known.dot(&known)).max(0.0).sqrt();
        let one = |(weights, best): &(Array1<f64>, f64)| {
            let mean = here.mean + with.dot(weights);
            expected_improvement(Prediction { mean, sd, noise_sd: 0.0 }, *best)
        };
        self.draws.iter().map(one).sum::<f64>() / self.draws.len() as f64
    }
}
