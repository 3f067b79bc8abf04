//! The family of models: which name builds what. A new member is a new file and one line in each `match` here.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::SnapshotReader;

use crate::cell::NetworkKind;
use crate::cell::libtorch::TorchCell;
use crate::config::{BackendKind, ForecastConfig};
use crate::control::{Autoregression, Persistence};
use crate::error::ModelError;
use crate::network::{Learning, Network};
use crate::predictor::Predictor;
use crate::wave::Dims;

/// A member of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// The last value, as wide as its own errors have been: the control that nothing may lose to.
    Persistence,
    /// Linear autoregression by recursive least squares.
    Ar,
    /// Long short-term memory.
    Lstm,
    /// Gated recurrent unit, reset gate after the product.
    Gru,
    /// Plain recurrent network with tanh: what forgets, beside the gated cells that do not.
    Rnn,
    /// Feed-forward net over the last `lags` events: the control without recurrence.
    Mlp,
    /// Recurrent network that is run anew over a key's whole past after every update, with gradients through all of it: exact up to
    /// `history_max` events, and dear.
    FullHistory,
}

impl ModelKind {
    /// Its name in pipeline files and in the `model` column of controls.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Persistence => "persistence",
            Self::Ar => "ar",
            Self::Lstm => "lstm",
            Self::Gru => "gru",
            Self::Rnn => "rnn",
            Self::Mlp => "mlp",
            Self::FullHistory => "full-history",
        }
    }

    /// Which network, where it is one: it has a cell, a head and an optimizer.
    pub fn network(self) -> Option<NetworkKind> {
        match self {
            Self::Lstm => Some(NetworkKind::Lstm),
            Self::Gru => Some(NetworkKind::Gru),
            Self::Rnn => Some(NetworkKind::Rnn),
            Self::Mlp => Some(NetworkKind::Mlp),
            Self::FullHistory => Some(NetworkKind::FullHistory),
            Self::Persistence | Self::Ar => None,
        }
    }

    /// Builds a model of this kind in its initial state.
    ///
    /// # Errors
    /// When the backend fails or does not keep the laws on this machine, or the initial weights cannot be read.
    pub fn build(
        self,
        config: &ForecastConfig,
        dims: &Dims,
        base_dir: &Path,
    ) -> Result<Box<dyn Predictor>, ModelError> {
        match self {
            Self::Persistence => Ok(Box::new(Persistence::new(dims.clone()))),
            Self::Ar => Ok(Box::new(Autoregression::new(config.ar.clone(), dims.clone()))),
            Self::Lstm => Ok(Box::new(network(NetworkKind::Lstm, config, dims, base_dir)?)),
            Self::Gru => Ok(Box::new(network(NetworkKind::Gru, config, dims, base_dir)?)),
            Self::Rnn => Ok(Box::new(network(NetworkKind::Rnn, config, dims, base_dir)?)),
            Self::Mlp => Ok(Box::new(network(NetworkKind::Mlp, config, dims, base_dir)?)),
            Self::FullHistory => Ok(Box::new(network(NetworkKind::FullHistory, config, dims, base_dir)?)),
        }
    }
}

fn network(kind: NetworkKind, config: &ForecastConfig, dims: &Dims, base_dir: &Path) -> Result<Network, ModelError> {
    let model = &config.model;
    let shape = model.cell_shape(kind, dims.inputs);
    let cell = match model.backend {
        BackendKind::Auto | BackendKind::Libtorch => Box::new(TorchCell::new(shape)?),
    };
    let learning = Learning {
        every: model.bptt.every,
        window: model.window(kind),
        full_history: kind == NetworkKind::FullHistory,
        optimizer: model.optimizer.clone(),
        enabled: model.learn,
    };
    let head = model.head.build(dims.outputs());
    let mut network = Network::new(dims.clone(), shape, cell, head, learning, model.seed)?;
    if let Some(initial) = &model.initial {
        let file = base_dir.join(initial);
        let refused = |reason: &dyn std::fmt::Display| ModelError::InitialWeights {
            file: file.clone(),
            reason: reason.to_string(),
        };
        let bytes = std::fs::read(&file).map_err(|error| refused(&error))?;
        let reader = SnapshotReader::parse_foreign(&bytes).map_err(|error| refused(&error))?;
        network.set_parameters(&reader).map_err(|error| refused(&error))?;
    }
    Ok(network)
}
