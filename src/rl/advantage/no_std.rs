//! Rewards minus the mean of their group and nothing else: Dr. GRPO.

use super::{Advantage, NoSettings, centred, entry};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Advantage> = entry::<NoStd>();

/// A = R − mean of group: GRPO without its division by the standard deviation, which gives groups that are nearly
/// all right or all wrong a larger weight (arXiv:2503.20783).
struct NoStd;

impl Named for NoStd {
    const NAME: &'static str = "no_std";
    const SUMMARY: &'static str = "Reward minus group mean (Dr. GRPO)";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Advantage for NoStd {
    fn advantages(&self, rewards: &[Vec<f64>]) -> Vec<Vec<f64>> {
        rewards.iter().map(|group| centred(group)).collect()
    }
}
