//! `modo` answers one question for people who post-train vision-language models with verifiable rewards:
//! with a fixed budget, in which shares should my datasets be mixed? It finds the answer by measurement.
//!
//! A module imports only from floors below its own; `tests/floors.rs` reads these lines and checks it.
//!
//! - floor 0: `error` `name` `registry` `seed` `store`
//! - floor 1: `sample` `trajectory` `score` `mixture`
//! - floor 2: `data` `tasks` `reward` `model` `rl` `predict` `launch` `run`
//! - floor 3: `sampler` `rollout` `eval` `optimize` `ledger`
//! - floor 4: `train` `sweep` `decide` `report`
//! - floor 5: `cli`

pub mod cli;
pub mod data;
pub mod decide;
pub mod error;
pub mod eval;
pub mod launch;
pub mod ledger;
pub mod mixture;
pub mod model;
pub mod name;
pub mod optimize;
pub mod predict;
pub mod registry;
pub mod report;
pub mod reward;
pub mod rl;
pub mod rollout;
pub mod run;
pub mod sample;
pub mod sampler;
pub mod score;
pub mod seed;
pub mod store;
pub mod sweep;
pub mod tasks;
pub mod train;
pub mod trajectory;
