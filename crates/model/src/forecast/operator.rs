//! The operator itself: how it is built, fed, watched and written down. What it does with rows is in `run`.

use std::time::{Duration, Instant};

use sluicegate_core::{
    Batch, BoxError, Counter, Gauge, Offset, Offsets, Operator, Output, PartitionId, ShardContext, SnapshotReader,
    SnapshotWriter,
};

use super::bind::Factory;
use super::decode::{BadValueCounters, Columns};
use super::desk::Desk;
use super::members::Lineup;
use super::model_gauges::ModelGauges;
use super::reject;
use super::run::Scratch;
use super::settings::Settings;
use super::vocabulary::Vocabulary;
use crate::config::BadValuesConfig;
use crate::duration::parse_micros;
use crate::error::ModelError;
use crate::feature::Features;
use crate::keys::Keys;
use crate::predictor::Predictor;

/// A table of about this many rows is put together at a time: large enough to share the cost of a table, small enough to
/// stay in the cache.
const TABLE_ROWS: usize = 16_384;
/// But at least so many events, so that waves over many keys stay wide.
const EVENTS_MIN: usize = 512;
/// And never more than this many forecasts, whatever the number of targets and horizons.
const CELLS_MAX: usize = 1 << 18;

/// Scores are published this often, at most. It changes nothing else.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// Forecasts every event of one partition, and learns. See [`ForecastConfig`](crate::ForecastConfig).
pub(super) struct ForecastOperator<D: Desk> {
    pub(super) partition: PartitionId,
    component: String,
    pub(super) columns: Columns,
    /// Of the columns of classes, in their order.
    pub(super) vocabularies: Vec<Vocabulary>,
    pub(super) bad_values: BadValuesConfig,
    pub(super) settings: Settings,
    /// Rows seen so far: the index of the next one.
    pub(super) rows: i64,
    pub(super) keys: Keys,
    pub(super) features: Features,
    /// The networks, then the controls.
    pub(super) models: Vec<Box<dyn Predictor<D::Forecast>>>,
    pub(super) desk: D,
    pub(super) counters: Counters,
    pub(super) scratch: Scratch<D::Forecast>,
}

pub(super) struct Counters {
    pub(super) bad: BadValueCounters,
    /// Time spent on optimizer steps.
    pub(super) update_ns: Counter,
    published_at: Option<Instant>,
    /// Keys that are remembered now.
    keys_known: Gauge,
    models: ModelGauges,
    /// Those of [`counts`], each with how much of it was published.
    counts: Vec<(Counter, u64)>,
}

impl<D: Desk> ForecastOperator<D> {
    /// An operator of the given models, in the order in which they are numbered at the desk.
    pub(super) fn new(
        factory: &Factory,
        models: Vec<Box<dyn Predictor<D::Forecast>>>,
        desk: D,
        shard: &ShardContext,
    ) -> Self {
        let config = &factory.config;
        let keys = Keys::new(config.max_keys, config.ttl_events);
        let labels = [("operator", shard.component.as_str()), ("partition", shard.partition.as_str())];
        let counter = |name: &str| shard.metrics.counter(name, &labels);
        let bad = |column: &'static str, reason: &'static str| {
            let [operator, partition] = labels;
            shard.metrics.counter("forecast_bad_values", &[operator, partition, ("column", column), ("reason", reason)])
        };
        let counters = Counters {
            bad: BadValueCounters {
                target: bad("target", "not-finite"),
                target_missing: bad("target", "missing"),
                input: bad("input", "missing-or-not-finite"),
                time: bad("time", "out-of-order"),
            },
            update_ns: counter("forecast_update_ns"),
            published_at: None,
            keys_known: shard.metrics.gauge("forecast_keys_known", &labels),
            models: ModelGauges::new(&models, &Lineup::of(config), shard),
            counts: counts(&keys, &models).into_iter().map(|(name, _)| (counter(name), 0)).collect(),
        };
        let interval = config.interval.as_deref().and_then(parse_micros);
        Self {
            partition: shard.partition.clone(),
            component: shard.component.clone(),
            columns: factory.columns.clone(),
            vocabularies: factory.vocabularies(),
            bad_values: config.bad_values,
            settings: Settings::of(config),
            rows: 0,
            keys,
            features: Features::new(&config.features, &factory.dims_of_numbers(), interval),
            desk,
            models,
            counters,
            scratch: Scratch::for_slots(0),
        }
    }

    /// Counters count what happens in this process; what a snapshot counted before is not counted again.
    fn count_from_here(&mut self) {
        self.counters.keys_known.set(self.keys.len() as f64);
        for ((_, published), (_, now)) in self.counters.counts.iter_mut().zip(counts(&self.keys, &self.models)) {
            *published = now;
        }
    }

    /// Publishes what is counted, and what is summed up unless that was a moment ago: that is many gauges, and a batch may be a
    /// single row.
    fn publish_now_and_then(&mut self) {
        self.publish_counts();
        if self.counters.published_at.is_none_or(|last| last.elapsed() >= PUBLISH_EVERY) {
            self.publish_scores();
        }
    }

    fn publish(&mut self) {
        self.publish_counts();
        self.publish_scores();
    }

    fn publish_scores(&mut self) {
        self.counters.published_at = Some(Instant::now());
        self.counters.keys_known.set(self.keys.len() as f64);
        self.counters.models.set(&self.models);
        self.desk.publish(self.keys.len());
    }

