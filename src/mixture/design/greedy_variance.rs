//! Greedy choice from a Dirichlet pool: each mixture where a Gaussian process on √share is least sure.

use super::{Design, Planned, entry, numbered, space_filling::pool};
use crate::{
    mixture::{BadMixture, constraint::Region},
    registry::{BuildError, Entry, Named},
    seed::Seed,
};

pub(super) const ENTRY: Entry<dyn Design> = entry::<GreedyVariance>();

struct GreedyVariance(Config);

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// How many.
    mixtures: usize,
    /// Mixtures in the pool.
    pool: usize,
    /// Length of the process in √share, where two single datasets are √2 apart.
    length: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { mixtures: 12, pool: 2048, length: 0.7 }
    }
}

impl Named for GreedyVariance {
    const NAME: &'static str = "greedy_variance";
    const SUMMARY: &'static str = "Each mixture where a Gaussian process on √share is least sure";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        let Config { mixtures, pool, length } = config;
        if mixtures == 0 || mixtures > 1000 || pool < mixtures || pool > 100_000 {
            return Err(BuildError::Value(
                "`mixtures` must be from 1 to 1000 and `pool` from that to 100000".to_owned(),
            ));
        }
        if !(length > 0.0 && length.is_finite()) {
            return Err(BuildError::Value(format!("`length` is {length}; it must be above 0")));
        }
        Ok(Self(config))
    }
}

impl Design for GreedyVariance {
    fn mixtures(&self, region: &Region, seed: Seed) -> Result<Vec<Planned>, BadMixture> {
        let pool = pool(region, (0.1, 5.0), self.0.pool, seed.child("pool"));
        let roots: Vec<Vec<f64>> =
            pool.iter().map(|shares| shares.iter().map(|s| s.max(0.0).sqrt()).collect()).collect();
        let covariance = |a: &[f64], b: &[f64]| {
            let squared: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
            let s = (5.0 * squared).sqrt() / self.0.length;
            (1.0 + s + s * s / 3.0) * (-s).exp()
        };
        // Cholesky with pivots: the next pivot is the point of largest variance given those before. The centre is
        // taken as known, so that the first is not an arbitrary one.
        let d = region.datasets().len();
        let centre: Vec<f64> =
            region.project(&vec![1.0 / d as f64; d]).iter().map(|s| s.max(0.0).sqrt()).collect();
        let mut left = vec![1.0; roots.len()];
        let mut rows: Vec<Vec<f64>> = Vec::new();
        let mut points = Vec::new();
        let mut pivot = centre;
        let mut of_pivot: Vec<f64> = Vec::new();
        let mut scale = 1.0_f64;
        loop {
            let row: Vec<f64> = (0..roots.len())
                .map(|i| {
                    let known: f64 = rows.iter().zip(&of_pivot).map(|(row, own)| row[i] * own).sum();
                    (covariance(&pivot, &roots[i]) - known) / scale
                })
                .collect();
            left.iter_mut().zip(&row).for_each(|(left, r)| *left -= r * r);
            rows.push(row);
            if points.len() == self.0.mixtures {
                return numbered(region, &points);
            }
            let best = (0..roots.len()).max_by(|&a, &b| left[a].total_cmp(&left[b]));
            let best = best.expect("the pool is not empty");
            points.push(pool[best].clone());
            pivot.clone_from(&roots[best]);
            of_pivot = rows.iter().map(|row| row[best]).collect();
            scale = left[best].max(1e-12).sqrt();
        }
    }
}
