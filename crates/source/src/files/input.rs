//! One file, local or in an object store.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::PathBuf;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};
use sluicegate_place::{Found, ObjectFile, Place};

/// A file that is to be read.
#[derive(Debug, Clone)]
pub(crate) struct InputFile {
    /// Its path, or its URL as it is shown.
    pub(crate) path: PathBuf,
    remote: Option<(Place, Found)>,
}

impl InputFile {
    pub(crate) fn local(path: PathBuf) -> Self {
        Self { path, remote: None }
    }

    pub(crate) fn remote(place: Place, found: Found) -> Self {
        Self { path: place.shown(&found.name).into(), remote: Some((place, found)) }
    }

    pub(crate) fn is_local(&self) -> bool {
        self.remote.is_none()
    }

    /// Opens it. What is fetched of a file in a store is kept for as long as it is open.
    ///
    /// # Errors
    /// What the system said. A store is not asked yet.
    pub(crate) fn open(&self) -> io::Result<Input> {
        match &self.remote {
            None => File::open(&self.path).map(Input::Local),
            Some((place, found)) => Ok(Input::Remote(place.object(found))),
        }
    }
}

/// An open file.
pub(crate) enum Input {
    Local(File),
    Remote(ObjectFile),
}

impl Input {
    /// Reads it from the beginning.
    pub(crate) fn into_read(self) -> Box<dyn Read + Send> {
        match self {
            Self::Local(file) => Box::new(file),
            Self::Remote(file) => Box::new(file.reader(0)),
        }
    }

    /// Reads it from some byte to its end.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn read_from(self, start: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Local(mut file) => {
                file.seek(SeekFrom::Start(start))?;
                Box::new(file)
            }
            Self::Remote(file) => Box::new(file.reader(start)),
        })
    }

    /// The same file once more.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Local(file) => Self::Local(file.try_clone()?),
            Self::Remote(file) => Self::Remote(file.clone()),
        })
    }
}

impl Length for Input {
    fn len(&self) -> u64 {
        match self {
            Self::Local(file) => Length::len(file),
            Self::Remote(file) => file.found().size,
        }
    }
}

impl ChunkReader for Input {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(match self {
            Self::Local(file) => Box::new(file.get_read(start)?),
            Self::Remote(file) => Box::new(Near { file: file.clone(), at: start }),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self {
            Self::Local(file) => file.get_bytes(start, length),
            Self::Remote(file) => {
                let bytes = file.read_at(start, length).map_err(|error| ParquetError::External(error.into()))?;
                if bytes.len() != length {
                    return Err(ParquetError::EOF(format!("it ends {} bytes too early", length - bytes.len())));
                }
                Ok(bytes)
            }
        }
    }
}

/// Reads a little from some place on, out of the blocks that are kept.
struct Near {
    file: ObjectFile,
    at: u64,
}

/// Bytes that are looked at in one go: a page's header takes less.
const NEAR_BYTES: usize = 8 << 10;

impl Read for Near {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read_at(self.at, into.len().min(NEAR_BYTES))?;
        into[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}
