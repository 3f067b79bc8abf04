//! The `sluice` command with the built-in components.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluicegate_cli::main_with(|_| Ok(()))
}
