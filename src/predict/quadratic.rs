//! The paper's surrogate: a + b·w + w·C·w by ordinary least squares of least norm (arXiv:2505.24871, Algorithm 4).
//!
//! There for fidelity, not for advice: on the simplex its 1 + d + d² columns have rank d(d+1)/2 (15 of 31 for five
//! datasets), and near as many runs as that it explodes (leave-one-out R² of −10 and −2232 on the paper's own
//! runs). `ridge = true` gives the same surface in the basis of Scheffé (1958), wᵢ and wᵢwⱼ, held down by a penalty.

use ndarray::Array1;

use super::{
    Difference, FitError, Method, Observation, Prediction, Predictor, check, entry,
    linear::{Linear, Penalty, rows},
};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Method> = entry::<Quadratic>();

pub(super) struct Quadratic {
    pub(super) ridge: bool,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    #[serde(default)]
    ridge: bool,
}

impl Named for Quadratic {
    const NAME: &'static str = "quadratic";
    const SUMMARY: &'static str = "The paper's quadratic in the shares, of least norm or with `ridge = true`";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        Ok(Self { ridge: config.ridge })
    }
}

impl Method for Quadratic {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        let d = runs.first().map_or(2, |run| run.shares.len());
        // A penalty carries fewer runs than parameters; without one the surface would be a guess.
        let needs = if self.ridge { 3 } else { (d * (d + 1) / 2).max(3) };
        let checked = check(Self::NAME, needs, runs)?;
        let features = if self.ridge { scheffe } else { kronecker };
        let x = rows(runs, features);
        let scores = runs.iter().map(|run| run.score).collect();
        let penalty = if self.ridge { Penalty::LeftOut } else { Penalty::None };
        let linear = Linear::fit(&x, &scores, &checked.mixtures, penalty);
        let notes = notes(self.ridge, linear.rank(), d * (d + 1) / 2, checked.mixtures.len());
        Ok(Box::new(Fitted { linear, features, notes }))
    }
}

fn notes(ridge: bool, rank: usize, full: usize, n_mixtures: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if !ridge && rank < full {
        notes.push(format!(
            "the runs determine {rank} of the {full} directions of a quadratic; the rest is a guess of least norm"
        ));
    }
    // Double descent: around as many runs as parameters the surface is mostly noise.
    if !ridge && 2 * n_mixtures < 3 * full {
        notes.push(format!(
            "a quadratic without penalty has {full} parameters and wants {} mixtures; there are {n_mixtures}",
            (3 * full).div_ceil(2)
        ));
    }
    notes
}

/// `[1, w, w ⊗ w]`, `[1 + d + d²]`, as in the paper.
pub(super) fn kronecker(w: &[f64]) -> Array1<f64> {
    let products = w.iter().flat_map(|a| w.iter().map(move |b| a * b));
    std::iter::once(1.0).chain(w.iter().copied()).chain(products).collect()
}

/// `[w, wᵢwⱼ for i < j]`, `[d(d+1)/2]`: the same functions on the simplex without collinear columns.
fn scheffe(w: &[f64]) -> Array1<f64> {
    let pairs = (0..w.len()).flat_map(|i| (i + 1..w.len()).map(move |j| (i, j)));
    w.iter().copied().chain(pairs.map(|(i, j)| w[i] * w[j])).collect()
}

struct Fitted {
    linear: Linear,
    features: fn(&[f64]) -> Array1<f64>,
    notes: Vec<String>,
}

impl Predictor for Fitted {
    fn predict(&self, shares: &[f64]) -> Prediction {
        self.linear.predict((self.features)(shares).view())
    }

    fn difference(&self, a: &[f64], b: &[f64]) -> Difference {
        self.linear.difference((self.features)(a).view(), (self.features)(b).view())
    }

    fn held_out(&self) -> Vec<Prediction> {
        self.linear.held_out().to_vec()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
