//! Rows at a steady pace.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate::arrow::datatypes::SchemaRef;
use sluicegate::{
    Batch, BoxError, ConfigError, Operator, OperatorConfig, OperatorFactory, Output, PipelineContext, Placement,
    ShardContext, SnapshotReader, SnapshotWriter,
};

/// Hands rows on at a steady pace, over all partitions together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rate {
    /// Rows a second.
    rows_per_second: f64,
}

/// When the next rows may go: a token bucket that holds no more than one batch.
#[derive(Debug)]
pub(super) struct Pace {
    seconds_per_row: f64,
    free: Option<Instant>,
}

impl Pace {
    pub(super) fn new(rows_per_second: f64) -> Self {
        Self { seconds_per_row: 1.0 / rows_per_second, free: None }
    }

    /// How long rows that are there at `now` have to wait. What waits too long is made up for by the next; time in which there
    /// was nothing to hand on is not.
    pub(super) fn wait(&mut self, rows: usize, now: Instant) -> Duration {
        let begin = self.free.map_or(now, |free| free.max(now));
        self.free = Some(begin + Duration::from_secs_f64(rows as f64 * self.seconds_per_row));
        begin.saturating_duration_since(now)
    }
}

impl OperatorConfig for Rate {
    fn bind(self, input: &SchemaRef, _: &PipelineContext) -> Result<Box<dyn OperatorFactory>, ConfigError> {
        let pace = Arc::new(Mutex::new(Pace::new(self.rows_per_second)));
        Ok(Box::new(Factory { columns: input.clone(), pace }))
    }
}

struct Factory {
    columns: SchemaRef,
    pace: Arc<Mutex<Pace>>,
}

impl OperatorFactory for Factory {
    fn output_schema(&self) -> SchemaRef {
        self.columns.clone()
    }
    fn placement(&self) -> Placement {
        // It sleeps.
        Placement::Worker
    }
    fn build(&self, _: &ShardContext) -> Result<Box<dyn Operator>, BoxError> {
        Ok(Box::new(Keeping { pace: Arc::clone(&self.pace) }))
    }
}

struct Keeping {
    pace: Arc<Mutex<Pace>>,
}

impl Operator for Keeping {
    fn process(&mut self, batch: Batch, out: &mut Output) -> Result<(), BoxError> {
        let wait = self.pace.lock().unwrap_or_else(PoisonError::into_inner).wait(batch.len(), Instant::now());
        std::thread::sleep(wait);
        out.emit(batch);
        Ok(())
    }
    fn snapshot(&self, _: &mut SnapshotWriter) -> Result<(), BoxError> {
        Ok(())
    }
    fn restore(&mut self, _: &SnapshotReader<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}
