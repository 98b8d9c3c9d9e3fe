//! The program: runs the command line and ends the process.

use std::process::ExitCode;

use modo::{cli, error::Kind};

fn main() -> ExitCode {
    match cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Kind::Failed) => ExitCode::from(1),
        Err(Kind::Input) => ExitCode::from(2),
        // EX_TEMPFAIL of sysexits.h, which schedulers read as "start it again".
        Err(Kind::Interrupted) => ExitCode::from(75),
    }
}
