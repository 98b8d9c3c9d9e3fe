//! t
pub mod optimizer;
