//! The operator itself: cuts the log into waves, and keeps the order of scoring, learning and forecasting.

use sluicegate_core::{
    Batch, BoxError, Counter, Offset, Offsets, Operator, Output, PartitionId, ShardContext, SnapshotReader,
    SnapshotWriter,
};
use sluicegate_score::{Distribution, Score};

use super::Cell;
use super::bind::Factory;
use super::decode::{BadValueCounters, Columns, Events};
use super::issue::Issue;
use super::layout::{Layout, Plan};
use super::outstanding::Outstanding;
use super::scoreboard::Scoreboard;
use crate::config::{BadValuesConfig, OnBadValue};
use crate::duration::parse_micros;
use crate::error::ModelError;
use crate::feature::{Event, Features};
use crate::keys::Keys;
use crate::predictor::Predictor;
use crate::wave::{Dims, Wave};

/// A table of about this many rows is put together at a time: large enough to share the cost of a table, small enough to
/// stay in the cache.
const TABLE_ROWS: usize = 16_384;
/// But at least so many events, so that waves over many keys stay wide.
const EVENTS_MIN: usize = 512;

/// Forecasts every event of one partition, and learns. See [`ForecastConfig`](crate::ForecastConfig).
pub struct ForecastOperator {
    partition: PartitionId,
    dims: Dims,
    columns: Columns,
    bad_values: BadValuesConfig,
    update_rows: u64,
    /// Rows seen so far: the index of the next one.
    rows: i64,
    keys: Keys,
    features: Features,
    /// The product first.
    models: Vec<Box<dyn Predictor>>,
    model_names: Vec<String>,
    outstanding: Outstanding,
    scoreboard: Scoreboard,
    layout: Box<dyn Layout>,
    counters: Counters,
    scratch: Scratch,
}

struct Counters {
    bad: BadValueCounters,
    keys: Counter,
    evicted: Counter,
    /// Counters of the product, and what was published of each.
    product: Vec<(Counter, u64)>,
    published: [u64; 2],
}

/// Memory that is used again from wave to wave.
#[derive(Default)]
struct Scratch {
    wave: Wave,
    /// `[rows, K]` of one model.
    forecasts: Vec<Option<Distribution>>,
    /// `[K, models]` of one row.
    due: Vec<Option<Distribution>>,
    /// How many rows of a slot are in the group so far; valid where the stamp is that of the group.
    occurrences: Vec<(u64, usize)>,
    stamp: u64,
}

/// A row of the batch at hand with the slot of its key.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// Its place in the batch.
    at: usize,
    /// Its index among all rows of the shard.
    index: i64,
    slot: usize,
    /// Its index among the events of its key.
    event: u64,
}

