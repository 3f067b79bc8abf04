//! The networks of the family, as settings.

use sluicegate_model::cell::{GruVariant, RecurrentKind};
use sluicegate_model::{ForecastConfig, ModelKind};

use super::members::{every, forms};

/// A network of the family, whatever its head: settings that stand for its kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NetworkSettings {
    pub(crate) kind: ModelKind,
    pub(crate) layers: usize,
    pub(crate) variant: Option<GruVariant>,
    pub(crate) cell: Option<RecurrentKind>,
    pub(crate) lags: Option<usize>,
}

impl NetworkSettings {
    pub(crate) fn new(kind: ModelKind, layers: usize) -> Self {
        Self { kind, layers, variant: None, cell: None, lags: None }
    }

    /// Makes it the model of `config`, looking back over `window` events.
    pub(crate) fn apply(&self, config: &mut ForecastConfig, window: usize) {
        let model = &mut config.model;
        (model.kind, model.layers) = (self.kind, self.layers);
        (model.variant, model.cell, model.lags) = (self.variant, self.cell, self.lags);
        match self.kind {
            ModelKind::FullHistory => model.history_max = Some(window),
            ModelKind::Mlp => {}
            _ => model.bptt.window = Some(window.into()),
        }
    }
}

/// Every network of the family, in all its forms.
pub(crate) fn networks() -> Vec<NetworkSettings> {
    every::<ModelKind>().into_iter().flat_map(forms).collect()
}
