//! What can be seen of a network from inside.

use super::Network;
use super::memory::steps_of_window;
use crate::cell::{CellShape, GateTrace, Windows};
use crate::error::ModelError;
use crate::network::GradientDecay;
use crate::predictor::Inspect;

impl<F: Send> Inspect for Network<F> {
    fn shape(&self) -> CellShape {
        self.shape
    }

    fn parameter_count(&self) -> usize {
        self.values.len()
    }

    fn bytes_per_key(&self) -> usize {
        self.memory.bytes_per_key()
    }

    fn decay(&self) -> Option<&GradientDecay> {
        self.truncation.as_ref().map(|truncation| truncation.decay())
    }

    fn gates(&mut self, slot: usize, events: u64) -> Result<GateTrace, ModelError> {
        let (every, stored, seen) = (self.learning.every as u64, self.inputs.stored(), self.inputs.seen());
        let complete = events.saturating_sub(self.dims.horizon_max() as u64) / every * every;
        if complete == 0 {
            return Err(ModelError::NothingToDiagnose { what: "gates".into(), needed: every + 1 });
        }
        let window = steps_of_window(0, complete, self.learning.reach());
        let steps = (window.end - window.start) as usize;
        let (mut remembered, mut states) = (Vec::new(), Vec::new());
        self.memory.copy_window(slot, window, &mut remembered, &mut states, &mut Vec::new());
        let mut inputs = vec![0.0; steps * seen];
        for (event, inputs) in remembered.chunks_exact(stored).zip(inputs.chunks_exact_mut(seen)) {
            self.inputs.expand(event, self.parts().vectors, inputs);
        }
        self.cell.unroll(&Windows { count: 1, steps, inputs, states, outputs: 1 })?;
        self.cell.gates()
    }
}
