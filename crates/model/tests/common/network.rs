//! The networks of the family, as settings.

use sluicegate_model::cell::{GruVariant, RecurrentKind};
use sluicegate_model::{ForecastConfig, ModelKind};

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
    fn new(kind: ModelKind, layers: usize) -> Self {
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
            _ => model.bptt.window = Some(window),
        }
    }
}

/// Every network of the family: kinds, variants, and one layer or more.
pub(crate) fn networks() -> Vec<NetworkSettings> {
    let mut all = Vec::new();
    for layers in [1, 2] {
        all.extend([ModelKind::Lstm, ModelKind::Gru, ModelKind::Rnn].map(|kind| NetworkSettings::new(kind, layers)));
        let variant = Some(GruVariant::ResetBefore);
        all.push(NetworkSettings { variant, ..NetworkSettings::new(ModelKind::Gru, layers) });
    }
    all.extend(
        [None, Some(1), Some(3)].map(|lags| NetworkSettings { lags, ..NetworkSettings::new(ModelKind::Mlp, 1) }),
    );
    for (cell, variant, layers) in [
        (None, None, 1),
        (Some(RecurrentKind::Rnn), None, 1),
        (Some(RecurrentKind::Gru), Some(GruVariant::ResetBefore), 2),
    ] {
        all.push(NetworkSettings { cell, variant, ..NetworkSettings::new(ModelKind::FullHistory, layers) });
    }
    all
}
