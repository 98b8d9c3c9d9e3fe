//! The program: runs the command line and ends the process.

use std::process::ExitCode;

fn main() -> ExitCode {
    match modo::cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(kind) => ExitCode::from(kind.exit_code()),
    }
}
