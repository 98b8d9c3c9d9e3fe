//! What a sweep tells while it goes on.

use std::{path::Path, time::Duration};

use crate::run::{RunId, RunRecord, RunSpec};

/// Told what happens, in order, from the sweep's own thread; should return soon.
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: &Event<'_>);
}

/// Watches without a word.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event<'_>) {}
}

/// One run, as events name it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Its id.
    pub run: &'a RunId,
    /// Its spec: label, mixture, budget.
    pub spec: &'a RunSpec,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The folders were looked at; nothing has started.
    Planned(Tally),
    /// A run was given to the launcher.
    Started {
        /// The run.
        run: Named<'a>,
        /// 1 for the first time in this sweep.
        attempt: u32,
    },
    /// A run that an earlier sweep started is still alive and is waited for.
    Found {
        /// The run.
        run: Named<'a>,
    },
    /// A step further.
    Step {
        /// The run.
        run: Named<'a>,
        /// Optimizer steps done.
        step: u64,
        /// Mean reward of the last one.
        reward: Option<f64>,
    },
    /// A run is done.
    Finished {
        /// The run.
        run: Named<'a>,
        /// Its result.
        record: &'a RunRecord,
    },
    /// An attempt ended without a result.
    Failed {
        /// The run.
        run: Named<'a>,
        /// In words.
        reason: &'a str,
        /// Where its processes printed.
        log: &'a Path,
        /// Whether it is tried again.
        again: bool,
    },
    /// Where the sweep stands, several times a second.
    Tick(Tally),
    /// The sweep was asked to stop and waits for the attempts that are alive.
    Stopping,
}

/// Where a sweep stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs of the plan.
    pub total: usize,
    /// With a result.
    pub done: usize,
    /// Being computed.
    pub running: usize,
    /// Given up.
    pub failed: usize,
    /// Time left, from the runs that finished so far; `None` before the first.
    pub left: Option<Duration>,
}
