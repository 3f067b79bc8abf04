//! A recurrent network that learns while it forecasts: one set of parameters for all keys of a shard, one state per key.
//!
//! # Order of learning
//! Step s of a key is *complete* at event s + h_max, when the label of its farthest horizon is known. Every k1 complete steps
//! a window falls due: the inputs of the last k2 complete steps, the state that was stored before the first of them, and a
//! loss on the last k1 of them, so that each label is learned from once and gradients flow back through k2 steps
//! (Williams & Peng 1990, BPTT(h; h′)); k2 may follow how far gradients are measured to reach (`truncation.rs`). A key's first
//! windows are shorter. Due windows are copied aside at once; they wait for the end of the update span, where all of them make one
//! optimizer step. States are never recomputed under new parameters, but where the network conditions on a key's full history
//! (`history.rs` says how). Over count experts, gradients stand in place of labels (`given.rs`).

mod decay;
mod given;
mod history;
mod inputs;
mod inspect;
mod learner;
mod memory;
mod pending;
#[cfg(test)]
mod tests;
mod truncation;

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::Distribution;

use crate::cell::{Cell, CellShape};
use crate::error::ModelError;
use crate::experts::{Experts, ExpertsConfig};
use crate::head::{Head, Linear, Standing};
use crate::optimizer::{Optimizer, OptimizerConfig, Schedule};
use crate::parameters::{Layout, ParameterSpec};
use crate::predictor::{Inspect, Predictor};
use crate::random::Random;
use crate::wave::{Dims, Wave};
use history::History;
use inputs::InputMap;
use learner::Learner;
use memory::{Memory, steps_of_window};
use pending::Pending;
use truncation::Truncation;

pub use decay::GradientDecay;
pub use truncation::Probing;

/// How and when a network learns.
#[derive(Debug, Clone, PartialEq)]
pub struct Learning {
    /// k1: complete steps of a key from one window to the next.
    pub every: usize,
    /// k2: steps of a window; a multiple of `every`. The longest, where it follows what is measured.
    pub window: usize,
    /// What is measured of how far gradients reach, and whether k2 follows it.
    pub probing: Option<Probing>,
    /// The optimizer's settings.
    pub optimizer: OptimizerConfig,
    /// Whether it learns at all.
    pub enabled: bool,
    /// Count experts whose pool the network's raw numbers are added to.
    pub experts: Option<ExpertsConfig>,
    /// Whether the state of a key is computed anew, from its last `window` events, whenever the parameters have changed.
    pub full_history: bool,
    /// For how many events the gates hold on at the start, see [`CellShape::hold`]; as they usually do where `None`.
    pub memory_events: Option<usize>,
}

impl Learning {
    /// Steps of a key that windows may reach back, those that are measured included.
    fn reach(&self) -> usize {
        self.probing.map_or(self.window, |probing| probing.lags.max(self.window))
    }
}

/// See the [module](self). `F` is what its head says of an output.
pub struct Network<F = Option<Distribution>> {
    dims: Dims,
    shape: CellShape,
    learning: Learning,
    cell: Box<dyn Cell>,
    head: Box<dyn Head<F>>,
    linear: Linear,
    inputs: InputMap,
    layout: Layout,
    places: Places,
    /// Parameters: the cell's, the linear map's, the head's own, the learned vectors of classes among the input.
    values: Vec<f32>,
    optimizer: Box<dyn Optimizer>,
    schedule: Schedule,
    learner: Learner,
    memory: Memory,
    pending: Pending,
    history: Option<History>,
    experts: Option<Experts>,
    truncation: Option<Truncation>,
    states_reset: u64,
    scratch: Scratch,
}

/// Memory that is used again from wave to wave.
#[derive(Debug, Default)]
struct Scratch {
    /// `[B, state_len]`.
    states: Vec<f32>,
    /// What is remembered of an event.
    stored: Vec<f32>,
    /// `[B, cell inputs]`.
    seen: Vec<f32>,
}

/// Where the parts of the flat parameter buffer end.
#[derive(Debug, Clone, Copy)]
struct Places {
    cell: usize,
    weight: usize,
    bias: usize,
    own: usize,
}

