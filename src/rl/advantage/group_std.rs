//! Rewards in standard deviations from the mean of their own group: GRPO.

use super::{Advantage, Epsilon, centred, entry, sample_std};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Advantage> = entry::<GroupStd>();

/// A = (R − mean of group) / (sample standard deviation of group + epsilon), arXiv:2402.03300.
///
/// The deviation has n − 1 below, as in verl, EasyR1 and TRL. A group of one has no advantage; in verl it keeps its
/// reward.
struct GroupStd {
    epsilon: f64,
}

impl Named for GroupStd {
    const NAME: &'static str = "group_std";
    const SUMMARY: &'static str = "Reward minus group mean, over the group's standard deviation (GRPO)";
    type Config = Epsilon;

    fn new(config: Epsilon) -> Result<Self, BuildError> {
        Ok(Self { epsilon: config.checked()? })
    }
}

impl Advantage for GroupStd {
    fn advantages(&self, rewards: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let one = |group: &Vec<f64>| {
            let scale = sample_std(group) + self.epsilon;
            centred(group).into_iter().map(|r| r / scale).collect()
        };
        rewards.iter().map(one).collect()
    }
}
