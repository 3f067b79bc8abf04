//! Reading one file by ranges.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

use crate::{Found, Place, PlaceError};

/// Bytes that are fetched at once where a file is read here and there: a page of most columns.
const BLOCK_BYTES: u64 = 1 << 20;
/// Blocks that are kept, so that pages of so many columns can be read in turn without fetching one twice: 48 MiB.
const BLOCKS_MAX: usize = 48;
/// Bytes that are fetched at once where a file is read from beginning to end.
const STRETCH_BYTES: u64 = 4 << 20;

/// A file, read by ranges. Clones share what was fetched last.
///
/// Every range is asked for only if the file is still the one that was found.
#[derive(Debug, Clone)]
pub struct ObjectFile {
    place: Place,
    found: Found,
    /// The blocks that were used last, the latest at the end.
    blocks: Arc<Mutex<VecDeque<(u64, Bytes)>>>,
}

impl ObjectFile {
    pub(crate) fn new(place: Place, found: Found) -> Self {
        Self { place, found, blocks: Arc::default() }
    }

    /// What was found.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// The file as it is shown.
    pub fn shown(&self) -> String {
        self.place.shown(&self.found.name)
    }

    /// `len` bytes from `start` on; fewer at the end of the file.
    ///
    /// # Errors
    /// When they cannot be read, or the file is another one now.
    pub fn read_at(&self, start: u64, len: usize) -> Result<Bytes, PlaceError> {
        let end = start.saturating_add(len as u64).min(self.found.size);
        if start >= end {
            return Ok(Bytes::new());
        }
        let (first, last) = (start / BLOCK_BYTES, (end - 1) / BLOCK_BYTES);
        if last - first > BLOCKS_MAX as u64 / 2 {
            return self.place.read_range(&self.found, start..end);
        }
        let mut read = BytesMut::with_capacity(if first == last { 0 } else { (end - start) as usize });
        for number in first..=last {
            let block = self.block(number)?;
            let from = start.saturating_sub(number * BLOCK_BYTES) as usize;
            let to = (end - number * BLOCK_BYTES).min(block.len() as u64) as usize;
            if from > to {
                return Err(PlaceError::Changed { file: self.shown() });
            }
            let wanted = block.slice(from..to);
            if first == last {
                return Ok(wanted);
            }
            read.extend_from_slice(&wanted);
        }
        Ok(read.freeze())
    }

    fn block(&self, number: u64) -> Result<Bytes, PlaceError> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let known = blocks.iter().position(|(known, _)| *known == number).and_then(|at| blocks.remove(at));
        let block = match known {
            Some((_, block)) => block,
            None => {
                let start = number * BLOCK_BYTES;
                let end = (start + BLOCK_BYTES).min(self.found.size);
                self.place.read_range(&self.found, start..end)?
            }
        };
        if blocks.len() >= BLOCKS_MAX {
            blocks.pop_front();
        }
        blocks.push_back((number, block.clone()));
        Ok(block)
    }

    /// Reads from `start` to the end of the file.
    pub fn reader(&self, start: u64) -> ObjectReader {
        ObjectReader { file: self.clone(), at: start, fetched: Bytes::new() }
    }
}

/// Reads a file from some place to its end, four MiB at a time.
#[derive(Debug)]
pub struct ObjectReader {
    file: ObjectFile,
    at: u64,
    fetched: Bytes,
}

impl Read for ObjectReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.fetched.is_empty() {
            let end = self.at.saturating_add(STRETCH_BYTES).min(self.file.found.size);
            if self.at >= end {
                return Ok(0);
            }
            self.fetched = self.file.place.read_range(&self.file.found, self.at..end)?;
            self.at = end;
        }
        let some = self.fetched.split_to(into.len().min(self.fetched.len()));
        into[..some.len()].copy_from_slice(&some);
        Ok(some.len())
    }
}
