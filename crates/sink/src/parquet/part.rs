//! One file in the making.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use sluicegate_place::PlaceError;

use super::folder::{Folder, Output};
use crate::SinkError;

/// A file that nobody sees yet. Dropping it removes it; [`Part::complete`] gives it its name.
pub(super) struct Part {
    folder: Arc<Folder>,
    name: String,
    /// What it is called until then, where it could be seen.
    hidden: Option<String>,
    /// `None` when it is finished.
    writer: Option<ArrowWriter<Output>>,
    /// Finished, but without its name.
    output: Option<Output>,
    rows: u64,
}

impl Part {
    /// Begins the file that will be called `name`; `hidden` is what it is called before, where it could be seen.
    ///
    /// # Errors
    /// When no file can be made there.
    pub(super) fn create(
        folder: &Arc<Folder>,
        name: String,
        hidden: String,
        schema: &SchemaRef,
        properties: &WriterProperties,
    ) -> Result<Self, SinkError> {
        let hidden = folder.shows_unfinished().then_some(hidden);
        let output = folder.create(hidden.as_ref().unwrap_or(&name))?;
        let mut part = Self { folder: Arc::clone(folder), name, hidden, writer: None, output: None, rows: 0 };
        let writer = ArrowWriter::try_new(output, schema.clone(), Some(properties.clone()));
        part.writer = Some(writer.map_err(|error| part.failed(error))?);
        Ok(part)
    }

    /// What it will be called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows of the row group that is not yet written.
    pub(super) fn group_rows(&self) -> usize {
        self.writer.as_ref().map_or(0, ArrowWriter::in_progress_rows)
    }

    /// Bytes of the row groups that are written.
    pub(super) fn bytes(&self) -> u64 {
        self.writer.as_ref().map_or(0, |writer| writer.bytes_written() as u64)
    }

    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        let Some(writer) = &mut self.writer else { return Err(SinkError::Ended { path: self.shown() }) };
        if let Err(error) = writer.write(rows) {
            return Err(self.failed(error));
        }
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    /// Writes the file to its end, and waits until it is on the disk. It has no name yet.
    pub(super) fn finish(&mut self) -> Result<(), SinkError> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let output = writer.into_inner().map_err(|error| self.failed(error))?;
        output.sync()?;
        self.output = Some(output);
        Ok(())
    }

    /// Completes the file and gives it its name, which no other file must have.
    pub(super) fn complete(mut self) -> Result<(), SinkError> {
        self.finish()?;
        if let Some(output) = self.output.take() {
            output.complete()?;
        }
        match &self.hidden {
            Some(hidden) => self.folder.rename(hidden, &self.name),
            None => Ok(()),
        }
    }

    fn shown(&self) -> PathBuf {
        self.folder.path_of(self.hidden.as_ref().unwrap_or(&self.name))
    }

    fn failed(&self, error: ParquetError) -> SinkError {
        failed(self.shown(), error)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            // A complete file is not under this name any more. Where removing fails there is nobody left to tell.
            drop(self.folder.remove("remove", hidden));
        }
    }
}

/// Tells what the system refused from what the encoder refused.
fn failed(path: PathBuf, error: ParquetError) -> SinkError {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match source {
        Some(source) if source.get_ref().is_some_and(|inner| inner.is::<PlaceError>()) => {
            SinkError::Store { message: source.to_string() }
        }
        Some(source) => {
            let same = match source.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(source.kind(), source.to_string()),
            };
            SinkError::Io { doing: "write", path, source: same }
        }
        None => SinkError::Encode { path, message: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_with_the_files_name_and_what_to_do() {
        let full = ParquetError::from(io::Error::from(io::ErrorKind::StorageFull));
        let told = failed(PathBuf::from("out/.part-p-00000.parquet.tmp"), full).to_string();
        assert!(told.contains("out/.part-p-00000.parquet.tmp") && told.contains("make room"), "{told}");
        let encoder = failed(PathBuf::from("out/x"), ParquetError::General("no".to_owned()));
        assert!(matches!(encoder, SinkError::Encode { .. }));
    }
}
