//! The file that is written.

use std::fs::File;
use std::path::Path;

use crate::failure::Failure;

/// A new file, in place of any that is there.
pub(super) fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| unwritable(path, &error))
}

pub(super) fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("{} cannot be written: {error}", path.display()))
}
