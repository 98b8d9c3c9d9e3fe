//! Rewards minus the mean of their group, in standard deviations of the whole batch: Lite PPO.

use super::{Advantage, Epsilon, centred, entry, sample_std};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Advantage> = entry::<BatchStd>();

/// A = (R − mean of group) / (sample standard deviation of all rewards + epsilon), arXiv:2508.08221 and TRL's
/// `scale_rewards = "batch"`. The deviation is that of the rewards themselves, not of the centred ones.
struct BatchStd {
    epsilon: f64,
}

impl Named for BatchStd {
    const NAME: &'static str = "batch_std";
    const SUMMARY: &'static str = "Reward minus group mean, over the batch's standard deviation (Lite PPO)";
    type Config = Epsilon;

    fn new(config: Epsilon) -> Result<Self, BuildError> {
        Ok(Self { epsilon: config.checked()? })
    }
}

impl Advantage for BatchStd {
    fn advantages(&self, rewards: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let scale = sample_std(&rewards.concat()) + self.epsilon;
        rewards.iter().map(|group| centred(group).into_iter().map(|r| r / scale).collect()).collect()
    }
}
