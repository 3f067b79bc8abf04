//! Further numeric columns, standardised as they run.

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::EwMoments;

use super::targets::{LEVEL_CLIP, SCALE_MIN};
use super::{Event, FeatureConfig, parts};
use crate::error::ModelError;
use crate::slab::Slab;

/// The running statistics of the further columns of all keys.
pub(super) struct Inputs {
    missing_indicator: bool,
    level_alpha: f64,
    /// `[extra inputs]`.
    states: Slab<EwMoments>,
    /// The last value of each.
    last: Slab<f64>,
}

impl Inputs {
    /// No keys yet.
    pub(super) fn new(config: &FeatureConfig) -> Self {
        let count = config.inputs.len();
        Self {
            missing_indicator: config.missing_indicator,
            level_alpha: config.level_alpha,
            states: Slab::new(count, EwMoments::default()),
            last: Slab::new(count, f64::NAN),
        }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.states.reserve(slots);
        self.last.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.states.clear(slot);
        self.last.clear(slot);
    }

    /// Takes in the values of an event and appends what the network sees of them.
    pub(super) fn observe(&mut self, event: &Event<'_>, out: &mut Vec<f32>) {
        let lasts = self.last.row_mut(event.slot);
        let states = self.states.row_mut(event.slot).iter_mut();
        for (place, ((state, last), x)) in states.zip(lasts).zip(event.inputs).enumerate() {
            let carried = event.carried_inputs.get(place).is_some_and(|carried| *carried);
            let x = if carried { *last } else { *x };
            let observed = !x.is_nan();
            if observed {
                state.update(self.level_alpha, x);
                *last = x;
            }
            let distance = if observed { (x - state.mean()) / state.deviation().max(SCALE_MIN) } else { 0.0 };
            out.push(distance.clamp(-LEVEL_CLIP, LEVEL_CLIP) as f32);
            if self.missing_indicator {
                out.push(f32::from(!observed));
            }
        }
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        parts::write_moments("input", &self.states, slots, to)?;
        let shape = [slots.len(), self.last.width()];
        Ok(to.f64("input.last", &shape, &self.last.gather(slots, |last| last))?)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        parts::read_moments("input", &mut self.states, keys, from)?;
        self.last.fill(&from.f64("input.last", &[keys, self.last.width()])?, |last| last);
        Ok(())
    }
}
