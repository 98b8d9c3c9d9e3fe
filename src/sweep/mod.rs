//! Plan → specs → launcher → ledger. Started again, it does only what is missing.

mod control;
mod forecast;
mod lock;
mod observe;
pub mod plan;
mod specs;

pub use control::{Failure, Outcome, Settings, Sweep, Worker};
pub use forecast::{Forecast, PlannedRun, forecast};
pub use lock::Lock;
pub use observe::{Event, Named, Observer, Silent, Tally};
pub use plan::{Aggregate, Confirm, Plan, build_design};
pub use specs::{Point, Sources, confirm_specs, points, specs};
