//! What to do with values that cannot be used: the table `bad_values`.

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::ConfigError;

use crate::feature::VALUE_MAX;

/// What to do with values that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BadValuesConfig {
    /// A target that is NaN, infinite, beyond the limit, or without a value under `transform`.
    pub target: OnBadValue,
    /// A target that is null.
    pub missing_target: OnBadValue,
    /// An input column that is null, NaN, infinite or beyond the limit.
    pub input: OnBadValue,
    /// An event time before that of an earlier event of the same key: `mask` or `fail`.
    pub time: OnBadValue,
    /// Values beyond plus or minus this are none: the running scales of a key take thousands of events to forget one that is
    /// larger than the rest by many powers of ten. At most 1e100, which is the default.
    pub limit: f64,
}

impl Default for BadValuesConfig {
    fn default() -> Self {
        Self {
            target: OnBadValue::default(),
            missing_target: OnBadValue::default(),
            input: OnBadValue::default(),
            time: OnBadValue::default(),
            limit: VALUE_MAX,
        }
    }
}

impl BadValuesConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if !(self.limit > 0.0 && self.limit <= VALUE_MAX) {
            let message = format!("must be above 0 and at most {VALUE_MAX:e}, not {}", self.limit);
            return Err(ConfigError::new("limit", message));
        }
        match self.time {
            OnBadValue::Mask | OnBadValue::Fail => Ok(()),
            OnBadValue::Carry | OnBadValue::DeadLetter => Err(ConfigError::new(
                "time",
                "the order of events is that of their offsets, so a time cannot be replaced, nor its event be taken out",
            )
            .help("write \"mask\" to go on and count it, or \"fail\" to stop at it")),
        }
    }

    /// Whether rows may be taken out.
    pub(crate) fn rejects(&self) -> bool {
        [self.target, self.missing_target, self.input].contains(&OnBadValue::DeadLetter)
    }
}

/// What to do with one kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadValue {
    /// Take the value as missing (a time: keep the order of offsets), and count it.
    #[default]
    Mask,
    /// Take the last value of the same key in its place, and count it. Where there is none yet, take it as missing.
    Carry,
    /// Send the row to the dead letters. It leaves no trace in any state, and has no forecast.
    DeadLetter,
    /// Stop at it.
    Fail,
}
