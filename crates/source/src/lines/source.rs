//! The partitions that text files make up.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::{BoxError, ConfigError, Offset, PartitionId, PipelineContext, Reader, Source};

use super::bounds;
use super::reader::{LinesReader, Reading};
use super::shape::Shape;
use crate::SourceError;
use crate::files::{self, InputFile, Kind, Partitions, Paths, UntilFailed};
use crate::position::{Bound, Position};

/// What happens to a record that cannot become a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadRecord {
    /// The run stops at it, and says which line of which file it is. After it is mended, or this setting changed, a new run goes
    /// on there.
    #[default]
    Fail,
    /// It goes to the sink with `input = "dead-letters"`; where there is none, the run stops at it.
    DeadLetter,
}

/// One log: files in order.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) id: PartitionId,
    pub(super) files: Vec<InputFile>,
}

/// What the settings of all text sources say alike.
pub(super) struct Common {
    pub(super) path: Paths,
    pub(super) kind: Kind,
    /// What the one partition is called where neither `path` nor the pipeline has a name.
    pub(super) nameless: &'static str,
    pub(super) shape: Shape,
    pub(super) partitions: Partitions,
    pub(super) start: Option<Position>,
    pub(super) stop: Option<Position>,
    pub(super) on_error: OnBadRecord,
    pub(super) batch_rows: usize,
}

/// Text files as a source.
pub(super) struct LinesSource {
    partitions: Vec<Arc<Partition>>,
    start: Option<Bound>,
    stop: Option<Bound>,
    reading: Arc<Reading>,
}

impl Common {
    /// Finds the files and looks at their beginnings.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the setting.
    pub(super) fn connect(self, pipeline: &PipelineContext) -> Result<Box<dyn Source>, ConfigError> {
        files::check_paths(&self.path)?;
        files::check_batch_rows(self.batch_rows)?;
        let has_time = self.shape.roles.time.is_some();
        let (start, stop) = files::bounds(self.start.as_ref(), self.stop.as_ref(), has_time)?;
        let at_path = |error: SourceError| ConfigError::new("path", error.to_string());
        let entries = self.path.entries();
        let found = files::find(entries, &pipeline.base_dir, self.kind).map_err(at_path)?;
        let names =
            files::partition_names(self.partitions, entries, &found, pipeline, self.nameless).map_err(at_path)?;
        let mut partitions: Vec<Partition> = Vec::new();
        for (name, file) in names.into_iter().zip(found) {
            pipeline.claim_read(&file.path);
            self.shape.open(&file).map_err(|error| match error {
                SourceError::MissingColumn { .. } | SourceError::DuplicateHeader { .. } => {
                    ConfigError::new("schema", error.to_string())
                }
                error => at_path(error),
            })?;
            match partitions.last_mut().filter(|last| last.id.as_str() == name) {
                Some(last) => last.files.push(file),
                None => partitions.push(Partition { id: PartitionId::new(name), files: vec![file] }),
            }
        }
        let reading = Reading {
            component: pipeline.component.clone(),
            shape: self.shape,
            on_error: self.on_error,
            batch_rows: self.batch_rows,
        };
        let partitions = partitions.into_iter().map(Arc::new).collect();
        Ok(Box::new(LinesSource { partitions, start, stop, reading: Arc::new(reading) }))
    }
}

impl Source for LinesSource {
    fn schema(&self) -> SchemaRef {
        self.reading.shape.schema.clone()
    }

    fn partitions(&mut self) -> Result<Vec<PartitionId>, BoxError> {
        Ok(self.partitions.iter().map(|partition| partition.id.clone()).collect())
    }

    fn open(&mut self, partition: &PartitionId, from: Option<Offset>) -> Result<Box<dyn Reader>, BoxError> {
        let found = files::partition_called(partition, &self.partitions, |known| &known.id)?;
        let resolve = |bound: Bound| bounds::resolve(bound, found, &self.reading.shape);
        let first = match (from, self.start) {
            (Some(Offset(from)), _) => from.max(0),
            (None, Some(start)) => resolve(start)?,
            (None, None) => 0,
        };
        let stop = self.stop.map(resolve).transpose()?.unwrap_or(i64::MAX);
        let reader = LinesReader::new(found, &self.reading, first..stop);
        Ok(Box::new(UntilFailed::new(reader, partition)))
    }
}
