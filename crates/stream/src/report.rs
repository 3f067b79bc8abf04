//! What a run has to tell afterwards.

use sluicegate_core::{ComponentKind, PartitionId};

use crate::Place;
use crate::meter::{Meter, Tally};

/// How a pipeline's run went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunReport {
    /// Whether the run was cancelled before all its sources ended. Everything that was read up to then is in the sinks.
    pub interrupted: bool,
    /// What passed each component on each partition, in the order of the shards and from the source to the sinks.
    pub rows: Vec<ComponentRows>,
}

/// The rows that passed one component instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComponentRows {
    /// What the component is.
    pub kind: ComponentKind,
    /// Its name in the pipeline.
    pub component: String,
    /// The partition of this instance.
    pub partition: PartitionId,
    /// Rows it took; 0 for a source.
    pub rows_in: u64,
    /// Rows it gave; 0 for a sink.
    pub rows_out: u64,
}

impl RunReport {
    /// Rows in and out of the component called `name`, over all partitions.
    pub fn total(&self, name: &str) -> (u64, u64) {
        let rows = self.rows.iter().filter(|rows| rows.component == name);
        rows.fold((0, 0), |(taken, given), rows| (taken + rows.rows_in, given + rows.rows_out))
    }
}

impl ComponentRows {
    pub(crate) fn read(place: &Place, partition: &PartitionId, meter: &Meter) -> Self {
        let read = |tally: &Option<Tally>| tally.as_ref().map_or(0, Tally::get);
        Self {
            kind: place.kind,
            component: place.component.to_string(),
            partition: partition.clone(),
            rows_in: read(&meter.rows_in),
            rows_out: read(&meter.rows_out),
        }
    }
}
