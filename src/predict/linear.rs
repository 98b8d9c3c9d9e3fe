//! Scores as a linear function of features, with a ridge penalty found by closed-form leave-one-mixture-out.
//!
//! What the predictors that are linear in their features share; they differ in features, intercept and penalty.

use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::{
    Difference, Prediction,
    algebra::{Cholesky, Singular, column_means},
};

/// Below this fraction of the largest, a singular value is rounding.
const TOLERANCE: f64 = 1e-9;

/// How the coefficients are held down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Penalty {
    /// Not at all: the solution of least norm where there are many. The intercept is a feature like others.
    None,
    /// The penalty that predicts left-out mixtures best, with an intercept that is free.
    LeftOut,
    /// The penalty under which the scores are most likely (the evidence of Bayesian linear regression), with an
    /// intercept that is free.
    Evidence,
    /// A given penalty on squared coefficients, with an intercept that is free.
    Fixed(f64),
}

/// Signal-to-noise ratios (variances) that [`Penalty::LeftOut`] tries: ½ decades. The upper end is the lower bound
/// of the penalty: near n = features, leave-one-out alone likes to interpolate (it scored 8 times worse than a
/// fixed prior on unseen mixtures; the noise of training runs is never below 3 % of what mixtures change).
const SIGNAL_TO_NOISE: std::ops::RangeInclusive<i32> = -6..=6;

/// Signal-to-noise ratios that [`Penalty::Evidence`] tries.
const EIGHTH_DECADES: std::ops::RangeInclusive<i32> = -32..=32;

/// A fitted linear function.
pub(super) struct Linear {
    n_runs: usize,
    penalty: f64,
    centre: Option<(Array1<f64>, f64)>,
    svd: Singular,
    coefficients: Array1<f64>,
    noise_variance: f64,
    /// [`negative_log_evidence`] at the penalty chosen; without a penalty 0.
    surprise: f64,
    /// Prior variance along what no run has moved, per squared length.
    unseen_variance: f64,
    held_out: Vec<Prediction>,
}

impl Linear {
    /// Fits `scores` (`[n]`) on `features` (`[n, p]`); `groups` are the rows of each distinct mixture.
    pub(super) fn fit(
        features: &Array2<f64>,
        scores: &Array1<f64>,
        groups: &[Vec<usize>],
        penalty: Penalty,
    ) -> Self {
        let mut fitted = Self::without_held_out(features, scores, groups, penalty);
        fitted.held_out = fitted.leave_out(features, scores, groups);
        fitted
    }

    fn without_held_out(
        features: &Array2<f64>,
        scores: &Array1<f64>,
        groups: &[Vec<usize>],
        penalty: Penalty,
    ) -> Self {
        let n = scores.len() as f64;
        let mean = scores.sum() / n;
        let centre = (penalty != Penalty::None).then(|| (column_means(features), mean));
        let (x, y) = match &centre {
            Some((means, mean)) => (features - means, scores - *mean),
            None => (features.clone(), scores.clone()),
        };
        let svd = Singular::new(&x, TOLERANCE);
        let size = x.iter().map(|v| v * v).sum::<f64>() / n;
        let along = svd.left.t().dot(&y);
        let penalty = match penalty {
            Penalty::None => 0.0,
            Penalty::Fixed(penalty) => penalty,
            Penalty::Evidence => EIGHTH_DECADES
                .map(|eighth| size.max(1e-12) / 10_f64.powf(f64::from(eighth) / 8.0))
                .map(|penalty| (negative_log_evidence(&svd, &along, &y, penalty), penalty))
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .map_or(1.0, |(_, penalty)| penalty),
            Penalty::LeftOut => SIGNAL_TO_NOISE
                .map(|half_decade| size.max(1e-12) / 10_f64.powf(f64::from(half_decade) / 2.0))
                .map(|penalty| (left_out_error(&svd, &along, &y, groups, penalty), penalty))
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .map_or(1.0, |(_, penalty)| penalty),
        };
        let shrunk = Array1::from_iter(
            svd.values
                .iter()
                .zip(&along)
                .map(|(s, a)| if *s > 0.0 { a * s / (s * s + penalty) } else { 0.0 }),
        );
        let coefficients = svd.right.dot(&shrunk);
        let residual = &y - &x.dot(&coefficients);
        let spread = scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        let noise_variance = if penalty > 0.0 {
            // Posterior mode of the noise under coefficients ~ N(0, noise / penalty).
            y.dot(&residual) / (n - 1.0).max(1.0)
        } else {
            let freedom = n - svd.rank() as f64;
            // With as many parameters as runs the residual says nothing: any spread may be noise.
            if freedom < 0.5 { spread } else { residual.dot(&residual) / freedom }
        };
        let noise_variance = noise_variance.max(0.0);
        let unseen_variance = if penalty > 0.0 { noise_variance / penalty } else { spread };
        let surprise = if penalty > 0.0 { negative_log_evidence(&svd, &along, &y, penalty) } else { 0.0 };
        let n_runs = scores.len();
        Self {
            n_runs,
            surprise,
            penalty,
            centre,
            svd,
            coefficients,
            noise_variance,
            unseen_variance,
            held_out: Vec::new(),
        }
    }

