//! The family of models: which name builds what. A new member is a new file and one line in each `match` here.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::SnapshotReader;

use crate::cell::libtorch::TorchCell;
use crate::cell::{CellKind, CellShape};
use crate::config::{BackendKind, ForecastConfig};
use crate::control::classes::{Counts, Repeat};
use crate::control::{Autoregression, Persistence};
use crate::error::ModelError;
use crate::head::Head;
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
        }
    }

    /// The recurrent cell, where it is a recurrent network.
    pub fn cell(self) -> Option<CellKind> {
        match self {
            Self::Lstm => Some(CellKind::Lstm),
            Self::Gru => Some(CellKind::Gru),
            Self::Rnn => Some(CellKind::Rnn),
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
            Self::Lstm => Ok(Box::new(of_numbers(CellKind::Lstm, config, dims, base_dir)?)),
            Self::Gru => Ok(Box::new(of_numbers(CellKind::Gru, config, dims, base_dir)?)),
            Self::Rnn => Ok(Box::new(of_numbers(CellKind::Rnn, config, dims, base_dir)?)),
        }
    }

    /// Builds a model of this kind, of targets that are classes, in its initial state.
    ///
    /// # Errors
    /// When the backend fails or does not keep the laws on this machine, or the initial weights cannot be read.
    pub fn build_of_classes(
        self,
        config: &ForecastConfig,
        dims: &Dims,
        base_dir: &Path,
    ) -> Result<Box<dyn Predictor<f32>>, ModelError> {
        match self {
            Self::Persistence => Ok(Box::new(Repeat::last(dims.clone()))),
            Self::Ar => Ok(Box::new(Counts::new(config.classes.order, dims.clone()))),
            Self::Lstm => Ok(Box::new(of_classes(CellKind::Lstm, config, dims, base_dir)?)),
            Self::Gru => Ok(Box::new(of_classes(CellKind::Gru, config, dims, base_dir)?)),
            Self::Rnn => Ok(Box::new(of_classes(CellKind::Rnn, config, dims, base_dir)?)),
        }
    }
}

fn of_numbers(kind: CellKind, config: &ForecastConfig, dims: &Dims, base_dir: &Path) -> Result<Network, ModelError> {
    network(kind, config.model.head.of_numbers(dims.outputs())?, config, dims, base_dir)
}

fn of_classes(
    kind: CellKind,
    config: &ForecastConfig,
    dims: &Dims,
    base_dir: &Path,
) -> Result<Network<f32>, ModelError> {
    network(kind, config.model.head.of_classes(dims)?, config, dims, base_dir)
}

fn network<F: Send>(
    kind: CellKind,
    head: Box<dyn Head<F>>,
    config: &ForecastConfig,
    dims: &Dims,
    base_dir: &Path,
) -> Result<Network<F>, ModelError> {
    let model = &config.model;
    let shape = CellShape { kind, inputs: dims.cell_inputs(), hidden: model.hidden };
    let cell = match model.backend {
        BackendKind::Auto | BackendKind::Libtorch => Box::new(TorchCell::new(shape)?),
    };
    let learning = Learning {
        every: model.bptt.every,
        window: model.bptt.window,
        optimizer: model.optimizer.clone(),
        enabled: model.learn,
    };
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
