//! How many rows passed a component, and how long it was busy with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sluicegate_core::{ComponentKind, Counter, ShardContext};

/// A count that belongs to one run and is also published.
///
/// [`Metrics`](sluicegate_core::Metrics) may be shared by several runs one after the other; a report must not mix them.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    published: Counter,
    own: Arc<AtomicU64>,
}

impl Tally {
    fn new(published: Counter) -> Self {
        Self { published, own: Arc::default() }
    }

    pub(crate) fn add(&self, rows: usize) {
        self.published.add(rows as u64);
        self.own.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.own.load(Ordering::Relaxed)
    }
}

/// The numbers of one component instance.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    /// Rows taken; `None` for a source.
    pub(crate) rows_in: Option<Tally>,
    /// Rows given; `None` for a sink.
    pub(crate) rows_out: Option<Tally>,
    busy_ns: Counter,
}

impl Meter {
    /// The numbers of the component that `shard` describes, published in the shard's metrics.
    pub(crate) fn new(kind: ComponentKind, shard: &ShardContext) -> Self {
        let partition = shard.partition.as_str();
        let labels = [(kind.as_str(), shard.component.as_str()), ("partition", partition)];
        let rows = |family: &str| Some(Tally::new(shard.metrics.counter(family, &labels)));
        let busy = [("component", shard.component.as_str()), ("partition", partition)];
        let busy_ns = shard.metrics.counter("component_busy_ns", &busy);
        match kind {
            ComponentKind::Source => Self { rows_in: None, rows_out: rows("source_rows"), busy_ns },
            ComponentKind::Operator => {
                Self { rows_in: rows("operator_rows_in"), rows_out: rows("operator_rows_out"), busy_ns }
            }
            ComponentKind::Sink => Self { rows_in: rows("sink_rows"), rows_out: None, busy_ns },
        }
    }

    /// Runs `work` and counts the time it took as busy.
    pub(crate) fn busy<T>(&self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.busy_ns.add(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        result
    }

    pub(crate) fn count_in(&self, rows: usize) {
        if let Some(tally) = &self.rows_in {
            tally.add(rows);
        }
    }

    pub(crate) fn count_out(&self, rows: usize) {
        if let Some(tally) = &self.rows_out {
            tally.add(rows);
        }
    }
}