impl ForecastOperator {
    pub(super) fn new(factory: &Factory, shard: &ShardContext) -> Result<Self, ModelError> {
        let (config, dims) = (&factory.config, factory.dims());
        let plan: Plan = factory.plan(&shard.component);
        let kinds = std::iter::once(config.model.kind).chain(config.controls.iter().copied());
        let models: Vec<_> =
            kinds.map(|kind| kind.build(config, &dims, &factory.base_dir)).collect::<Result<_, _>>()?;
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
            keys: counter("forecast_keys"),
            evicted: counter("forecast_keys_evicted"),
            product: models[0].counters().into_iter().map(|(name, _)| (counter(name), 0)).collect(),
            published: [0; 2],
        };
        let interval = config.interval.as_deref().and_then(parse_micros);
        Ok(Self {
            partition: shard.partition.clone(),
            columns: factory.columns.clone(),
            bad_values: config.bad_values,
            update_rows: config.model.update_rows(),
            rows: 0,
            keys: Keys::new(config.max_keys, config.ttl_events),
            features: Features::new(config.features.clone(), dims.clone(), interval),
            outstanding: Outstanding::new(&dims, models.len()),
            scoreboard: Scoreboard::new(config.scores, &plan, shard),
            layout: plan.build(&shard.partition),
            model_names: plan.models,
            models,
            dims,
            counters,
            scratch: Scratch::default(),
        })
    }

    /// Works on rows `from .. to` of a batch and returns what became of them.
    fn run(&mut self, events: &Events, from: usize, to: usize) -> Result<Issue, ModelError> {
        let cells = (to - from) * self.dims.outputs() * self.models.len();
        let empty = Cell { issued: None, forecast: f64::NAN, score: Score::NAN };
        let targets = self.dims.targets;
        let mut issue = Issue {
            offsets: events.offsets[from..to].to_vec(),
            times: events.times[from..to].to_vec(),
            key_of: Vec::with_capacity(to - from),
            keys: Vec::new(),
            observed: events.targets[from * targets..to * targets].to_vec(),
            cells: vec![empty; cells],
        };
        let mut place_of_key = std::collections::HashMap::new();
        let mut group: Vec<Row> = Vec::new();
        let mut due = self.models.iter().any(|model| model.has_due());
        for at in from..to {
            let (index, key) = (self.rows, events.key(at));
            while let Some(slot) = self.keys.to_evict(key, index) {
                self.forecast_group(&mut group, events, from, &mut issue)?;
                self.evict(slot);
            }
            let (slot, event) = self.keys.see(key, index);
            self.reserve();
            self.rows += 1;
            let place = *place_of_key.entry((slot, self.keys.evicted())).or_insert_with(|| {
                issue.keys.push(key.map(str::to_owned));
                issue.keys.len() as i32 - 1
            });
            issue.key_of.push(place);
            due |= self.models.iter().any(|model| model.falls_due(event));
            let row = Row { at, index, slot, event };
            let closes = (index as u64 + 1).is_multiple_of(self.update_rows);
            if closes && due {
                self.forecast_group(&mut group, events, from, &mut issue)?;
                self.learn_at(row, events, from, &mut issue)?;
                due = false;
            } else {
                group.push(row);
            }
        }
        self.forecast_group(&mut group, events, from, &mut issue)?;
        Ok(issue)
    }

    fn reserve(&mut self) {
        let slots = self.keys.slot_count();
        if self.scratch.occurrences.len() < slots {
            // In steps, so that a growing number of keys does not mean moving everything for every key.
            let slots = slots.next_power_of_two();
            self.scratch.occurrences.resize(slots, (0, 0));
            self.features.reserve(slots);
            self.outstanding.reserve(slots);
            self.models.iter_mut().for_each(|model| model.reserve(slots));
        }
    }

    fn evict(&mut self, slot: usize) {
        self.keys.evict(slot);
        self.features.forget(slot);
        self.outstanding.forget(slot);
        self.models.iter_mut().for_each(|model| model.forget(slot));
    }

    /// Forecasts rows between two optimizer steps, wave by wave: the first row of every key, then the second, and so on.
    fn forecast_group(
        &mut self,
        group: &mut Vec<Row>,
        events: &Events,
        from: usize,
        issue: &mut Issue,
    ) -> Result<(), ModelError> {
        self.scratch.stamp += 1;
        let stamp = self.scratch.stamp;
        let mut waves: Vec<Vec<Row>> = Vec::new();
        for row in group.drain(..) {
            let (of_group, seen) = &mut self.scratch.occurrences[row.slot];
            if *of_group != stamp {
                (*of_group, *seen) = (stamp, 0);
            }
            if *seen == waves.len() {
                waves.push(Vec::new());
            }
            waves[*seen].push(row);
            *seen += 1;
        }
        for rows in waves {
            self.observe(&rows, events, from, issue)?;
            self.forecast(&rows, from, issue)?;
        }
        Ok(())
    }

    /// The row that closes an update span: its value is scored and learned from before its successor is forecast.
    fn learn_at(&mut self, row: Row, events: &Events, from: usize, issue: &mut Issue) -> Result<(), ModelError> {
        self.observe(&[row], events, from, issue)?;
        self.models.iter_mut().try_for_each(|model| model.learn())?;
        self.forecast(&[row], from, issue)
    }

    /// Scores the outstanding forecasts of some rows, then lets statistics and models see their values.
    fn observe(&mut self, rows: &[Row], events: &Events, from: usize, issue: &mut Issue) -> Result<(), ModelError> {
        let (targets, models) = (self.dims.targets, self.models.len());
        let per_target = self.dims.horizons.len() * models;
        let per_event = targets * per_target;
        let inputs = events.inputs.len() / events.len().max(1);
        let Scratch { wave, due, .. } = &mut self.scratch;
        wave.clear();
        for row in rows {
            let values = &events.targets[row.at * targets..][..targets];
            due.clear();
            self.outstanding.due(row.slot, row.event, due);
            let cells = &mut issue.cells[(row.at - from) * per_event..][..per_event];
            for (place, (cell, due)) in cells.iter_mut().zip(due.iter()).enumerate() {
                let value = values[place / per_target];
                if let Some(due) = due {
                    cell.forecast = due.mean();
                    if !value.is_nan() {
                        cell.score = due.score(value);
                    }
                }
            }
            let event = Event {
                slot: row.slot,
                row: row.index,
                index: row.event,
                time: events.times[row.at],
                targets: values,
                inputs: &events.inputs[row.at * inputs..][..inputs],
            };
            if self.features.observe(&event, wave) {
                self.counters.bad.time.add(1);
                if self.bad_values.time == OnBadValue::Fail {
                    return Err(ModelError::BadValue {
                        offset: events.offsets[row.at],
                        column: self.columns.time_column().unwrap_or_default().to_owned(),
                        reason: "lies before an earlier event of the same key",
                        setting: "time",
                    });
                }
            }
        }
        self.models.iter_mut().try_for_each(|model| model.observe(wave))
    }

    /// Moves the state with the rows that were observed last, and issues forecasts of their successors.
    fn forecast(&mut self, rows: &[Row], from: usize, issue: &mut Issue) -> Result<(), ModelError> {
        let (outputs, models) = (self.dims.outputs(), self.models.len());
        let Scratch { wave, forecasts, .. } = &mut self.scratch;
        for (index, model) in self.models.iter_mut().enumerate() {
            forecasts.clear();
            forecasts.resize(rows.len() * outputs, None);
            model.forecast(wave, forecasts)?;
            for (row, forecasts) in rows.iter().zip(forecasts.chunks_exact(outputs)) {
                for (k, forecast) in forecasts.iter().enumerate() {
                    issue.cells[((row.at - from) * outputs + k) * models + index].issued = *forecast;
                    self.outstanding.issue(row.slot, row.event, k, index, *forecast);
                }
            }
        }
        Ok(())
    }

    /// Adds up the scores of a run, in the order of the log so that the sums do not depend on how it was cut.
    fn tally(&mut self, issue: &Issue, first_row: i64) {
        let targets = self.dims.targets;
        let per_event = self.dims.outputs() * self.models.len();
        let values = issue.observed.chunks_exact(targets);
        for (event, (values, cells)) in values.zip(issue.cells.chunks_exact(per_event)).enumerate() {
            let row = first_row as u64 + event as u64;
            self.scoreboard.observe(row, values);
            for (place, cell) in cells.iter().enumerate() {
                self.scoreboard.add(row, place, &cell.score);
            }
        }
    }

    fn publish(&mut self) {
        self.scoreboard.publish();
        let Counters { keys, evicted, product, published, .. } = &mut self.counters;
        let seen = [self.keys.len() as u64 + self.keys.evicted(), self.keys.evicted()];
        for ((counter, now), before) in [keys, evicted].into_iter().zip(seen).zip(published.iter_mut()) {
            counter.add(now - std::mem::replace(before, now));
        }
        for ((counter, published), (_, now)) in product.iter_mut().zip(self.models[0].counters()) {
            counter.add(now - std::mem::replace(published, now));
        }
    }
}

