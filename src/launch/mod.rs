//! A job in, a handle out: where runs are computed. Knows nothing about training.
//!
//! What a launcher says is a hint; whether a run is done is decided by its folder alone.

mod fake;
mod local;
mod process;

use std::{ffi::OsString, io, path::PathBuf};

pub use fake::{Fake, Scripted};
pub use local::Local;
pub use process::{Presence, Process, Signal};

use crate::registry::{Entry, Named, Registry};

/// One command to run.
#[derive(Clone, Debug)]
pub struct Job {
    /// Unique within a sweep; engines that name jobs use it.
    pub name: String,
    /// Program and arguments, never put together into a shell line.
    pub command: Vec<OsString>,
    /// Variables set for it on top of the launcher's own environment.
    pub env: Vec<(String, String)>,
    /// Where its standard output and error are appended.
    pub log: PathBuf,
}

/// A job that was submitted; of use only to the launcher that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u64);

/// What a launcher says about a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Waiting or running.
    Running,
    /// Ended, and how is known.
    Ended(Ended),
    /// The engine no longer knows it; the reason in words.
    Lost(String),
}

/// How a job ended: a code, or the signal that killed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Exit code, where it exited.
    pub code: Option<i32>,
    /// Signal number, where one killed it.
    pub signal: Option<i32>,
}

/// Runs jobs.
pub trait Launcher {
    /// Starts a job. Call it only while [`Launcher::free_slots`] is not 0: engines give up on jobs that wait long.
    fn submit(&mut self, job: &Job) -> Result<Handle, LaunchError>;

    /// How a job stands; the answer after the end stays the same however often it is asked for.
    fn poll(&mut self, handle: Handle) -> Result<State, LaunchError>;

    /// Asks a job, and all that it started, to end. Returns at once; `poll` tells when it has.
    fn cancel(&mut self, handle: Handle, how: Signal);

    /// Jobs it would run at once.
    fn slots(&self) -> usize;

    /// Jobs it would start now.
    fn free_slots(&mut self) -> usize;
}

/// A job that could not be started or asked about.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The program did not start.
    #[error("`{program}` cannot be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The log cannot be written.
    #[error("the log {} cannot be written: {source}", path.display())]
    Log {
        /// The log file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No job has this handle.
    #[error("this launcher has no job {0:?}")]
    UnknownJob(Handle),
}

/// Every launcher that a plan can name.
pub const LAUNCHERS: Registry<dyn Launcher> = Registry {
    kind: "launcher",
    entries: &[
        local::ENTRY, //
    ],
};

const fn entry<L: Named + Launcher + 'static>() -> Entry<dyn Launcher> {
    Entry { name: L::NAME, summary: L::SUMMARY, build: |table| Ok(Box::new(L::new(table.try_into()?)?)) }
}
