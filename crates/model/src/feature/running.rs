//! What is kept of every key, and what an event adds to it.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::clock::Clocks;
use super::inputs::Inputs;
use super::targets::Targets;
use super::{CalendarFeature, Event, FeatureConfig};
use crate::error::ModelError;
use crate::wave::{Dims, Wave};

/// The running statistics of all keys of a shard.
pub struct Features {
    calendar: Vec<CalendarFeature>,
    elapsed: bool,
    targets: Targets,
    inputs: Inputs,
    clocks: Clocks,
}

impl Features {
    /// No keys yet. `interval` is the time from an event to the next, in microseconds, where the pipeline states it.
    pub fn new(config: &FeatureConfig, dims: &Dims, interval: Option<i64>) -> Self {
        Self {
            calendar: config.calendar.clone(),
            elapsed: config.elapsed,
            targets: Targets::new(config, dims),
            inputs: Inputs::new(config),
            clocks: Clocks::new(interval, config.elapsed),
        }
    }

    /// Makes room for slots `0 .. slots`.
    pub fn reserve(&mut self, slots: usize) {
        self.targets.reserve(slots);
        self.inputs.reserve(slots);
        self.clocks.reserve(slots);
    }

    /// Forgets the key of a slot.
    pub fn forget(&mut self, slot: usize) {
        self.targets.forget(slot);
        self.inputs.forget(slot);
        self.clocks.forget(slot);
    }

    /// The last value of a target that was seen of a key before the event of this index; NaN where there is none.
    pub fn last_level(&self, slot: usize, index: u64, target: usize) -> f64 {
        self.targets.last_level(slot, index, target)
    }

    /// When the key's next event is to be expected, one interval after its last or one of its last gap; `None` where none of its
    /// events had a time.
    pub(crate) fn next_time(&self, slot: usize) -> Option<i64> {
        self.clocks.next(slot)
    }

    /// Takes an event into the statistics of its key and appends what they say to the wave. Returns whether its time lies
    /// before that of an earlier event of the key.
    pub fn observe(&mut self, event: &Event<'_>, wave: &mut Wave) -> bool {
        wave.slots.push(event.slot);
        wave.rows.push(event.row);
        wave.events.push(event.index);
        self.targets.observe(event, wave);
        self.inputs.observe(event, &mut wave.inputs);
        let reading = self.clocks.observe(event.slot, event.time);
        let first = wave.calendar.len();
        for feature in &self.calendar {
            match reading.next {
                Some(next) => feature.push(next, &mut wave.calendar),
                None => wave.calendar.extend(std::iter::repeat_n(0.0, feature.width())),
            }
        }
        wave.inputs.extend(wave.calendar[first..].iter().map(|value| *value as f32));
        if self.elapsed {
            wave.inputs.push(reading.elapsed as f32);
        }
        reading.went_back
    }

    /// Writes the statistics of the given slots in their order.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        self.targets.snapshot(slots, to)?;
        self.inputs.snapshot(slots, to)?;
        self.clocks.snapshot(slots, to)
    }

    /// Reads what [`Features::snapshot`] wrote, for slots `0 .. keys`.
    ///
    /// # Errors
    /// When it was written with other settings, or is damaged.
    pub fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.targets.restore(keys, from)?;
        self.inputs.restore(keys, from)?;
        self.clocks.restore(keys, from)
    }
}
