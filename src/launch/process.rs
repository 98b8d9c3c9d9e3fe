//! A process that can be told from every other one, also from a later one with the same number.

use std::{fs, io};

use serde::{Deserialize, Serialize};

/// Which process, on which machine.
///
/// A number alone is not enough: numbers are used again, and two machines that share a file system both have a
/// process 4711. The start time tells the first apart, the scope (boot and process namespace) the second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The machine's name, for people.
    pub host: String,
    /// The process number; the process leads a group of the same number when a launcher started it.
    pub pid: u32,
    /// Boot and process namespace within which `pid` means something; empty where the system does not tell.
    #[serde(default)]
    pub scope: String,
    /// When it started, in clock ticks since boot; 0 where the system does not tell.
    #[serde(default)]
    pub started: u64,
}

/// What can be said about a process from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It runs, or is stopped and could go on.
    Here,
    /// It has ended.
    Gone,
    /// It belongs to another machine, boot or container.
    Unknown,
}

impl Process {
    /// The process that asks.
    pub fn this() -> Self {
        let pid = std::process::id();
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
        Self { host, pid, scope: scope(), started: start_time(pid).unwrap_or(0) }
    }

    /// Whether it is still there.
    pub fn presence(&self) -> Presence {
        if self.scope.is_empty() || self.started == 0 || self.scope != scope() {
            return Presence::Unknown;
        }
        if start_time(self.pid) == Some(self.started) { Presence::Here } else { Presence::Gone }
    }

    /// Sends a signal to the group that it leads; does nothing unless it is certain to be that process.
    pub fn signal_group(&self, signal: Signal) {
        if self.presence() == Presence::Here {
            // Who was started by hand leads no group. An error of both means that it ended in between, which is what was
            // asked for.
            if signal_group(self.pid, signal).is_err() {
                let _ = signal_one(self.pid, signal);
            }
        }
    }
}

/// How strongly to ask a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: it may write a checkpoint first.
    Ask,
    /// SIGKILL.
    Kill,
}

/// Sends a signal to the process group `group`.
#[cfg(unix)]
pub(super) fn signal_group(group: u32, signal: Signal) -> io::Result<()> {
    let group = i32::try_from(group).map_err(io::Error::other)?;
    nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), signal.number()).map_err(io::Error::from)
}

/// Sends a signal to one process.
#[cfg(unix)]
fn signal_one(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal.number()).map_err(io::Error::from)
}

#[cfg(unix)]
impl Signal {
    fn number(self) -> nix::sys::signal::Signal {
        match self {
            Self::Ask => nix::sys::signal::Signal::SIGTERM,
            Self::Kill => nix::sys::signal::Signal::SIGKILL,
        }
    }
}

#[cfg(not(unix))]
pub(super) fn signal_group(_: u32, _: Signal) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
fn signal_one(_: u32, _: Signal) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The 22nd field of `/proc/PID/stat`; `None` for a process that has ended, waited for or not.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may itself hold spaces and parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18)?.parse().ok())?
}

fn scope() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    match (boot.trim(), namespace.to_str()) {
        ("", _) | (_, None | Some("")) => String::new(),
        (boot, Some(namespace)) => format!("{boot} {namespace}"),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_here_and_another_start_time_is_another_process() {
        let this = Process::this();
        assert_eq!(this.presence(), Presence::Here);
        assert_eq!(Process { started: this.started + 1, ..this.clone() }.presence(), Presence::Gone);
        assert_eq!(Process { scope: "another boot".to_owned(), ..this }.presence(), Presence::Unknown);
    }

    #[test]
    fn a_process_that_nobody_waited_for_is_gone() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        for _ in 0..500 {
            if start_time(pid).is_none() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(start_time(pid), None);
        child.wait().unwrap();
    }
}
