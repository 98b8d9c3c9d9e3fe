//! One Gaussian process with a length per dataset and no common one (automatic relevance determination): what the
//! hierarchical prior of `gp` is measured against.

use super::{
    FitError, Method, Observation, Predictor, entry,
    gp::{self, hierarchical},
    process::{Belief, ROOT},
};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Method> = entry::<Ard>();

struct Ard;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

const BELIEF: Belief = Belief { tau: 1.5, common: false, ..hierarchical(ROOT) };

impl Named for Ard {
    const NAME: &'static str = "gp_ard";
    const SUMMARY: &'static str =
        "Gaussian process on √share, Matérn-5/2 with a length of its own per dataset";
    type Config = Config;

    fn new(_: Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Method for Ard {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        gp::fit(Self::NAME, BELIEF, runs)
    }
}
