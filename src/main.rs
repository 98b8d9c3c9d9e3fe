//! The program: runs the command line and ends the process.

use std::process::ExitCode;

/// A training step makes and drops thousands of tensors.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match modo::cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(kind) => ExitCode::from(kind.exit_code()),
    }
}
