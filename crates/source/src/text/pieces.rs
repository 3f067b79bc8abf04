//! The pieces of one file.

use std::io::Read;
use std::path::PathBuf;

use super::cut::{LOOK_AHEAD_BYTES, piece_len};
use crate::SourceError;
use crate::files::InputFile;

/// Bytes that are read in one go.
const READ_BYTES: usize = 256 << 10;

/// Cuts a file into pieces. Holds one of them, or what is read in one go.
pub(super) struct Pieces {
    path: PathBuf,
    input: Box<dyn Read + Send>,
    piece_bytes_max: usize,
    /// What was read; bytes before `next` are done with.
    buffer: Vec<u8>,
    next: usize,
    /// Where in the file the next piece begins.
    position: u64,
    /// Where the last one ends.
    end: u64,
}

/// One piece, and where in the file it begins.
pub(super) struct Piece<'a> {
    pub(super) position: u64,
    pub(super) bytes: &'a [u8],
}

impl Pieces {
    /// Opens a file to cut its bytes from `position` up to `end`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn open(file: &InputFile, position: u64, end: u64, piece_bytes_max: usize) -> Result<Self, SourceError> {
        let path = file.path.clone();
        let input = file.open().and_then(|input| input.into_read(position));
        let input = input.map_err(|source| SourceError::Io { path: path.clone(), source })?;
        Ok(Self { path, input, piece_bytes_max, buffer: Vec::new(), next: 0, position, end })
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read, or is shorter than it was.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'_>>, SourceError> {
        let left = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(None);
        }
        let window = left.min(self.piece_bytes_max + LOOK_AHEAD_BYTES);
        self.read_until(window, left)?;
        let window = &self.buffer[self.next..self.next + window];
        let len = if left <= self.piece_bytes_max { left } else { piece_len(window, self.piece_bytes_max) };
        let (position, start) = (self.position, self.next);
        self.position += len as u64;
        self.next += len;
        Ok(Some(Piece { position, bytes: &self.buffer[start..start + len] }))
    }

    /// Reads on until at least `wanted` bytes wait, of the `left` that there are.
    fn read_until(&mut self, wanted: usize, left: usize) -> Result<(), SourceError> {
        let waiting = self.buffer.len() - self.next;
        if waiting >= wanted {
            return Ok(());
        }
        self.buffer.drain(..self.next);
        self.next = 0;
        let more = (left - waiting).min(READ_BYTES.max(wanted));
        let read = (&mut self.input).take(more as u64).read_to_end(&mut self.buffer);
        let read = read.map_err(|source| SourceError::Io { path: self.path.clone(), source })?;
        if read < more {
            let message = format!("it ends {} bytes earlier than it did", left - waiting - read);
            return Err(SourceError::Changed { path: self.path.clone(), message });
        }
        Ok(())
    }
}
