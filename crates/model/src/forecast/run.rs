//! A run of rows: cut into waves between optimizer steps, in the order *score, learn, step, forecast*.

use std::time::Instant;

use sluicegate_core::Offset;
use sluicegate_score::{Distribution, Score};

use super::bind::Shown;
use super::decode::Events;
use super::issue::{Cell, Issue, Issued};
use super::operator::ForecastOperator;
use crate::error::ModelError;
use crate::feature::Event;
use crate::wave::Wave;

/// Memory that is used again from wave to wave. Stamps start at 1, so that 0 is none.
#[derive(Default)]
pub(super) struct Scratch {
    wave: Wave,
    /// `[rows, K]` of one model.
    forecasts: Vec<Option<Distribution>>,
    /// `[rows, K, models]`.
    said: Vec<Option<Distribution>>,
    /// `[models]` of one output.
    weights: Vec<f64>,
    /// `[K, models]` of one row.
    due: Vec<Option<Distribution>>,
    /// How many rows of a slot are in the group so far; valid where the stamp is that of the group.
    occurrences: Vec<(u64, usize)>,
    stamp: u64,
    /// The stamp of the group that a slot's last row was put into.
    in_group: Vec<u64>,
    /// Where the key of a slot is among those of the run; valid where the stamp is that of the run.
    key_places: Vec<(u64, i32)>,
    run: u64,
}

