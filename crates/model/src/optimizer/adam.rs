//! Adam, by Kingma & Ba 2015, algorithm 1, in PyTorch's arrangement of its terms.

use sluicegate_core::{SnapshotError, SnapshotReader, SnapshotWriter};

use super::Optimizer;
use crate::parameters::Layout;

/// β₁ and β₂ of the paper.
pub(super) const BETAS: (f64, f64) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;

/// Step sizes scaled by running means of the gradient and of its square, both corrected for their start at 0.
#[derive(Debug, Clone)]
pub struct Adam {
    mean: Vec<f32>,
    square: Vec<f32>,
    steps: u64,
    betas: (f32, f32),
}

impl Adam {
    /// For `len` parameters, with these β₁ and β₂, which are from 0 to below 1.
    pub fn new(len: usize, (beta1, beta2): (f64, f64)) -> Self {
        Self { mean: vec![0.0; len], square: vec![0.0; len], steps: 0, betas: (beta1 as f32, beta2 as f32) }
    }
}

impl Optimizer for Adam {
    fn step(&mut self, rate: f32, gradient: &[f32], values: &mut [f32]) {
        self.steps += 1;
        let (beta1, beta2) = self.betas;
        let steps = self.steps as f64;
        let correct_mean = 1.0 - f64::from(beta1).powf(steps);
        let correct_root = ((1.0 - f64::from(beta2).powf(steps)).sqrt()) as f32;
        let size = (f64::from(rate) / correct_mean) as f32;
        for (((value, g), m), v) in values.iter_mut().zip(gradient).zip(&mut self.mean).zip(&mut self.square) {
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *value -= size * *m / (v.sqrt() / correct_root + EPSILON);
        }
    }

    fn snapshot(&self, layout: &Layout, to: &mut SnapshotWriter) -> Result<(), SnapshotError> {
        to.scope("exp_avg", |to| layout.write(&self.mean, to))?;
        to.scope("exp_avg_sq", |to| layout.write(&self.square, to))?;
        to.i64("step", &[1], &[self.steps as i64])
    }

    fn restore(&mut self, layout: &Layout, from: &SnapshotReader<'_>) -> Result<(), SnapshotError> {
        self.mean = layout.read(&from.scope("exp_avg"))?;
        self.square = layout.read(&from.scope("exp_avg_sq"))?;
        let damaged = |_| SnapshotError::Damaged("an optimizer's step count is negative".into());
        self.steps = u64::try_from(from.i64("step", &[1])?[0]).map_err(damaged)?;
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
    /// o = torch.optim.Adam([w], lr=0.01)
    /// for g in ([0.1, -2.0], [0.3, 1.0], [-0.2, 0.5]):
    ///     w.grad = torch.tensor(g); o.step()
    /// print(w.tolist())
    /// ```
    #[test]
    fn three_steps_equal_pytorch() {
        let mut adam = Adam::new(2, BETAS);
        let mut values = [0.5, -1.0];
        for gradient in [[0.1, -2.0], [0.3, 1.0], [-0.2, 0.5]] {
            adam.step(0.01, &gradient, &mut values);
        }
        let expected = [0.478_243_17, -0.986_722_77];
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-7, "{value} against {expected}");
        }
    }
}
