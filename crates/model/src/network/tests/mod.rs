//! A network on a cell that breaks when it is told to, driven event by event.

mod damaged;
mod history;
mod not_finite;

use std::collections::BTreeMap;

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::Distribution;

use super::{Learning, Network};
use crate::cell::{Cell, CellKind, CellShape, Windows};
use crate::error::ModelError;
use crate::head::HeadKind;
use crate::optimizer::OptimizerConfig;
use crate::predictor::Predictor;
use crate::wave::{Dims, Wave};

/// The part of the cell that breaks on an input, and what the broken part gives.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The state after a step.
    Step(f32),
    /// The hidden states of a window.
    Unroll(f32),
    /// The gradient of a window; its loss stays finite.
    Backward(f32),
}

/// The input that breaks.
const MARKER: f32 = 77.0;
/// k1 and k2.
const EVERY: usize = 1;
const WINDOW: usize = 2;
const SHAPE: CellShape = CellShape { kind: CellKind::Rnn, inputs: 1, hidden: 1, layers: 1, skip_connections: false };

/// h = w x + u h + b + b′ of one unit.
struct LinearCell {
    fault: Fault,
    parameters: [f32; 4],
    /// The windows of the last [`Cell::unroll`], with all their hidden states from the start: `[count][steps + 1]`.
    unrolled: Option<(Windows, Vec<Vec<f32>>)>,
}

impl LinearCell {
    fn moved(&self, input: f32, state: f32) -> f32 {
        let [w, u, b, b2] = self.parameters;
        w * input + u * state + b + b2
    }
}

fn inputs_of(windows: &Windows, index: usize) -> impl Iterator<Item = f32> {
    windows.inputs.iter().skip(index).step_by(windows.count).copied()
}

impl Cell for LinearCell {
    fn arithmetic(&self) -> String {
        "linear".to_owned()
    }

    fn load(&mut self, parameters: &[f32]) -> Result<(), ModelError> {
        self.parameters.copy_from_slice(parameters);
        Ok(())
    }

    fn step(&mut self, inputs: &[f32], states: &mut [f32]) -> Result<(), ModelError> {
        for (input, state) in inputs.iter().zip(states) {
            *state = match self.fault {
                Fault::Step(broken) if *input == MARKER => broken,
                _ => self.moved(*input, *state),
            };
        }
        Ok(())
    }

    fn unroll(&mut self, windows: &Windows) -> Result<Vec<f32>, ModelError> {
        let mut hidden = Vec::new();
        for (index, start) in windows.states.iter().enumerate() {
            let mut path = vec![*start];
            for input in inputs_of(windows, index) {
                path.push(self.moved(input, path[path.len() - 1]));
            }
            if let Fault::Unroll(broken) = self.fault
                && inputs_of(windows, index).any(|input| input == MARKER)
            {
                path[1..].fill(broken);
            }
            hidden.push(path);
        }
        let first = windows.steps + 1 - windows.outputs;
        let out = (first..=windows.steps).flat_map(|step| hidden.iter().map(move |path| path[step])).collect();
        self.unrolled = Some((windows.clone(), hidden));
        Ok(out)
    }

    fn backward(
        &mut self,
        d_hidden: &[f32],
        gradient: &mut [f32],
        d_inputs: Option<&mut Vec<f32>>,
    ) -> Result<(), ModelError> {
        let (windows, hidden) = self.unrolled.take().expect("unroll comes first");
        let first = windows.steps - windows.outputs;
        let mut of_inputs = vec![0.0; windows.inputs.len()];
        for (index, path) in hidden.iter().enumerate() {
            let inputs: Vec<f32> = inputs_of(&windows, index).collect();
            let mut d = 0.0;
            for step in (0..windows.steps).rev() {
                if step >= first {
                    d += d_hidden[(step - first) * windows.count + index];
                }
                for (g, factor) in gradient.iter_mut().zip([inputs[step], path[step], 1.0, 1.0]) {
                    *g += d * factor;
                }
                of_inputs[step * windows.count + index] = d * self.parameters[0];
                d *= self.parameters[1];
            }
            if let Fault::Backward(broken) = self.fault
                && inputs.contains(&MARKER)
            {
                gradient.iter_mut().for_each(|g| *g += broken);
            }
        }
        if let Some(d_inputs) = d_inputs {
            *d_inputs = of_inputs;
        }
        Ok(())
    }

