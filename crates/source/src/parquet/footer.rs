//! What the end of a Parquet file says of it.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader as _, Length as _};

use super::decode::{guarded, message_of};
use crate::SourceError;
use crate::files::{Input, InputFile};

/// The four bytes at which a Parquet file begins and ends.
const MAGIC: &[u8; 4] = b"PAR1";
/// The same of a file whose footer is encrypted.
const MAGIC_ENCRYPTED: &[u8; 4] = b"PARE";

/// An open file and its footer.
pub(super) struct Footer {
    pub(super) path: PathBuf,
    file: InputFile,
    pub(super) input: Input,
    pub(super) metadata: ArrowReaderMetadata,
    group_rows: Vec<i64>,
}

/// How many rows the row groups of a file hold: all that is kept of a footer until the file's turn comes.
#[derive(Debug, Clone)]
pub(super) struct RowGroups {
    pub(super) file: InputFile,
    rows: Vec<i64>,
}

impl Footer {
    /// Opens a file and reads its footer.
    ///
    /// # Errors
    /// When it cannot be read, or is not a whole Parquet file.
    pub(super) fn read(file: &InputFile) -> Result<Self, SourceError> {
        let path = &file.path;
        let failed = |source| SourceError::Io { path: path.to_owned(), source };
        let input = file.open().map_err(failed)?;
        check_magic(path, &input).map_err(|error| match error {
            Magic::Io(source) => failed(source),
            Magic::Wrong(error) => error,
        })?;
        let damaged = |message: String| SourceError::DamagedFooter { path: path.to_owned(), message };
        let metadata = guarded(|| {
            ArrowReaderMetadata::load(&input, ArrowReaderOptions::new()).map_err(|error| message_of(&error))
        })
        .map_err(damaged)?;
        let group_rows: Vec<i64> = metadata.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
        let in_all = metadata.metadata().file_metadata().num_rows();
        let sum = group_rows.iter().try_fold(0i64, |sum, rows| sum.checked_add(*rows).filter(|_| *rows >= 0));
        if sum != Some(in_all) {
            return Err(damaged(format!("it states {in_all} rows, but its row groups do not hold as many")));
        }
        Ok(Self { path: path.to_owned(), file: file.clone(), input, metadata, group_rows })
    }

    /// Opens a file whose row groups are known and checks that it is still the same.
    ///
    /// # Errors
    /// As for [`Footer::read`], and when the row groups are others.
    pub(super) fn read_again(known: &RowGroups) -> Result<Self, SourceError> {
        let footer = Self::read(&known.file)?;
        if footer.group_rows != known.rows {
            let rows = |groups: &[i64]| groups.iter().sum::<i64>();
            return Err(SourceError::Changed {
                path: footer.path,
                message: format!("it had {} rows and now has {}", rows(&known.rows), rows(&footer.group_rows)),
            });
        }
        Ok(footer)
    }

    pub(super) fn row_groups(&self) -> RowGroups {
        RowGroups { file: self.file.clone(), rows: self.group_rows.clone() }
    }
}

impl RowGroups {
    /// Rows of the whole file.
    pub(super) fn rows(&self) -> i64 {
        self.rows.iter().sum()
    }

    /// Every row group with the rows it holds, counted within the file.
    pub(super) fn spans(&self) -> impl Iterator<Item = (usize, Range<i64>)> + '_ {
        let mut first = 0;
        self.rows.iter().enumerate().map(move |(group, rows)| {
            let span = first..first + rows;
            first = span.end;
            (group, span)
        })
    }
}

enum Magic {
    Io(io::Error),
    Wrong(SourceError),
}

/// Tells a file of another format, and one that lacks its end, from one that is damaged: the remedies differ.
fn check_magic(path: &Path, input: &Input) -> Result<(), Magic> {
    let not_parquet =
        |found: &str| Magic::Wrong(SourceError::NotParquet { path: path.to_owned(), found: found.to_owned() });
    let bytes_at = |start: u64, len: u64| {
        input.get_bytes(start, len as usize).map_err(|error| match error {
            ParquetError::External(error) => match error.downcast::<io::Error>() {
                Ok(error) => Magic::Io(*error),
                Err(error) => Magic::Io(io::Error::other(error)),
            },
            error => Magic::Io(io::Error::other(message_of(&error))),
        })
    };
    let size_bytes = input.len();
    if size_bytes == 0 {
        return Err(not_parquet("is empty"));
    }
    let magic_bytes = MAGIC.len() as u64;
    let first = bytes_at(0, magic_bytes.min(size_bytes))?;
    if first == MAGIC_ENCRYPTED[..] {
        return Err(not_parquet("is encrypted, which is not supported"));
    }
    if first != MAGIC[..first.len()] {
        return Err(not_parquet("begins with other bytes"));
    }
    // The shortest file: the magic at both ends, and the length of a footer.
    let whole = size_bytes >= 12 && bytes_at(size_bytes - magic_bytes, magic_bytes)? == MAGIC[..];
    if whole { Ok(()) } else { Err(Magic::Wrong(SourceError::Truncated { path: path.to_owned(), size_bytes })) }
}
