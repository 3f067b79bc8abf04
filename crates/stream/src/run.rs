//! Running all shards of a pipeline.

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, PoisonError};

use sluicegate_core::{BoxError, Change, ComponentKind, Metrics, PartitionId};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::commits::Commits;
use crate::contain::panic_message;
use crate::members::{Changed, Members};
use crate::pipeline::{Consumer, Tree};
use crate::shard::{Outcome, Shard};
use crate::{Pipeline, Place, RunReport, StreamError, Workers};

/// How a pipeline is run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunOptions {
    /// Where components publish their numbers.
    pub metrics: Metrics,
    /// Cancelled, it ends the run cleanly: sources stop, operators and sinks finish with what was read.
    pub cancel: CancellationToken,
    /// Threads for operators that compute heavily. As many shards run at a time, unless a source shares its partitions out or
    /// has no end: then all of its shards do.
    pub worker_threads: NonZeroUsize,
    /// Leaves checkpoints and committed positions of earlier runs behind and begins where the settings say. A partition that is
    /// taken away and comes back in this run goes on.
    pub begin_anew: bool,
    /// A folder for a trace of each shard's commit protocol, one line of JSON per event.
    pub protocol_trace: Option<PathBuf>,
}

impl Default for RunOptions {
    /// As many worker threads as the machine has cores, metrics of its own, and a token that nobody cancels.
    fn default() -> Self {
        Self {
            metrics: Metrics::new(),
            cancel: CancellationToken::new(),
            worker_threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            begin_anew: false,
            protocol_trace: None,
        }
    }
}

impl RunOptions {
    /// Publishes into `metrics`.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Ends cleanly when `cancel` is cancelled.
    #[must_use]
    pub fn cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Leaves checkpoints and committed positions of earlier runs behind.
    #[must_use]
    pub fn begin_anew(mut self, anew: bool) -> Self {
        self.begin_anew = anew;
        self
    }

    /// Writes traces of the commit protocol into `folder`.
    #[must_use]
    pub fn protocol_trace(mut self, folder: impl Into<PathBuf>) -> Self {
        self.protocol_trace = Some(folder.into());
        self
    }

    /// Uses `count` worker threads.
    #[must_use]
    pub fn worker_threads(mut self, count: NonZeroUsize) -> Self {
        self.worker_threads = count;
        self
    }
}

impl Pipeline {
    /// Runs every shard to its end. Must be awaited inside a Tokio runtime with its clock enabled.
    ///
    /// A shard is the path of one partition. It has its own instance of every operator and sink, and is one task. The result of
    /// a partition depends neither on how many run at a time nor on the others. Where a source shares its partitions out between
    /// processes, a shard begins when its partition is assigned, and commits and ends when it is revoked.
    ///
    /// When [`RunOptions::cancel`] is cancelled, each running shard ends after the batch that its chain is at work on. A shard
    /// that keeps no checkpoints finishes its sinks; any other commits what it has, to go on from there another time. Shards
    /// that have not begun do not begin, and the report says that the run was interrupted.
    ///
    /// When the returned future is dropped, running shards are dropped as they stand, with their sinks unfinished. Dropping
    /// blocks until each worker thread is through with the call it is in.
    ///
    /// # Errors
    /// The first failure of any shard. The other shards are then stopped as they stand; sinks of shards that were complete
    /// before stay finished, all others are dropped unfinished before this returns.
    pub async fn run(self, options: RunOptions) -> Result<RunReport, StreamError> {
        let workers = Workers::new(options.worker_threads)?;
        let mut run = Run::new(self, options, &workers)?;
        let result = run.until_over().await;
        for members in std::mem::take(&mut run.members).into_values() {
            members.leave().await;
        }
        result
    }
}

/// A shard by its source and its partition.
type Key = (usize, PartitionId);

/// How a shard that runs is ended from outside.
struct Controls {
    cancel: CancellationToken,
    stop: CancellationToken,
    revoked: bool,
    /// It was revoked, and came back before its shard had ended.
    again: bool,
}

/// A pipeline while it runs.
struct Run<'a> {
    trees: Vec<Tree>,
    letters: Option<Consumer>,
    commits: Commits,
    fingerprint: String,
    options: RunOptions,
    workers: &'a Workers,
    /// Drops every shard as it stands.
    stop: CancellationToken,
    failure: Arc<OnceLock<StreamError>>,
    /// Shards that have not begun, in order.
    waiting: VecDeque<Key>,
    running: JoinSet<(Key, Option<Outcome>)>,
    controls: HashMap<Key, Controls>,
    /// Of each shard that has begun, whether it still leaves behind what was committed before.
    anew: HashMap<Key, Arc<AtomicBool>>,
    members: HashMap<usize, Members>,
    /// Sources whose partitions are shared out and none of which has come to its end: more may be assigned.
    endless: HashSet<usize>,
    outcomes: Vec<(Key, Outcome)>,
}

