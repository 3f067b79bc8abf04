//! The forecast operator: events in, forecasts with their scores out.
//!
//! For each event, in log order: score the outstanding forecasts of its key; if it closes an update span, learn; move the
//! key's state under the new parameters; forecast its successors. So a forecast never saw its target, and the row one reads at
//! time t says what comes next.

mod arrays;
mod bind;
mod classes;
mod column;
mod decode;
mod desk;
mod drift;
mod generate;
mod members;
mod model_gauges;
mod numbers;
mod operator;
mod plan;
mod ranges;
mod reject;
mod run;
mod settings;
mod stretch;
mod vocabulary;
mod watch;
mod weight_gauges;
mod weights;

pub use column::Column;
pub use generate::{Generator, Sequences, Step, Value};
pub(crate) use watch::watch;
