//! One Gaussian process with one length for all datasets: what a length per dataset is measured against.

use super::{
    FitError, Method, Observation, Predictor, entry,
    gp::{self, hierarchical},
    process::{Belief, ROOT},
};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Method> = entry::<Isotropic>();

struct Isotropic;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

const BELIEF: Belief = Belief { tau: 0.0, ..hierarchical(ROOT) };

impl Named for Isotropic {
    const NAME: &'static str = "gp_iso";
    const SUMMARY: &'static str = "Gaussian process on √share, Matérn-5/2 with one length for all datasets";
    type Config = Config;

    fn new(_: Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Method for Isotropic {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        gp::fit(Self::NAME, BELIEF, runs)
    }
}
