//! The change of a target from one event of a key to the next.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::{Dims, Wave};

/// The last level of each target of each key. Where a level is the logarithm of a price, its changes are log returns.
pub(super) struct Changes {
    targets: usize,
    horizons: usize,
    /// `[T]`.
    last: Slab<f64>,
}

impl Changes {
    pub(super) fn new(dims: &Dims) -> Self {
        Self { targets: dims.targets, horizons: dims.horizons.len(), last: Slab::new(dims.targets, f64::NAN) }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.last.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.last.clear(slot);
    }

    /// The value observed at this event less the last one observed before it; `None` where either is not known. To be asked
    /// once per event and target.
    ///
    /// A wave does not say whether a value is missing, but a value that is known has a difference over every horizon that
    /// reaches back to a known one. Until the nearest horizon reaches back, a level that stays where it was counts as missing.
    pub(super) fn next(&mut self, wave: &Wave, row: usize, target: usize) -> Option<f64> {
        let place = row * self.targets + target;
        let level = wave.level[place];
        let last = std::mem::replace(&mut self.last.row_mut(wave.slots[row])[target], level);
        let known = wave.difference[place * self.horizons..][..self.horizons].iter().any(|d| !d.is_nan());
        let change = level - last;
        (change.is_finite() && (known || change != 0.0)).then_some(change)
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        Ok(to.f64("last", &[slots.len(), self.targets], &self.last.gather(slots, |level| level))?)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.last.fill(&from.f64("last", &[keys, self.targets])?, |level| level);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes of the levels seen at the events of one key, with the difference over two events beside each.
    fn changes(events: &[(f64, f64)]) -> Vec<Option<f64>> {
        let mut changes = Changes::new(&Dims { targets: 1, horizons: vec![2], inputs: 2, ..Dims::default() });
        changes.reserve(1);
        let wave = |(level, difference): &(f64, f64)| Wave {
            slots: vec![0],
            level: vec![*level],
            difference: vec![*difference],
            ..Wave::default()
        };
        events.iter().map(|event| changes.next(&wave(event), 0, 0)).collect()
    }

    #[test]
    fn a_missing_value_is_told_from_one_that_stayed() {
        const NONE: f64 = f64::NAN;
        assert_eq!(changes(&[(NONE, NONE), (5.0, NONE), (6.0, NONE)]), [None, None, Some(1.0)]);
        let known_apart = [(5.0, NONE), (6.0, NONE), (6.0, 1.0), (6.0, NONE), (8.0, 2.0)];
        assert_eq!(changes(&known_apart), [None, Some(1.0), Some(0.0), None, Some(2.0)]);
        // The horizon does not reach back yet.
        assert_eq!(changes(&[(5.0, NONE), (5.0, NONE)]), [None, None]);
    }
}
