//! The controller: gives missing runs to the launcher, watches them, tries again where that can help.
//!
//! What the launcher says is a hint. A run is done when its folder says so, and an attempt is over when it has said
//! so, when its process is known to be gone, or when its heartbeat has been silent for a lease.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    lock::Lock,
    observe::{Event, Named, Observer, Tally},
    plan::Plan,
};
use crate::{
    error::{Context, Error, Result},
    launch::{Ended, Handle, Job, Launcher, Signal, State},
    ledger::{AttemptView, Exit, FolderError, LEASE, Life, RunFolder},
    run::{RunId, RunSpec},
};

/// Stops in a row, without a new checkpoint in between, after which a run that says "stopped, go on later" is given up.
const MAX_INTERRUPTIONS: u32 = 20;

/// Runs given up for one and the same reason, none having been done, after which the others are not started.
const ALIKE: usize = 5;

/// How often heartbeats and metrics are read.
const LOOK: Duration = Duration::from_millis(250);

/// Makes the runs of one experiment that are still missing.
pub struct Sweep<'a> {
    /// The experiment's folder.
    pub experiment: PathBuf,
    /// Its runs, in the order in which they start.
    pub specs: Vec<RunSpec>,
    /// Where they are computed.
    pub launcher: Box<dyn Launcher + 'a>,
    /// What computes one.
    pub worker: Worker,
    /// When to try again and when to give up.
    pub settings: Settings,
    /// Set from elsewhere (Ctrl-C) to stop.
    pub stop: &'a AtomicBool,
}

/// The command that computes a run; the path of its `spec.json` is added as the last argument.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Program and first arguments.
    pub command: Vec<OsString>,
    /// Variables to set for it.
    pub env: Vec<(String, String)>,
}

/// When to try again and when to give up.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Failures that a run is allowed in this sweep.
    pub attempts: u32,
    /// Silence of a heartbeat after which an attempt is over.
    pub lease: Duration,
    /// Time without a line in metrics or log after which an attempt is ended; `None` for never.
    pub stall: Option<Duration>,
    /// Time that attempts have to write a checkpoint when the sweep stops.
    pub grace: Duration,
    /// How often the launcher is asked.
    pub poll: Duration,
}

/// What a sweep came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Runs of the plan.
    pub total: usize,
    /// Done before this sweep.
    pub already: usize,
    /// Done in this sweep.
    pub done: usize,
    /// Given up.
    pub failed: Vec<Failure>,
    /// Not started, because all that was started failed for the same reason.
    pub not_started: usize,
    /// Attempts of this sweep that ended without a result and were followed by another.
    pub retried: usize,
    /// Attempts, of any sweep, that finished after another one had.
    pub late: usize,
    /// Whether it was stopped before all runs were done or given up.
    pub interrupted: bool,
    /// How long it took.
    pub wall: Duration,
}

/// A run that was given up.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The run.
    pub run: RunId,
    /// What it is for.
    pub label: String,
    /// Why, in words.
    pub reason: String,
    /// Where its processes printed.
    pub log: PathBuf,
}

struct Run {
    id: RunId,
    spec: RunSpec,
    folder: RunFolder,
    stage: Stage,
    tries: u32,
    failures: u32,
    interruptions: u32,
    furthest: u64,
    step: u64,
    not_before: Option<Instant>,
}

enum Stage {
    Waiting,
    Running(Watch),
    Done,
    Failed,
}

struct Watch {
    /// `None` for an attempt that an earlier sweep started.
    job: Option<Handle>,
    /// Attempts there were before the job was submitted.
    before: u32,
    beat: Option<u64>,
    beat_seen: Instant,
    written: u64,
    written_seen: Instant,
    /// Why it was killed.
    killed: Option<String>,
}

impl Worker {
    /// `modo train --spec`, this same binary.
    pub fn this_binary() -> Result<Self> {
        let program = std::env::current_exe().at("looking for modo's own binary")?;
        Ok(Self { command: vec![program.into(), "train".into(), "--spec".into()], env: Vec::new() })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            attempts: 3,
            lease: LEASE,
            stall: None,
            grace: Duration::from_secs(10),
            poll: Duration::from_millis(10),
        }
    }
}