/// Parts of the flat parameter buffer other than the cell's.
struct Parts<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    own: &'a [f32],
    vectors: &'a [f32],
}

impl<F: Send> Network<F> {
    /// A network with the starting parameters that `seed` gives.
    ///
    /// # Errors
    /// When the backend fails.
    pub fn new(
        dims: Dims,
        shape: CellShape,
        cell: Box<dyn Cell>,
        head: Box<dyn Head<F>>,
        learning: Learning,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let linear = Linear { hidden: shape.output().len(), outputs: head.raw_len() };
        let mut specs = shape.parameters();
        let cell_len = specs.iter().map(ParameterSpec::len).sum();
        specs.push(ParameterSpec::new("head.weight", [linear.outputs, linear.hidden]));
        specs.push(ParameterSpec::new("head.bias", [linear.outputs]));
        specs.extend(head.own_parameters());
        let own_end = specs.iter().map(ParameterSpec::len).sum();
        let inputs = InputMap::new(&dims);
        specs.extend(inputs.parameters());
        let layout = Layout::new(specs);
        let mut values = vec![0.0; layout.len()];
        let weight = cell_len + linear.outputs * linear.hidden;
        let places = Places { cell: cell_len, weight, bias: weight + linear.outputs, own: own_end };
        let mut random = Random::new(seed);
        shape.init(&mut random, &mut values[..places.cell]);
        head.init(&mut values[places.bias..places.own]);
        inputs.init(&mut random, &mut values[places.own..]);
        if let Some(events) = learning.memory_events {
            shape.hold(events, &mut random, &mut values[..places.cell]);
        }
        let optimizer = learning.optimizer.build(values.len());
        let labels_width = if learning.experts.is_some() { linear.outputs } else { dims.outputs() };
        let mut network = Self {
            memory: Memory::new(&dims, inputs.stored(), shape.state_len(), labels_width, &learning),
            pending: Pending::new(inputs.stored(), shape.state_len(), labels_width, &learning),
            experts: learning.experts.map(|experts| Experts::new(experts, &dims)),
            history: learning.full_history.then(|| History::new(shape.state_len(), &learning)),
            truncation: learning
                .probing
                .map(|probing| Truncation::new(probing, &learning, inputs.stored(), shape.state_len(), labels_width)),
            learner: Learner::new(&values, optimizer.as_ref()),
            schedule: learning.optimizer.schedule(),
            dims,
            shape,
            learning,
            cell,
            head,
            linear,
            inputs,
            layout,
            places,
            values,
            optimizer,
            states_reset: 0,
            scratch: Scratch::default(),
        };
        network.load()?;
        Ok(network)
    }

    /// Names, shapes and places of the parameters.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The parameters, laid out as [`Network::layout`] says.
    pub fn parameters(&self) -> &[f32] {
        &self.values
    }

    /// Starts from other parameters, such as ones trained elsewhere. Optimizer and states stay as they are.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape, or the backend fails.
    pub fn set_parameters(&mut self, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.values = self.layout.read(from)?;
        self.learner = Learner::new(&self.values, self.optimizer.as_ref());
        self.load()
    }

    /// Optimizer steps taken so far.
    pub fn steps(&self) -> u64 {
        self.learner.steps
    }

    fn parts(&self) -> Parts<'_> {
        let Places { cell, weight, bias, own } = self.places;
        Parts {
            weight: &self.values[cell..weight],
            bias: &self.values[weight..bias],
            own: &self.values[bias..own],
            vectors: &self.values[own..],
        }
    }

    /// Hands changed parameters to cell and head.
    fn load(&mut self) -> Result<(), ModelError> {
        self.cell.load(&self.values[..self.places.cell])?;
        self.head.load(&self.values[self.places.bias..self.places.own]);
        self.history.iter_mut().for_each(History::parameters_changed);
        Ok(())
    }

    /// Where the targets of a row of a wave stand; classes stand nowhere.
    fn standing<'a>(&self, wave: &'a Wave, index: usize) -> Standing<'a> {
        if !self.dims.classes.is_empty() {
            return Standing::default();
        }
        let (targets, outputs) = (self.dims.targets, self.dims.outputs());
        Standing { level: &wave.level[index * targets..][..targets], scale: &wave.scale[index * outputs..][..outputs] }
    }

    /// Whether a window falls due at the event of this index.
    fn window_falls_due(&self, event: u64) -> bool {
        let complete = self.complete(event);
        self.learning.enabled && complete > 0 && complete.is_multiple_of(self.learning.every as u64)
    }

    /// How many steps of a key are complete at this event.
    fn complete(&self, event: u64) -> u64 {
        (event + 1).saturating_sub(self.dims.horizon_max() as u64)
    }
}

