//! Recurrent networks that forecast every event of a stream as a distribution and learn from it, and the controls beside them.
//!
//! - [`ForecastConfig`]: the settings of the forecast operator, which is what a pipeline uses;
//! - [`Predictor`]: the one trait of the family of models; [`ModelKind`] lists its members;
//! - [`Network`](network::Network): a network with one state per key and online back-propagation through time;
//! - [`control`]: persistence, seasonal, autoregression, exponentially weighted variance, GARCH, and counts of classes;
//! - [`cell`]: the arithmetic of states and its backends; [`head`]: the distributions; [`optimizer`]: how parameters move;
//!   [`feature`]: what the models see of an event.
//!
//! # Networks
//! With x_t the input at an event of a key and h its hidden state, every one with any head, any number of keys and horizons:
//!
//! | `kind` | settings | what it conditions on | gradients |
//! |---|---|---|---|
//! | `lstm`, `gru`, `rnn` | `layers`, `variant` (GRU) | all events so far, through a state that is carried on | through the last `bptt.window` events |
//! | `mlp` | `lags` | the last `lags` events; those before the first are zeros | exact |
//! | `full-history` | `cell`, `layers`, `variant`, `history_max` | all events so far, run anew under the parameters of the moment | exact, up to `history_max` events |
//!
//! What a full history costs grows with the past of its keys, up to `history_max` steps for every event and as many for every
//! window; `forecast_steps_recomputed` counts the former. With 32 hidden units, one key and an update at every event, an event at
//! the default cap of 256 costs some 8 ms, twenty times what it costs an LSTM that learns through eight events. Beyond
//! `history_max` its past slides, and starts from the state that was stored when the first event of it was seen.
//!
//! One operator needs neither a pipeline nor a runtime:
//!
//! ```
//! use std::sync::Arc;
//! use arrow::array::{Float64Array, RecordBatch};
//! use sluicegate_core::{
//!     Batch, Metrics, Offset, Offsets, OperatorConfig, Output, PartitionId, PipelineContext, ShardContext,
//! };
//! use sluicegate_model::{ForecastConfig, ModelKind};
//!
//! let price = Arc::new(Float64Array::from(vec![1.0, 1.5, 1.2, 1.6]));
//! let records = RecordBatch::try_from_iter([("price", price as _)])?;
//! let mut config = ForecastConfig::new(["price"]);
//! config.model.kind = ModelKind::Gru;
//! config.controls = vec![ModelKind::Persistence];
//! let factory = config.bind(&records.schema(), &PipelineContext::default())?;
//!
//! let shard = ShardContext::new(PartitionId::new("trades"), "forecast", Metrics::new());
//! let mut operator = factory.build(&shard)?;
//! let mut out = Output::new();
//! let batch = Batch::new(shard.partition.clone(), Offsets::dense(Offset(0), 4)?, records)?;
//! operator.process(batch, &mut out)?;
//! // A row per event and model, in the order of the events.
//! assert_eq!(out.take()[0].len(), 8);
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! Shapes are row-major; parameters have PyTorch's names and layouts. All randomness comes from one seed.

mod arithmetic;
pub mod cell;
mod config;
pub mod control;
pub mod diagnose;
mod duration;
mod error;
pub mod experts;
mod family;
pub mod feature;
mod forecast;
pub mod head;
mod keys;
pub mod network;
pub mod optimizer;
mod parameters;
mod predictor;
mod random;
mod slab;
mod wave;

pub use config::{
    AdaptiveWindow, BackendKind, BadValuesConfig, BpttConfig, ClassesConfig, DriftConfig, ForecastConfig, LayoutKind,
    MixtureConfig, MixtureSetting, ModelConfig, OnBadValue, ScoresConfig, WindowSetting,
};
pub use error::ModelError;
pub use family::ModelKind;
pub use forecast::{Column, Generator, Sequences, Step, Value};
pub use parameters::{Layout, ParameterSpec};
pub use predictor::{Inspect, Predictor};
pub use random::Random;
pub use sluicegate_score as score;
pub use wave::{Code, Dims, MISSING, Wave};
