//! The source of plain files: pieces, where they are cut, and reading on.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../common/connect.rs"]
mod connect;
mod pieces;
mod resume;
mod settings;
mod support;
