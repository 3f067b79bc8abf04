//! Recurrent networks that forecast every event of a stream as a distribution and learn from it, and the controls beside them.
//!
//! - [`ForecastConfig`]: the settings of the forecast operator, which is what a pipeline uses;
//! - [`Predictor`]: the one trait of the family of models; [`ModelKind`] lists its members;
//! - [`Network`](network::Network): a recurrent network with online truncated back-propagation through time;
//! - [`control`]: persistence and autoregression;
//! - [`cell`]: the recurrent arithmetic and its backends; [`head`]: the distributions; [`optimizer`]: how parameters move;
//!   [`feature`]: what the models see of an event.
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
mod duration;
mod error;
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
    BackendKind, BadValuesConfig, BpttConfig, ClassesConfig, DriftConfig, ForecastConfig, LayoutKind, MixtureConfig,
    MixtureSetting, ModelConfig, OnBadValue, ScoresConfig,
};
pub use error::ModelError;
pub use family::ModelKind;
pub use forecast::Column;
pub use parameters::{Layout, ParameterSpec};
pub use predictor::Predictor;
pub use random::Random;
pub use sluicegate_score as score;
pub use wave::{Code, Dims, MISSING, Wave};