/// A count as it stands in a snapshot.
fn restored_count(name: &str, count: i64) -> Result<u64, ModelError> {
    u64::try_from(count).map_err(|_| ModelError::Restore(format!("the count `{name}` is {count}")))
}

impl<F: Send> Predictor<F> for Network<F> {
    fn reserve(&mut self, slots: usize) {
        self.memory.reserve(slots);
        self.experts.iter_mut().for_each(|experts| experts.reserve(slots));
        self.history.iter_mut().for_each(|history| history.reserve(slots));
    }

    fn observe(&mut self, wave: &Wave) -> Result<(), ModelError> {
        let (outputs, targets) = (self.dims.outputs(), self.dims.targets);
        for (index, slot) in wave.slots.iter().enumerate() {
            let event = wave.events[index];
            if self.gradients_are_given() {
                self.label_by_gradient(wave, index);
            } else if self.dims.classes.is_empty() {
                let differences = &wave.difference[index * outputs..][..outputs];
                self.memory.label_numbers(*slot, event, differences, &self.dims);
            } else {
                let classes = &wave.classes[index * targets..][..targets];
                self.memory.label_classes(*slot, event, classes, &self.dims);
            }
            let begin = self.history.as_ref().map_or(0, |history| history.begin(*slot));
            let complete = self.complete(event);
            if self.window_falls_due(event) && begin < complete {
                let (row, window) = (wave.rows[index], self.window());
                self.pending.push(row, *slot, steps_of_window(begin, complete, window), &self.memory);
                if let Some(truncation) = &mut self.truncation {
                    truncation.offer(row, *slot, complete, &self.memory);
                }
            }
        }
        Ok(())
    }

    fn falls_due(&self, event: u64) -> bool {
        self.window_falls_due(event) || self.learning.enabled && self.learns_at_label(event)
    }

    /// Windows that waited when learning was switched off wait on.
    fn has_due(&self) -> bool {
        let experts = self.experts.as_ref().is_some_and(Experts::has_waiting);
        self.learning.enabled && (experts || !self.pending.is_empty())
    }

    fn learn(&mut self) -> Result<(), ModelError> {
        if self.learning.enabled { self.take_step() } else { Ok(()) }
    }

