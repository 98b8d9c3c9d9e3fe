//! How a mixture's shares become a sequence of datasets.

use serde::{Deserialize, Serialize};

/// How the dataset of each draw is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrawRule {
    /// Exact shares: after any number of draws every dataset is within one draw of its share.
    #[default]
    Exact,
    /// The exact draws of each optimizer step in a shuffled order, for training whose micro-batches would line up
    /// with the regular order of exact draws. Every step holds what it would hold.
    Batch,
    /// Each draw by chance, every row at most once unless a limit says otherwise, and the end at the first draw of
    /// a dataset that has no unseen row left: as in MoDoMoDo (arXiv:2505.24871). Seeking counts from the start and
    /// is limited to 10⁸ draws.
    Iid,
}

impl DrawRule {
    /// Whether it is the rule that files need not name.
    pub fn is_exact(&self) -> bool {
        *self == Self::Exact
    }
}
