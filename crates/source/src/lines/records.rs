//! The records of one file.

use std::ffi::OsStr;
use std::io::Read;
use std::path::PathBuf;

use memchr::memchr_iter;

use super::shape::Syntax;
use crate::SourceError;
use crate::files::InputFile;

/// A longer record is refused: one is held in memory as a whole, and a quote that is not closed must not take all of it.
const RECORD_BYTES_MAX: usize = 16 << 20;
/// Bytes that are read in one go.
const READ_BYTES: usize = 256 << 10;

const BOM: &[u8] = b"\xef\xbb\xbf";
const BOMS_UTF16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// Cuts a file into records. Holds as much as one of them takes, or what is read in one go.
pub(super) struct Records {
    path: PathBuf,
    syntax: Syntax,
    input: Box<dyn Read + Send>,
    /// What was read; records before `next` are done with.
    buffer: Vec<u8>,
    next: usize,
    at_end: bool,
    /// The line at which the next record begins, counted from 1.
    line: u64,
}

/// One record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Its bytes, without the end of its line.
    pub(super) bytes: &'a [u8],
    /// The line that it begins at.
    pub(super) line: u64,
}

impl Records {
    /// Opens a file, which is unpacked when its name ends in `.gz` or `.zst`.
    ///
    /// # Errors
    /// When it cannot be read, or is no UTF-8 text by its first bytes.
    pub(super) fn open(file: &InputFile, syntax: Syntax) -> Result<Self, SourceError> {
        let path = file.path.clone();
        let failed = |source| SourceError::Io { path: file.path.clone(), source };
        let plain = file.open().and_then(|input| input.into_read(0)).map_err(failed)?;
        let input: Box<dyn Read + Send> = match path.extension().and_then(OsStr::to_str) {
            Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(plain)),
            Some("zst") => Box::new(zstd::Decoder::new(plain).map_err(failed)?),
            _ => plain,
        };
        let mut records = Self { path, syntax, input, buffer: Vec::new(), next: 0, at_end: false, line: 1 };
        while records.buffer.len() < BOM.len() && !records.at_end {
            records.read_more()?;
        }
        if BOMS_UTF16.iter().any(|bom| records.buffer.starts_with(bom)) {
            let message = "it is UTF-16; write it as UTF-8, with `iconv -f UTF-16 -t UTF-8` for example".to_owned();
            return Err(SourceError::Header { path: records.path, message });
        }
        if records.buffer.starts_with(BOM) {
            records.next = BOM.len();
        }
        Ok(records)
    }

    /// The next record that is no empty line; `None` at the end. What stands after the last line feed is a record, too.
    ///
    /// # Errors
    /// When the file cannot be read, or the record is too long.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, SourceError> {
        loop {
            let rest = self.buffer.get(self.next..).unwrap_or_default();
            let (len, taken) = match self.syntax.end_of_record(rest) {
                Some(end) => (end, end + 1),
                None if !self.at_end => {
                    if rest.len() > RECORD_BYTES_MAX {
                        let (path, line, hint) = (self.path.clone(), self.line, self.syntax.hint());
                        return Err(SourceError::LongRecord { path, line, bytes_max: RECORD_BYTES_MAX, hint });
                    }
                    self.read_more()?;
                    continue;
                }
                None if rest.is_empty() => return Ok(None),
                None => (rest.len(), rest.len()),
            };
            let (start, line) = (self.next, self.line);
            self.next += taken;
            self.line += memchr_iter(b'\n', &rest[..taken]).count() as u64;
            let len = if rest[..len].last() == Some(&b'\r') { len - 1 } else { len };
            if self.syntax.is_blank(&rest[..len]) {
                continue;
            }
            return Ok(Some(Record { bytes: &self.buffer[start..start + len], line }));
        }
    }

    /// Reads on, as much again as there is when a record takes all of it.
    fn read_more(&mut self) -> Result<(), SourceError> {
        self.buffer.drain(..self.next);
        self.next = 0;
        let had = self.buffer.len();
        let wanted = READ_BYTES.max(had);
        let read = (&mut self.input).take(wanted as u64).read_to_end(&mut self.buffer);
        let read = read.map_err(|source| SourceError::Io { path: self.path.clone(), source })?;
        self.at_end = read < wanted;
        Ok(())
    }
}
