//! Finds what is new in a stream of forecasts: one detector per key and target, without labels, event by event.
//!
//! - [`AnomalyConfig`]: the settings of the operator `anomaly`, which is what a pipeline uses;
//! - [`Detector`]: what it does with one series, for whoever has no pipeline.
//!
//! A forecast whose density is good is not by itself a good detector: its scale adapts and swallows the anomaly. So the detector
//! asks how far a value, its level and the forecast's error are from everything they have been before, and the forecast is one of
//! three witnesses. What it scores on the Numenta Anomaly Benchmark, and with what, is in `docs/anomalies.md`.

mod config;
mod detector;
mod error;
mod history;
mod novelty;
mod operator;
mod rows;
mod rule;
mod search;
mod series;
mod state;
mod table;
mod window;

pub use config::{AnomalyConfig, Emit};
pub use detector::{Detector, Statistic, Verdict};
pub use error::AnomalyError;
pub use rule::AlarmRule;
