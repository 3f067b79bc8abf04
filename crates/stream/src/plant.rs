//! Builds the instances of a shard, puts back their state, and chains them.

use std::sync::{Arc, PoisonError};

use futures::StreamExt as _;
use sluicegate_core::{
    BoxError, ComponentKind, Delivery, Offset, Operator, OperatorFactory, Placement, ShardContext, SnapshotReader,
    States,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::contain::contain;
use crate::fan_out::fan_out;
use crate::letters::Letters;
use crate::marks::Marks;
use crate::meter::Meter;
use crate::on_worker::lost;
use crate::pipeline::Consumer;
use crate::reader::Ending;
use crate::shard::Shard;
use crate::sink::SinkHandle;
use crate::stage::snapshot_of;
use crate::{ElementStream, ElementStreamExt as _, Place, ReaderStream, SinkWriter, Stage, StreamError, Worker};

/// A chain of adapters, and the sink at its end.
pub(crate) struct Leaf {
    pub(crate) sink: SinkWriter,
    pub(crate) stream: ElementStream,
    /// Rows that come again in a replay are not written again.
    pub(crate) skips_replay: bool,
}

/// The instances of a shard.
pub(crate) struct Plant {
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) letters: Option<Letters>,
    pub(crate) ending: Arc<Ending>,
    pub(crate) meters: Vec<(Place, Meter)>,
    /// Where reading begins.
    pub(crate) opened: Offset,
    /// The states of all components before the first row; empty where states were put back.
    pub(crate) first_states: States,
}

impl Plant {
    /// Every sink, the one of the dead letters included.
    pub(crate) fn sinks(&self) -> Vec<SinkHandle> {
        let leaves = self.leaves.iter().map(|leaf| leaf.sink.handle().clone());
        leaves.chain(self.letters.as_ref().map(|letters| letters.sink().clone())).collect()
    }
}

/// The states that a shard begins with which has not committed anything yet.
pub(crate) struct Warm {
    pub(crate) states: States,
    /// Where they come from.
    pub(crate) from: String,
    /// Which keys stay.
    pub(crate) keeps: Keeps,
}

/// Says which keys stay; `None` stands for rows without one.
pub(crate) type Keeps = Arc<dyn Fn(Option<&str>) -> bool + Send + Sync>;

/// Where the state of a component comes from.
enum Origin {
    /// It begins with none.
    Nothing,
    /// The same, and the state it begins with is wanted.
    Fresh,
    /// Operators begin with these, and the states they begin with are wanted.
    Warm(Warm),
    /// A checkpoint.
    Checkpoint(States),
}

/// Builds the instances of one shard.
pub(crate) struct Planter<'a> {
    shard: &'a Shard,
    sinks: &'a TaskTracker,
    keeps_checkpoints: bool,
    origin: Origin,
    first_states: States,
    meters: Vec<(Place, Meter)>,
    leaves: Vec<Leaf>,
}

impl<'a> Planter<'a> {
    /// Instances that begin with no state, of a shard that keeps none.
    pub(crate) fn new(shard: &'a Shard, sinks: &'a TaskTracker) -> Self {
        Self::with(shard, sinks, false, Origin::Nothing)
    }

    /// Instances of a shard that keeps checkpoints: with the states of one, or from the beginning.
    pub(crate) fn with_states(shard: &'a Shard, sinks: &'a TaskTracker, states: Option<States>) -> Self {
        Self::with(shard, sinks, true, states.map_or(Origin::Fresh, Origin::Checkpoint))
    }

    /// Instances of a shard that has committed nothing yet, whose operators begin with what others learned.
    pub(crate) fn warm(shard: &'a Shard, sinks: &'a TaskTracker, warm: Warm) -> Self {
        Self::with(shard, sinks, true, Origin::Warm(warm))
    }

    fn with(shard: &'a Shard, sinks: &'a TaskTracker, keeps_checkpoints: bool, origin: Origin) -> Self {
        let (first_states, meters, leaves) = (States::new(), Vec::new(), Vec::new());
        Self { shard, sinks, keeps_checkpoints, origin, first_states, meters, leaves }
    }

    /// Opens the source at `from` and puts every consumer behind its input. `marks` is given where reading begins.
    pub(crate) async fn plant(
        mut self,
        from: Option<Offset>,
        cancel: CancellationToken,
        marks: impl FnOnce(Offset) -> Option<(Marks, bool)>,
    ) -> Result<Plant, StreamError> {
        let mut reader = self.source(from, cancel)?;
        let opened = reader.opened().await?;
        if let Some((marks, ended_before)) = marks(opened) {
            reader.mark(marks, ended_before);
        }
        let ending = reader.ending();
        let mut open: Vec<(ElementStream, &[Consumer])> = vec![(reader.boxed(), &self.shard.consumers)];
        while let Some((stream, consumers)) = open.pop() {
            for (branch, consumer) in fan_out(stream, consumers.len()).into_iter().zip(consumers) {
                match consumer {
                    Consumer::Operator { name, factory, consumers } => {
                        open.push((self.operator(branch, name, factory).await?, consumers));
                    }
                    Consumer::Sink { name, factory } => {
                        let skips_replay = factory.delivery() != Delivery::Staged;
                        let sink = self.sink(name, factory).await?;
                        self.leaves.push(Leaf { sink, stream: branch, skips_replay });
                    }
                }
            }
        }
        let letters = match &self.shard.letters {
            None => None,
            Some(Consumer::Operator { .. }) => None,
            Some(Consumer::Sink { name, factory }) => {
                let (name, factory) = (name.clone(), Arc::clone(factory));
                let skips_replay = factory.delivery() != Delivery::Staged;
                let sink = self.sink(&name, &factory).await?;
                Some(Letters::new(self.shard.context(&name), sink.handle().clone(), skips_replay))
            }
        };
        self.refuse_leftovers()?;
        let Self { first_states, meters, leaves, .. } = self;
        Ok(Plant { leaves, letters, ending, meters, opened, first_states })
    }