impl<'a> Run<'a> {
    fn new(pipeline: Pipeline, options: RunOptions, workers: &'a Workers) -> Result<Self, StreamError> {
        let unusable = |error| StreamError::Checkpoints { source: Arc::new(error) };
        let store = pipeline.store().map_err(unusable)?;
        let commits = Commits {
            about: pipeline.about(),
            store: store.zip(pipeline.checkpoint.clone()),
            start_from: pipeline.start_from().map_err(unusable)?,
            trace: options.protocol_trace.clone(),
        };
        let fingerprint = pipeline.fingerprint();
        tracing::info!(pipeline = pipeline.name, fingerprint);
        Ok(Self {
            fingerprint,
            trees: pipeline.trees,
            letters: pipeline.letters,
            commits,
            options,
            workers,
            stop: CancellationToken::new(),
            failure: Arc::default(),
            waiting: VecDeque::new(),
            running: JoinSet::new(),
            controls: HashMap::new(),
            anew: HashMap::new(),
            members: HashMap::new(),
            endless: HashSet::new(),
            outcomes: Vec::new(),
        })
    }

    async fn until_over(&mut self) -> Result<RunReport, StreamError> {
        let (tell, mut changes) = mpsc::unbounded_channel::<Changed>();
        for tree in 0..self.trees.len() {
            let (name, source) = (&self.trees[tree].name, &self.trees[tree].source);
            match Members::join(tree, name, source, &self.fingerprint, tell.clone()).await? {
                Some(members) => {
                    self.members.insert(tree, members);
                    self.endless.insert(tree);
                }
                None => self.waiting.extend(self.trees[tree].partitions.iter().map(|p| (tree, p.clone()))),
            }
        }
        loop {
            self.begin_waiting();
            let ends = self.stop.is_cancelled() || self.options.cancel.is_cancelled();
            if self.running.is_empty() && (ends || self.waiting.is_empty() && self.endless.is_empty()) {
                break;
            }
            tokio::select! {
                biased;
                Some(ended) = self.running.join_next() => self.ended(ended),
                Some((tree, change)) = changes.recv() => self.changed(tree, change),
                () = self.options.cancel.cancelled(), if self.running.is_empty() => {}
            }
        }
        if let Some(error) = self.failure.get() {
            return Err(error.clone());
        }
        let mut outcomes = std::mem::take(&mut self.outcomes);
        outcomes.sort_by_cached_key(|((tree, partition), _)| {
            let place = self.trees[*tree].partitions.iter().position(|other| other == partition);
            (*tree, place.unwrap_or(usize::MAX), partition.clone())
        });
        let interrupted = self.options.cancel.is_cancelled() && !self.endless.is_empty()
            || outcomes.iter().any(|(_, outcome)| outcome.interrupted)
            || !self.waiting.is_empty();
        Ok(RunReport { interrupted, rows: outcomes.into_iter().flat_map(|(_, outcome)| outcome.rows).collect() })
    }

    /// Begins as many of the shards that wait as may run at a time.
    fn begin_waiting(&mut self) {
        while !self.stop.is_cancelled() && !self.options.cancel.is_cancelled() {
            let Some((tree, _)) = self.waiting.front() else { return };
            let is_live = self.trees[*tree].source.lock().unwrap_or_else(PoisonError::into_inner).is_live();
            if !is_live && self.running.len() >= self.workers.count() {
                return;
            }
            if let Some(key) = self.waiting.pop_front() {
                self.begin(key);
            }
        }
    }

    fn begin(&mut self, key: Key) {
        let tree = &self.trees[key.0];
        let anew = self.anew.entry(key.clone()).or_insert_with(|| Arc::new(self.options.begin_anew.into()));
        let (cancel, stop) = (self.options.cancel.child_token(), self.stop.child_token());
        let shard = Shard {
            source_name: tree.name.clone(),
            source: Arc::clone(&tree.source),
            partition: key.1.clone(),
            siblings: Arc::clone(&tree.partitions),
            consumers: Arc::clone(&tree.consumers),
            letters: self.letters.clone(),
            commits: self.commits.clone(),
            anew: Arc::clone(anew),
            metrics: self.options.metrics.clone(),
            roster: self.workers.roster(),
            cancel: cancel.clone(),
            stop: stop.clone(),
        };
        self.controls.insert(key.clone(), Controls { cancel, stop, revoked: false, again: false });
        let failure = Arc::clone(&self.failure);
        self.running.spawn(async move { (key, shard.run(&failure).await) });
    }

