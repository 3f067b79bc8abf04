//! What the end of a Parquet file says of it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

use super::decode::{guarded, message_of};
use crate::SourceError;

/// The four bytes at which a Parquet file begins and ends.
const MAGIC: &[u8; 4] = b"PAR1";
/// The same of a file whose footer is encrypted.
const MAGIC_ENCRYPTED: &[u8; 4] = b"PARE";

/// An open file and its footer.
pub(super) struct Footer {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) metadata: ArrowReaderMetadata,
    group_rows: Vec<i64>,
}

/// How many rows the row groups of a file hold: all that is kept of a footer until the file's turn comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowGroups {
    pub(super) path: PathBuf,
    rows: Vec<i64>,
}

impl Footer {
    /// Opens a file and reads its footer.
    ///
    /// # Errors
    /// When it cannot be read, or is not a whole Parquet file.
    pub(super) fn read(path: &Path) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Io { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        check_magic(path, &mut file).map_err(|error| match error {
            Magic::Io(source) => failed(source),
            Magic::Wrong(error) => error,
        })?;
        let damaged = |message: String| SourceError::DamagedFooter { path: path.to_owned(), message };
        let metadata =
            guarded(|| ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|error| message_of(&error)))
                .map_err(damaged)?;
        let group_rows: Vec<i64> = metadata.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
        let in_all = metadata.metadata().file_metadata().num_rows();
        let sum = group_rows.iter().try_fold(0i64, |sum, rows| sum.checked_add(*rows).filter(|_| *rows >= 0));
        if sum != Some(in_all) {
            return Err(damaged(format!("it states {in_all} rows, but its row groups do not hold as many")));
        }
        Ok(Self { path: path.to_owned(), file, metadata, group_rows })
    }

    /// Opens a file whose row groups are known and checks that it is still the same.
    ///
    /// # Errors
    /// As for [`Footer::read`], and when the row groups are others.
    pub(super) fn read_again(known: &RowGroups) -> Result<Self, SourceError> {
        let footer = Self::read(&known.path)?;
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
        RowGroups { path: self.path.clone(), rows: self.group_rows.clone() }
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

impl From<io::Error> for Magic {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Tells a file of another format, and one that lacks its end, from one that is damaged: the remedies differ.
fn check_magic(path: &Path, file: &mut File) -> Result<(), Magic> {
    let not_parquet =
        |found: &str| Magic::Wrong(SourceError::NotParquet { path: path.to_owned(), found: found.to_owned() });
    let size_bytes = file.metadata()?.len();
    if size_bytes == 0 {
        return Err(not_parquet("is empty"));
    }
    let mut first = Vec::with_capacity(MAGIC.len());
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut first)?;
    if first == MAGIC_ENCRYPTED {
        return Err(not_parquet("is encrypted, which is not supported"));
    }
    if first != MAGIC[..first.len()] {
        return Err(not_parquet("begins with other bytes"));
    }
    // The shortest file: the magic at both ends, and the length of a footer.
    let whole = size_bytes >= 12 && {
        let mut last = [0; MAGIC.len()];
        file.seek(SeekFrom::End(-(MAGIC.len() as i64)))?;
        file.read_exact(&mut last)?;
        last == *MAGIC
    };
    if whole { Ok(()) } else { Err(Magic::Wrong(SourceError::Truncated { path: path.to_owned(), size_bytes })) }
}