    fn publish_counts(&mut self) {
        for ((counter, published), (_, now)) in self.counters.counts.iter_mut().zip(counts(&self.keys, &self.models)) {
            counter.add(now - std::mem::replace(published, now));
        }
    }
}

impl<D: Desk> Drop for ForecastOperator<D> {
    /// The last numbers are seen too.
    fn drop(&mut self) {
        if self.counters.published_at.is_some() {
            self.publish();
        }
    }
}

impl<D: Desk> Operator for ForecastOperator<D> {
    fn process(&mut self, batch: Batch, out: &mut Output) -> Result<(), BoxError> {
        if *batch.partition() != self.partition {
            let (expected, found) = (self.partition.clone(), batch.partition().clone());
            return Err(ModelError::WrongPartition { expected, found }.into());
        }
        let refused = self.columns.to_reject(&batch, self.bad_values, &self.vocabularies)?;
        let batch = if refused.is_empty() {
            batch
        } else {
            let (kept, letters) = reject::divide(&self.columns, &self.component, &batch, refused)?;
            letters.into_iter().for_each(|letter| out.reject(letter));
            kept
        };
        let events = self.columns.decode(&batch, self.bad_values, &self.counters.bad, &mut self.vocabularies)?;
        let (per_event, cells) = (self.desk.rows_per_event(), self.desk.cells_per_event());
        let step = (TABLE_ROWS / per_event).max(EVENTS_MIN).min(CELLS_MAX / cells).max(1);
        for from in (0..events.len()).step_by(step) {
            let to = (from + step).min(events.len());
            let first_row = self.rows;
            let stretch = self.run(&events, from, to)?;
            let table = self.desk.close(&stretch, first_row as u64, &self.vocabularies)?;
            // A row per event keeps the event's offset; several rows per event are numbered anew, densely.
            let offsets = match per_event {
                1 => batch.offsets().slice(from, to - from),
                _ => Offsets::dense(Offset(first_row.saturating_mul(per_event as i64)), table.num_rows())?,
            };
            out.emit(Batch::new(self.partition.clone(), offsets, table)?);
        }
        self.publish_now_and_then();
        Ok(())
    }

    fn finish(&mut self, _: &mut Output) -> Result<(), BoxError> {
        self.publish();
        Ok(())
    }

    /// Windows of a key that wait for the end of their update span stay: what they teach is everybody's.
    fn retain_keys(&mut self, keep: &dyn Fn(Option<&str>) -> bool) -> Result<(), BoxError> {
        for slot in self.keys.canonical_order() {
            if !keep(self.keys.name(slot)) {
                self.keys.remove(slot);
                self.forget(slot);
            }
        }
        self.count_from_here();
        Ok(())
    }

    fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), BoxError> {
        let order = self.keys.canonical_order();
        to.scope("settings", |to| self.settings.snapshot(to))?;
        to.i64("rows", &[1], &[self.rows])?;
        to.scope("keys", |to| self.keys.snapshot(&order, to))?;
        for (place, vocabulary) in self.vocabularies.iter().enumerate() {
            to.scope(&format!("classes.{place}"), |to| vocabulary.snapshot(to))?;
        }
        to.scope("features", |to| self.features.snapshot(&order, to))?;
        self.desk.snapshot(&order, to)?;
        for (place, model) in self.models.iter().enumerate() {
            to.scope(&scope(place), |to| model.snapshot(&order, to))?;
        }
        Ok(())
    }

    fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), BoxError> {
        if self.counters.published_at.is_some() {
            self.publish();
        }
        self.settings.restore(&from.scope("settings"))?;
        self.rows = from.i64("rows", &[1])?[0];
        if self.rows < 0 {
            return Err(ModelError::Restore("it counts fewer than no rows".into()).into());
        }
        let keys = self.keys.restore(self.rows, &from.scope("keys"))?;
        for (place, vocabulary) in self.vocabularies.iter_mut().enumerate() {
            vocabulary.restore(&from.scope(&format!("classes.{place}")))?;
        }
        self.features.restore(keys, &from.scope("features"))?;
        self.desk.restore(keys, from)?;
        for (place, model) in self.models.iter_mut().enumerate() {
            model.restore(keys, &from.scope(&scope(place)))?;
        }
        self.scratch = Scratch::for_slots(keys);
        self.count_from_here();
        self.desk.publish(self.keys.len());
        self.counters.models.set(&self.models);
        Ok(())
    }
}

/// What is counted, with the name of its metric: keys that were new, keys evicted, and what all models count together.
fn counts<F>(keys: &Keys, models: &[Box<dyn Predictor<F>>]) -> Vec<(&'static str, u64)> {
    let seen = keys.len() as u64 + keys.evicted();
    let mut all = vec![("forecast_keys", seen), ("forecast_keys_evicted", keys.evicted())];
    for (name, count) in models.iter().flat_map(|model| model.counters()) {
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += count,
            None => all.push((name, count)),
        }
    }
    all
}

/// Where a model's state stands in a snapshot: by its place, so that it does not depend on what anything is called.
fn scope(place: usize) -> String {
    match place {
        0 => "model".to_owned(),
        _ => format!("member.{place}"),
    }
}
