//! Features: what the models see of an event, all of it running, none of it from the future.
//!
//! Per target, with y the value observed now (definitions as in `sluicegate-score`'s running statistics, whose weight is
//! max(α, 1/n) at the n-th value):
//! - *level*: mean and deviation of y, α = `level_alpha`, by default 0.002;
//! - *slow scale*: rms of y less the last observed value, α = 0.002;
//! - *scale* of a horizon h: rms of y less the level h events ago, α = `scale_alpha`, by default 0.03, never below 1 % of the
//!   level's deviation.
//!
//! The network's input is, per target, the last difference over the slow scale (clipped to ±8) and the level's distance from
//! its mean in deviations (clipped to ±5); where asked for ln of the fast over the slow scale (clipped to ±5), whether the value
//! is missing, and the levels of earlier events, as far from the mean of now. Then come the extra input columns standardised
//! like the level, the calendar of the time at which the next event is expected, and ln((1 + gap/mean gap)/2) of the time since
//! the key's last event (clipped to ±5, mean with α = 0.002). A missing value moves no statistic: its difference is 0 and its
//! level the last observed one.
//!
//! | file | holds |
//! |---|---|
//! | `config` | [`FeatureConfig`], the table `features` |
//! | `transform` | [`TransformConfig`], through which targets may be seen before anything else looks at them |
//! | `targets`, `inputs`, `clock`, `calendar` | one kind of feature each, with its memory per key |
//! | `running` | [`Features`]: all of them together |

mod calendar;
mod clock;
mod config;
mod inputs;
mod parts;
mod running;
mod targets;
mod transform;

pub use calendar::CalendarFeature;
pub use config::FeatureConfig;
pub(crate) use parts::squares;
pub use running::Features;
pub(crate) use transform::Transform;
pub use transform::{TransformConfig, TransformKind};

/// Values beyond this are taken as infinite: their squares must stay finite.
pub const VALUE_MAX: f64 = 1e100;

/// One event as it came in, values that are missing or beyond [`VALUE_MAX`] already NaN.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Place of its key in per-key memory.
    pub slot: usize,
    /// Its index among all rows of the shard.
    pub row: i64,
    /// Its index among the events of its key.
    pub index: u64,
    /// Event time, microseconds since 1970 in UTC.
    pub time: Option<i64>,
    /// `[targets]`.
    pub targets: &'a [f64],
    /// `[extra inputs]`.
    pub inputs: &'a [f64],
    /// Which of the inputs the key's last value stands for; empty where none does.
    pub carried_inputs: &'a [bool],
}
