//! The experts of one target, and how much each counts.

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_native::LogPool;

use super::context::{BELOW, Context, EXPERTS, GATES, LETTERS_MAX, ORDERS, OTHERS};
use super::counts::Counts;
use crate::error::ModelError;

/// No expert holds a class less probable than this when its logarithm is taken.
const PROBABILITY_MIN: f32 = 6e-6;
/// What an expert counts at first.
const WEIGHT_START: f32 = 0.08;
/// What the orders from 0 to 6 know: the longest that knows something, whether one class alone followed it, and how often, in four
/// steps.
const HITS: usize = 7 * 2 * 4;

/// What experts say after one context: the logarithm of each class's probability by each, and where that came from.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    /// Which key and event it is of.
    pub(super) of: Option<(usize, u64)>,
    /// `[E, C]`.
    ln: Vec<f32>,
    places: [u64; EXPERTS],
    gates: [usize; GATES],
}

/// A class that came, with all that is learned from it at the end of the update span.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sight {
    pub(super) class: u32,
    pub(super) places: [u64; EXPERTS],
    pub(super) gates: [usize; GATES],
    pub(super) d_weights: [f32; EXPERTS],
}

/// Counts of each expert, and the weights β that are summed over three gates.
pub(super) struct Pool {
    classes: usize,
    counts: [Counts; EXPERTS],
    /// `[places of a gate, E]` for each gate.
    weights: [Vec<f32>; GATES],
    arithmetic: LogPool,
}

impl Pool {
    pub(super) fn new(classes: usize) -> Self {
        let of = |places: usize, weight: f32| vec![weight; places * EXPERTS];
        let weights = [of(HITS, WEIGHT_START), of(classes + 1, 0.0), of(LETTERS_MAX as usize + 1, 0.0)];
        Self { classes, counts: Default::default(), weights, arithmetic: LogPool::default() }
    }

    /// How many classes the target has.
    pub(super) fn classes(&self) -> usize {
        self.classes
    }

    /// Whether a sight is of this pool's classes and weights.
    pub(super) fn has(&self, sight: &Sight) -> bool {
        let in_gates = self.weights.iter().zip(sight.gates).all(|(weights, gate)| gate < weights.len() / EXPERTS);
        (sight.class as usize) < self.classes && in_gates
    }

    /// How many contexts are remembered.
    pub(super) fn contexts(&self) -> usize {
        self.counts.iter().map(Counts::len).sum()
    }

    /// What the experts say after a context.
    pub(super) fn say(&self, context: &Context, said: &mut Said) {
        let width = self.classes;
        said.ln.resize(EXPERTS * width, 0.0);
        said.places = context.places();
        let even = vec![1.0 / width as f32; width];
        let mut hit = 0;
        for expert in 0..EXPERTS {
            let (before, here) = said.ln.split_at_mut(expert * width);
            let here = &mut here[..width];
            let below = if expert == 0 { &even[..] } else { &before[BELOW[expert] * width..][..width] };
            let known = self.counts[expert].lay_over(said.places[expert], below, here);
            if let Some(known) = known.filter(|_| expert < 7) {
                let often = (known.total.ilog2() as usize).min(3);
                hit = (expert * 2 + usize::from(known.classes == 1)) * 4 + often;
            }
        }
        said.gates = [hit, (context.last() as usize).min(width), context.letters()];
        self.arithmetic.ln(&mut said.ln, PROBABILITY_MIN);
    }

    fn weights_at(&self, gates: [usize; GATES]) -> [f32; EXPERTS] {
        let mut sum = [0.0; EXPERTS];
        for (weights, gate) in self.weights.iter().zip(gates) {
            sum.iter_mut().zip(&weights[gate * EXPERTS..]).for_each(|(sum, weight)| *sum += weight);
        }
        sum
    }

    /// Adds Σ βₑ ln pₑ.
    pub(super) fn add(&self, said: &Said, raw: &mut [f32]) {
        self.arithmetic.add(&said.ln, &self.weights_at(said.gates), raw);
    }

    /// What is to be learned from a class, given the gradient with respect to the sum.
    pub(super) fn sight(&self, said: &Said, class: u32, d_raw: &[f32]) -> Sight {
        let mut d_weights = [0.0; EXPERTS];
        self.arithmetic.gradient(&said.ln, d_raw, &mut d_weights);
        Sight { class, places: said.places, gates: said.gates, d_weights }
    }

    /// Learns from a class: weights along their gradient, then counts. New contexts are begun while there are fewer than
    /// `contexts_max`.
    pub(super) fn learn(&mut self, sight: &Sight, rate: f32, contexts_max: usize) {
        for (weights, gate) in self.weights.iter_mut().zip(sight.gates) {
            let weights = &mut weights[gate * EXPERTS..][..EXPERTS];
            weights.iter_mut().zip(sight.d_weights).for_each(|(weight, d)| *weight -= rate * d);
        }
        let room = contexts_max.saturating_sub(self.contexts());
        let has_room = room >= EXPERTS;
        for expert in ORDERS.into_iter().rev() {
            // A longer context that knew the class says it, and shorter ones are asked for what longer ones do not know.
            if self.counts[expert].add(sight.places[expert], sight.class, has_room) {
                break;
            }
        }
        for expert in OTHERS {
            self.counts[expert].add(sight.places[expert], sight.class, has_room);
        }
    }

    pub(super) fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), ModelError> {
        for (gate, weights) in self.weights.iter().enumerate() {
            to.f32(&format!("weights.{gate}"), &[weights.len() / EXPERTS, EXPERTS], weights)?;
        }
        for (expert, counts) in self.counts.iter().enumerate() {
            to.scope(&format!("expert.{expert}"), |to| counts.snapshot(to))?;
        }
        Ok(())
    }

    pub(super) fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        for (gate, weights) in self.weights.iter_mut().enumerate() {
            *weights = from.f32(&format!("weights.{gate}"), &[weights.len() / EXPERTS, EXPERTS])?;
        }
        for (expert, counts) in self.counts.iter_mut().enumerate() {
            counts.restore(self.classes, &from.scope(&format!("expert.{expert}")))?;
        }
        Ok(())
    }
}