impl<'a> Sweep<'a> {
    /// The runs `specs` of the experiment, by the plan's launcher, as processes of this same binary.
    pub fn new(experiment: &Path, plan: &Plan, specs: Vec<RunSpec>, stop: &'a AtomicBool) -> Result<Self> {
        let table = &plan.launcher;
        let launcher = plan.launcher().at(experiment.join("plan.toml").display())?;
        let settings = Settings {
            attempts: table.attempts,
            stall: (table.stall_s > 0).then(|| Duration::from_secs(table.stall_s)),
            ..Settings::default()
        };
        let worker = Worker::this_binary()?;
        Ok(Self { experiment: experiment.to_owned(), specs, launcher, worker, settings, stop })
    }

    /// Does what is missing. A failing run does not stop the others; what failed is in the outcome.
    ///
    /// An error means that the sweep itself could not go on: another one holds the experiment, or its folder
    /// cannot be written.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Outcome> {
        let _lock = Lock::take(&self.experiment)?;
        let begun = Instant::now();
        let mut outcome = Outcome { total: self.specs.len(), ..Outcome::default() };
        let mut costs = Vec::new();
        let mut runs = self.look_around(&mut outcome, &mut costs, observer)?;
        observer.event(&Event::Planned(self.tally(&runs, &costs)));
        if let Err(error) = self.drive(&mut runs, &mut outcome, &mut costs, observer) {
            for job in runs.iter().filter_map(Run::job) {
                self.launcher.cancel(job, Signal::Ask);
            }
            return Err(error);
        }
        outcome.late = runs.iter().flat_map(|run| run.folder.attempts()).filter(AttemptView::is_late).count();
        outcome.wall = begun.elapsed();
        observer.event(&Event::Tick(self.tally(&runs, &costs)));
        Ok(outcome)
    }

    /// Goes on until every run is done or given up, or the sweep is asked to stop.
    fn drive(
        &mut self,
        runs: &mut [Run],
        outcome: &mut Outcome,
        costs: &mut Vec<f64>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let mut looked = Instant::now();
        loop {
            let stopping = self.stop.load(Ordering::Relaxed);
            if stopping {
                self.end_all(runs, outcome, costs, observer)?;
            } else if !outcome.hopeless() {
                self.fill(runs, outcome, observer);
            }
            let look = looked.elapsed() >= LOOK;
            for run in runs.iter_mut() {
                self.watch(run, look, outcome, costs, observer)?;
            }
            if look {
                looked = Instant::now();
                observer.event(&Event::Tick(self.tally(runs, costs)));
            }
            let count = |is: fn(&Stage) -> bool| runs.iter().filter(|run| is(&run.stage)).count();
            let running = count(|stage| matches!(stage, Stage::Running(_)));
            let waiting = count(|stage| matches!(stage, Stage::Waiting));
            if stopping || running + waiting == 0 {
                outcome.interrupted = running + waiting > 0;
                return Ok(());
            }
            if running == 0 && outcome.hopeless() {
                outcome.not_started = waiting;
                return Ok(());
            }
            thread::sleep(self.settings.poll);
        }
    }

    /// Makes the folders and finds out what is done, what is alive and what is missing.
    fn look_around(
        &mut self,
        outcome: &mut Outcome,
        costs: &mut Vec<f64>,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        for spec in &self.specs {
            let id = spec.id();
            let folder = match RunFolder::create(&self.experiment, spec) {
                Ok(folder) => folder,
                // One damaged folder is that run's failure, not the sweep's.
                Err(error @ FolderError::Damaged { .. }) => {
                    let log = self.experiment.join("runs").join(id.as_str());
                    let (run, label, reason) = (id, spec.label.clone(), error.to_string());
                    outcome.failed.push(Failure { run, label, reason, log });
                    continue;
                }
                Err(error) => return Err(error).failed(),
            };
            let mut run = Run {
                id,
                spec: spec.clone(),
                folder,
                stage: Stage::Waiting,
                tries: 0,
                failures: 0,
                interruptions: 0,
                furthest: 0,
                step: 0,
                not_before: None,
            };
            match run.folder.result() {
                Ok(Some(record)) => {
                    run.close()?;
                    costs.push(record.cost.wall_s);
                    outcome.already += 1;
                    run.stage = Stage::Done;
                }
                Ok(None) => match run.folder.attempts().last() {
                    Some(last) if matches!(last.life(), Life::Alive | Life::Unknown) => {
                        run.stage = Stage::Running(Watch::new(None, last.number));
                        observer.event(&Event::Found { run: run.named() });
                    }
                    Some(last) if last.life() == Life::Gone => last.end(&vanished()).failed()?,
                    _ => (),
                },
                Err(error) => run.give_up(error.to_string(), outcome, observer),
            }
            runs.push(run);
        }
        Ok(runs)
    }

    /// Starts waiting runs while there is room.
    fn fill(&mut self, runs: &mut [Run], outcome: &mut Outcome, observer: &mut dyn Observer) {
        let found = runs.iter().filter(|r| matches!(&r.stage, Stage::Running(w) if w.job.is_none())).count();
        let mut free = self.launcher.free_slots().saturating_sub(found);
        let now = Instant::now();
        for run in runs {
            if free == 0 {
                break;
            }
            if !matches!(run.stage, Stage::Waiting) || run.not_before.is_some_and(|time| time > now) {
                continue;
            }
            let mut command = self.worker.command.clone();
            command.push(run.folder.spec_path().into());
            run.tries += 1;
            let job = Job {
                name: format!("modo-{}-a{}", run.id, run.tries),
                command,
                env: self.worker.env.clone(),
                log: run.folder.log_path(),
            };
            let before = run.folder.attempts().last().map_or(0, |last| last.number);
            match self.launcher.submit(&job) {
                Ok(handle) => {
                    run.stage = Stage::Running(Watch::new(Some(handle), before));
                    observer.event(&Event::Started { run: run.named(), attempt: run.tries });
                    free -= 1;
                }
                Err(error) => {
                    let exit = Exit { code: Some(1), signal: None, reason: error.to_string() };
                    self.after(run, &exit, outcome, observer);
                }
            }
        }
    }

    /// Looks after one run that is being computed; `look` says whether to read its files too.
    fn watch(
        &mut self,
        run: &mut Run,
        look: bool,
        outcome: &mut Outcome,
        costs: &mut Vec<f64>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let Stage::Running(watch) = &mut run.stage else { return Ok(()) };
        let over = match watch.job.map(|job| self.launcher.poll(job)) {
            Some(Ok(State::Running)) => None,
            Some(Ok(State::Ended(ended))) => Some(exit_of(ended)),
            Some(Ok(State::Lost(reason))) => Some(Exit { reason, ..Exit::default() }),
            Some(Err(error)) => Some(Exit { reason: error.to_string(), ..Exit::default() }),
            None => match run.folder.attempts().last().map(AttemptView::life) {
                Some(Life::Alive | Life::Unknown) => None,
                _ => Some(vanished()),
            },
        };
        if let Some(exit) = over {
            return self.settle(run, exit, outcome, costs, observer);
        }
        if !look {
            return Ok(());
        }
        let last =
            run.folder.attempts().pop().filter(|last| watch.job.is_none() || last.number > watch.before);
        let progress = last.as_ref().and_then(AttemptView::progress);
        if let Some(silence) = watch.silence(last.as_ref(), &run.folder, self.settings)
            && watch.killed.is_none()
        {
            watch.killed = Some(silence.clone());
            match (watch.job, &last) {
                (Some(job), _) => self.launcher.cancel(job, Signal::Kill),
                (None, Some(last)) => {
                    if let Ok(claim) = last.claim() {
                        claim.process.signal_group(Signal::Kill);
                    }
                    // On another machine it cannot be reached; should it come back, it finds itself superseded.
                    if last.life() == Life::Unknown {
                        last.end(&Exit { reason: silence, ..Exit::default() }).failed()?;
                    }
                }
                (None, None) => (),
            }
        }
        if let Some(progress) = progress.filter(|progress| progress.step != run.step) {
            run.step = progress.step;
            observer.event(&Event::Step { run: run.named(), step: progress.step, reward: progress.reward });
        }
        Ok(())
    }

    /// An attempt is over: done, or what next?
    fn settle(
        &mut self,
        run: &mut Run,
        mut exit: Exit,
        outcome: &mut Outcome,
        costs: &mut Vec<f64>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        match run.folder.result() {
            Ok(Some(record)) => {
                run.close()?;
                costs.push(record.cost.wall_s);
                outcome.done += 1;
                run.stage = Stage::Done;
                observer.event(&Event::Finished { run: run.named(), record: &record });
                return Ok(());
            }
            Ok(None) => (),
            Err(error) => {
                run.give_up(error.to_string(), outcome, observer);
                return Ok(());
            }
        }
        let Stage::Running(watch) = &run.stage else { return Ok(()) };
        if let Some(reason) = &watch.killed {
            exit.reason.clone_from(reason);
        }
        if let Some(last) = run.folder.attempts().last() {
            // Another process has the run: ours found that out and left.
            if last.life() == Life::Alive {
                run.stage = Stage::Running(Watch::new(None, last.number));
                observer.event(&Event::Found { run: run.named() });
                return Ok(());
            }
            if watch.job.is_none() || last.number > watch.before {
                last.end(&exit).failed()?;
                // What the attempt itself said is the better reason; how it ended is the launcher's to say.
                if let Some(said) = last.exit() {
                    let code = exit.code.filter(|code| *code != 0).or(said.code);
                    exit = Exit { code, signal: exit.signal.or(said.signal), reason: said.reason };
                }
            }
        }
        // What the sweep itself ended, because it was asked to stop, has not failed.
        if exit.signal.is_some() && self.stop.load(Ordering::Relaxed) {
            let reason = "it did not stop in time and was ended".to_owned();
            exit = Exit { code: Some(75), signal: None, reason };
        }
        run.folder.tidy();
        self.after(run, &exit, outcome, observer);
        Ok(())
    }

    /// Decides whether a run without a result is tried again.
    fn after(&self, run: &mut Run, exit: &Exit, outcome: &mut Outcome, observer: &mut dyn Observer) {
        let furthest = run.folder.checkpoints().first().map_or(0, |checkpoint| checkpoint.step);
        if exit.counts() {
            run.failures += 1;
        } else {
            run.interruptions = if furthest > run.furthest { 1 } else { run.interruptions + 1 };
            let doubled = 100_u64 << run.interruptions.min(10);
            run.not_before = Some(Instant::now() + Duration::from_millis(doubled.min(60_000)));
        }
        run.furthest = run.furthest.max(furthest);
        if exit.is_final() || run.failures >= self.settings.attempts || run.interruptions >= MAX_INTERRUPTIONS
        {
            return run.give_up(exit.reason.clone(), outcome, observer);
        }
        run.stage = Stage::Waiting;
        if !self.stop.load(Ordering::Relaxed) {
            outcome.retried += 1;
            let log = run.folder.log_path();
            let event = Event::Failed { run: run.named(), reason: &exit.reason, log: &log, again: true };
            observer.event(&event);
        }
    }

    /// Asks all attempts that are alive to end, waits, ends those that have not, and records how they ended.
    fn end_all(
        &mut self,
        runs: &mut [Run],
        outcome: &mut Outcome,
        costs: &mut Vec<f64>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        observer.event(&Event::Stopping);
        for (signal, patience) in [(Signal::Ask, self.settings.grace), (Signal::Kill, Duration::from_secs(5))]
        {
            for run in runs.iter() {
                let Stage::Running(watch) = &run.stage else { continue };
                match watch.job {
                    Some(job) => self.launcher.cancel(job, signal),
                    None => {
                        if let Some(Ok(claim)) = run.folder.attempts().last().map(AttemptView::claim) {
                            claim.process.signal_group(signal);
                        }
                    }
                }
            }
            let asked = Instant::now();
            while runs.iter().any(|run| matches!(run.stage, Stage::Running(_))) && asked.elapsed() < patience
            {
                for run in runs.iter_mut() {
                    self.watch(run, false, outcome, costs, observer)?;
                }
                thread::sleep(self.settings.poll);
            }
        }
        Ok(())
    }

    fn tally(&self, runs: &[Run], costs: &[f64]) -> Tally {
        let count = |is: fn(&Stage) -> bool| runs.iter().filter(|run| is(&run.stage)).count();
        // A run of mean length each, less what the running ones have behind them.
        let open: f64 = runs
            .iter()
            .map(|run| match run.stage {
                Stage::Waiting => 1.0,
                Stage::Running(_) => 1.0 - (run.step as f64 / run.spec.budget.steps.max(1) as f64).min(1.0),
                Stage::Done | Stage::Failed => 0.0,
            })
            .sum();
        let mean = costs.iter().sum::<f64>() / costs.len() as f64;
        let left = open * mean / self.launcher.slots().max(1) as f64;
        Tally {
            total: self.specs.len(),
            done: count(|stage| matches!(stage, Stage::Done)),
            running: count(|stage| matches!(stage, Stage::Running(_))),
            // Folders that could not be made are not among the runs.
            failed: count(|stage| matches!(stage, Stage::Failed)) + self.specs.len() - runs.len(),
            left: Duration::try_from_secs_f64(left).ok(),
        }
    }
}