    fn source(&mut self, from: Option<Offset>, cancel: CancellationToken) -> Result<ReaderStream, StreamError> {
        let (shard, meter) = self.component(ComponentKind::Source, &self.shard.source_name);
        let (source, partition) = (Arc::clone(&self.shard.source), shard.partition.clone());
        let open = move |given_up: &dyn Fn() -> bool| {
            let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
            // It may have waited here until its shard was gone, and another one of the partition is open by now.
            if given_up() {
                return Err("nobody waits for the reader any more".into());
            }
            source.open(&partition, from)
        };
        ReaderStream::start_metered(open, &shard, cancel, meter)
    }

    async fn sink(
        &mut self,
        name: &str,
        factory: &Arc<dyn sluicegate_core::SinkFactory>,
    ) -> Result<SinkWriter, StreamError> {
        let (shard, meter) = self.component(ComponentKind::Sink, name);
        let staged = self.keeps_checkpoints && factory.delivery() == Delivery::Staged;
        let (factory, context) = (Arc::clone(factory), shard.clone());
        let open = move || factory.open(&context);
        let sink = SinkWriter::start_metered(open, &shard, self.sinks, meter, staged)?;
        match &mut self.origin {
            Origin::Nothing => {}
            Origin::Fresh | Origin::Warm(_) => {
                if let Some(state) = sink.handle().first_state().await? {
                    self.first_states.insert(name.to_owned(), state);
                }
            }
            Origin::Checkpoint(states) => {
                if let Some(state) = states.remove(name) {
                    sink.handle().restore(state).await?;
                }
            }
        }
        Ok(sink)
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
        let state = match &mut self.origin {
            Origin::Nothing => Begin::Plain,
            Origin::Fresh => Begin::Written,
            Origin::Warm(warm) => match warm.states.remove(name) {
                Some(state) => Begin::Warm(state, Arc::clone(&warm.keeps)),
                None => {
                    let message = format!(
                        "{} holds no state that operator `{name}` could begin with; give the operator the name that it has there, or leave `start_from` out",
                        warm.from
                    );
                    return Err(self.mismatch(message));
                }
            },
            Origin::Checkpoint(states) => match states.remove(name) {
                Some(state) => Begin::Restored(state),
                None => {
                    let message = format!(
                        "the checkpoint holds no state of operator `{name}`; the pipeline has changed since: change it back, or start over on purpose with --fresh"
                    );
                    return Err(self.mismatch(message));
                }
            },
        };
        let worker = match factory.placement() {
            Placement::Inline => None,
            Placement::Worker => Some(self.shard.roster.pin()),
        };
        let (operator, first) = match &worker {
            None => contain(&place, || build(&**factory, &shard, state))?,
            Some(worker) => build_on(worker, factory, &place, &shard, state).await?,
        };
        self.first_states.extend(first.map(|state| (name.to_owned(), state)));
        let stage = Stage::metered(operator, &shard, meter);
        Ok(match worker {
            None => input.operator(stage).boxed(),
            Some(worker) => input.operator_on(stage, worker).boxed(),
        })
    }

    /// A state that nobody took is of a component that is gone, and what it held would be lost without a word.
    fn refuse_leftovers(&self) -> Result<(), StreamError> {
        let Origin::Checkpoint(states) = &self.origin else { return Ok(()) };
        let Some(name) = states.keys().next() else { return Ok(()) };
        Err(self.mismatch(format!(
            "the checkpoint holds the state of `{name}`, which the pipeline no longer has, or has as another kind; change it back, or start over on purpose with --fresh"
        )))
    }

    fn mismatch(&self, message: String) -> StreamError {
        StreamError::Recovery { partition: self.shard.partition.clone(), message, source: None }
    }

    fn component(&mut self, kind: ComponentKind, name: &str) -> (ShardContext, Meter) {
        let context = self.shard.context(name).keeps_checkpoints(self.keeps_checkpoints);
        let meter = Meter::new(kind, &context);
        self.meters.push((Place::of(kind, &context), meter.clone()));
        (context, meter)
    }
}

/// How an operator begins.
enum Begin {
    Plain,
    /// Its first state is written down.
    Written,
    /// The same, after it was put into this state, less some keys.
    Warm(Vec<u8>, Keeps),
    Restored(Vec<u8>),
}

type Built = (Box<dyn Operator>, Option<Vec<u8>>);

fn build(factory: &dyn OperatorFactory, shard: &ShardContext, begin: Begin) -> Result<Built, BoxError> {
    let mut operator = factory.build(shard)?;
    let first = match begin {
        Begin::Plain => None,
        Begin::Written => Some(snapshot_of(&*operator)?),
        Begin::Warm(state, keeps) => {
            operator.restore(&SnapshotReader::parse(&state)?)?;
            operator.retain_keys(&*keeps)?;
            Some(snapshot_of(&*operator)?)
        }
        Begin::Restored(state) => {
            operator.restore(&SnapshotReader::parse(&state)?)?;
            None
        }
    };
    Ok((operator, first))
}

async fn build_on(
    worker: &Worker,
    factory: &Arc<dyn OperatorFactory>,
    place: &Place,
    shard: &ShardContext,
    begin: Begin,
) -> Result<Built, StreamError> {
    let (factory, at, shard) = (Arc::clone(factory), place.clone(), shard.clone());
    let call = worker.call(move || contain(&at, || build(&*factory, &shard, begin)));
    call.await.unwrap_or_else(|error| Err(lost(place.clone(), error)))
}
