//! The record of runs: one folder per run, and one table over all of them.

mod attempt;
mod folder;
mod parquet;
mod table;

pub use attempt::{Attempt, AttemptView, Beat, Checkpoint, Claim, Exit, LEASE, Life, Progress};
pub use folder::{ClaimError, Commit, FolderError, RunFolder, folders};
pub use table::{Damaged, Filter, Ledger, Observation, Row, Target, protocol};