impl Run {
    fn named(&self) -> Named<'_> {
        Named { run: &self.id, spec: &self.spec }
    }

    fn job(&self) -> Option<Handle> {
        match &self.stage {
            Stage::Running(watch) => watch.job,
            _ => None,
        }
    }

    fn give_up(&mut self, reason: String, outcome: &mut Outcome, observer: &mut dyn Observer) {
        self.stage = Stage::Failed;
        let log = self.folder.log_path();
        observer.event(&Event::Failed { run: self.named(), reason: &reason, log: &log, again: false });
        outcome.failed.push(Failure { run: self.id.clone(), label: self.spec.label.clone(), reason, log });
    }

    /// Gives attempts that were killed after the result was in place their last word, and clears up.
    fn close(&self) -> Result<()> {
        let attempts = self.folder.attempts();
        for gone in attempts.iter().filter(|attempt| attempt.life() == Life::Gone) {
            gone.end(&vanished()).failed()?;
        }
        if attempts.iter().all(|attempt| attempt.life() == Life::Ended) {
            self.folder.tidy();
        }
        Ok(())
    }
}

impl Watch {
    fn new(job: Option<Handle>, before: u32) -> Self {
        let now = Instant::now();
        Self { job, before, beat: None, beat_seen: now, written: 0, written_seen: now, killed: None }
    }

