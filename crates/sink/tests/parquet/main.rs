//! The Parquet sink, through its settings.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod columns;
mod earlier_runs;
mod files;
mod settings;
mod staged;
mod support;
