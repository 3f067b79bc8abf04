//! An operator with its name and its numbers, ready to be put into a stream.

use std::sync::Arc;

use sluicegate_core::{
    Barrier, Batch, BoxError, ComponentKind, Operator, Output, Rejected, ShardContext, SnapshotWriter,
};

use crate::contain::contain;
use crate::meter::Meter;
use crate::{Place, StreamError};

/// An operator together with the name that errors and metrics call it by.
///
/// Any operator converts into one, named after its type; [`Stage::in_shard`] gives it a name of its own.
pub struct Stage {
    operator: Box<dyn Operator>,
    place: Place,
    meter: Option<Meter>,
}

/// What an operator made of one element.
#[derive(Debug, Default)]
pub(crate) struct Emitted {
    pub(crate) batches: Vec<Batch>,
    pub(crate) rejected: Vec<Rejected>,
}

impl<O: Operator + 'static> From<O> for Stage {
    fn from(operator: O) -> Self {
        let path = std::any::type_name::<O>();
        let name = path.split('<').next().and_then(|path| path.rsplit("::").next()).unwrap_or(path);
        let place = Place { kind: ComponentKind::Operator, component: Arc::from(name), partition: None };
        Self { operator: Box::new(operator), place, meter: None }
    }
}

impl Stage {
    /// The operator as a component of a shard: errors carry its name and partition, and the shard's metrics get
    /// `operator_rows_in`, `operator_rows_out` and `component_busy_ns`.
    pub fn in_shard(operator: Box<dyn Operator>, shard: &ShardContext) -> Self {
        let meter = Meter::new(ComponentKind::Operator, shard);
        Self::metered(operator, shard, meter)
    }

    pub(crate) fn metered(operator: Box<dyn Operator>, shard: &ShardContext, meter: Meter) -> Self {
        Self { operator, place: Place::of(ComponentKind::Operator, shard), meter: Some(meter) }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Processes one batch and returns what became of it.
    pub(crate) fn process(&mut self, batch: Batch) -> Result<Emitted, StreamError> {
        if self.place.partition.is_none() {
            self.place.partition = Some(batch.partition().clone());
        }
        if let Some(meter) = &self.meter {
            meter.count_in(batch.len());
        }
        self.call(|operator, out| operator.process(batch, out))
    }

    /// Ends the operator and returns what it had held back.
    pub(crate) fn finish(&mut self) -> Result<Emitted, StreamError> {
        self.call(|operator, out| operator.finish(out))
    }

    /// Meets a barrier: deposits the operator's state where it asks for it.
    pub(crate) fn meet(&self, barrier: &Barrier) -> Result<(), StreamError> {
        if !barrier.is_checkpoint() {
            return Ok(());
        }
        let write = || contain(&self.place, || snapshot_of(&*self.operator));
        let state = match &self.meter {
            Some(meter) => meter.busy(write),
            None => write(),
        }?;
        barrier.deposit(&self.place.component, state);
        Ok(())
    }

    fn call(
        &mut self,
        work: impl FnOnce(&mut dyn Operator, &mut Output) -> Result<(), BoxError>,
    ) -> Result<Emitted, StreamError> {
        let Self { operator, place, meter } = self;
        let run = || {
            contain(place, || {
                let mut out = Output::new();
                work(&mut **operator, &mut out)?;
                Ok(Emitted { batches: out.take(), rejected: out.take_rejected() })
            })
        };
        let Some(meter) = meter else { return run() };
        let emitted = meter.busy(run)?;
        meter.count_out(emitted.batches.iter().map(Batch::len).sum());
        Ok(emitted)
    }
}

/// The written state of an operator.
pub(crate) fn snapshot_of(operator: &dyn Operator) -> Result<Vec<u8>, BoxError> {
    let mut writer = SnapshotWriter::new();
    operator.snapshot(&mut writer)?;
    Ok(writer.finish()?)
}
