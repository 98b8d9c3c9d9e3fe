//! One `RunSpec` in, one `RunRecord` out.

pub mod optimizer;
pub mod sft;
pub mod warm_up;