    /// Why the attempt cannot be alive any more, timed with this process's own clock.
    fn silence(
        &mut self,
        last: Option<&AttemptView>,
        folder: &RunFolder,
        settings: Settings,
    ) -> Option<String> {
        let now = Instant::now();
        let beat = last.and_then(AttemptView::beat);
        if beat != self.beat || last.is_none() {
            (self.beat, self.beat_seen) = (beat, now);
        }
        let printed = std::fs::metadata(folder.log_path()).map_or(0, |m| m.len());
        let written = last.map_or(0, AttemptView::written) + printed;
        if written != self.written {
            (self.written, self.written_seen) = (written, now);
        }
        if now - self.beat_seen > settings.lease {
            return Some(format!("it gave no sign of life for {} s", settings.lease.as_secs_f64()));
        }
        let stall = settings.stall.filter(|stall| now - self.written_seen > *stall)?;
        Some(format!("it wrote nothing for {} s", stall.as_secs_f64()))
    }
}

impl Outcome {
    /// Whether what fails is not the single run: starting more of them would only cost time.
    fn hopeless(&self) -> bool {
        self.already + self.done == 0
            && self.failed.len() >= ALIKE
            && self.failed.iter().all(|failure| failure.reason == self.failed[0].reason)
    }

    /// What this sweep and the next one, of the same runs and more, came to together.
    #[must_use]
    pub fn followed_by(self, next: Self) -> Self {
        Self {
            already: self.already,
            done: self.done + next.done,
            retried: self.retried + next.retried,
            wall: self.wall + next.wall,
            ..next
        }
    }

