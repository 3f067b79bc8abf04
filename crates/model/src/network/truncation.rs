//! How far back gradients reach, measured while the network learns, and a k2 that follows it.
//!
//! At some optimizer steps, every eighth or so, the first windows in the log whose key has a long enough past are looked at once more,
//! over as many steps as are ever kept: the loss of a single label is sent back through them, and the norms of its gradient with
//! respect to the states on the way enter averages by lag ([`GradientDecay`]). All of it is a function of the log and part of the
//! snapshot, so a k2 that is chosen from it keeps the laws.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::decay::GradientDecay;
use super::memory::{Memory, steps_of_window};
use super::{Learning, Network, Parts, restored_count};
use crate::cell::Windows;
use crate::error::ModelError;

/// Optimizer steps from one measurement to the next, at least: a measurement costs less than one of them in most settings.
const STEPS_MIN: u64 = 4;
/// Windows of a measurement.
const PROBES_MAX: usize = 16;

/// What is measured of gradients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probing {
    /// Up to which lag; a multiple of k1, and at least k2.
    pub lags: usize,
    /// Where k2 follows it: the relative bias that gradients may have.
    pub tolerance: Option<f64>,
}

/// A window to measure.
struct Probe {
    row: i64,
    /// `[lags, inputs]`, `[state_len]`, `[every, K]`.
    inputs: Vec<f32>,
    state: Vec<f32>,
    labels: Vec<f32>,
}

/// See the [module](self).
pub(super) struct Truncation {
    every: usize,
    probing: Probing,
    /// Numbers of an event, of a state, and labels of a window.
    widths: [usize; 3],
    /// k2 as it is now.
    window: usize,
    /// Measurements so far, and optimizer steps since the last one.
    measured: u64,
    steps: u64,
    decay: GradientDecay,
    /// In the order of the log.
    probes: Vec<Probe>,
}

impl Truncation {
    pub(super) fn new(probing: Probing, learning: &Learning, inputs: usize, state_len: usize, labels: usize) -> Self {
        let every = learning.every;
        Self {
            every,
            probing,
            widths: [probing.lags * inputs, state_len, every * labels],
            window: if probing.tolerance.is_some() { probing.lags } else { learning.window },
            measured: 0,
            steps: 0,
            decay: GradientDecay::new(probing.lags),
            probes: Vec::new(),
        }
    }

    /// k2 as it is now.
    pub(super) fn window(&self) -> usize {
        self.window
    }

    pub(super) fn decay(&self) -> &GradientDecay {
        &self.decay
    }

    /// Whether the next measurement is due. It waits until there is something to measure. They come at uneven distances, 4 to 11 steps
    /// by the golden ratio, so that what is periodic in the data is not always met in the same phase.
    fn is_time(&self) -> bool {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        self.measured == 0 || self.steps >= STEPS_MIN + (self.measured.wrapping_mul(GOLDEN) >> 61)
    }

    /// The window that fell due for `slot` at `row` may be measured: it is if this is the time, and it has as many steps as are kept
    /// and a label. Of more than there is room for, the first in the log stay, in whatever order they come.
    pub(super) fn offer(&mut self, row: i64, slot: usize, complete: u64, memory: &Memory) {
        let is_late = self.probes.len() >= PROBES_MAX && self.probes.last().is_some_and(|last| row > last.row);
        if !self.is_time() || complete < self.probing.lags as u64 || is_late {
            return;
        }
        let (mut inputs, mut state, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        let steps = steps_of_window(0, complete, self.probing.lags);
        memory.copy_window(slot, steps, &mut inputs, &mut state, &mut labels);
        if labels.iter().all(|label| label.is_nan()) {
            return;
        }
        let place = self.probes.partition_point(|probe| probe.row < row);
        self.probes.insert(place, Probe { row, inputs, state, labels });
        self.probes.truncate(PROBES_MAX);
    }

    /// Takes in norms by lag, and lets k2 follow where it is to.
    fn observe(&mut self, norms: &[Vec<f64>]) {
        self.decay.observe(norms);
        self.measured += 1;
        self.steps = 0;
        if let Some(tolerance) = self.probing.tolerance {
            self.window = self.decay.window(self.every, tolerance);
        }
    }

    /// What is worth watching where k2 follows the gradients: it, and the bias that it is thought to leave.
    pub(super) fn gauges(&self) -> Vec<(&'static str, f64)> {
        if self.probing.tolerance.is_none() {
            return Vec::new();
        }
        let bias = self.decay.bias(self.every);
        let bias = bias.get(self.window / self.every).copied().filter(|bias| bias.is_finite()).unwrap_or(f64::NAN);
        vec![("forecast_window", self.window as f64), ("forecast_window_bias", bias)]
    }

    pub(super) fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), ModelError> {
        to.i64("counts", &[3], &[self.window as i64, self.measured as i64, self.steps as i64])?;
        let (sums, weights) = self.decay.parts();
        to.f64("sums", &[sums.len()], sums)?;
        to.f64("weights", &[weights.len()], weights)?;
        let rows: Vec<i64> = self.probes.iter().map(|probe| probe.row).collect();
        to.i64("row", &[rows.len()], &rows)?;
        let parts: [fn(&Probe) -> &[f32]; 3] = [|probe| &probe.inputs, |probe| &probe.state, |probe| &probe.labels];
        for ((name, width), of) in ["inputs", "states", "labels"].into_iter().zip(self.widths).zip(parts) {
            let values: Vec<f32> = self.probes.iter().flat_map(of).copied().collect();
            to.f32(name, &[rows.len(), width], &values)?;
        }
        Ok(())
    }

