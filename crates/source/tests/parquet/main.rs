//! The Parquet source, through a pipeline file.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod bounds;
#[path = "../common/connect.rs"]
mod connect;
mod damage;
mod files;
mod reading;
mod resume;
mod settings;
mod support;