    /// Directions of the features that the runs have moved (with a free intercept: besides it).
    pub(super) fn rank(&self) -> usize {
        self.svd.rank()
    }

    /// How unlikely the scores are: −2 ln evidence but for a constant that depends on the scores alone.
    pub(super) fn surprise(&self) -> f64 {
        self.surprise
    }

    /// What the function rises by per feature, `[p]`.
    pub(super) fn coefficients(&self) -> &Array1<f64> {
        &self.coefficients
    }

    /// `[n, n]`: what the scores are multiplied with to get the function at the runs.
    pub(super) fn hat(&self) -> Array2<f64> {
        let shrunk = self.svd.values.mapv(|s| s * s / (s * s + self.penalty));
        let hat = (&self.svd.left * &shrunk).dot(&self.svd.left.t());
        if self.centre.is_some() { hat + 1.0 / self.n_runs as f64 } else { hat }
    }

    /// Expected score at `features`, `[p]`.
    pub(super) fn predict(&self, features: ArrayView1<f64>) -> Prediction {
        let (x, start, base) = match &self.centre {
            Some((means, mean)) => (&features - means, *mean, 1.0 / self.n_runs as f64),
            None => (features.to_owned(), 0.0, 0.0),
        };
        let variance = self.noise_variance * base + self.variance(&x);
        Prediction {
            mean: start + x.dot(&self.coefficients),
            sd: variance.max(0.0).sqrt(),
            noise_sd: self.noise_variance.sqrt(),
        }
    }

    /// The mean of [`predict`](Self::predict) alone.
    pub(super) fn mean(&self, features: ArrayView1<f64>) -> f64 {
        match &self.centre {
            Some((means, mean)) => mean + features.dot(&self.coefficients) - means.dot(&self.coefficients),
            None => features.dot(&self.coefficients),
        }
    }

    /// How fast the variance of [`predict`](Self::predict) rises with each feature, `[p]`.
    pub(super) fn variance_slope(&self, features: ArrayView1<f64>) -> Array1<f64> {
        let x = match &self.centre {
            Some((means, _)) => &features - means,
            None => features.to_owned(),
        };
        let along = self.svd.right.t().dot(&x);
        let seen: Array1<f64> =
            along.iter().zip(&self.svd.values).map(|(a, s)| a / (s * s + self.penalty)).collect();
        let unseen = &x - &self.svd.right.dot(&along);
        2.0 * (self.noise_variance * self.svd.right.dot(&seen) + self.unseen_variance * unseen)
    }

    /// Surface at `a` minus surface at `b`, each `[p]`.
    pub(super) fn difference(&self, a: ArrayView1<f64>, b: ArrayView1<f64>) -> Difference {
        let x = &a - &b;
        Difference { mean: x.dot(&self.coefficients), sd: self.variance(&x).max(0.0).sqrt() }
    }

    /// See [`super::Predictor::held_out`].
    pub(super) fn held_out(&self) -> &[Prediction] {
        &self.held_out
    }

