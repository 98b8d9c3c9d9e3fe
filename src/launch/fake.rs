//! A launcher that follows a script: for tests, and for trying out a sweep without computing anything.

use std::collections::BTreeMap;

use super::{Ended, Handle, Job, LaunchError, Launcher, Signal, State};

/// How one job goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scripted {
    /// Polls that say it runs, before the end.
    pub polls: usize,
    /// What the polls after them say; `Running` for a job that hangs until it is cancelled.
    pub end: State,
}

/// Asks `script` at each submission and starts no process.
pub struct Fake<S> {
    slots: usize,
    script: S,
    jobs: BTreeMap<Handle, Scripted>,
    /// Names of all jobs submitted, in order.
    pub submitted: Vec<String>,
}

impl<S: FnMut(&Job) -> Scripted> Fake<S> {
    /// Runs up to `slots` jobs at once; `script` may leave files behind as a real job would.
    pub fn new(slots: usize, script: S) -> Self {
        Self { slots, script, jobs: BTreeMap::new(), submitted: Vec::new() }
    }
}

impl Scripted {
    /// Ends with an exit code at the first poll.
    pub fn exit(code: i32) -> Self {
        Self { polls: 0, end: State::Ended(Ended { code: Some(code), signal: None }) }
    }
}

impl<S: FnMut(&Job) -> Scripted> Launcher for Fake<S> {
    fn submit(&mut self, job: &Job) -> Result<Handle, LaunchError> {
        let handle = Handle(self.submitted.len() as u64);
        self.submitted.push(job.name.clone());
        self.jobs.insert(handle, (self.script)(job));
        Ok(handle)
    }

    fn poll(&mut self, handle: Handle) -> Result<State, LaunchError> {
        let job = self.jobs.get_mut(&handle).ok_or(LaunchError::UnknownJob(handle))?;
        if job.polls == 0 {
            return Ok(job.end.clone());
        }
        job.polls -= 1;
        Ok(State::Running)
    }

    fn cancel(&mut self, handle: Handle, how: Signal) {
        let ended = match how {
            Signal::Ask => Ended { code: Some(75), signal: None },
            Signal::Kill => Ended { code: None, signal: Some(9) },
        };
        if let Some(job) = self.jobs.get_mut(&handle)
            && (job.polls > 0 || job.end == State::Running)
        {
            *job = Scripted { polls: 0, end: State::Ended(ended) };
        }
    }

    fn slots(&self) -> usize {
        self.slots
    }

    fn free_slots(&mut self) -> usize {
        let busy = self.jobs.values().filter(|job| job.polls > 0 || job.end == State::Running).count();
        self.slots.saturating_sub(busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_followed() {
        let mut fake = Fake::new(1, |_: &Job| Scripted { polls: 1, ..Scripted::exit(3) });
        let job = Job { name: "a".to_owned(), command: Vec::new(), env: Vec::new(), log: "log".into() };
        let handle = fake.submit(&job).unwrap();
        assert_eq!((fake.poll(handle).unwrap(), fake.free_slots()), (State::Running, 1));
        assert_eq!(fake.poll(handle).unwrap(), Scripted::exit(3).end);
    }
}
