//! Rewards minus the mean of the other completions of their group: RLOO.

use super::{Advantage, NoSettings, centred, entry};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Advantage> = entry::<LeaveOneOut>();

/// A = R − mean of the others = G/(G − 1) · (R − mean of group), arXiv:2402.14740. A group of one has no others and
/// no advantage.
struct LeaveOneOut;

impl Named for LeaveOneOut {
    const NAME: &'static str = "leave_one_out";
    const SUMMARY: &'static str = "Reward minus the mean of the other completions (RLOO)";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Advantage for LeaveOneOut {
    fn advantages(&self, rewards: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let one = |group: &Vec<f64>| {
            let size = group.len() as f64;
            // `centred` gives zeros for a group of one; `max` keeps them from becoming 0 · ∞.
            centred(group).into_iter().map(|r| r * size / (size - 1.0).max(1.0)).collect()
        };
        rewards.iter().map(one).collect()
    }
}
