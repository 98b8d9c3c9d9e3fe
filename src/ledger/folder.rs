//! The folder of one run: what it was told, who tried, and its one result.
//!
//! ```text
//! experiments/NAME/runs/<run id>/
//!   spec.json                written once
//!   log.txt                  what its processes print
//!   attempts/1/              claim.json  heartbeat  metrics.jsonl  checkpoint-STEP/  exit.json  late.json
//!   result.json              written once, last: its presence is the only proof that the run is done
//! ```

use std::{
    fmt::Display,
    fs, io,
    path::{Path, PathBuf},
};

use super::attempt::{Attempt, AttemptView, COMPLETE, Checkpoint, Claim, LEASE, Life, read_json};
use crate::{
    launch::Process,
    run::{RunId, RunRecord, RunSpec, RunStatus, SCHEMA},
    store,
};

/// How the name of a claim that is not yet an attempt starts.
const CLAIMING: &str = ".claiming-";
/// How [`store`] starts the names of files that it has not yet put in place.
const WRITING: &str = ".writing-";

/// The folder of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
    run: RunId,
}

/// Whose result stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// This one.
    Committed,
    /// Another attempt's, which came first; this one is in `late.json`.
    Late,
}

/// A run folder that cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A result that must not be written.
    #[error("the result of run {run} cannot be kept: {reason}")]
    Unfit {
        /// The run.
        run: RunId,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why no attempt can begin.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The result is there.
    #[error("run {0} is done")]
    Done(RunId),
    /// Somebody is at it.
    #[error("attempt {attempt} of run {run} is made by process {pid} on {host}")]
    Held {
        /// The run.
        run: RunId,
        /// The attempt.
        attempt: u32,
        /// Its process.
        pid: u32,
        /// Its machine.
        host: String,
    },
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl RunFolder {
    /// The folder of `spec` under `EXPERIMENT/runs/`, made if it is not there.
    pub fn create(experiment: &Path, spec: &RunSpec) -> Result<Self, FolderError> {
        let run = spec.id();
        let path = experiment.join("runs").join(run.as_str());
        let folder = Self { path, run };
        let spec_path = folder.spec_path();
        if !spec_path.exists() {
            store::write_once(&spec_path, &store::to_json_pretty(spec))
                .map_err(FolderError::file(&spec_path))?;
        }
        folder.spec()?;
        Ok(folder)
    }

    /// The folder that holds `spec.json`; its spec is read and must be the run that the folder is named after.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let path = path.canonicalize().map_err(FolderError::file(path))?;
        let spec = read_spec(&path.join("spec.json"))?;
        let folder = Self { run: spec.id(), path };
        folder.check_name(&folder.run)?;
        Ok(folder)
    }

    /// The run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `modo train --spec` is given.
    pub fn spec_path(&self) -> PathBuf {
        self.path.join("spec.json")
    }

    /// What the processes of its attempts print.
    pub fn log_path(&self) -> PathBuf {
        self.path.join("log.txt")
    }

    pub(super) fn result_path(&self) -> PathBuf {
        self.path.join("result.json")
    }

    /// What the run was told.
    pub fn spec(&self) -> Result<RunSpec, FolderError> {
        let spec = read_spec(&self.spec_path())?;
        self.check_name(&spec.id())?;
        Ok(spec)
    }

    /// The result, if the run is done.
    pub fn result(&self) -> Result<Option<RunRecord>, FolderError> {
        let path = self.result_path();
        let record: RunRecord = match read_json(&path) {
            Err(FolderError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            other => other?,
        };
        if record.run != self.run {
            return Err(FolderError::damaged(&path, format!("it is the result of run {}", record.run)));
        }
        check_schema(&path, record.schema)?;
        check_scores(&record).map_err(|reason| FolderError::damaged(&path, reason))?;
        Ok(Some(record))
    }

    /// All attempts, the first first.
    pub fn attempts(&self) -> Vec<AttemptView> {
        let folder = self.path.join("attempts");
        let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
        let mut numbers: Vec<u32> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        numbers.sort_unstable();
        numbers
            .into_iter()
            .map(|number| AttemptView { number, path: folder.join(number.to_string()) })
            .collect()
    }

    /// Begins an attempt, unless the run is done or another attempt may still bring its result: its process is there, or
    /// that cannot be told from here and its heartbeat has not been silent for a [`LEASE`].
    pub fn claim(&self) -> Result<Attempt, ClaimError> {
        if self.result()?.is_some() {
            return Err(ClaimError::Done(self.run.clone()));
        }
        loop {
            let last = self.attempts().pop();
            if let Some(last) = &last
                && match last.life() {
                    Life::Alive => true,
                    Life::Unknown => last.silence().is_some_and(|silence| silence < LEASE),
                    Life::Ended | Life::Gone => false,
                }
                && let Ok(claim) = last.claim()
            {
                let Claim { process: Process { pid, host, .. }, .. } = claim;
                return Err(ClaimError::Held { run: self.run.clone(), attempt: last.number, pid, host });
            }
            // The loser of a race looks again and finds who won.
            if let Some(attempt) = self.begin(last.map_or(1, |last| last.number + 1))? {
                return Ok(attempt);
            }
        }
    }

    /// Begins an attempt even while another one seems alive: that one is given up and will find itself superseded.
    pub fn take_over(&self) -> Result<Attempt, FolderError> {
        loop {
            let number = self.attempts().pop().map_or(1, |last| last.number + 1);
            if let Some(attempt) = self.begin(number)? {
                return Ok(attempt);
            }
        }
    }

    /// `None` when somebody else has the number.
    fn begin(&self, number: u32) -> Result<Option<Attempt>, FolderError> {
        let attempts = self.path.join("attempts");
        fs::create_dir_all(&attempts).map_err(FolderError::file(&attempts))?;
        // The claim is inside before the folder has its name, so that no attempt is ever without one. A folder
        // cannot be renamed over one that is not empty: two claims of one number cannot both succeed.
        let draft = tempfile::Builder::new()
            .prefix(CLAIMING)
            .tempdir_in(&attempts)
            .map_err(FolderError::file(&attempts))?;
        let claim = Claim { process: Process::this(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let file = draft.path().join("claim.json");
        fs::write(&file, store::to_json_pretty(&claim)).map_err(FolderError::file(&file))?;
        let path = attempts.join(number.to_string());
        match fs::rename(draft.path(), &path) {
            Ok(()) => {
                drop(draft.keep());
                Attempt::begin(self.clone(), number, path.clone()).map(Some).map_err(FolderError::file(&path))
            }
            Err(_) if path.exists() => Ok(None),
            Err(error) => Err(FolderError::file(&path)(error)),
        }
    }

    /// Where the run stands, where a sweep allows it `allowed` failures.
    pub fn status(&self, allowed: u32) -> Result<RunStatus, FolderError> {
        if self.result()?.is_some() {
            return Ok(RunStatus::Done);
        }
        let attempts = self.attempts();
        let Some(last) = attempts.last() else { return Ok(RunStatus::Missing) };
        if matches!(last.life(), Life::Alive | Life::Unknown) {
            return Ok(RunStatus::Running);
        }
        let failed = |attempt: &AttemptView| attempt.exit().is_some_and(|exit| exit.counts());
        let hopeless = last.exit().is_some_and(|exit| exit.is_final());
        let failures = attempts.iter().filter(|a| failed(a)).count() as u64;
        Ok(if hopeless || failures >= u64::from(allowed) {
            RunStatus::Failed
        } else {
            RunStatus::Interrupted
        })
    }

    /// Whole checkpoints of all attempts, the furthest first; of equally far ones the latest attempt's.
    ///
    /// A new attempt tries them in this order until one can be read.
    pub fn checkpoints(&self) -> Vec<Checkpoint> {
        let mut all: Vec<Checkpoint> = self.attempts().iter().flat_map(AttemptView::checkpoints).collect();
        all.sort_by_key(|checkpoint| std::cmp::Reverse((checkpoint.step, checkpoint.attempt)));
        all
    }

    /// Removes the checkpoints of attempts that are over: a run that is done goes on from none.
    pub(super) fn drop_checkpoints(&self) {
        for attempt in self.attempts() {
            if matches!(attempt.life(), Life::Ended | Life::Gone) {
                attempt.remove_checkpoints(|_| true);
            }
        }
    }

    /// Removes what killed processes were in the middle of writing, and of a run that is done the checkpoints. Call it only
    /// while no attempt is alive.
    pub fn tidy(&self) {
        if self.result_path().exists() {
            self.drop_checkpoints();
        }
        for ended in self.attempts().iter().filter(|attempt| attempt.life() == Life::Ended) {
            ended.remove_checkpoints(|checkpoint| !checkpoint.join(COMPLETE).exists());
        }
        let attempts = self.path.join("attempts");
        let inside = self.attempts().into_iter().map(|a| a.path);
        for folder in [self.path.clone(), attempts].into_iter().chain(inside) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                // What cannot be removed does no harm: nothing reads these names.
                if name.starts_with(WRITING) {
                    let _ = fs::remove_file(entry.path());
                } else if name.starts_with(CLAIMING) {
                    let _ = fs::remove_dir_all(entry.path());
                }
            }
        }
    }

    /// The bytes of a result that reads back as the same result.
    pub(super) fn checked(&self, record: &RunRecord) -> Result<Vec<u8>, FolderError> {
        let unfit = |reason: String| FolderError::Unfit { run: self.run.clone(), reason };
        if record.run != self.run {
            return Err(unfit(format!("it belongs to run {}", record.run)));
        }
        check_scores(record).map_err(unfit)?;
        let bytes = store::to_json_pretty(record);
        // JSON has no word for NaN and infinity: they would be written as `null` and never read again.
        match serde_json::from_slice::<RunRecord>(&bytes) {
            Ok(read) if read == *record => Ok(bytes),
            Ok(_) => Err(unfit("it does not read back as it was written".to_owned())),
            Err(error) => Err(unfit(format!("a number in it is not finite ({error})"))),
        }
    }

    /// A spec that was changed by hand is another run and must not pass for this one.
    fn check_name(&self, spec: &RunId) -> Result<(), FolderError> {
        if self.path.file_name().is_some_and(|name| name == spec.as_str()) {
            return Ok(());
        }
        let reason = format!("it belongs into a folder called {spec}, the hash of its content");
        Err(FolderError::damaged(&self.spec_path(), reason))
    }
}

/// Every folder under `EXPERIMENT/runs/`, by name; those that hold no readable spec with the reason.
pub fn folders(experiment: &Path) -> Result<Vec<Result<RunFolder, FolderError>>, FolderError> {
    let runs = experiment.join("runs");
    let entries = match fs::read_dir(&runs) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(FolderError::file(&runs))?,
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.is_dir() && path.file_name().is_some_and(|n| !n.as_encoded_bytes().starts_with(b"."))
        })
        .collect();
    paths.sort();
    Ok(paths.iter().map(|path| RunFolder::open(path)).collect())
}

