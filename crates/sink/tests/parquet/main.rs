//! The Parquet sink, through its settings.
#![allow(clippy::unwrap_used, clippy::panic)]

mod columns;
mod earlier_runs;
mod files;
mod settings;
mod support;