    fn forecast(&mut self, wave: &Wave, out: &mut [F]) -> Result<(), ModelError> {
        let (state_len, output) = (self.shape.state_len(), self.shape.output());
        let (numbers, codes, seen_len) = (self.dims.inputs, self.dims.codes.len(), self.inputs.seen());
        let mut scratch = std::mem::take(&mut self.scratch);
        let Scratch { states, stored, seen } = &mut scratch;
        states.clear();
        seen.clear();
        seen.resize(wave.len() * seen_len, 0.0);
        for (index, (slot, seen)) in wave.slots.iter().zip(seen.chunks_exact_mut(seen_len)).enumerate() {
            stored.clear();
            self.inputs.store(
                &wave.inputs[index * numbers..][..numbers],
                &wave.codes[index * codes..][..codes],
                stored,
            );
            self.inputs.expand(stored, self.parts().vectors, seen);
            self.memory.store(*slot, wave.events[index], stored, self.standing(wave, index).scale);
            states.extend_from_slice(self.memory.state(*slot));
        }
        match &mut self.history {
            Some(history) => {
                let (inputs, vectors) = (&self.inputs, &self.values[self.places.own..]);
                let see = |stored: &[f32], seen: &mut [f32]| inputs.expand(stored, vectors, seen);
                history.step(self.cell.as_mut(), &self.memory, wave, seen_len, see, states)?;
            }
            None => self.cell.step(seen, states)?,
        }
        let mut raw = vec![0.0; self.linear.outputs];
        let width = out.len() / wave.len().max(1);
        let rows = wave.slots.iter().zip(states.chunks_exact_mut(state_len)).zip(out.chunks_exact_mut(width.max(1)));
        for (index, ((slot, state), out)) in rows.enumerate() {
            if !state.iter().all(|value| value.is_finite()) {
                state.fill(0.0);
                self.states_reset += 1;
                self.history.iter_mut().for_each(|history| history.reset(*slot));
            }
            self.memory.set_state(*slot, state);
            let Parts { weight, bias, .. } = self.parts();
            self.linear.forward(weight, bias, &state[output.clone()], &mut raw);
            if let Some(experts) = &mut self.experts {
                experts.see(wave, index);
                experts.add(*slot, wave.events[index], &mut raw);
            }
            self.head.forecast(&raw, self.standing(wave, index), out);
        }
        self.scratch = scratch;
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        self.memory.forget(slot);
        self.experts.iter_mut().for_each(|experts| experts.forget(slot));
        self.history.iter_mut().for_each(|history| history.forget(slot));
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let mut counters = vec![
            ("forecast_updates", self.learner.steps),
            ("forecast_windows", self.learner.windows),
            ("forecast_windows_dropped", self.learner.windows_dropped),
            ("forecast_updates_skipped", self.learner.skipped),
            ("forecast_rollbacks", self.learner.rollbacks),
            ("forecast_states_reset", self.states_reset),
        ];
        if let Some(history) = &self.history {
            counters.push(("forecast_steps_recomputed", history.steps));
        }
        counters
    }

    fn inspect(&mut self) -> Option<&mut dyn Inspect> {
        Some(self)
    }

    fn gauges(&self) -> Vec<(&'static str, f64)> {
        let mut gauges = self.truncation.as_ref().map_or_else(Vec::new, Truncation::gauges);
        gauges.extend(self.experts.as_ref().map(Experts::gauge));
        gauges
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        to.scope("parameters", |to| self.layout.write(&self.values, to))?;
        to.scope("optimizer", |to| self.optimizer.snapshot(&self.layout, to))?;
        to.scope("learner", |to| self.learner.snapshot(&self.layout, to))?;
        to.scope("memory", |to| self.memory.snapshot(slots, to))?;
        to.scope("pending", |to| self.pending.snapshot(slots, &self.memory, to))?;
        if let Some(history) = &self.history {
            to.scope("history", |to| history.snapshot(slots, to))?;
        }
        if let Some(experts) = &self.experts {
            to.scope("experts", |to| experts.snapshot(slots, to))?;
        }
        if let Some(truncation) = &self.truncation {
            to.scope("truncation", |to| truncation.snapshot(to))?;
        }
        Ok(to.i64("states_reset", &[1], &[self.states_reset as i64])?)
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.values = self.layout.read(&from.scope("parameters"))?;
        self.optimizer.restore(&self.layout, &from.scope("optimizer"))?;
        self.learner.restore(&self.layout, self.optimizer.as_ref(), &from.scope("learner"))?;
        self.memory.restore(keys, &from.scope("memory"))?;
        self.pending.restore(keys, &self.memory, &from.scope("pending"))?;
        if let Some(truncation) = &mut self.truncation {
            truncation.restore(&from.scope("truncation"))?;
        }
        self.states_reset = restored_count("states_reset", from.i64("states_reset", &[1])?[0])?;
        if let Some(experts) = &mut self.experts {
            experts.restore(keys, &from.scope("experts"))?;
        }
        self.load()?;
        // Loading the parameters is no change of them.
        match &mut self.history {
            Some(history) => history.restore(keys, &from.scope("history")),
            None => Ok(()),
        }
    }
}
