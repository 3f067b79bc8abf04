//! Stochastic gradient descent with momentum, as PyTorch defines it.

use sluicegate_core::{SnapshotError, SnapshotReader, SnapshotWriter};

use super::Optimizer;
use crate::parameters::Layout;

/// v ← momentum · v + gradient; values ← values − rate · v.
#[derive(Debug, Clone)]
pub struct Sgd {
    velocity: Vec<f32>,
    momentum: f32,
}

impl Sgd {
    /// For `len` parameters; `momentum` from 0 to below 1.
    pub fn new(len: usize, momentum: f32) -> Self {
        Self { velocity: vec![0.0; len], momentum }
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, rate: f32, gradient: &[f32], values: &mut [f32]) {
        for ((value, g), v) in values.iter_mut().zip(gradient).zip(&mut self.velocity) {
            *v = self.momentum * *v + g;
            *value -= rate * *v;
        }
    }

    fn snapshot(&self, layout: &Layout, to: &mut SnapshotWriter) -> Result<(), SnapshotError> {
        to.scope("momentum_buffer", |to| layout.write(&self.velocity, to))
    }

    fn restore(&mut self, layout: &Layout, from: &SnapshotReader<'_>) -> Result<(), SnapshotError> {
        self.velocity = layout.read(&from.scope("momentum_buffer"))?;
        Ok(())
    }

    fn boxed_clone(&self) -> Box<dyn Optimizer> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// import torch
    /// w = torch.tensor([0.5, -1.0], requires_grad=True)
    /// o = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    /// for g in ([0.1, -2.0], [0.3, 1.0], [-0.2, 0.5]):
    ///     w.grad = torch.tensor(g); o.step()
    /// print(w.tolist())
    /// ```
    #[test]
    fn three_steps_equal_pytorch() {
        let mut sgd = Sgd::new(2, 0.9);
        let mut values = [0.5, -1.0];
        for gradient in [[0.1, -2.0], [0.3, 1.0], [-0.2, 0.5]] {
            sgd.step(0.1, &gradient, &mut values);
        }
        let expected = [0.435_9, -0.698];
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{value} against {expected}");
        }
    }
}
