//! Processes on this machine, each in its own process group.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    process::{Child, Command, Stdio},
    thread,
};

use super::{Ended, Handle, Job, LaunchError, Launcher, Signal, State, entry, process};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Launcher> = entry::<Local>();

/// At most `workers` processes at once.
///
/// A process goes on when the launcher's own process dies, and may finish its work: a later sweep finds it by its
/// heartbeat.
pub struct Local {
    workers: usize,
    jobs: BTreeMap<Handle, Running>,
    next: u64,
}

enum Running {
    Yes(Child),
    No(Ended),
}

/// Keys of the table `[launcher]`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Processes at once; 0 for one per core.
    #[serde(default)]
    workers: usize,
}

impl Local {
    /// With `workers` processes at once; 0 for one per core.
    pub fn with_workers(workers: usize) -> Self {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        Self { workers: if workers == 0 { cores() } else { workers }, jobs: BTreeMap::new(), next: 0 }
    }
}

impl Named for Local {
    const NAME: &'static str = "local";
    const SUMMARY: &'static str = "Processes on this machine, one per core";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        if config.workers > 4096 {
            return Err(BuildError::Value(format!("`workers` is {}; it must be 0 to 4096", config.workers)));
        }
        Ok(Self::with_workers(config.workers))
    }
}

impl Launcher for Local {
    fn submit(&mut self, job: &Job) -> Result<Handle, LaunchError> {
        let program = job.command.first().map(|p| p.display().to_string()).unwrap_or_default();
        let start = |source| LaunchError::Start { program: program.clone(), source };
        let (file, arguments) =
            job.command.split_first().ok_or_else(|| start(io::ErrorKind::InvalidInput.into()))?;
        let at_log = |source| LaunchError::Log { path: job.log.clone(), source };
        let out = open_log(job).map_err(at_log)?;
        let errors = out.try_clone().map_err(at_log)?;
        let mut command = Command::new(file);
        command
            .args(arguments)
            // Cores are used by runs first: more threads in each would only get into each other's way.
            .env("RAYON_NUM_THREADS", "1")
            .envs(job.env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors);
        // Ctrl-C in a terminal reaches the sweep alone, which then asks its jobs to end; and a job can be ended
        // together with all that it started.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().map_err(start)?;
        let handle = Handle(self.next);
        self.next += 1;
        self.jobs.insert(handle, Running::Yes(child));
        Ok(handle)
    }

    fn poll(&mut self, handle: Handle) -> Result<State, LaunchError> {
        let job = self.jobs.get_mut(&handle).ok_or(LaunchError::UnknownJob(handle))?;
        Ok(match job.poll() {
            Ok(None) => State::Running,
            Ok(Some(ended)) => State::Ended(ended),
            Err(error) => State::Lost(error.to_string()),
        })
    }

    fn cancel(&mut self, handle: Handle, how: Signal) {
        // Polled first: the number of a process that was waited for may already be another's.
        if let Some(job) = self.jobs.get_mut(&handle)
            && matches!(job.poll(), Ok(None))
            && let Running::Yes(child) = job
            && process::signal_group(child.id(), how).is_err()
        {
            let _ = child.kill();
        }
    }

    fn slots(&self) -> usize {
        self.workers
    }

    fn free_slots(&mut self) -> usize {
        let busy =
            self.jobs.values_mut().filter_map(|job| matches!(job.poll(), Ok(None)).then_some(())).count();
        self.workers.saturating_sub(busy)
    }
}

impl Running {
    fn poll(&mut self) -> io::Result<Option<Ended>> {
        match self {
            Self::No(ended) => Ok(Some(*ended)),
            Self::Yes(child) => Ok(child.try_wait()?.map(|status| {
                let ended = Ended { code: status.code(), signal: signal_of(status) };
                *self = Self::No(ended);
                ended
            })),
        }
    }
}

#[cfg(unix)]
fn signal_of(status: std::process::ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_: std::process::ExitStatus) -> Option<i32> {
    None
}

fn open_log(job: &Job) -> io::Result<File> {
    if let Some(folder) = job.log.parent() {
        fs::create_dir_all(folder)?;
    }
    File::options().create(true).append(true).open(&job.log)
}

#[cfg(all(test, unix))]
mod tests {
    use std::{
        path::Path,
        time::{Duration, Instant},
    };

    use super::*;

    #[test]
    fn output_goes_to_the_log_and_the_code_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut local = Local::with_workers(1);
        let handle = local.submit(&shell(folder.path(), "echo out; echo err >&2; exit 3")).unwrap();
        assert_eq!(end(&mut local, handle), Ended { code: Some(3), signal: None });
        assert_eq!(fs::read_to_string(folder.path().join("log.txt")).unwrap(), "out\nerr\n");
    }

    #[test]
    fn cancelling_ends_what_the_job_started_too() {
        let folder = tempfile::tempdir().unwrap();
        let mut local = Local::with_workers(1);
        let handle = local.submit(&shell(folder.path(), "sleep 60 & echo $!; wait")).unwrap();
        assert_eq!(local.free_slots(), 0);
        let log = folder.path().join("log.txt");
        let grandchild = loop {
            if let Ok(pid) = fs::read_to_string(&log).unwrap().trim().parse::<u32>() {
                break pid;
            }
            thread::sleep(Duration::from_millis(10));
        };
        local.cancel(handle, Signal::Kill);
        assert_eq!(end(&mut local, handle), Ended { code: None, signal: Some(9) });
        assert_eq!(local.free_slots(), 1);
        let state = || fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
        let since = Instant::now();
        while !state().is_empty() && !state().contains(" Z ") {
            assert!(since.elapsed() < Duration::from_secs(10), "{}", state());
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut job = shell(folder.path(), "");
        job.command = vec!["/no/such/program".into()];
        let error = Local::with_workers(1).submit(&job).unwrap_err().to_string();
        assert!(error.starts_with("`/no/such/program` cannot be started: "), "{error}");
    }

    fn shell(folder: &Path, line: &str) -> Job {
        let command = ["sh", "-c", line].map(Into::into).to_vec();
        Job { name: "job".to_owned(), command, env: Vec::new(), log: folder.join("log.txt") }
    }

    fn end(local: &mut Local, handle: Handle) -> Ended {
        loop {
            if let State::Ended(ended) = local.poll(handle).unwrap() {
                return ended;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}