impl Operator for ForecastOperator {
    fn process(&mut self, batch: Batch, out: &mut Output) -> Result<(), BoxError> {
        if *batch.partition() != self.partition {
            let (expected, found) = (self.partition.clone(), batch.partition().clone());
            return Err(ModelError::WrongPartition { expected, found }.into());
        }
        let events = self.columns.decode(&batch, self.bad_values, &self.counters.bad)?;
        let step = (TABLE_ROWS / self.layout.rows_per_event()).max(EVENTS_MIN);
        for from in (0..events.len()).step_by(step) {
            let to = (from + step).min(events.len());
            let first_row = self.rows;
            let issue = self.run(&events, from, to)?;
            self.tally(&issue, first_row);
            let table = self.layout.table(&issue)?;
            // A row per event keeps the event's offset; several rows per event are numbered anew, densely.
            let per_event = self.layout.rows_per_event();
            let offsets = match per_event {
                1 => batch.offsets().slice(from, to - from),
                _ => Offsets::dense(Offset(first_row.saturating_mul(per_event as i64)), table.num_rows())?,
            };
            out.emit(Batch::new(self.partition.clone(), offsets, table)?);
        }
        self.publish();
        Ok(())
    }

    fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), BoxError> {
        let order = self.keys.canonical_order();
        to.i64("rows", &[1], &[self.rows])?;
        to.scope("keys", |to| self.keys.snapshot(&order, to))?;
        to.scope("features", |to| self.features.snapshot(&order, to))?;
        to.scope("outstanding", |to| self.outstanding.snapshot(&order, to))?;
        to.scope("scores", |to| self.scoreboard.snapshot(to))?;
        for (place, model) in self.models.iter().enumerate() {
            to.scope(&self.scope(place), |to| model.snapshot(&order, to))?;
        }
        Ok(())
    }

    fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), BoxError> {
        self.rows = from.i64("rows", &[1])?[0];
        let keys = self.keys.restore(&from.scope("keys"))?;
        self.features.restore(keys, &from.scope("features"))?;
        self.outstanding.restore(keys, &from.scope("outstanding"))?;
        self.scoreboard.restore(&from.scope("scores"))?;
        for place in 0..self.models.len() {
            let scope = self.scope(place);
            self.models[place].restore(keys, &from.scope(&scope))?;
        }
        self.scratch = Scratch { occurrences: vec![(0, 0); keys], ..Scratch::default() };
        self.publish();
        Ok(())
    }
}

impl ForecastOperator {
    /// Where a model's state stands in a snapshot: the product's does not depend on what the operator is called.
    fn scope(&self, place: usize) -> String {
        match place {
            0 => "model".to_owned(),
            _ => format!("control.{}", self.model_names[place]),
        }
    }
}
