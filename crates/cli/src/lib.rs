//! The `sluice` command, as a library, so that a program with components of its own has every command.
//!
//! ```no_run
//! use std::process::ExitCode;
//! # use sluicegate::{OperatorConfig, PipelineContext, OperatorFactory, ConfigError};
//! # #[derive(serde::Deserialize, schemars::JsonSchema)]
//! # struct MyOperator {}
//! # impl OperatorConfig for MyOperator {
//! #     fn bind(
//! #         self,
//! #         _: &arrow::datatypes::SchemaRef,
//! #         _: &PipelineContext,
//! #     ) -> Result<Box<dyn OperatorFactory>, ConfigError> {
//! #         Err(ConfigError::new("", "not today"))
//! #     }
//! # }
//!
//! fn main() -> ExitCode {
//!     sluicegate_cli::main_with(|registry| registry.operator::<MyOperator>("mine"))
//! }
//! ```
//!
//! Results go to standard output; progress, errors and logs to standard error. Exit codes: 0 done, also after SIGTERM; 1 failed
//! while running; 2 wrong arguments or a wrong pipeline; 130 interrupted; 143 stopped at once by a second SIGTERM.

mod args;
#[cfg(feature = "model")]
mod backtest;
mod check;
mod checkpoint;
mod components;
mod console;
#[cfg(feature = "model")]
mod diagnose;
mod failure;
#[cfg(feature = "model")]
mod generate;
mod interrupt;
mod layout;
mod logs;
mod produce;
mod progress;
mod run;
mod schema;
mod score_table;
mod scores;
mod serve;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use console::Console;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use sluicegate::{Registry, RegistryError, default_registry};

use crate::args::{Cli, Command};
use crate::failure::{Ending, Failure};

/// The whole of a `main` function: runs the command line of the process, with the component types that `extend` adds to the
/// built-in ones.
pub fn main_with(extend: impl FnOnce(&mut Registry) -> Result<(), RegistryError>) -> ExitCode {
    run(std::env::args_os(), extend, &mut Console::of_process())
}

/// Runs the command line `args`, whose first item is the program's name, and writes to `console`.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    extend: impl FnOnce(&mut Registry) -> Result<(), RegistryError>,
    console: &mut Console<'_>,
) -> ExitCode {
    ExitCode::from(end(args, extend, console) as u8)
}

fn end(
    args: impl IntoIterator<Item = OsString>,
    extend: impl FnOnce(&mut Registry) -> Result<(), RegistryError>,
    console: &mut Console<'_>,
) -> Ending {
    match Cli::try_parse_from(args) {
        Ok(cli) => match dispatch(cli, extend, console) {
            Ok(ending) => ending,
            Err(failure) => failure.report(console),
        },
        Err(error) if error.use_stderr() => {
            console.err(format_args!("{}", error.render()));
            Ending::Wrong
        }
        // `--help` and `--version` come as errors that are none.
        Err(error) => match console.out(format_args!("{}", error.render())) {
            Ok(()) => Ending::Done,
            Err(failure) => failure.report(console),
        },
    }
}

fn dispatch(
    cli: Cli,
    extend: impl FnOnce(&mut Registry) -> Result<(), RegistryError>,
    console: &mut Console<'_>,
) -> Result<Ending, Failure> {
    let mut registry = default_registry().map_err(|error| Failure::wrong(&error))?;
    extend(&mut registry).map_err(|error| Failure::wrong(&error))?;
    match cli.command {
        Command::Run(args) => run::run(&args, &registry, console),
        Command::Check(args) => check::check(&args, &registry, console),
        Command::Components(args) => components::components(&args, &registry, console),
        Command::Checkpoint(command) => checkpoint::checkpoint(&command, &registry, console),
        #[cfg(feature = "model")]
        Command::Backtest(args) => backtest::backtest(&args, &registry, console),
        #[cfg(feature = "model")]
        Command::Diagnose(command) => diagnose::diagnose(&command, &registry, console),
        #[cfg(feature = "model")]
        Command::Generate(args) => generate::generate(&args, &registry, console),
        Command::Produce(args) => produce::produce(&args, registry, console),
    }
}
