//! The Parquet source, through a pipeline file.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bounds;
mod damage;
mod files;
mod reading;
mod resume;
mod settings;
mod support;
