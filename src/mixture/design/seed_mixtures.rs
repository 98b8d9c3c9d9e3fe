//! The paper's seed mixtures: uniform, each dataset alone, each dataset left out (arXiv:2505.24871 §3.1).
//!
//! With two seeds each the best small design of the feasibility study.

use super::{Design, Planned, entry, mixture};
use crate::{
    mixture::{BadMixture, constraint::Region, named},
    registry::{BuildError, Entry, Named},
    seed::Seed,
};

pub(super) const ENTRY: Entry<dyn Design> = entry::<SeedMixtures>();

struct SeedMixtures(Config);

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    uniform: bool,
    single: bool,
    exclude_one: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { uniform: true, single: true, exclude_one: true }
    }
}

impl Named for SeedMixtures {
    const NAME: &'static str = "seed_mixtures";
    const SUMMARY: &'static str = "The paper's: uniform, each dataset alone, each left out";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        Ok(Self(config))
    }
}

impl Design for SeedMixtures {
    /// Where constraints forbid one, the nearest that they allow stands in; what that repeats is left out.
    fn mixtures(&self, region: &Region, _: Seed) -> Result<Vec<Planned>, BadMixture> {
        let mut planned: Vec<Planned> = Vec::new();
        for (label, exact, _) in named::seed_mixtures(region.datasets())? {
            let wanted = match label.split_once('_') {
                None => self.0.uniform,
                Some(("single", _)) => self.0.single,
                Some(_) => self.0.exclude_one,
            };
            let shares = exact.vector(region.datasets());
            let inside = region.violation(&shares) < 1e-6;
            let mixture = if inside { exact } else { mixture(region, &region.project(&shares))? };
            if wanted && planned.iter().all(|one| one.mixture != mixture) {
                planned.push(Planned { label, mixture });
            }
        }
        Ok(planned)
    }
}
