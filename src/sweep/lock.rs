//! One controller per experiment.

use std::{
    fs::{File, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use crate::{
    error::{Context, Error, Result},
    launch::Process,
};

/// Held for as long as the value lives; the system releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of an experiment, or says who has it.
    pub fn take(experiment: &Path) -> Result<Self> {
        let path = experiment.join("runs").join(".controller.lock");
        std::fs::create_dir_all(experiment.join("runs")).at(path.display())?;
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .at(path.display())?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(held(file).at(path.display())),
            Err(TryLockError::Error(error)) => {
                return Err(Error::failed(format!("the experiment cannot be locked: {error}"))
                    .at(path.display())
                    .hint("keep experiments on a file system that knows locks"));
            }
        }
        let holder =
            serde_json::to_vec(&Process::this()).expect("a process has string keys and whole numbers");
        let mut write = || {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&holder)
        };
        write().at(path.display())?;
        Ok(Self { _file: file })
    }
}

fn held(file: File) -> Error {
    let mut text = String::new();
    let _ = file.take(4096).read_to_string(&mut text);
    let who = serde_json::from_str::<Process>(&text)
        .map_or_else(|_| "another process".to_owned(), |p| format!("process {} on {}", p.pid, p.host));
    Error::input(format!("{who} is already working on this experiment"))
        .hint("wait until it is done, or stop it and give the same command again")
}
