//! What all sources of files share: which files a path means, what their partitions are called, and how they are opened.
//!
//! | file | what it knows |
//! |---|---|
//! | `find` | which files the entries of `path` stand for |
//! | `remote` | the same, in an object store |
//! | `names` | what partitions are called after files |
//! | `input` | one file, local or in an object store |
//! | `until_failed` | that nothing comes after an error |
//! | `settings` | the settings of the same name and meaning in all of them |

mod find;
mod input;
mod names;
mod remote;
mod settings;
mod until_failed;

pub(crate) use find::{Kind, find};
pub(crate) use input::{Input, InputFile};
pub(crate) use names::{partition_called, partition_names};
pub use settings::{Partitions, Paths};
pub(crate) use settings::{batch_rows_default, bounds, check_batch_rows, check_paths, check_roles};
pub(crate) use until_failed::UntilFailed;
