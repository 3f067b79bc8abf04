//! How a gradient moves the parameters.
//!
//! Optimizers are ours because their moments belong to the model's state: they are written to snapshots under the names of
//! the parameters they belong to. One file each.

mod adam;
mod schedule;
mod sgd;

pub use adam::Adam;
pub use schedule::Schedule;
pub use sgd::Sgd;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::{ConfigError, SnapshotError, SnapshotReader, SnapshotWriter};

use crate::parameters::Layout;

/// Moves parameters along a gradient; deterministic, element by element.
pub trait Optimizer: Send {
    /// One step of size `rate` on flat buffers of the same layout.
    fn step(&mut self, rate: f32, gradient: &[f32], values: &mut [f32]);

    /// Writes the moments, named as the parameters are.
    ///
    /// # Errors
    /// As for [`SnapshotWriter::f32`].
    fn snapshot(&self, layout: &Layout, to: &mut SnapshotWriter) -> Result<(), SnapshotError>;

    /// Reads what [`Optimizer::snapshot`] wrote.
    ///
    /// # Errors
    /// When it was written by another optimizer or for other parameters.
    fn restore(&mut self, layout: &Layout, from: &SnapshotReader<'_>) -> Result<(), SnapshotError>;

    /// A copy with the same moments.
    fn boxed_clone(&self) -> Box<dyn Optimizer>;
}

/// Which optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam (Kingma & Ba 2015), ε = 1e-8.
    #[default]
    Adam,
    /// Stochastic gradient descent, with momentum if asked for.
    Sgd,
}

/// How the network learns from a gradient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// Which rule.
    pub kind: OptimizerKind,
    /// Step size of the first step.
    pub rate: f64,
    /// The rate falls as 1/√(1 + n / this) over n steps; 0 keeps it constant.
    pub rate_decay_steps: f64,
    /// The rate never falls below this.
    pub rate_min: f64,
    /// A gradient whose norm over all parameters is larger is scaled down to it; 0 turns that off.
    pub clip_norm: f64,
    /// Share of the last step that the next one keeps; for `sgd` only.
    pub momentum: f64,
    /// Of `adam`: how slowly the means of gradients (β₁) and of their squares (β₂) forget. By default (0.9, 0.999). One long stream,
    /// whose gradients are of one window each, may learn faster with a small β₁.
    pub betas: Option<(f64, f64)>,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Adam,
            rate: 3e-3,
            rate_decay_steps: 2000.0,
            rate_min: 3e-4,
            clip_norm: 10.0,
            momentum: 0.0,
            betas: None,
        }
    }
}

impl OptimizerConfig {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let at_least_0 =
            [("rate_decay_steps", self.rate_decay_steps), ("rate_min", self.rate_min), ("clip_norm", self.clip_norm)];
        if !(self.rate.is_finite() && self.rate > 0.0) {
            return Err(ConfigError::new("rate", format!("must be above 0, not {}", self.rate)));
        }
        for (name, value) in at_least_0 {
            if !(value.is_finite() && value >= 0.0) {
                return Err(ConfigError::new(name, format!("must be 0 or above, not {value}")));
            }
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(ConfigError::new("momentum", format!("must be from 0 to below 1, not {}", self.momentum)));
        }
        if self.momentum != 0.0 && self.kind != OptimizerKind::Sgd {
            return Err(ConfigError::new("momentum", "applies to `sgd` only").help("remove it, or set kind = \"sgd\""));
        }
        if let Some((first, second)) = self.betas {
            if self.kind != OptimizerKind::Adam {
                return Err(
                    ConfigError::new("betas", "apply to `adam` only").help("remove them, or set kind = \"adam\"")
                );
            }
            if ![first, second].iter().all(|beta| (0.0..1.0).contains(beta)) {
                let message = format!("must be from 0 to below 1, not [{first}, {second}]");
                return Err(ConfigError::new("betas", message));
            }
        }
        Ok(())
    }

    /// An optimizer of this kind for `len` parameters, without moments yet.
    pub fn build(&self, len: usize) -> Box<dyn Optimizer> {
        match self.kind {
            OptimizerKind::Adam => Box::new(Adam::new(len, self.betas.unwrap_or(adam::BETAS))),
            OptimizerKind::Sgd => Box::new(Sgd::new(len, self.momentum as f32)),
        }
    }

    /// The rate by step.
    pub fn schedule(&self) -> Schedule {
        Schedule { rate: self.rate, decay_steps: self.rate_decay_steps, rate_min: self.rate_min }
    }
}

/// Euclidean norm of a gradient, summed in double precision in a fixed order.
pub fn norm(gradient: &[f32]) -> f64 {
    let mut lanes = [0.0f64; 8];
    let chunks = gradient.chunks_exact(8);
    let rest: f64 = chunks.remainder().iter().map(|g| f64::from(*g) * f64::from(*g)).sum();
    for chunk in chunks {
        for (lane, g) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(*g) * f64::from(*g);
        }
    }
    (lanes.iter().sum::<f64>() + rest).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_norm_counts_every_element() {
        let gradient: Vec<f32> = (1..=11).map(|i| i as f32).collect();
        assert!((norm(&gradient) - 506f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let base = OptimizerConfig::default;
        let cases = [
            (OptimizerConfig { rate: 0.0, ..base() }, "rate"),
            (OptimizerConfig { clip_norm: f64::NAN, ..base() }, "clip_norm"),
            (OptimizerConfig { rate_min: -1.0, ..base() }, "rate_min"),
            (OptimizerConfig { momentum: 1.0, kind: OptimizerKind::Sgd, ..base() }, "momentum"),
            (OptimizerConfig { momentum: 0.5, ..base() }, "momentum"),
            (OptimizerConfig { betas: Some((1.0, 0.9)), ..base() }, "betas"),
            (OptimizerConfig { betas: Some((0.9, f64::NAN)), ..base() }, "betas"),
            (OptimizerConfig { betas: Some((0.9, 0.99)), kind: OptimizerKind::Sgd, ..base() }, "betas"),
        ];
        for (config, key) in cases {
            assert_eq!(config.validate().unwrap_err().key, key);
        }
        assert_eq!(base().validate(), Ok(()));
    }
}