impl super::Exit {
    /// Whether it is one of the failures that a sweep allows a run: 75 says "stopped, go on later", and an attempt
    /// that vanished with its machine is not the run's fault.
    pub fn counts(&self) -> bool {
        (self.code.is_some() && self.code != Some(75)) || self.signal.is_some()
    }

    /// Whether trying again cannot help: 2, 64 to 66 and 78 say that spec, data or configuration is wrong.
    pub fn is_final(&self) -> bool {
        matches!(self.code, Some(2 | 64..=66 | 78))
    }
}

impl FolderError {
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    pub(super) fn damaged(path: &Path, reason: impl Display) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }
}

fn read_spec(path: &Path) -> Result<RunSpec, FolderError> {
    let spec: RunSpec = read_json(path)?;
    check_schema(path, spec.schema)?;
    Ok(spec)
}

fn check_schema(path: &Path, schema: u32) -> Result<(), FolderError> {
    if schema > SCHEMA {
        let reason = format!("its schema is {schema}, newer than this modo's {SCHEMA}");
        return Err(FolderError::damaged(path, reason));
    }
    Ok(())
}

fn check_scores(record: &RunRecord) -> Result<(), String> {
    for s in &record.scores {
        let numbers =
            [s.score.mean, s.score.standard_error, s.lenient_score.mean, s.format_rate, s.mean_tokens];
        if let Some(bad) = numbers.iter().find(|n| !n.is_finite() || **n < 0.0) {
            return Err(format!("benchmark `{}` has a score, error, rate or length of {bad}", s.benchmark));
        }
    }
    Ok(())
}
