//! One file in the making.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::directory::Directory;
use super::names;
use crate::SinkError;

/// A file under a hidden name. Dropping it removes it; [`Part::publish`] gives it its name.
pub(super) struct Part {
    name: String,
    unfinished: PathBuf,
    writer: ArrowWriter<File>,
    rows: u64,
}

impl Part {
    /// Begins the file that will be called `name`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub(super) fn create(
        directory: &Directory,
        name: String,
        schema: &SchemaRef,
        properties: &WriterProperties,
    ) -> Result<Self, SinkError> {
        let unfinished = directory.path().join(names::unfinished(&name));
        let file = File::create_new(&unfinished).map_err(|source| SinkError::Io {
            doing: "write into",
            path: directory.path().to_owned(),
            source,
        })?;
        match ArrowWriter::try_new(file, schema.clone(), Some(properties.clone())) {
            Ok(writer) => Ok(Self { name, unfinished, writer, rows: 0 }),
            Err(error) => {
                let error = failed(unfinished.clone(), error);
                drop(fs::remove_file(unfinished));
                Err(error)
            }
        }
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows of the row group that is not yet written.
    pub(super) fn group_rows(&self) -> usize {
        self.writer.in_progress_rows()
    }

    /// Bytes of the row groups that are written.
    pub(super) fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        self.writer.write(rows).map_err(|error| failed(self.unfinished.clone(), error))?;
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    /// Completes the file, waits until it is on the disk, and moves it to `path` in the same directory.
    pub(super) fn complete_as(mut self, path: &Path) -> Result<(), SinkError> {
        self.finish()?;
        let failed = |source| SinkError::Io { doing: "complete", path: path.to_owned(), source };
        fs::rename(&self.unfinished, path).map_err(failed)
    }

    /// Completes the file, waits until it is on the disk, and gives it its name.
    pub(super) fn publish(mut self, directory: &Directory) -> Result<(), SinkError> {
        self.finish()?;
        directory.publish(&self.unfinished, &self.name)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.writer.finish().map_err(|error| failed(self.unfinished.clone(), error))?;
        let synced = self.writer.inner().sync_all();
        synced.map_err(|source| SinkError::Io { doing: "write", path: self.unfinished.clone(), source })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // A published file is not under this name any more. Where removing fails there is nobody left to tell.
        drop(fs::remove_file(&self.unfinished));
    }
}

/// Tells what the system refused from what the encoder refused.
fn failed(path: PathBuf, error: ParquetError) -> SinkError {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match source {
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
