//! One number to descend: per-token losses, weighted so that micro-batches add up to the whole batch.

mod aggregation;
mod policy;
mod supervised;

pub use self::{
    aggregation::{Aggregation, Whole},
    policy::{Batch, Clip, Loss, Metrics, Objective, policy_loss},
    supervised::supervised_loss,
};
