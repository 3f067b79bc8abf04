//! Writing one file of unknown length.

use std::io::{self, Write};

use object_store::{MultipartUpload, ObjectStoreExt as _, PutPayload};

use crate::{Place, PlaceError};

/// Bytes that are sent at once. Stores want 5 MiB at least, all parts of one size, and 10,000 of them at most: so a file can
/// have 80 GiB.
const PART_BYTES: usize = 8 << 20;

/// A file in the making. Dropping it leaves nothing behind, as far as the store can be reached.
pub struct Upload {
    place: Place,
    file: String,
    /// `None` until there is more than one part.
    parts: Option<Box<dyn MultipartUpload>>,
    waiting: Vec<u8>,
    finished: bool,
}

impl Upload {
    pub(crate) fn new(place: Place, file: String) -> Self {
        Self { place, file, parts: None, waiting: Vec::new(), finished: false }
    }

    fn send(&mut self, bytes: Vec<u8>) -> Result<(), PlaceError> {
        if self.parts.is_none() {
            let path = self.place.path(&self.file);
            let begun = self.place.wait("write", &self.file, self.place.store().put_multipart(&path))?;
            self.parts = Some(begun);
        }
        if let Some(parts) = &mut self.parts {
            let sent = parts.put_part(PutPayload::from(bytes));
            self.place.wait("write", &self.file, sent)?;
        }
        Ok(())
    }

    /// Sends what is left. The file is there, whole, when this returns.
    ///
    /// # Errors
    /// When it cannot be written; nothing is there then.
    pub fn finish(mut self) -> Result<(), PlaceError> {
        let rest = std::mem::take(&mut self.waiting);
        if self.parts.is_none() {
            let path = self.place.path(&self.file);
            let put = self.place.store().put(&path, PutPayload::from(rest));
            self.place.wait("write", &self.file, put)?;
        } else {
            if !rest.is_empty() {
                self.send(rest)?;
            }
            if let Some(parts) = &mut self.parts {
                self.place.wait("write", &self.file, parts.complete())?;
            }
        }
        self.finished = true;
        Ok(())
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PART_BYTES - self.waiting.len());
        self.waiting.extend_from_slice(&bytes[..taken]);
        if self.waiting.len() == PART_BYTES {
            let full = std::mem::take(&mut self.waiting);
            self.send(full)?;
        }
        Ok(taken)
    }

    /// Does nothing: a part is sent when it is full, the last one by [`Upload::finish`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (false, Some(parts)) = (self.finished, &mut self.parts) {
            // Nobody is left to tell; stores remove abandoned parts where they are told to.
            drop(self.place.wait("remove", &self.file, parts.abort()));
        }
    }
}
