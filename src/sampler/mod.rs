//! From a mixture and its datasets to an exact order of draws, of which any single one can be computed alone.
//!
//! A draw's number is the whole state: number → dataset → how many-th of that dataset → pass and row. Shares are
//! exact at every moment ([`schedule`]); a dataset's row order depends on the seed and its content, on nothing else.

mod chairman;
pub mod check;
mod iid;
pub mod lengths;
mod permutation;
mod record;
mod resolve;
mod schedule;
mod slice;
pub mod source;
mod units;

pub use self::{
    chairman::MOST_SOURCES,
    iid::FURTHEST,
    lengths::MeanLength,
    record::{BadRecord, Record, SegmentRecord},
    resolve::{MOST_REPLACED, Replaced, Resolved, Unreadable, resolve},
    schedule::{
        BadSchedule, Change, Dataset, Draw, Draws, End, Ended, Reason, Schedule, Settings, Summary,
        SummaryRow,
    },
    slice::{BadSlice, Slice},
    units::{NoLength, groups_of_tokens},
};
