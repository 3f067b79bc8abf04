//! The source of sound, through a pipeline file.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod bad;
#[path = "../common/connect.rs"]
mod connect;
mod encodings;
mod frames;
mod keys;
mod resume;
mod settings;
mod support;
