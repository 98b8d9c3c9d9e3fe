//! The quadratic of Scheffé (1958), wᵢ and wᵢwⱼ, with a ridge penalty by leave-one-out: what to use of `quadratic`.

use super::{FitError, Method, Observation, Predictor, entry, quadratic::Quadratic};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Method> = entry::<Scheffe>();

struct Scheffe;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

impl Named for Scheffe {
    const NAME: &'static str = "scheffe";
    const SUMMARY: &'static str = "Quadratic in the shares (Scheffé) with a ridge penalty by leave-one-out";
    type Config = Config;

    fn new(_: Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Method for Scheffe {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        Quadratic { ridge: true }.fit(runs)
    }
}
