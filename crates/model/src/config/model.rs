//! Which model, and how it learns: the table `model`.

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::ConfigError;

use super::{HIDDEN_MAX, WindowSetting};
use crate::cell::{GruVariant, RecurrentKind};
use crate::experts::ExpertsConfig;
use crate::family::ModelKind;
use crate::head::HeadKind;
use crate::optimizer::OptimizerConfig;

/// Which model, and how it learns. Settings other than `kind` concern the networks.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Which member of the family.
    pub kind: ModelKind,
    /// Hidden units, of each layer.
    pub hidden: usize,
    /// Recurrent cells one over the other, each fed by the one below.
    pub layers: usize,
    /// Whether the head reads the hidden states of all layers (Graves 2013), instead of the topmost alone.
    pub skip_connections: bool,
    /// Where a `gru` has its reset gate. By default "reset-after", which is PyTorch's; "reset-before" is that of the papers.
    pub variant: Option<GruVariant>,
    /// How many events an `mlp` sees, the newest included. By default 8. Events before a key's first count as zeros.
    pub lags: Option<usize>,
    /// The cell of a `full-history`. By default "lstm".
    pub cell: Option<RecurrentKind>,
    /// How many events of a key a `full-history` goes back, at most. By default 256. Beyond them it starts from the state that was
    /// stored when the first of them was seen. All of them are worked on again at every event of the key that follows an update.
    pub history_max: Option<usize>,
    /// For how many events the gates of an `lstm` or `gru` hold on to what they saw at the start, at most: each unit for a time of its
    /// own (Tallec & Ollivier 2018). About the longest dependency that is expected. By default some three events. Cells without
    /// such gates start as ever.
    pub memory_events: Option<usize>,
    /// The distribution of the next event.
    pub head: HeadKind,
    /// Truncated back-propagation through time.
    pub bptt: BpttConfig,
    /// Rows of the partition from one optimizer step to the next, U. By default
    /// max(1, expected_keys · bptt.every / 64), rounded down.
    pub update_every: Option<u64>,
    /// About how many keys the partition has, for the default of `update_every`.
    pub expected_keys: u64,
    /// Count experts under the network, which then learns what they do not know: `{}`, or how they learn. A network among the controls runs
    /// without. Of a model `experts` how it learns. For categorical heads and the next event alone.
    pub experts: Option<ExpertsConfig>,
    /// How the parameters move.
    pub optimizer: OptimizerConfig,
    /// Whether it learns; `false` runs the parameters as they are: no parameter and no moment changes. States go on with the
    /// events, and so do the statistics that inputs are normalised by, and the controls.
    pub learn: bool,
    /// Seed of the starting parameters.
    pub seed: u64,
    /// A safetensors file with starting parameters under PyTorch's names, relative to the pipeline file.
    pub initial: Option<String>,
    /// What computes the cell.
    pub backend: BackendKind,
    /// Up to which lag gradients are measured for a diagnosis, whatever windows are; no setting of a pipeline.
    #[serde(skip)]
    #[schemars(skip)]
    pub(crate) measured_lags: Option<usize>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            kind: ModelKind::Lstm,
            hidden: 32,
            layers: 1,
            skip_connections: false,
            variant: None,
            lags: None,
            cell: None,
            history_max: None,
            memory_events: None,
            head: HeadKind::StudentT,
            bptt: BpttConfig::default(),
            update_every: None,
            expected_keys: 1,
            experts: None,
            optimizer: OptimizerConfig::default(),
            learn: true,
            seed: 0,
            initial: None,
            backend: BackendKind::Auto,
            measured_lags: None,
        }
    }
}

impl ModelConfig {
    /// U: rows of the shard from one optimizer step to the next.
    pub fn update_rows(&self) -> u64 {
        /// At the default, windows of about this many keys make one optimizer step.
        const WINDOWS_PER_STEP: u64 = 64;
        let by_keys = || (self.expected_keys.saturating_mul(self.bptt.every as u64) / WINDOWS_PER_STEP).max(1);
        self.update_every.unwrap_or_else(by_keys)
    }
}

/// How far back a gradient flows, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BpttConfig {
    /// k1: events of a key from one training window to the next.
    pub every: usize,
    /// k2: events that the gradient flows back through, a multiple of `every`, or { adaptive = { tolerance = 0.1, max = 64 } }, which
    /// follows how far gradients reach. By default 8. For recurrent networks but `full-history`, whose gradients flow through its
    /// whole past.
    pub window: Option<WindowSetting>,
}

impl BpttConfig {
    /// k2 of a network whose gradients are truncated.
    pub(crate) fn window_or_default(&self) -> WindowSetting {
        const WINDOW_DEFAULT: usize = 8;
        self.window.unwrap_or(WindowSetting::Events(WINDOW_DEFAULT))
    }

    pub(crate) fn validate_window(&self) -> Result<(), ConfigError> {
        self.window_or_default().validate(self.every)
    }
}

impl Default for BpttConfig {
    fn default() -> Self {
        Self { every: 1, window: None }
    }
}

/// What computes a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    /// The best there is for the cell and its shape: native for recurrent cells, libtorch for the `mlp`. A fixed choice, never a
    /// timing.
    #[default]
    Auto,
    /// libtorch on the CPU.
    Libtorch,
    /// Plain Rust, one row at a time, with the same bits on every processor. Recurrent cells only.
    Native,
}

impl ModelConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let fail = |key: &str, message: String| Err(ConfigError::new(key, message));
        if !(1..=HIDDEN_MAX).contains(&self.hidden) {
            return fail("hidden", format!("must be from 1 to {HIDDEN_MAX}, not {}", self.hidden));
        }
        if self.bptt.every == 0 {
            return fail("bptt.every", "must be at least 1".into());
        }
        if self.update_every == Some(0) {
            return fail("update_every", "must be at least 1".into());
        }
        if self.expected_keys == 0 {
            return fail("expected_keys", "must be at least 1".into());
        }
        if let Some(experts) = self.experts {
            experts.validate().map_err(|error| error.within("experts"))?;
        }
        self.optimizer.validate().map_err(|error| error.within("optimizer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_update_span_grows_with_the_expected_keys() {
        let rows = |expected_keys, every| {
            let bptt = BpttConfig { every, window: Some(every.into()) };
            ModelConfig { expected_keys, bptt, ..ModelConfig::default() }.update_rows()
        };
        assert_eq!((rows(1, 1), rows(63, 1), rows(256, 16), rows(10_000, 1)), (1, 1, 64, 156));
    }
}
