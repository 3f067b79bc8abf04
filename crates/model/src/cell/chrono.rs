//! Gates that hold on to what they saw for as long as a dependency is expected to last, from the first event on.

use super::{CellKind, CellShape};
use crate::random::Random;

impl CellKind {
    /// Whether it has gates with biases, which can be opened and shut from the start.
    pub fn has_biased_gates(self) -> bool {
        matches!(self, Self::Lstm | Self::Gru)
    }
}

impl CellShape {
    /// Gives the gates among the starting values biases under which a unit forgets by 1/e within T events, T drawn for each unit
    /// uniformly from 1 to `events` − 1: the forget gates of an LSTM get ln T and its input gates −ln T, the update gates of a GRU
    /// ln T (Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", section 3). Cells without such gates stay as they
    /// are.
    ///
    /// With a forget gate at its usual start, σ(1) = 0.73, nothing is left of an event after some twenty others, and neither is of
    /// a gradient.
    pub fn hold(&self, events: usize, random: &mut Random, values: &mut [f32]) {
        if !self.kind.has_biased_gates() {
            return;
        }
        let (hidden, longest) = (self.hidden, events.saturating_sub(1).max(1) as f32);
        let mut rest = values;
        for spec in self.parameters() {
            let (here, after) = rest.split_at_mut(spec.len());
            rest = after;
            if !spec.name.starts_with("bias_ih") {
                continue;
            }
            // The second block of rows is f of i, f, g, o, and z of r, z, n.
            let (first, others) = here.split_at_mut(hidden);
            for (first, keeps) in first.iter_mut().zip(others) {
                let bias = (1.0 + random.unit() * (longest - 1.0)).ln();
                *keeps = bias;
                if self.kind == CellKind::Lstm {
                    *first = -bias;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::ParameterSpec;

    /// The biases of the inputs after [`CellShape::hold`], all else having been 0.
    fn held(kind: CellKind, events: usize) -> Vec<f32> {
        let shape = CellShape { layers: 2, ..CellShape::new(kind, 3, 50) };
        let mut values = vec![0.0; shape.parameters().iter().map(ParameterSpec::len).sum()];
        shape.hold(events, &mut Random::new(7), &mut values);
        let mut at = 0;
        let mut biases = Vec::new();
        for spec in shape.parameters() {
            let here = &values[at..at + spec.len()];
            at += spec.len();
            match spec.name.starts_with("bias_ih") {
                true => biases.extend_from_slice(here),
                false => assert!(here.iter().all(|value| *value == 0.0), "{} moved", spec.name),
            }
        }
        biases
    }

    /// How long a gate with this bias holds on: 1 / (1 − σ(bias)) = 1 + eᵇ.
    fn longest(biases: &[f32]) -> f32 {
        biases.iter().fold(0.0, |most, bias| most.max(bias.exp()))
    }

    #[test]
    fn gates_hold_from_one_event_to_the_longest_and_the_lstms_inputs_are_shut_by_as_much() {
        let lstm = held(CellKind::Lstm, 60);
        let (i, f) = (&lstm[..50], &lstm[50..100]);
        assert!(i.iter().zip(f).all(|(i, f)| *f >= 0.0 && *i == -*f));
        assert!((50.0..=59.0).contains(&longest(f)), "{}", longest(f));
        assert!(lstm[100..200].iter().all(|bias| *bias == 0.0), "g and o stay");
        let gru = held(CellKind::Gru, 60);
        assert!(gru[..50].iter().chain(&gru[100..150]).all(|bias| *bias == 0.0), "r and n stay");
        assert!((50.0..=59.0).contains(&longest(&gru[50..100])));
    }

    #[test]
    fn a_cell_without_biased_gates_stays_as_it_is() {
        assert!(held(CellKind::Rnn, 60).iter().all(|bias| *bias == 0.0));
        assert!(held(CellKind::GruResetBefore, 60).is_empty());
    }
}
