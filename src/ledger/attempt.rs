//! One try at a run: `attempts/N/` in the run's folder.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::folder::{Commit, FolderError, RunFolder};
use crate::{
    launch::{Presence, Process},
    run::RunRecord,
    store,
};

/// Time between two heartbeats.
pub(super) const BEAT: Duration = Duration::from_secs(1);

/// Silence of a heartbeat after which an attempt is over. Long beside [`BEAT`]: a machine with more work than cores starves
/// that thread too.
pub const LEASE: Duration = Duration::from_mins(1);

/// The file of a checkpoint that is written last.
pub(super) const COMPLETE: &str = "COMPLETE";

/// A file of an attempt larger than this is not one that modo wrote.
const MAX_FILE: u64 = 64 << 20;

/// Bytes at the end of `metrics.jsonl` that are searched for its last whole line.
const TAIL: u64 = 64 << 10;

/// Who made an attempt: `claim.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The process.
    pub process: Process,
    /// Its version of modo.
    pub version: String,
}

/// How an attempt ended: `exit.json`, written once by the attempt itself or by the sweep that watched it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code, where there is one.
    pub code: Option<i32>,
    /// Signal that ended it, where one did.
    pub signal: Option<i32>,
    /// In words.
    pub reason: String,
}

/// An attempt that this process makes. Its heartbeat goes on until it is dropped.
#[derive(Debug)]
pub struct Attempt {
    folder: RunFolder,
    number: u32,
    path: PathBuf,
    _beat: Beat,
}

/// An attempt as others see it.
#[derive(Clone, Debug)]
pub struct AttemptView {
    /// 1 for the first.
    pub number: u32,
    /// Its folder.
    pub path: PathBuf,
}

/// Whether an attempt may still bring a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It said how it ended, or somebody did for it.
    Ended,
    /// Its process is no longer there, and it said nothing.
    Gone,
    /// Its process is there.
    Alive,
    /// It is on another machine, or its claim cannot be read: only its heartbeat can tell.
    Unknown,
}

/// A whole checkpoint, `checkpoint-STEP/` with its file `COMPLETE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Optimizer steps done.
    pub step: u64,
    /// The attempt that wrote it.
    pub attempt: u32,
    /// The folder.
    pub path: PathBuf,
}

/// The last whole line of `metrics.jsonl`, as far as a progress bar needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub struct Progress {
    /// Optimizer steps done.
    pub step: u64,
    /// Mean reward of the step.
    #[serde(default)]
    pub reward: Option<f64>,
}

impl Attempt {
    pub(super) fn begin(folder: RunFolder, number: u32, path: PathBuf) -> io::Result<Self> {
        let beat = Beat::start(&path.join("heartbeat"), BEAT)?;
        Ok(Self { folder, number, path, _beat: beat })
    }

    /// 1 for the first.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Its folder, for `metrics.jsonl` and checkpoints.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's folder.
    pub fn run(&self) -> &RunFolder {
        &self.folder
    }

    /// Whether a later attempt has begun: this one was given up and should stop.
    pub fn is_superseded(&self) -> bool {
        self.path.with_file_name((self.number + 1).to_string()).exists()
    }

    /// Makes `record` the run's result unless there is one already; then it is kept as `late.json`.
    pub fn commit(self, record: &RunRecord) -> Result<Commit, FolderError> {
        let bytes = self.folder.checked(record)?;
        let at = |path: &Path| FolderError::file(path);
        let result = self.folder.result_path();
        let commit = if store::write_once(&result, &bytes).map_err(at(&result))? {
            Commit::Committed
        } else {
            let late = self.path.join("late.json");
            store::write_whole(&late, &bytes).map_err(at(&late))?;
            Commit::Late
        };
        let reason = match commit {
            Commit::Committed => "finished",
            Commit::Late => "finished after another attempt",
        };
        let folder = self.folder.clone();
        self.end(&Exit { code: Some(0), signal: None, reason: reason.to_owned() })?;
        folder.drop_checkpoints();
        Ok(commit)
    }

    /// Leaves without a result: `code` is the exit code to follow, `reason` what the sweep shows.
    pub fn fail(self, code: i32, reason: impl Into<String>) -> Result<(), FolderError> {
        self.end(&Exit { code: Some(code), signal: None, reason: reason.into() })
    }

    fn end(self, exit: &Exit) -> Result<(), FolderError> {
        AttemptView { number: self.number, path: self.path.clone() }.end(exit)
    }
}

impl AttemptView {
    /// Who made it.
    pub fn claim(&self) -> Result<Claim, FolderError> {
        read_json(&self.path.join("claim.json"))
    }