    pub(super) fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let damaged = |what: String| ModelError::Restore(format!("what was measured of gradients: {what}"));
        let counts = from.i64("counts", &[3])?;
        let (every, lags) = (self.every, self.probing.lags);
        if self.probing.tolerance.is_some() {
            let window = usize::try_from(counts[0]).ok();
            let in_range = |window: &usize| (every..=lags).contains(window) && window.is_multiple_of(every);
            self.window = window
                .filter(in_range)
                .ok_or_else(|| damaged(format!("a window of {} is no multiple of {every} up to {lags}", counts[0])))?;
        }
        self.measured = restored_count("truncation.measured", counts[1])?;
        self.steps = restored_count("truncation.steps", counts[2])?;
        let (sums, weights) = (from.f64("sums", &[lags])?, from.f64("weights", &[lags])?);
        self.decay = GradientDecay::from_parts(sums, weights).ok_or_else(|| damaged("an average is none".into()))?;
        let count = from.shape("row")?.iter().product();
        let rows = from.i64("row", &[count])?;
        if count > PROBES_MAX || rows.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(damaged(format!("its {count} windows are too many, or out of order")));
        }
        let [inputs_width, state_len, labels_len] = self.widths;
        let inputs = from.f32("inputs", &[count, inputs_width])?;
        let states = from.f32("states", &[count, state_len])?;
        let labels = from.f32("labels", &[count, labels_len])?;
        let probe = |(index, row): (usize, &i64)| Probe {
            row: *row,
            inputs: inputs[index * inputs_width..][..inputs_width].to_vec(),
            state: states[index * state_len..][..state_len].to_vec(),
            labels: labels[index * labels_len..][..labels_len].to_vec(),
        };
        self.probes = rows.iter().enumerate().map(probe).collect();
        Ok(())
    }
}

impl<F: Send> Network<F> {
    /// k2 as it is now.
    pub(super) fn window(&self) -> usize {
        self.truncation.as_ref().map_or(self.learning.window, Truncation::window)
    }

    /// Measures the windows that were put aside for it, under the parameters from before the step that is to come.
    pub(super) fn measure(&mut self) -> Result<(), ModelError> {
        let Some(mut truncation) = self.truncation.take() else { return Ok(()) };
        let probes = std::mem::take(&mut truncation.probes);
        let norms =
            if probes.is_empty() { Ok(Vec::new()) } else { self.norms_by_lag(&probes, truncation.probing.lags) };
        truncation.steps += 1;
        let done = norms.map(|norms| {
            if !norms.is_empty() {
                truncation.observe(&norms);
            }
        });
        self.truncation = Some(truncation);
        done
    }

    /// ‖d loss_t / d h_{t−k}‖ by k for each of some windows, t being its last step with a label.
    fn norms_by_lag(&mut self, probes: &[Probe], steps: usize) -> Result<Vec<Vec<f64>>, ModelError> {
        let (state_len, hidden, width) = (self.shape.state_len(), self.linear.hidden, self.labels_width());
        let every = self.learning.every;
        let batch = self.gather_probes(probes, steps);
        let unrolled = self.cell.unroll(&batch)?;
        let mut d_hidden = vec![0.0; unrolled.len()];
        let Parts { weight, bias, own, .. } = self.parts();
        let (mut raw, mut d_raw) = (vec![0.0; self.linear.outputs], vec![0.0; self.linear.outputs]);
        let (mut d_weight, mut d_bias, mut d_own) =
            (vec![0.0; weight.len()], vec![0.0; bias.len()], vec![0.0; own.len()]);
        let mut trained = Vec::with_capacity(probes.len());
        for (index, probe) in probes.iter().enumerate() {
            let mut labels = probe.labels.chunks_exact(width);
            let last = labels.rposition(|labels| labels.iter().any(|label| !label.is_nan())).unwrap_or(0);
            let at = (last * batch.count + index) * hidden;
            let (h, d_h) = (&unrolled[at..][..hidden], &mut d_hidden[at..][..hidden]);
            self.raw_gradient(&probe.labels[last * width..][..width], h, &mut raw, &mut d_raw, &mut d_own);
            self.linear.backward(weight, h, &d_raw, &mut d_weight, &mut d_bias, d_h);
            trained.push(steps - every + last);
        }
        let d_states = self.cell.d_states(&d_hidden)?;
        let norm = |step: usize, index: usize| {
            let state = &d_states[(step * batch.count + index) * state_len..][..state_len];
            state.iter().map(|d| f64::from(*d).powi(2)).sum::<f64>().sqrt()
        };
        let of = |(index, step): (usize, &usize)| (0..=*step).map(|lag| norm(step - lag, index)).collect();
        Ok(trained.iter().enumerate().map(of).collect())
    }

    fn gather_probes(&self, probes: &[Probe], steps: usize) -> Windows {
        let (stored, seen, state_len) = (self.inputs.stored(), self.inputs.seen(), self.shape.state_len());
        let vectors = self.parts().vectors;
        let count = self.cell.padded(probes.len());
        let mut batch = Windows {
            count,
            steps,
            inputs: vec![0.0; steps * count * seen],
            states: vec![0.0; count * state_len],
            outputs: self.learning.every,
        };
        for (index, probe) in probes.iter().enumerate() {
            for (step, event) in probe.inputs.chunks_exact(stored).enumerate() {
                self.inputs.expand(event, vectors, &mut batch.inputs[(step * count + index) * seen..][..seen]);
            }
            batch.states[index * state_len..][..state_len].copy_from_slice(&probe.state);
        }
        batch
    }
}
