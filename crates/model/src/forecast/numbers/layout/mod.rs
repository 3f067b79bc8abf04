//! Layouts: how forecasts become rows. One file each.

mod long;
mod wide;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use sluicegate_core::PartitionId;

use super::issue::Outcome;
use crate::config::LayoutKind;
use crate::error::ModelError;
use crate::forecast::arrays::dictionary;
use crate::forecast::column::Column;
use crate::forecast::plan::Plan;
use crate::forecast::stretch::Stretch;
use long::Long;
use wide::Wide;

/// The columns of the output.
pub(in crate::forecast) fn schema(plan: &Plan) -> SchemaRef {
    plan.schema(match plan.kind {
        LayoutKind::Long => long::fields(plan),
        LayoutKind::Wide => wide::fields(plan),
    })
}

fn data_type(column: Column) -> DataType {
    match column {
        Column::Family => dictionary(),
        Column::Drift => DataType::Boolean,
        _ => DataType::Float64,
    }
}

/// Something that turns stretches of events of one partition into tables.
pub(super) fn build(plan: &Plan, partition: &PartitionId) -> Box<dyn Layout> {
    match plan.kind {
        LayoutKind::Long => Box::new(Long::new(plan.clone(), partition)),
        LayoutKind::Wide => Box::new(Wide::new(plan.clone(), partition)),
    }
}

/// Turns stretches of events of one partition into tables.
pub(super) trait Layout: Send {
    /// The table of a stretch and of what became of it.
    fn table(&self, stretch: &Stretch, outcome: Outcome<'_>) -> Result<RecordBatch, ModelError>;

    /// Rows per event.
    fn rows_per_event(&self) -> usize;
}
