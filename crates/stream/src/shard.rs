//! One partition's whole path through a pipeline.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures::StreamExt as _;
use futures::future::{join_all, try_join_all};
use sluicegate_core::{
    ComponentKind, Metrics, Operator, OperatorFactory, PartitionId, Placement, ShardContext, Source,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::contain::contain;
use crate::fan_out::fan_out;
use crate::meter::Meter;
use crate::on_worker::lost;
use crate::pipeline::Consumer;
use crate::report::ComponentRows;
use crate::workers::Roster;
use crate::{ElementStream, ElementStreamExt as _, Place, ReaderStream, SinkWriter, Stage, StreamError, Worker};

/// Everything needed to run one partition from its source to its sinks.
pub(crate) struct Shard {
    pub(crate) source_name: String,
    pub(crate) source: Arc<Mutex<Box<dyn Source>>>,
    pub(crate) partition: PartitionId,
    pub(crate) consumers: Arc<[Consumer]>,
    pub(crate) metrics: Metrics,
    pub(crate) roster: Roster,
    /// Ends the source; everything read so far is completed.
    pub(crate) cancel: CancellationToken,
    /// Drops everything as it stands.
    pub(crate) stop: CancellationToken,
}

/// How a shard went that came to its end.
pub(crate) struct Outcome {
    pub(crate) interrupted: bool,
    pub(crate) rows: Vec<ComponentRows>,
}

/// A chain of adapters, and the sink at its end.
type Leaf = (SinkWriter, ElementStream);

impl Shard {
    /// Runs the shard. When this returns, the sinks are finished, or dropped and gone.
    ///
    /// A failure is kept in `failure` if it is the first, and stops all shards. `None` after that, here or elsewhere.
    pub(crate) async fn run(self, failure: &OnceLock<StreamError>) -> Option<Outcome> {
        let sinks = TaskTracker::new();
        let outcome = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            outcome = self.flow(&sinks) => Some(outcome),
        };
        let outcome = match outcome {
            None => None,
            Some(Ok(outcome)) => Some(outcome),
            Some(Err(error)) => {
                // A later failure than the one that is kept already tells nothing new.
                let _ = failure.set(error);
                self.stop.cancel();
                None
            }
        };
        sinks.close();
        sinks.wait().await;
        outcome
    }

    async fn flow(&self, sinks: &TaskTracker) -> Result<Outcome, StreamError> {
        let mut planting = Planting { shard: self, sinks, meters: Vec::new(), leaves: Vec::new() };
        let interrupted = planting.plant().await?;
        let Planting { leaves, meters, .. } = planting;

        let drive = |(mut sink, stream): Leaf| async move { sink.drive(stream).await.map(|()| sink) };
        let settled = try_join_all(leaves.into_iter().map(drive)).await?;
        // Every row of every sink is written; from here on only `finish` itself can fail.
        join_all(settled.into_iter().map(SinkWriter::finish)).await.into_iter().collect::<Result<(), _>>()?;

        let rows = meters.iter().map(|(place, meter)| ComponentRows::read(place, &self.partition, meter)).collect();
        Ok(Outcome { interrupted: interrupted.load(Ordering::Relaxed), rows })
    }

    fn context(&self, component: &str) -> ShardContext {
        ShardContext::new(self.partition.clone(), component, self.metrics.clone())
    }
}

/// Builds the instances of a shard and chains them.
struct Planting<'a> {
    shard: &'a Shard,
    sinks: &'a TaskTracker,
    meters: Vec<(Place, Meter)>,
    leaves: Vec<Leaf>,
}

impl Planting<'_> {
    /// Starts the source and puts every consumer behind its input. Returns the source's sign of having been interrupted.
    async fn plant(&mut self) -> Result<Arc<AtomicBool>, StreamError> {
        let (source, interrupted) = self.source()?;
        let mut open: Vec<(ElementStream, &[Consumer])> = vec![(source, &self.shard.consumers)];
        while let Some((stream, consumers)) = open.pop() {
            for (branch, consumer) in fan_out(stream, consumers.len()).into_iter().zip(consumers) {
                match consumer {
                    Consumer::Operator { name, factory, consumers } => {
                        open.push((self.operator(branch, name, factory).await?, consumers));
                    }
                    Consumer::Sink { name, factory } => {
                        let (shard, meter) = self.component(ComponentKind::Sink, name);
                        let (factory, context) = (Arc::clone(factory), shard.clone());
                        let open = move || factory.open(&context);
                        let sink = SinkWriter::start_metered(open, &shard, self.sinks, meter)?;
                        self.leaves.push((sink, branch));
                    }
                }
            }
        }
        Ok(interrupted)
    }

    fn source(&mut self) -> Result<(ElementStream, Arc<AtomicBool>), StreamError> {
        let (shard, meter) = self.component(ComponentKind::Source, &self.shard.source_name);
        let (source, partition) = (Arc::clone(&self.shard.source), shard.partition.clone());
        let open = move || source.lock().unwrap_or_else(PoisonError::into_inner).open(&partition, None);
        let reader = ReaderStream::start_metered(open, &shard, self.shard.cancel.clone(), meter)?;
        let interrupted = reader.interrupted();
        Ok((reader.boxed(), interrupted))
    }

    /// Builds the operator where it is to run, and puts it behind `input`.
    async fn operator(
        &mut self,
        input: ElementStream,
        name: &str,
        factory: &Arc<dyn OperatorFactory>,
    ) -> Result<ElementStream, StreamError> {
        let (shard, meter) = self.component(ComponentKind::Operator, name);
        let place = Place::of(ComponentKind::Operator, &shard);
        match factory.placement() {
            Placement::Inline => {
                let operator = contain(&place, || factory.build(&shard))?;
                Ok(input.operator(Stage::metered(operator, &shard, meter)).boxed())
            }
            Placement::Worker => {
                let worker = self.shard.roster.pin();
                let operator = build_on(&worker, factory, &place, &shard).await?;
                Ok(input.operator_on(Stage::metered(operator, &shard, meter), worker).boxed())
            }
        }
    }

    fn component(&mut self, kind: ComponentKind, name: &str) -> (ShardContext, Meter) {
        let context = self.shard.context(name);
        let meter = Meter::new(kind, &context);
        self.meters.push((Place::of(kind, &context), meter.clone()));
        (context, meter)
    }
}

async fn build_on(
    worker: &Worker,
    factory: &Arc<dyn OperatorFactory>,
    place: &Place,
    shard: &ShardContext,
) -> Result<Box<dyn Operator>, StreamError> {
    let (factory, at, shard) = (Arc::clone(factory), place.clone(), shard.clone());
    let call = worker.call(move || contain(&at, || factory.build(&shard)));
    call.await.unwrap_or_else(|error| Err(lost(place.clone(), error)))
}
