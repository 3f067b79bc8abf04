//! What mostly follows the last classes.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::counting::Counting;
use super::past::Past;
use super::tables::Tables;
use super::waiting::known;
use crate::error::ModelError;
use crate::predictor::Predictor;
use crate::wave::{Dims, Wave};

/// P(class | the last `order` classes), by counts with back-off to shorter contexts: a Markov chain of that order.
///
/// The probability of class c after context s is interpolated absolute discounting (Ney, Essen & Kneser 1994; Chen & Goodman 1999):
/// max(n(s, c) − d, 0)/n(s) + d·t(s)/n(s) · P(c | s without its oldest class), where n counts, t is the number of different classes
/// that followed s, and d = 0.75; below the empty context all classes are equally likely. A forecast h events ahead is counted
/// directly: what was there h events after such a context. Counts are of at most 262,144 contexts; when there are as many, no new
/// ones are begun.
pub struct Counts {
    order: usize,
    counting: Counting,
}

impl Counts {
    /// No keys yet; conditions on so many classes.
    pub fn new(order: usize, dims: Dims) -> Self {
        let past = order + dims.horizon_max();
        Self { order, counting: Counting::new(dims, past) }
    }
}

/// The classes of a target at an event of a key and before it.
fn last(order: usize) -> impl Fn(&Past, usize, u64, usize, usize) -> Vec<u32> {
    move |past, slot, event, target, _| {
        known((0..order as u64).map(|ago| past.at(slot, event.checked_sub(ago), target)))
    }
}

impl Predictor<f32> for Counts {
    fn reserve(&mut self, slots: usize) {
        self.counting.reserve(slots);
    }

    fn observe(&mut self, wave: &Wave) -> Result<(), ModelError> {
        self.counting.observe(wave, last(self.order));
        Ok(())
    }

    fn falls_due(&self, event: u64) -> bool {
        self.counting.falls_due(event)
    }

    fn has_due(&self) -> bool {
        self.counting.has_due()
    }

    fn learn(&mut self) -> Result<(), ModelError> {
        for sight in self.counting.take() {
            self.counting.tables[sight.k].add(&sight.context, sight.class);
        }
        Ok(())
    }

    fn forecast(&mut self, wave: &Wave, out: &mut [f32]) -> Result<(), ModelError> {
        let say = |tables: &Tables, _, context: &[u32], out: &mut [f32]| tables.probabilities(context, out);
        self.counting.forecast(wave, out, last(self.order), say);
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        self.counting.forget(slot);
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        self.counting.snapshot(slots, to)
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.counting.restore(keys, from)
    }
}