    /// Posterior variance of `x · coefficients`.
    fn variance(&self, x: &Array1<f64>) -> f64 {
        let along = self.svd.right.t().dot(x);
        let seen: f64 = along.iter().zip(&self.svd.values).map(|(a, s)| a * a / (s * s + self.penalty)).sum();
        let length = x.dot(x);
        let unseen = length - along.dot(&along);
        // Below this it is rounding of the projection, and `unseen_variance` may be large.
        let unseen = if unseen > 1e-12 * length.max(1e-12) { unseen } else { 0.0 };
        self.noise_variance * seen + self.unseen_variance * unseen
    }

    fn leave_out(
        &self,
        features: &Array2<f64>,
        scores: &Array1<f64>,
        groups: &[Vec<usize>],
    ) -> Vec<Prediction> {
        let (y, mean) = match &self.centre {
            Some((_, mean)) => (scores - *mean, *mean),
            None => (scores.clone(), 0.0),
        };
        let nothing =
            Prediction { mean, sd: self.noise_variance.sqrt(), noise_sd: self.noise_variance.sqrt() };
        let mut all = vec![nothing; scores.len()];
        if groups.len() < 2 {
            return all;
        }
        let along = self.svd.left.t().dot(&y);
        let fit = self.svd.left.dot(&Array1::from_iter(
            self.svd.values.iter().zip(&along).map(|(s, a)| a * s * s / (s * s + self.penalty)),
        ));
        let free_intercept = self.centre.is_some();
        for rows in groups {
            let Some(inverse) = left_out_block(&self.svd, self.penalty, free_intercept, rows) else {
                // Nothing else determines this mixture's direction: only fitting again without it tells.
                let others: Vec<usize> = (0..scores.len()).filter(|row| !rows.contains(row)).collect();
                let penalty = if free_intercept { Penalty::Fixed(self.penalty) } else { Penalty::None };
                let (x, y) = (features.select(Axis(0), &others), scores.select(Axis(0), &others));
                let refitted = Self::without_held_out(&x, &y, &[], penalty);
                for &row in rows {
                    all[row] = refitted.predict(features.row(row));
                }
                continue;
            };
            let residual: Array1<f64> = rows.iter().map(|&row| y[row] - fit[row]).collect();
            let left_out = inverse.dot(&residual);
            for (k, &row) in rows.iter().enumerate() {
                all[row] = Prediction {
                    mean: scores[row] - left_out[k],
                    sd: (self.noise_variance * (inverse[[k, k]] - 1.0)).max(0.0).sqrt(),
                    noise_sd: self.noise_variance.sqrt(),
                };
            }
        }
        all
    }
}

/// `[n, p]`: the features of every run.
pub(super) fn rows(runs: &[super::Observation], features: impl Fn(&[f64]) -> Array1<f64>) -> Array2<f64> {
    let all: Vec<Array1<f64>> = runs.iter().map(|run| features(&run.shares)).collect();
    Array2::from_shape_fn((all.len(), all[0].len()), |(run, i)| all[run][i])
}

/// `(I − H)⁻¹` of the rows of one mixture, where H is the hat matrix: times the residuals it gives the errors
/// without the mixture, times the noise variance their covariance. `None` where the mixture has full leverage.
fn left_out_block(svd: &Singular, penalty: f64, free_intercept: bool, rows: &[usize]) -> Option<Array2<f64>> {
    let base = if free_intercept { 1.0 / svd.left.nrows() as f64 } else { 0.0 };
    let hat = |a: usize, b: usize| {
        let along = |(k, s): (usize, &f64)| svd.left[[a, k]] * svd.left[[b, k]] * s * s / (s * s + penalty);
        base + svd.values.iter().enumerate().map(along).sum::<f64>()
    };
    inverse_of_rest(rows, hat)
}

/// The same of a whole hat matrix.
pub(super) fn left_out_inverse(hat: &Array2<f64>, rows: &[usize]) -> Option<Array2<f64>> {
    inverse_of_rest(rows, |a, b| hat[[a, b]])
}

