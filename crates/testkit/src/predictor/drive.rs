//! Drives a predictor as the forecast operator does: waves between update spans, in the order *observe, learn, forecast*.

use std::collections::BTreeMap;

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_model::{Dims, Predictor, Wave};

use super::stream::{Row, append};
use crate::said::Said;

/// When a predictor is asked to learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learning {
    /// At every so-many-th row, if something is due.
    Every(u64),
    /// Never.
    Off,
}

/// A predictor at work, and what it said so far.
pub(super) struct Driver<F> {
    predictor: Box<dyn Predictor<F>>,
    width: usize,
    learning: Learning,
    /// The slot of each key.
    slots: BTreeMap<usize, usize>,
    free: Vec<usize>,
    slot_count: usize,
    /// What was said of the event after each row, by the row's index.
    pub(super) said: BTreeMap<i64, Vec<F>>,
}

impl<F: Said> Driver<F> {
    /// A fresh predictor.
    pub(super) fn new(predictor: Box<dyn Predictor<F>>, dims: &Dims, learning: Learning) -> Self {
        let width = if dims.classes.is_empty() { dims.outputs() } else { dims.probabilities() };
        let (slots, said) = (BTreeMap::new(), BTreeMap::new());
        Self { predictor, width, learning, slots, free: Vec::new(), slot_count: 0, said }
    }

    /// Works on rows, waves being made from at most `together` of them at once.
    pub(super) fn advance(&mut self, rows: &[Row], together: usize) {
        let mut group: Vec<&Row> = Vec::new();
        let mut due = self.predictor.has_due();
        for row in rows {
            due |= self.predictor.falls_due(row.event);
            let closes = match self.learning {
                Learning::Every(span) => (row.index as u64 + 1).is_multiple_of(span),
                Learning::Off => false,
            };
            if closes && due {
                self.work_on(&mut group);
                let wave = self.observe(&[row]);
                self.predictor.learn().expect("a backend that works");
                self.forecast(&[row], &wave);
                due = false;
                continue;
            }
            group.push(row);
            if group.len() == together {
                self.work_on(&mut group);
            }
        }
        self.work_on(&mut group);
    }

    /// The first row of every key is a wave, then the second, and so on.
    fn work_on(&mut self, group: &mut Vec<&Row>) {
        let mut waves: Vec<Vec<&Row>> = Vec::new();
        let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
        for row in group.drain(..) {
            let place = seen.entry(row.key).or_default();
            if *place == waves.len() {
                waves.push(Vec::new());
            }
            waves[*place].push(row);
            *place += 1;
        }
        for rows in waves {
            let wave = self.observe(&rows);
            self.forecast(&rows, &wave);
        }
    }

    fn slot(&mut self, key: usize) -> usize {
        if let Some(slot) = self.slots.get(&key) {
            return *slot;
        }
        let slot = self.free.pop().unwrap_or(self.slot_count);
        self.slot_count = self.slot_count.max(slot + 1);
        self.predictor.reserve(self.slot_count);
        self.slots.insert(key, slot);
        slot
    }

    fn observe(&mut self, rows: &[&Row]) -> Wave {
        let mut wave = Wave::default();
        for row in rows {
            append(row, self.slot(row.key), &mut wave);
        }
        self.predictor.observe(&wave).expect("a backend that works");
        wave
    }

    fn forecast(&mut self, rows: &[&Row], wave: &Wave) {
        let mut out = vec![F::NOTHING; rows.len() * self.width];
        self.predictor.forecast(wave, &mut out).expect("a backend that works");
        for (row, said) in rows.iter().zip(out.chunks_exact(self.width)) {
            self.said.insert(row.index, said.to_vec());
        }
    }

    /// Forgets a key. Its slot is given to the next new one, or left alone.
    pub(super) fn forget(&mut self, key: usize, use_again: bool) {
        let slot = self.slots.remove(&key).expect("a key that was seen");
        self.predictor.forget(slot);
        if use_again {
            self.free.push(slot);
        }
    }

    /// The snapshot, with the keys in falling order, so that a restored one has other slots.
    pub(super) fn snapshot(&self) -> Vec<u8> {
        let slots: Vec<usize> = self.slots.values().rev().copied().collect();
        let mut writer = SnapshotWriter::new();
        self.predictor.snapshot(&slots, &mut writer).expect("a state that can be written");
        writer.finish().expect("a snapshot that can be encoded")
    }

    /// Goes on with a fresh predictor that gets the state of this one.
    pub(super) fn handed_over_to(self, mut fresh: Box<dyn Predictor<F>>) -> Self {
        let bytes = self.snapshot();
        let reader = SnapshotReader::parse(&bytes).expect("a snapshot that was just written");
        let keys = self.slots.len();
        fresh.restore(keys, &reader).expect("a snapshot of the same settings");
        let slots = self.slots.into_keys().rev().enumerate().map(|(slot, key)| (key, slot)).collect();
        Self { predictor: fresh, slots, free: Vec::new(), slot_count: keys, ..self }
    }
}