    fn d_states(&mut self, d_hidden: &[f32]) -> Result<Vec<f32>, ModelError> {
        let (windows, _) = self.unrolled.as_ref().expect("unroll comes first");
        let first = windows.steps - windows.outputs;
        let mut d_states = vec![0.0; windows.steps * windows.count];
        for step in (0..windows.steps).rev() {
            for index in 0..windows.count {
                let later = d_states.get((step + 1) * windows.count + index).map_or(0.0, |d| d * self.parameters[1]);
                let read = step.checked_sub(first).map_or(0.0, |output| d_hidden[output * windows.count + index]);
                d_states[step * windows.count + index] = later + read;
            }
        }
        Ok(d_states)
    }
}

/// A network with one target, forecast one event ahead; k1 = 1 and k2 = 2, so every event but the first brings a window.
struct Driven {
    network: Network,
    /// Events so far by slot.
    events: BTreeMap<usize, u64>,
    rows: i64,
}

impl Driven {
    fn new(fault: Fault) -> Self {
        Self::with_head(fault, HeadKind::default())
    }

    fn with_head(fault: Fault, head: HeadKind) -> Self {
        let learning = Learning {
            experts: None,
            every: EVERY,
            window: WINDOW,
            optimizer: OptimizerConfig::default(),
            enabled: true,
            full_history: false,
            memory_events: None,
            probing: None,
        };
        Self::with_learning(fault, head, learning)
    }

    fn with_learning(fault: Fault, head: HeadKind, learning: Learning) -> Self {
        let dims = Dims { targets: 1, horizons: vec![1], inputs: 1, ..Dims::default() };
        let cell = LinearCell { fault, parameters: [0.0; 4], unrolled: None };
        let head = head.of_numbers(dims.outputs()).unwrap();
        let mut network = Network::new(dims, SHAPE, Box::new(cell), head, learning, 7).unwrap();
        network.reserve(4);
        Self { network, events: BTreeMap::new(), rows: 0 }
    }

    /// One event of each slot, with its input, and a step at the end of them all.
    fn tick(&mut self, inputs: &[(usize, f32)]) -> Vec<Option<Distribution>> {
        let wave = self.observe(inputs);
        self.network.learn().unwrap();
        self.forecast(&wave)
    }

    /// As [`Driven::tick`], so many times.
    fn ticks(&mut self, count: usize, inputs: &[(usize, f32)]) {
        for _ in 0..count {
            self.tick(inputs);
        }
    }

    /// The first part of an event: what it tells about earlier ones. Windows that fall due wait.
    fn observe(&mut self, inputs: &[(usize, f32)]) -> Wave {
        let mut wave = Wave::default();
        for (slot, input) in inputs {
            let event = self.events.entry(*slot).or_default();
            wave.slots.push(*slot);
            wave.rows.push(self.rows);
            wave.events.push(*event);
            wave.level.push(1.0);
            wave.scale.push(1.0);
            // Something to learn that no parameters fit entirely.
            wave.difference.push((*event as f64 * 0.7).sin() + *slot as f64);
            wave.inputs.push(*input);
            *event += 1;
            self.rows += 1;
        }
        self.network.observe(&wave).unwrap();
        wave
    }

    /// The second part of an event: states move.
    fn forecast(&mut self, wave: &Wave) -> Vec<Option<Distribution>> {
        let mut out = vec![None; wave.len()];
        self.network.forecast(wave, &mut out).unwrap();
        out
    }

    fn forget(&mut self, slot: usize) {
        self.events.remove(&slot);
        self.network.forget(slot);
    }

    fn counter(&self, name: &str) -> u64 {
        let counters = self.network.counters();
        counters.iter().find(|(counter, _)| *counter == name).expect("a counter of that name").1
    }

    fn parameter_bits(&self) -> Vec<u32> {
        self.network.parameters().iter().map(|value| value.to_bits()).collect()
    }

    /// The optimizer's moments, encoded.
    fn moments(&self) -> Vec<u8> {
        let mut to = SnapshotWriter::new();
        self.network.optimizer.snapshot(&self.network.layout, &mut to).unwrap();
        to.finish().unwrap()
    }

    fn snapshot(&self, slots: &[usize]) -> Vec<u8> {
        let mut to = SnapshotWriter::new();
        self.network.snapshot(slots, &mut to).unwrap();
        to.finish().unwrap()
    }

    fn restore(&mut self, keys: usize, snapshot: &[u8]) -> Result<(), ModelError> {
        self.network.restore(keys, &SnapshotReader::parse(snapshot).unwrap())
    }
}