    /// An error where the sweep was stopped or runs were given up: each is named with its log.
    pub fn into_result(self) -> Result<Self> {
        if self.interrupted {
            return Err(Error::interrupted());
        }
        if self.failed.is_empty() {
            return Ok(self);
        }
        let mut what = format!("{} of {} runs failed", self.failed.len(), self.total);
        if self.not_started > 0 {
            what.extend([
                ", all for the same reason; the other ",
                &self.not_started.to_string(),
                " were not started",
            ]);
        }
        let named = self
            .failed
            .iter()
            .map(|f| format!("run {} ({}): {}; its log is {}", f.run, f.label, f.reason, f.log.display()));
        Err(named
            .fold(Error::failed(what), Error::at)
            .hint("give the same command again to try only these once more"))
    }
}

fn exit_of(ended: Ended) -> Exit {
    let reason = match (ended.code, ended.signal) {
        (Some(0), _) => "it ended without a result".to_owned(),
        (Some(75), _) => "it was interrupted".to_owned(),
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("signal {signal} killed it"),
        (None, None) => "it ended, and how is not known".to_owned(),
    };
    Exit { code: ended.code, signal: ended.signal, reason }
}

fn vanished() -> Exit {
    Exit { reason: "its process vanished".to_owned(), ..Exit::default() }
}
