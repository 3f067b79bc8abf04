//! How a file says that this sink wrote it.
//!
//! Its name alone does not: other programs call theirs `part-….parquet` too. So every file has an entry in its footer, and
//! only files that have it are ever removed.

use std::fs::{self, File};
use std::panic::catch_unwind;
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, KeyValue, ParquetMetaDataReader};
use sluicegate_place::ObjectFile;

/// The key of the entry. Its value is the name of the pipeline, so that equal runs write equal bytes.
const KEY: &str = "sluicegate.sink";
/// What the encoder puts into every footer. Some programs hand the entries of a file they read on to one they write, but
/// none takes over this.
const ENCODER: &str = "parquet-rs ";

/// Bytes at the end of a file in a store that are looked at first: most footers take less.
const FOOTER_BYTES: u64 = 64 << 10;

/// The entry in the files of the pipeline called `pipeline`.
pub(super) fn entry(pipeline: &str) -> KeyValue {
    KeyValue::new(KEY.to_owned(), pipeline.to_owned())
}

/// Whether a Parquet sink of some pipeline wrote this file. What cannot be read, and what is no plain file, is somebody
/// else's.
pub(super) fn is_ours(path: &Path) -> bool {
    // A link is not ours whatever it leads to, and opening a pipe would wait for its other end.
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return false;
    }
    let Ok(file) = File::open(path) else { return false };
    // The decoder panics on some damage.
    let footer = catch_unwind(|| -> Result<bool, ParquetError> {
        let footer = ParquetMetaDataReader::new().parse_and_finish(&file)?;
        Ok(is_marked(footer.file_metadata()))
    });
    matches!(footer, Ok(Ok(true)))
}

/// The same of a file in a store.
pub(super) fn is_ours_in_store(file: &ObjectFile) -> bool {
    let size = file.found().size;
    let mut wanted = FOOTER_BYTES.min(size);
    // Asked for more at most once: a footer says how long it is.
    for _ in 0..2 {
        let Ok(tail) = file.read_at(size.saturating_sub(wanted), wanted as usize) else { return false };
        let parsed = catch_unwind(move || {
            let mut reader = ParquetMetaDataReader::new();
            reader.try_parse_sized(&tail, size).and_then(|()| reader.finish())
        });
        match parsed {
            Ok(Ok(footer)) => return is_marked(footer.file_metadata()),
            Ok(Err(ParquetError::NeedMoreData(bytes))) => wanted = (bytes as u64).min(size),
            _ => return false,
        }
    }
    false
}

fn is_marked(footer: &FileMetaData) -> bool {
    let mut entries = footer.key_value_metadata().into_iter().flatten();
    entries.any(|entry| entry.key == KEY) && footer.created_by().is_some_and(|by| by.starts_with(ENCODER))
}