    fn ended(&mut self, ended: Result<(Key, Option<Outcome>), JoinError>) {
        match ended {
            Ok((key, outcome)) => {
                let ended = self.controls.remove(&key);
                let revoked = ended.as_ref().is_some_and(|controls| controls.revoked);
                let again = ended.is_some_and(|controls| controls.again);
                if revoked
                    && !again
                    && let Some(members) = self.members.get(&key.0)
                {
                    members.released(&key.1);
                }
                if let Some(mut outcome) = outcome {
                    // A partition that somebody else goes on with was not interrupted.
                    outcome.interrupted &= self.options.cancel.is_cancelled();
                    if !revoked && !outcome.interrupted {
                        self.endless.remove(&key.0);
                    }
                    self.outcomes.push((key.clone(), outcome));
                }
                if self.failure.get().is_some() {
                    self.stop.cancel();
                }
                if again && !self.stop.is_cancelled() && !self.options.cancel.is_cancelled() {
                    self.begin(key);
                }
            }
            Err(error) => {
                // Not to be had from a component: all their code runs contained.
                let _ = self.failure.set(lost_task(error));
                self.stop.cancel();
            }
        }
    }

    fn changed(&mut self, tree: usize, change: Result<Change, BoxError>) {
        match change {
            Ok(Change::Assigned(partitions)) => {
                tracing::info!(source = self.trees[tree].name, partitions = %listed(&partitions), "assigned");
                for partition in partitions {
                    let key = (tree, partition);
                    if let Some(error) = self.also_of_another(&key) {
                        let _ = self.failure.set(error);
                        self.stop.cancel();
                        return;
                    }
                    match self.controls.get_mut(&key) {
                        // Two shards of one partition would be in each other's way.
                        Some(controls) => controls.again = controls.revoked,
                        None if self.options.cancel.is_cancelled() => {}
                        None => self.begin(key),
                    }
                }
            }
            Ok(Change::Revoked(partitions)) => {
                tracing::info!(source = self.trees[tree].name, partitions = %listed(&partitions), "revoked");
                self.give_up(tree, partitions, |controls| controls.cancel.cancel());
            }
            Ok(Change::Lost(partitions)) => {
                tracing::warn!(source = self.trees[tree].name, partitions = %listed(&partitions), "lost");
                self.give_up(tree, partitions, |controls| controls.stop.cancel());
            }
            Ok(_) => {}
            Err(error) => {
                let source_name = self.trees[tree].name.clone();
                let _ = self.failure.set(StreamError::Membership { source_name, source: Arc::from(error) });
                self.stop.cancel();
            }
        }
    }

    /// Two sources whose topics come to overlap, as patterns can. What is committed and learned goes by the partition's name alone,
    /// and which topics a pattern names is known only when they are assigned.
    fn also_of_another(&self, (tree, partition): &Key) -> Option<StreamError> {
        let has = |other: &usize| {
            let key = (*other, partition.clone());
            *other != *tree && (self.anew.contains_key(&key) || self.trees[*other].partitions.contains(partition))
        };
        let other = (0..self.trees.len()).find(has)?;
        let message = format!(
            "source `{}` reads it, and now `{}` is to read it too, but what is committed and learned goes by its name; let the topics of one leave out those of the other, or read them by two pipelines",
            self.trees[other].name, self.trees[*tree].name
        );
        Some(StreamError::Recovery { partition: partition.clone(), message, source: None })
    }

    fn give_up(&mut self, tree: usize, partitions: Vec<PartitionId>, end: fn(&Controls)) {
        for partition in partitions {
            match self.controls.get_mut(&(tree, partition.clone())) {
                Some(controls) => {
                    (controls.revoked, controls.again) = (true, false);
                    end(controls);
                }
                // Its shard has ended already.
                None => {
                    if let Some(members) = self.members.get(&tree) {
                        members.released(&partition);
                    }
                }
            }
        }
    }
}

fn listed(partitions: &[PartitionId]) -> String {
    partitions.iter().map(PartitionId::as_str).collect::<Vec<_>>().join(", ")
}

fn lost_task(error: JoinError) -> StreamError {
    let place = Place { kind: ComponentKind::Source, component: Arc::from("shard"), partition: None };
    let message = match error.try_into_panic() {
        Ok(payload) => panic_message(&*payload),
        Err(error) => error.to_string(),
    };
    StreamError::Panicked { place, message }
}