    /// How it ended, if it or somebody else said so.
    pub fn exit(&self) -> Option<Exit> {
        read_json(&self.path.join("exit.json")).ok()
    }

    /// Whether it finished after another attempt.
    pub fn is_late(&self) -> bool {
        self.path.join("late.json").exists()
    }

    /// Whether it may still bring a result.
    pub fn life(&self) -> Life {
        if self.path.join("exit.json").exists() {
            return Life::Ended;
        }
        match self.claim().map(|claim| claim.process.presence()) {
            Ok(Presence::Here) => Life::Alive,
            Ok(Presence::Gone) => Life::Gone,
            Ok(Presence::Unknown) | Err(_) => Life::Unknown,
        }
    }

    /// The heartbeat's counter; the observer times it with its own clock, as clocks of machines differ.
    pub fn beat(&self) -> Option<u64> {
        fs::read_to_string(self.path.join("heartbeat")).ok()?.trim().parse().ok()
    }

    /// How long its heartbeat has been silent, by the clock that stamps the files there: those of machines differ.
    pub fn silence(&self) -> Option<Duration> {
        let written = |name: &str| fs::metadata(self.path.join(name)).and_then(|m| m.modified()).ok();
        let beat = written("heartbeat").or_else(|| written("claim.json"))?;
        let now = tempfile::tempfile_in(&self.path).and_then(|file| file.metadata()?.modified()).ok()?;
        Some(now.duration_since(beat).unwrap_or_default())
    }

    /// Says how it ended where it did not say so itself; the first word stays.
    pub fn end(&self, exit: &Exit) -> Result<(), FolderError> {
        let path = self.path.join("exit.json");
        store::write_once(&path, &store::to_json_pretty(exit)).map(drop).map_err(FolderError::file(&path))
    }

    /// The last whole line of its metrics; a line that is still being written does not count.
    pub fn progress(&self) -> Option<Progress> {
        let mut file = File::open(self.path.join("metrics.jsonl")).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail).ok()?;
        let whole = &tail[..=tail.iter().rposition(|b| *b == b'\n')?];
        whole.split(|b| *b == b'\n').rev().find_map(|line| serde_json::from_slice(line).ok())
    }

    /// Its whole checkpoints, in no order.
    pub fn checkpoints(&self) -> Vec<Checkpoint> {
        let Ok(entries) = fs::read_dir(&self.path) else { return Vec::new() };
        let whole = |entry: io::Result<fs::DirEntry>| {
            let path = entry.ok()?.path();
            let step = path.file_name()?.to_str()?.strip_prefix("checkpoint-")?.parse().ok()?;
            path.join(COMPLETE).is_file().then_some(Checkpoint { step, attempt: self.number, path })
        };
        entries.filter_map(whole).collect()
    }

    /// Removes those of its checkpoints, whole or not, that are `wanted` to go. What cannot be removed costs space only.
    pub(super) fn remove_checkpoints(&self, wanted: impl Fn(&Path) -> bool) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("checkpoint-"));
            if number.is_some_and(|number| number.parse::<u64>().is_ok()) && wanted(&entry.path()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Bytes it has written to its metrics and log: a run that hangs writes none.
    pub fn written(&self) -> u64 {
        let length = |name: &str| fs::metadata(self.path.join(name)).map_or(0, |m| m.len());
        length("metrics.jsonl")
    }
}

/// A thread that counts in a file for as long as this value lives.
#[derive(Debug)]
pub struct Beat {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Beat {
    /// Writes 0 at once, then counts up every `period`.
    pub fn start(path: &Path, period: Duration) -> io::Result<Self> {
        let mut file = File::create(path)?;
        write_count(&mut file, 0)?;
        let (stop, stopped) = mpsc::channel();
        let count = move || {
            let mut count = 0_u64;
            while stopped.recv_timeout(period) == Err(mpsc::RecvTimeoutError::Timeout) {
                count += 1;
                // A full disk must not end the run; the count goes on when there is room.
                let _ = write_count(&mut file, count);
            }
        };
        let thread = thread::Builder::new().name("heartbeat".to_owned()).spawn(count)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Always the same number of bytes in one write, so that a reader never sees half of one.
fn write_count(file: &mut File, count: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{count:020}\n").as_bytes())
}

/// Reads a small JSON file that somebody may have damaged.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, FolderError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(FolderError::file(path))?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(FolderError::file(path))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(FolderError::damaged(path, format!("it is larger than {} MiB", MAX_FILE >> 20)));
    }
    if bytes.is_empty() {
        return Err(FolderError::damaged(path, "it is empty"));
    }
    serde_json::from_slice(&bytes).map_err(|error| FolderError::damaged(path, error))
}
