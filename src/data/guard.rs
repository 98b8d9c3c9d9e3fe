//! Decoders meet hostile bytes: a panic or an endless loop in one is an error of the file and not the end of a run.

use std::{
    cell::Cell,
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::{
        Once,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// Processor time that decoding anything at all may take, apart from its size.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes that a decoder must manage in a second of processor time.
const BYTES_PER_S: u64 = 10_000_000;

/// Time between two looks at a decoder that is not done.
const LOOK: Duration = Duration::from_millis(100);

/// Where nobody says what a thread has used: wall time may be so many times the processor time.
const WALL: u32 = 20;

thread_local! {
    /// Whether a panic here is expected, so that nobody need read about it.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder; a panic becomes an error.
pub(super) fn caught<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    silence();
    let before = QUIET.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(decode));
    QUIET.set(before);
    done.unwrap_or_else(|_| Err("the decoder failed on it, so the file is damaged".to_owned()))
}

/// Runs a decoder on a thread of its own; a panic or a time out of proportion to `bytes` becomes an error.
///
/// Time is that of the processor where the system tells it (Linux): a machine with other work makes no file bad.
/// Nothing can stop a thread from outside: one that never ends stays behind until the process ends.
pub(super) fn timed<T: Send + 'static>(
    bytes: u64,
    decode: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let patience = PATIENCE + Duration::from_secs(bytes / BYTES_PER_S);
    let (say_where, usage) = mpsc::channel();
    let (send, receive) = mpsc::channel();
    let work = move || {
        // Whoever waited may have given up.
        let _ = say_where.send(fs::read_link("/proc/thread-self").map(|thread| usage_file(&thread)).ok());
        let _ = send.send(caught(decode));
    };
    let start = Instant::now();
    thread::Builder::new().name("decoder".to_owned()).spawn(work).map_err(|e| e.to_string())?;
    let usage: Option<PathBuf> = usage.recv().ok().flatten();
    loop {
        match receive.recv_timeout(LOOK) {
            Ok(done) => return done,
            Err(RecvTimeoutError::Disconnected) => return Err("the decoder's thread ended early".to_owned()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let used = usage.as_deref().and_then(used).unwrap_or(start.elapsed() / WALL);
        if used > patience {
            return Err(format!("decoding takes more than {} s: the file is damaged", patience.as_secs()));
        }
    }
}

/// The file in which Linux says what a thread has used; `thread`: `1234/task/5678`.
fn usage_file(thread: &Path) -> PathBuf {
    Path::new("/proc").join(thread).join("schedstat")
}

/// Processor time of a thread.
fn used(usage: &Path) -> Option<Duration> {
    let text = fs::read_to_string(usage).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Keeps the message of expected panics from the terminal; all others go where they went.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_panic_or_an_endless_loop_is_an_error() {
        static DONE: AtomicBool = AtomicBool::new(false);
        let error = timed(0, || -> Result<(), String> { panic!("inside a decoder") }).unwrap_err();
        assert!(error.contains("the decoder failed"), "{error}");
        let endless = || -> Result<(), String> {
            while !DONE.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            Ok(())
        };
        assert!(timed(0, endless).unwrap_err().contains("more than 2 s"));
        DONE.store(true, Ordering::Relaxed);
        assert_eq!(timed(0, || Ok(3)), Ok(3));
    }
}