fn inverse_of_rest(rows: &[usize], hat: impl Fn(usize, usize) -> f64) -> Option<Array2<f64>> {
    let mut block = Array2::<f64>::eye(rows.len());
    for (i, &a) in rows.iter().enumerate() {
        for (j, &b) in rows.iter().enumerate() {
            block[[i, j]] -= hat(a, b);
        }
    }
    let cholesky = Cholesky::new(&block)?;
    let smallest = cholesky.factor.diag().iter().copied().fold(f64::INFINITY, f64::min);
    (cholesky.jitter == 0.0 && smallest > 1e-4).then(|| cholesky.inverse())
}

/// −2 ln p(y) but for a constant, of scores around 0 with the noise variance that suits them best:
/// y ~ N(0, σ² (I + X Xᵀ / penalty)).
fn negative_log_evidence(svd: &Singular, along: &Array1<f64>, y: &Array1<f64>, penalty: f64) -> f64 {
    let freedom = (y.len() as f64 - 1.0).max(1.0);
    let explained: f64 = svd.values.iter().zip(along).map(|(s, a)| a * a * s * s / (s * s + penalty)).sum();
    let spread = (y.dot(y) - explained).max(1e-300);
    freedom * (spread / freedom).ln() + svd.values.iter().map(|s| (1.0 + s * s / penalty).ln()).sum::<f64>()
}

fn left_out_error(
    svd: &Singular,
    along: &Array1<f64>,
    y: &Array1<f64>,
    groups: &[Vec<usize>],
    penalty: f64,
) -> f64 {
    let fit = svd
        .left
        .dot(&Array1::from_iter(svd.values.iter().zip(along).map(|(s, a)| a * s * s / (s * s + penalty))));
    let error = |rows: &Vec<usize>| match left_out_block(svd, penalty, true, rows) {
        Some(inverse) => {
            let residual: Array1<f64> = rows.iter().map(|&row| y[row] - fit[row]).collect();
            inverse.dot(&residual).iter().map(|e| e * e).sum::<f64>()
        }
        None => f64::INFINITY,
    };
    groups.iter().map(error).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use rand::Rng;

    /// 14 rows of 4 features, rows 0 and 1 one mixture.
    fn data() -> (Array2<f64>, Array1<f64>, Vec<Vec<usize>>) {
        let mut rng = Seed::new(3).rng();
        let mut x = Array2::from_shape_simple_fn((14, 4), || rng.random::<f64>());
        let first = x.row(0).to_owned();
        x.row_mut(1).assign(&first);
        let y =
            Array1::from_iter(x.rows().into_iter().map(|r| r[0] - 2.0 * r[1] + 0.1 * rng.random::<f64>()));
        let groups = std::iter::once(vec![0, 1]).chain((2..14).map(|i| vec![i])).collect();
        (x, y, groups)
    }

    #[test]
    fn closed_form_without_a_mixture_equals_fitting_again_without_it() {
        let (x, y, groups) = data();
        for penalty in [Penalty::Fixed(0.3), Penalty::Fixed(30.0), Penalty::None] {
            let all = Linear::fit(&x, &y, &groups, penalty);
            for rows in &groups {
                let others: Vec<usize> = (0..14).filter(|row| !rows.contains(row)).collect();
                let (x_rest, y_rest) = (x.select(Axis(0), &others), y.select(Axis(0), &others));
                let again = Linear::without_held_out(&x_rest, &y_rest, &[], penalty).predict(x.row(rows[0]));
                assert!((all.held_out()[rows[0]].mean - again.mean).abs() < 1e-10, "{penalty:?} {rows:?}");
            }
        }
    }

    #[test]
    fn fewer_runs_than_features_interpolate_with_least_norm() {
        // x₁ + x₂ = 2 alone: least norm is (1, 1), not (2, 0).
        let fitted =
            Linear::fit(&ndarray::array![[1.0, 1.0]], &ndarray::array![2.0], &[vec![0]], Penalty::None);
        assert!((fitted.predict(ndarray::aview1(&[1.0, 0.0])).mean - 1.0).abs() < 1e-12);
        assert_eq!(fitted.rank(), 1);
    }
}
