//! The sources of text files, through a pipeline file.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod bad;
#[path = "../common/connect.rs"]
mod connect;
mod csv;
mod jsonl;
mod resume;
mod settings;
mod support;
