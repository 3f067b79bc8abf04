//! The family of models: which name builds what. A new member is a new file and one line in each `match` here.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::SnapshotReader;

use crate::cell::NetworkKind;
use crate::config::ForecastConfig;
use crate::control::classes::{Counts, Repeat};
use crate::control::{Autoregression, Ewma, Garch, Persistence, Seasonal};
use crate::error::ModelError;
use crate::experts::ExpertPredictor;
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
    /// The value of one period ago, as wide as its own errors have been.
    Seasonal,
    /// First order: linear in the last value alone, by recursive least squares.
    Markov,
    /// Linear autoregression by recursive least squares.
    Ar,
    /// For returns: the last value, with an exponentially weighted variance of changes.
    Ewma,
    /// For returns: the last value, with GARCH(1,1) variances and heavy tails, refitted by maximum likelihood.
    Garch,
    /// Of classes: count experts of many contexts, pooled by logarithms. See `model.experts`.
    Experts,
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
            Self::Seasonal => "seasonal",
            Self::Markov => "markov",
            Self::Ar => "ar",
            Self::Ewma => "ewma",
            Self::Garch => "garch",
            Self::Experts => "experts",
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
            Self::Persistence | Self::Seasonal | Self::Markov | Self::Ar | Self::Ewma | Self::Garch | Self::Experts => {
                None
            }
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
            Self::Persistence => Ok(Box::new(Persistence::new(config.persistence, dims.clone()))),
            Self::Seasonal => Ok(Box::new(Seasonal::new(config.seasonal()?, dims.clone()))),
            Self::Markov => Ok(Box::new(Autoregression::first_order(&config.ar, dims))),
            Self::Ar => Ok(Box::new(Autoregression::new(config.ar.clone(), dims.clone()))),
            Self::Ewma => Ok(Box::new(Ewma::new(config.ewma, dims.clone()))),
            Self::Garch => Ok(Box::new(Garch::new(config.garch, dims.clone()))),
            Self::Experts => Err(ModelError::NotOfNumbers(self)),
            Self::Lstm | Self::Gru | Self::Rnn | Self::Mlp | Self::FullHistory => {
                let head = config.model.head.of_numbers(dims.outputs())?;
                Ok(Box::new(network(self, head, config, dims, base_dir)?))
            }
        }
    }

    /// Builds a model of this kind, of targets that are classes, in its initial state.
    ///
    /// # Errors
    /// When the backend fails or does not keep the laws on this machine, the initial weights cannot be read, or it is a model of
    /// numbers.
    pub fn build_of_classes(
        self,
        config: &ForecastConfig,
        dims: &Dims,
        base_dir: &Path,
    ) -> Result<Box<dyn Predictor<f32>>, ModelError> {
        match self {
            Self::Persistence => Ok(Box::new(Repeat::last(dims.clone()))),
            Self::Seasonal => Ok(Box::new(Repeat::seasonal(config.seasonal()?.period, dims.clone()))),
            Self::Markov => Ok(Box::new(Counts::new(1, dims.clone()))),
            Self::Ar => Ok(Box::new(Counts::new(config.classes.order, dims.clone()))),
            Self::Lstm | Self::Gru | Self::Rnn | Self::Mlp | Self::FullHistory => {
                let head = config.model.head.of_classes(dims)?;
                Ok(Box::new(network(self, head, config, dims, base_dir)?))
            }
            Self::Experts => {
                let experts = config.model.experts.unwrap_or_default();
                Ok(Box::new(ExpertPredictor::new(experts, config.model.learn, dims.clone())))
            }
            Self::Ewma | Self::Garch => Err(ModelError::NotOfClasses(self)),
        }
    }
}

/// A network of this kind: one of those that have a cell.
fn network<F: Send>(
    kind: ModelKind,
    head: Box<dyn Head<F>>,
    config: &ForecastConfig,
    dims: &Dims,
    base_dir: &Path,
) -> Result<Network<F>, ModelError> {
    let kind = kind.network().ok_or(ModelError::NoNetwork(kind))?;
    let model = &config.model;
    let shape = model.cell_shape(kind, dims.cell_inputs());
    let cell = model.backend.cell(shape)?;
    let learning = Learning {
        every: model.bptt.every,
        window: model.window(kind),
        full_history: kind == NetworkKind::FullHistory,
        optimizer: model.optimizer.clone(),
        experts: model.experts,
        enabled: model.learn,
        memory_events: model.memory_events,
        probing: model.probing(kind),
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
