//! The rows of one partition, cut into files.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::file::properties::WriterProperties;
use sluicegate_core::{Batch, BoxError, Sink};

use super::directory::Directory;
use super::names;
use super::part::Part;
use crate::SinkError;

/// Where row groups and files end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) group_rows: usize,
    pub(super) file_rows: u64,
    pub(super) file_bytes: u64,
}

impl Limits {
    /// Rows that still go into the row group and the file at hand.
    pub(super) fn room(&self, part: &Part) -> usize {
        let file_room = usize::try_from(self.file_rows - part.rows()).unwrap_or(usize::MAX);
        (self.group_rows - part.group_rows()).min(file_room)
    }

    /// Whether the file at hand is to be closed.
    pub(super) fn is_full(&self, part: &Part) -> bool {
        let group_ended = part.group_rows() == 0;
        part.rows() == self.file_rows || (group_ended && part.bytes() >= self.file_bytes)
    }
}

/// Refuses rows of other columns than the sink was bound to.
///
/// # Errors
/// With the `path` of the file at hand.
pub(super) fn check_columns(
    records: &RecordBatch,
    schema: &SchemaRef,
    path: impl FnOnce() -> PathBuf,
) -> Result<(), SinkError> {
    let found = records.schema_ref();
    if Arc::ptr_eq(found, schema) || same_columns(found, schema) {
        return Ok(());
    }
    Err(SinkError::Columns { path: path(), expected: describe(schema), found: describe(found) })
}

pub(super) struct ParquetSink {
    directory: Arc<Directory>,
    tag: String,
    schema: SchemaRef,
    properties: WriterProperties,
    limits: Limits,
    /// The number of the file in the making, or of the next one.
    number: u64,
    /// `None` between two files.
    part: Option<Part>,
    published: bool,
    ended: bool,
}

impl ParquetSink {
    /// Begins the first file at once, so that a directory that cannot be written to is found before any work is done.
    pub(super) fn begin(
        directory: Arc<Directory>,
        tag: String,
        number: u64,
        schema: &SchemaRef,
        properties: &WriterProperties,
        limits: Limits,
    ) -> Result<Self, SinkError> {
        let mut sink = Self {
            directory,
            tag,
            schema: schema.clone(),
            properties: properties.clone(),
            limits,
            number,
            part: None,
            published: false,
            ended: false,
        };
        sink.part = Some(sink.next_part()?);
        Ok(sink)
    }

    fn next_part(&self) -> Result<Part, SinkError> {
        let name = names::complete(&self.tag, self.number);
        let hidden = names::unfinished(&name);
        Part::create(self.directory.folder(), name, hidden, &self.schema, &self.properties)
    }

    /// Where row groups and files end depends on the rows alone, not on how they come in batches.
    fn append(&mut self, records: &RecordBatch) -> Result<(), SinkError> {
        check_columns(records, &self.schema, || {
            self.directory.folder().path_of(&names::complete(&self.tag, self.number))
        })?;
        let mut written = 0;
        while written < records.num_rows() {
            let part = match &mut self.part {
                Some(part) => part,
                None => {
                    let part = self.next_part()?;
                    self.part.insert(part)
                }
            };
            let rows = self.limits.room(part).min(records.num_rows() - written);
            part.write(&records.slice(written, rows))?;
            written += rows;
            if self.limits.is_full(part) {
                self.publish()?;
            }
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<(), SinkError> {
        if let Some(part) = self.part.take() {
            self.directory.publish(part)?;
            self.published = true;
            self.number += 1;
        }
        Ok(())
    }
}

fn same_columns(a: &Schema, b: &Schema) -> bool {
    a.fields().len() == b.fields().len()
        && a.fields().iter().zip(b.fields()).all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type())
}

fn describe(schema: &Schema) -> String {
    let columns = schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type()));
    columns.collect::<Vec<_>>().join(", ")
}

impl Sink for ParquetSink {
    fn write(&mut self, batch: &Batch) -> Result<(), BoxError> {
        if self.ended {
            return Err(SinkError::Ended { path: self.directory.path().to_owned() }.into());
        }
        self.append(batch.records()).map_err(|error| {
            self.ended = true;
            self.part = None;
            error.into()
        })
    }

    /// A partition without rows gets one file without rows, so that its columns are known.
    fn finish(&mut self) -> Result<(), BoxError> {
        if self.ended {
            return Err(SinkError::Ended { path: self.directory.path().to_owned() }.into());
        }
        self.ended = true;
        if self.published && self.part.as_ref().is_some_and(|part| part.rows() == 0) {
            self.part = None;
        }
        Ok(self.publish()?)
    }
}
