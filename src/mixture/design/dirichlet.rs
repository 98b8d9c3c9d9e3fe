//! Dirichlet draws around given shares, such as the datasets' natural ones: the design of RegMix.

use std::collections::BTreeMap;

use rand_distr::{Distribution, Gamma};

use super::{Design, Planned, entry, numbered};
use crate::{
    mixture::{BadMixture, constraint::Region},
    name::Name,
    registry::{BuildError, Entry, Named},
    seed::Seed,
};

pub(super) const ENTRY: Entry<dyn Design> = entry::<Dirichlet>();

struct Dirichlet(Config);

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// How many.
    mixtures: usize,
    /// Shares to draw around, by dataset; divided by their sum. Uniform when not given.
    around: BTreeMap<Name, f64>,
    /// Sum of the Dirichlet parameters, in datasets: 1 gives each dataset its share as parameter, times their number.
    strength: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { mixtures: 12, around: BTreeMap::new(), strength: 1.0 }
    }
}

impl Named for Dirichlet {
    const NAME: &'static str = "dirichlet";
    const SUMMARY: &'static str = "Dirichlet draws around given shares";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        if config.mixtures == 0 || config.mixtures > 10_000 {
            return Err(BuildError::Value(format!(
                "`mixtures` is {}; it must be from 1 to 10000",
                config.mixtures
            )));
        }
        // Below this nearly every draw underflows.
        if !(config.strength >= 1e-3 && config.strength.is_finite()) {
            return Err(BuildError::Value(format!(
                "`strength` is {}; it must be .001 or more",
                config.strength
            )));
        }
        let fine = config.around.values().all(|share| share.is_finite() && *share >= 0.0);
        if !fine || (!config.around.is_empty() && config.around.values().sum::<f64>() <= 0.0) {
            return Err(BuildError::Value("the shares of `around` must be 0 or more, not all 0".to_owned()));
        }
        Ok(Self(config))
    }
}

impl Design for Dirichlet {
    fn mixtures(&self, region: &Region, seed: Seed) -> Result<Vec<Planned>, BadMixture> {
        let Config { mixtures, around, strength } = &self.0;
        let d = region.datasets().len() as f64;
        let sum: f64 = around.values().sum();
        let parameter = |name: &Name| {
            let share = if around.is_empty() { 1.0 / d } else { around.get(name).map_or(0.0, |s| s / sum) };
            strength * d * share
        };
        let parameters: Vec<f64> = region.datasets().iter().map(parameter).collect();
        // Shares around datasets that are not here.
        if parameters.iter().all(|p| *p <= 0.0) {
            return Err(BadMixture::Empty);
        }
        let mut rng = seed.child("dirichlet").rng();
        let mut points = Vec::new();
        while points.len() < *mixtures {
            let draws: Vec<f64> = parameters
                .iter()
                .map(|&p| Gamma::new(p, 1.0).map_or(0.0, |gamma| gamma.sample(&mut rng)))
                .collect();
            let sum: f64 = draws.iter().sum();
            // Small parameters can underflow to nothing.
            if sum > 0.0 {
                points.push(region.project(&draws.iter().map(|draw| draw / sum).collect::<Vec<_>>()));
            }
        }
        numbered(region, &points)
    }
}
