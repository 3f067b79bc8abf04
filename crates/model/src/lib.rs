//! Recurrent networks that forecast every event of a stream as a distribution and learn from it, and the controls beside them.
//!
//! - [`ForecastConfig`]: the settings of the forecast operator, which is what a pipeline uses;
//! - [`Predictor`]: the one trait of the family of models; [`ModelKind`] lists its members;
//! - [`Network`](network::Network): a recurrent network with online truncated back-propagation through time;
//! - [`control`]: persistence and autoregression;
//! - [`cell`]: the recurrent arithmetic and its backends; [`head`]: the distributions; [`optimizer`]: how parameters move;
//!   [`feature`]: what the models see of an event.
//!
//! Shapes are row-major; parameters have PyTorch's names and layouts. All randomness comes from one seed.

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
    BackendKind, BadValuesConfig, BpttConfig, ForecastConfig, LayoutKind, ModelConfig, OnBadValue, ScoresConfig,
};
pub use error::ModelError;
pub use family::ModelKind;
pub use forecast::{Column, ForecastOperator};
pub use parameters::{Layout, ParameterSpec};
pub use predictor::Predictor;
pub use random::Random;
pub use wave::{Dims, Wave};
