//! The last classes of each key.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::MISSING;

/// `[past, T]` of each key: event i at i mod past.
pub(super) struct Past {
    targets: usize,
    past: usize,
    classes: Slab<u32>,
}

impl Past {
    /// Room for so many events of `targets` targets.
    pub(super) fn new(targets: usize, past: usize) -> Self {
        Self { targets, past, classes: Slab::new(past * targets, MISSING) }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.classes.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.classes.clear(slot);
    }

    /// Keeps what was seen at an event: the codes of its targets.
    pub(super) fn store(&mut self, slot: usize, event: u64, codes: &[u32]) {
        let place = (event % self.past as u64) as usize * self.targets;
        self.classes.row_mut(slot)[place..][..self.targets].copy_from_slice(&codes[..self.targets]);
    }

    /// The class of a target at one of the last events of a key; [`MISSING`] before its first.
    pub(super) fn at(&self, slot: usize, event: Option<u64>, target: usize) -> u32 {
        event.map_or(MISSING, |event| {
            self.classes.row(slot)[(event % self.past as u64) as usize * self.targets + target]
        })
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let classes = self.classes.gather(slots, |class| if class == MISSING { -1 } else { i64::from(class) });
        Ok(to.i64("past", &[slots.len(), self.classes.width()], &classes)?)
    }

    /// Classes of target t must be below `classes[t]`.
    pub(super) fn restore(
        &mut self,
        keys: usize,
        classes: &[usize],
        from: &SnapshotReader<'_>,
    ) -> Result<(), ModelError> {
        let values = from.i64("past", &[keys, self.classes.width()])?;
        let known = |(place, class): (usize, &i64)| -> Option<u32> {
            match *class {
                -1 => Some(MISSING),
                class => u32::try_from(class).ok().filter(|class| (*class as usize) < classes[place % self.targets]),
            }
        };
        let values: Option<Vec<u32>> = values.iter().enumerate().map(known).collect();
        let values = values.ok_or_else(|| ModelError::Restore("a past class is none of its target's".into()))?;
        self.classes.fill(&values, |class| class);
        Ok(())
    }
}
