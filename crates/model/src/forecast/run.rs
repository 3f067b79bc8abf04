//! A run of rows: cut into waves between optimizer steps, in the order *score, learn, step, forecast*.

use std::time::Instant;

use sluicegate_core::Offset;

use super::decode::Events;
use super::desk::{At, Desk};
use super::operator::ForecastOperator;
use super::stretch::Stretch;
use crate::error::ModelError;
use crate::feature::Event;
use crate::wave::Wave;

/// Memory that is used again from wave to wave. Stamps start at 1, so that 0 is none.
pub(super) struct Scratch<F> {
    wave: Wave,
    /// Per model, `[rows, width]`: what it says of the wave.
    said: Vec<Vec<F>>,
    /// How many rows of a slot are in the group so far; valid where the stamp is that of the group.
    occurrences: Vec<(u64, usize)>,
    stamp: u64,
    /// The stamp of the group that a slot's last row was put into.
    in_group: Vec<u64>,
    /// Where the key of a slot is among those of the run; valid where the stamp is that of the run.
    key_places: Vec<(u64, i32)>,
    run: u64,
}

impl<F> Scratch<F> {
    /// Room for so many slots.
    pub(super) fn for_slots(slots: usize) -> Self {
        Self {
            wave: Wave::default(),
            said: Vec::new(),
            occurrences: vec![(0, 0); slots],
            stamp: 1,
            in_group: vec![0; slots],
            key_places: vec![(0, 0); slots],
            run: 0,
        }
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

impl<D: Desk> ForecastOperator<D> {
    /// Works on rows `from .. to` of a batch and returns which they are; what became of them is at the desk.
    pub(super) fn run(&mut self, events: &Events, from: usize, to: usize) -> Result<Stretch, ModelError> {
        let mut stretch = Stretch {
            offsets: events.offsets[from..to].to_vec(),
            times: events.times[from..to].to_vec(),
            key_of: Vec::with_capacity(to - from),
            keys: Vec::new(),
        };
        self.desk.open(events, from..to);
        let mut group: Vec<Row> = Vec::new();
        self.scratch.run += 1;
        let run = self.scratch.run;
        let mut due = self.models.iter().any(|model| model.has_due());
        for at in from..to {
            let (index, key) = (self.rows, events.key(at));
            while let Some(slot) = self.keys.to_evict(key, index) {
                // Rows of the evicted key that wait in the group need its memory; other keys' do not.
                if self.scratch.in_group[slot] == self.scratch.stamp {
                    self.forecast_group(&mut group, events, from)?;
                }
                self.evict(slot);
            }
            let (slot, event) = self.keys.see(key, index);
            self.reserve();
            self.rows += 1;
            let (of_run, place) = &mut self.scratch.key_places[slot];
            if *of_run != run {
                (*of_run, *place) = (run, stretch.keys.len() as i32);
                stretch.keys.push(key.map(str::to_owned));
            }
            stretch.key_of.push(*place);
            due |= self.models.iter().any(|model| model.falls_due(event));
            let row = Row { at, index, slot, event };
            let closes = (index as u64 + 1).is_multiple_of(self.settings.update_rows());
            if closes && due {
                self.forecast_group(&mut group, events, from)?;
                self.learn_at(row, events, from)?;
                due = false;
            } else {
                self.scratch.in_group[slot] = self.scratch.stamp;
                group.push(row);
            }
        }
        self.forecast_group(&mut group, events, from)?;
        Ok(stretch)
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
            self.desk.reserve(slots);
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
        self.desk.forget(slot);
        self.models.iter_mut().for_each(|model| model.forget(slot));
    }

    /// Forecasts rows between two optimizer steps, wave by wave: the first row of every key, then the second, and so on.
    fn forecast_group(&mut self, group: &mut Vec<Row>, events: &Events, from: usize) -> Result<(), ModelError> {
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
            self.observe(&rows, events, from)?;
            self.forecast(&rows, from)?;
        }
        Ok(())
    }

    /// The row that closes an update span: its value is scored and learned from before its successor is forecast.
    fn learn_at(&mut self, row: Row, events: &Events, from: usize) -> Result<(), ModelError> {
        self.observe(&[row], events, from)?;
        let begun = Instant::now();
        self.models.iter_mut().try_for_each(|model| model.learn())?;
        self.counters.update_ns.add(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        self.forecast(&[row], from)
    }

    /// Scores the outstanding forecasts of some rows, then lets statistics and models see their values.
    fn observe(&mut self, rows: &[Row], events: &Events, from: usize) -> Result<(), ModelError> {
        let inputs = events.inputs.len() / events.len().max(1);
        let wave = &mut self.scratch.wave;
        wave.clear();
        for row in rows {
            let place = row.at - from;
            for target in events.carried_targets(row.at) {
                self.desk.carry(place, target, self.features.last_level(row.slot, row.event, target));
            }
            self.desk.settle(At { slot: row.slot, event: row.event, place });
            let event = Event {
                slot: row.slot,
                row: row.index,
                index: row.event,
                time: events.times[row.at],
                targets: self.desk.numbers(place),
                inputs: &events.inputs[row.at * inputs..][..inputs],
                carried_inputs: events.carried_inputs.get(row.at * inputs..(row.at + 1) * inputs).unwrap_or_default(),
            };
            wave.codes.extend_from_slice(events.codes(row.at));
            wave.classes.extend_from_slice(events.labels(row.at));
            wave.characters.extend_from_slice(events.characters(row.at));
            if self.features.observe(&event, wave) {
                let at = Offset(events.offsets[row.at]);
                self.columns.time_went_back(self.bad_values, at, &self.counters.bad)?;
            }
        }
        self.models.iter_mut().try_for_each(|model| model.observe(wave))
    }

    /// Moves the state with the rows that were observed last, and issues forecasts of their successors.
    fn forecast(&mut self, rows: &[Row], from: usize) -> Result<(), ModelError> {
        let Scratch { wave, said, .. } = &mut self.scratch;
        said.resize_with(self.models.len(), Vec::new);
        for (model, said) in self.models.iter_mut().zip(said.iter_mut()) {
            said.clear();
            said.resize(rows.len() * self.desk.width(), D::NOTHING);
            model.forecast(wave, said)?;
        }
        for (place_in_wave, row) in rows.iter().enumerate() {
            let at = At { slot: row.slot, event: row.event, place: row.at - from };
            self.desk.issue(at, said, wave, place_in_wave);
        }
        Ok(())
    }
}
