//! One-shot Gaussian random search, the paper's own way to a mixture (arXiv:2505.24871, Algorithm 4): a normal
//! distribution is fitted to the mixtures tried, draws with a negative share are dropped, the others divided by their sum,
//! and the best by the predictor is taken.
//!
//! For fidelity: it finds less than climbing does (`docs/predict.md`). Where constraints are, every draw is moved to the
//! nearest allowed mixture; the paper has none.

use ndarray::{Array1, Array2};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::{Objective, Optimizer, Optimum, entry, projected_gradient::local_gain, value_of};
use crate::{
    mixture::constraint::Region,
    predict::algebra::Cholesky,
    registry::{BuildError, Entry, Named},
    seed::Seed,
};

pub(super) const ENTRY: Entry<dyn Optimizer> = entry::<GaussianSearch>();

struct GaussianSearch {
    draws: usize,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Draws without a negative share; the paper does not say how many it took.
    #[serde(default = "default_draws")]
    draws: usize,
}

fn default_draws() -> usize {
    10_000
}

impl Named for GaussianSearch {
    const NAME: &'static str = "gaussian_search";
    const SUMMARY: &'static str =
        "Best of draws around the mixtures tried, as the paper's Algorithm 4 has it";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        if !(1..=10_000_000).contains(&config.draws) {
            return Err(BuildError::Value(format!(
                "`draws` is {}; it must be from 1 to 10000000",
                config.draws
            )));
        }
        Ok(Self { draws: config.draws })
    }
}

/// Added to the variances: shares that sum to 1 have a singular covariance.
const RIDGE: f64 = 1e-6;

/// Draws tried per draw wanted: where almost every one has a negative share, fewer are had.
const TRIES: usize = 100;

impl Optimizer for GaussianSearch {
    /// `starts` are the mixtures tried; with fewer than two of them the normal lies around equal shares.
    fn maximize(
        &self,
        objective: &dyn Objective,
        region: &Region,
        starts: &[Vec<f64>],
        seed: Seed,
    ) -> Optimum {
        let d = region.datasets().len();
        let normal = Normal::of(starts, d);
        let mut rng = seed.child("draws").rng();
        let mut candidates: Vec<Vec<f64>> = Vec::with_capacity(self.draws + 1);
        for _ in 0..self.draws.saturating_mul(TRIES) {
            if candidates.len() == self.draws {
                break;
            }
            let point = normal.sample(&mut rng);
            let sum: f64 = point.iter().sum();
            if point.iter().all(|share| *share >= 0.0) && sum > 0.0 {
                candidates.push(point.into_iter().map(|share| share / sum).collect());
            }
        }
        // Something must be taken where nothing was drawn.
        if candidates.is_empty() {
            candidates = starts.to_vec();
            candidates.push(vec![1.0 / d as f64; d]);
        }
        let (value, shares) = candidates
            .into_par_iter()
            .map(|point| {
                let point = region.project(&point);
                (value_of(objective, &point), point)
            })
            .reduce_with(|a, b| if b.0 > a.0 { b } else { a })
            .expect("there is a candidate");
        Optimum {
            local_gain: local_gain(objective, region, &shares, value),
            violation: region.violation(&shares),
            shares,
            value,
        }
    }
}

/// A normal distribution of shares.
struct Normal {
    mean: Array1<f64>,
    cholesky: Cholesky,
}

impl Normal {
    /// Mean and covariance of `points`, each `[d]`.
    fn of(points: &[Vec<f64>], d: usize) -> Self {
        let n = points.len() as f64;
        let (mean, mut covariance) = if points.len() < 2 {
            let each = 1.0 / d as f64;
            (Array1::from_elem(d, each), Array2::from_diag_elem(d, each * each))
        } else {
            let mean = Array1::from_shape_fn(d, |i| points.iter().map(|p| p[i]).sum::<f64>() / n);
            let covariance = Array2::from_shape_fn((d, d), |(i, j)| {
                points.iter().map(|p| (p[i] - mean[i]) * (p[j] - mean[j])).sum::<f64>() / n
            });
            (mean, covariance)
        };
        covariance.diag_mut().mapv_inplace(|variance| variance + RIDGE);
        let cholesky = Cholesky::new(&covariance).expect("a covariance with a ridge can be factored");
        Self { mean, cholesky }
    }

    fn sample(&self, rng: &mut impl rand::Rng) -> Vec<f64> {
        let normal: Array1<f64> = (0..self.mean.len()).map(|_| StandardNormal.sample(rng)).collect();
        (&self.mean + &self.cholesky.factor.dot(&normal)).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mixture::constraint::Constraints, name::Name};

    fn region(constraints: &str) -> Region {
        let names: Vec<Name> = ["a", "b", "c"].iter().map(|name| name.parse().unwrap()).collect();
        toml::from_str::<Constraints>(constraints).unwrap().region(&names, None).unwrap()
    }

    fn tried() -> Vec<Vec<f64>> {
        vec![vec![0.2, 0.5, 0.3], vec![0.4, 0.2, 0.4], vec![0.3, 0.4, 0.3], vec![0.5, 0.3, 0.2]]
    }

    #[test]
    fn draws_have_the_mean_and_the_covariance_of_the_mixtures_tried() {
        let normal = Normal::of(&tried(), 3);
        let mut rng = Seed::new(1).rng();
        let draws: Vec<Vec<f64>> = (0..20_000).map(|_| normal.sample(&mut rng)).collect();
        let mean = |of: &dyn Fn(&Vec<f64>) -> f64| draws.iter().map(of).sum::<f64>() / 20_000.0;
        assert!((mean(&|p| p[0]) - 0.35).abs() < 0.003);
        // (.2 − .35)(.5 − .35) + (.4 − .35)(.2 − .35) + (.3 − .35)(.4 − .35) + (.5 − .35)(.3 − .35), over 4.
        assert!((mean(&|p| (p[0] - 0.35) * (p[1] - 0.35)) - -0.01).abs() < 0.0005);
        assert!(draws.iter().all(|p| (p.iter().sum::<f64>() - 1.0).abs() < 0.02), "the ridge is small");
    }

    #[test]
    fn it_finds_what_lies_among_the_mixtures_tried_and_not_what_lies_far_from_them() {
        let search = GaussianSearch { draws: 5000 };
        let near = [0.35, 0.35, 0.3];
        let hill = |top: [f64; 3]| move |x: &[f64]| -(0..3).map(|i| (x[i] - top[i]).powi(2)).sum::<f64>();
        let best = search.maximize(&hill(near), &region(""), &tried(), Seed::new(1));
        assert!(best.value > -1e-3 && best.violation <= 1e-9, "{best:?}");
        let far = search.maximize(&hill([0.0, 0.0, 1.0]), &region(""), &tried(), Seed::new(1));
        assert!(far.shares[2] < 0.7 && far.local_gain > 0.0, "{far:?}");
    }

    #[test]
    fn constraints_hold_and_nothing_tried_is_no_trap() {
        let region = region("max = { a = 0.25, b = 0.5 }");
        for starts in [Vec::new(), tried(), vec![vec![1.0, 0.0, 0.0]; 3]] {
            let best =
                GaussianSearch { draws: 200 }.maximize(&|x: &[f64]| x[0], &region, &starts, Seed::new(1));
            assert!(best.violation <= 1e-9 && (best.shares[0] - 0.25).abs() < 1e-9, "{best:?}");
        }
    }
}