impl Scratch {
    /// Room for so many slots.
    pub(super) fn for_slots(slots: usize) -> Self {
        let (occurrences, key_places) = (vec![(0, 0); slots], vec![(0, 0); slots]);
        Self { occurrences, key_places, in_group: vec![0; slots], stamp: 1, ..Self::default() }
    }
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
    /// Works on rows `from .. to` of a batch and returns what became of them.
    pub(super) fn run(&mut self, events: &Events, from: usize, to: usize) -> Result<Issue, ModelError> {
        let cells = (to - from) * self.dims.outputs() * self.shown.len();
        let targets = self.dims.targets;
        let mut issue = Issue {
            offsets: events.offsets[from..to].to_vec(),
            times: events.times[from..to].to_vec(),
            key_of: Vec::with_capacity(to - from),
            keys: Vec::new(),
            observed: events.targets[from * targets..to * targets].to_vec(),
            cells: vec![Cell::EMPTY; cells],
        };
        let mut group: Vec<Row> = Vec::new();
        self.scratch.run += 1;
        let run = self.scratch.run;
        let mut due = self.models.iter().any(|model| model.has_due());
        for at in from..to {
            let (index, key) = (self.rows, events.key(at));
            while let Some(slot) = self.keys.to_evict(key, index) {
                // Rows of the evicted key that wait in the group need its memory; other keys' do not.
                if self.scratch.in_group[slot] == self.scratch.stamp {
                    self.forecast_group(&mut group, events, from, &mut issue)?;
                }
                self.evict(slot);
            }
            let (slot, event) = self.keys.see(key, index);
            self.reserve();
            self.rows += 1;
            let (of_run, place) = &mut self.scratch.key_places[slot];
            if *of_run != run {
                (*of_run, *place) = (run, issue.keys.len() as i32);
                issue.keys.push(key.map(str::to_owned));
            }
            issue.key_of.push(*place);
            due |= self.models.iter().any(|model| model.falls_due(event));
            let row = Row { at, index, slot, event };
            let closes = (index as u64 + 1).is_multiple_of(self.settings.update_rows());
            if closes && due {
                self.forecast_group(&mut group, events, from, &mut issue)?;
                self.learn_at(row, events, from, &mut issue)?;
                due = false;
            } else {
                self.scratch.in_group[slot] = self.scratch.stamp;
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
            self.scratch.key_places.resize(slots, (0, 0));
            self.scratch.in_group.resize(slots, 0);
            self.features.reserve(slots);
            self.outstanding.reserve(slots);
            self.combination.iter_mut().for_each(|combination| combination.reserve(slots));
            self.models.iter_mut().for_each(|model| model.reserve(slots));
        }
    }

    fn evict(&mut self, slot: usize) {
        self.keys.evict(slot);
        self.forget(slot);
    }

    /// Clears the memory of a slot whose key is gone.
    pub(super) fn forget(&mut self, slot: usize) {
        self.scratch.key_places[slot] = (0, 0);
        self.features.forget(slot);
        self.outstanding.forget(slot);
        self.combination.iter_mut().for_each(|combination| combination.forget(slot));
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
        let stamp = self.scratch.stamp;
        self.scratch.stamp += 1;
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
        let begun = Instant::now();
        self.models.iter_mut().try_for_each(|model| model.learn())?;
        self.counters.update_ns.add(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        self.forecast(&[row], from, issue)
    }

    /// Scores the outstanding forecasts of some rows, then lets statistics and models see their values.
    fn observe(&mut self, rows: &[Row], events: &Events, from: usize, issue: &mut Issue) -> Result<(), ModelError> {
        let (targets, horizons, models) = (self.dims.targets, self.dims.horizons.len(), self.models.len());
        let per_event = self.dims.outputs() * self.shown.len();
        let inputs = events.inputs.len() / events.len().max(1);
        let Scratch { wave, due, .. } = &mut self.scratch;
        wave.clear();
        for row in rows {
            let values = &mut issue.observed[(row.at - from) * targets..][..targets];
            for (target, value) in values.iter_mut().enumerate() {
                if events.carried_targets.get(row.at * targets + target).is_some_and(|carried| *carried) {
                    *value = self.features.last_level(row.slot, row.event, target);
                }
            }
            let values = &*values;
            due.clear();
            self.outstanding.due(row.slot, row.event, due);
            let cells = &mut issue.cells[(row.at - from) * per_event..][..per_event];
            let cells = cells.chunks_exact_mut(self.shown.len());
            for (k, (cells, due)) in cells.zip(due.chunks_exact(models)).enumerate() {
                let value = values[k / horizons];
                let mixed = self.combination.as_mut().and_then(|all| all.settle(row.slot, row.event, k, due, value));
                for (cell, shown) in cells.iter_mut().zip(&self.shown) {
                    let settled = match shown {
                        Shown::Mixture => mixed,
                        Shown::Model(model) => due[*model].map(|due| {
                            let score = if value.is_nan() { Score::NAN } else { due.score(value) };
                            (due.mean(), score)
                        }),
                    };
                    if let Some((mean, score)) = settled {
                        (cell.forecast, cell.score) = (mean, score);
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
                carried_inputs: events.carried_inputs.get(row.at * inputs..(row.at + 1) * inputs).unwrap_or_default(),
            };
            if self.features.observe(&event, wave) {
                let at = Offset(events.offsets[row.at]);
                self.columns.time_went_back(self.bad_values, at, &self.counters.bad)?;
            }
        }
        self.models.iter_mut().try_for_each(|model| model.observe(wave))
    }

    /// Moves the state with the rows that were observed last, and issues forecasts of their successors.
    fn forecast(&mut self, rows: &[Row], from: usize, issue: &mut Issue) -> Result<(), ModelError> {
        let (outputs, models, shown) = (self.dims.outputs(), self.models.len(), self.shown.len());
        let Scratch { wave, forecasts, said, weights, .. } = &mut self.scratch;
        said.clear();
        said.resize(rows.len() * outputs * models, None);
        for (index, model) in self.models.iter_mut().enumerate() {
            forecasts.clear();
            forecasts.resize(rows.len() * outputs, None);
            model.forecast(wave, forecasts)?;
            said.iter_mut().skip(index).step_by(models).zip(forecasts.iter()).for_each(|(said, of)| *said = *of);
        }
        weights.resize(models, f64::NAN);
        for (row, said) in rows.iter().zip(said.chunks_exact(outputs * models)) {
            self.outstanding.issue(row.slot, row.event, said);
            let cells = &mut issue.cells[(row.at - from) * outputs * shown..][..outputs * shown];
            for (k, (cells, said)) in cells.chunks_exact_mut(shown).zip(said.chunks_exact(models)).enumerate() {
                let all = self.combination.as_mut();
                let mixed = all.and_then(|all| all.issue(row.slot, row.event, k, said, weights));
                for (cell, shown) in cells.iter_mut().zip(&self.shown) {
                    match shown {
                        Shown::Mixture => cell.issued = mixed.map(Issued::Mixed),
                        Shown::Model(model) => {
                            (cell.issued, cell.weight) = (said[*model].map(Issued::One), weights[*model]);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
