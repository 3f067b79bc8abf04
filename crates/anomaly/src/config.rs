//! The settings of an anomaly operator: the table `[operator.NAME]` with `type = "anomaly"`.

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::ConfigError;

/// With fewer values a history could not be thinned.
const HISTORY_MIN: usize = 16;
/// More would be a mistake: 48 bytes per value and statistic.
const HISTORY_MAX: usize = 1 << 24;
/// The largest score.
const SCORE_MAX: f64 = 3.0;

/// Finds what is new in a stream of forecasts. Its input is the output of an operator `forecast` with `layout = "long"`.
///
/// Looks at the rows of one model at horizon 1 and scores each by how far three statistics are from all they were before, for its
/// key and target: the value, its mean over 24 rows, and the mean over 16 rows of the forecast's absolute error. Nothing is learned
/// from labels. Memory is bounded: at most about 50 bytes times `history_max` for each statistic of each series.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AnomalyConfig {
    /// Whose forecasts are compared with the values: a name in the column `model`. By default that of the first row of the
    /// partition, which is the forecast operator's own forecast.
    pub model: Option<String>,
    /// Scores of at least this are alarms; a score lies between 0 and 3.
    pub threshold: f64,
    /// No alarm during so many first rows of a series.
    pub probation: u64,
    /// After an alarm none during so many rows of the series,
    pub mute_rows: u64,
    /// or during this share of the rows so far, if that is more.
    pub mute_share: f64,
    /// Most values remembered for each statistic of a series. When there are more, those with the nearest neighbours are dropped.
    pub history_max: usize,
    /// Most series, each a key and a target, to remember; beyond it the least recently seen is forgotten. By default there is no
    /// limit.
    pub max_series: Option<usize>,
    /// Which rows are emitted.
    pub emit: Emit,
}

/// Which rows are emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Emit {
    /// Those that make an alarm.
    #[default]
    Alerts,
    /// One per event and target.
    All,
}

impl Default for AnomalyConfig {
    fn default() -> Self {
        Self {
            model: None,
            threshold: 0.31,
            probation: 300,
            mute_rows: 20,
            mute_share: 0.04,
            history_max: 16_384,
            max_series: None,
            emit: Emit::Alerts,
        }
    }
}

impl AnomalyConfig {
    /// Checks each setting.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the first that cannot work.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if self.model.as_ref().is_some_and(String::is_empty) {
            return Err(ConfigError::new("model", "must name a model").help("leave it out to take the forecast itself"));
        }
        if !(self.threshold > 0.0 && self.threshold <= SCORE_MAX) {
            let message = format!("must be above 0 and at most {SCORE_MAX}, not {}", self.threshold);
            return Err(ConfigError::new("threshold", message).help("0.31 is the default"));
        }
        if !(0.0..=1.0).contains(&self.mute_share) {
            let message = format!("must lie between 0 and 1, not be {}", self.mute_share);
            return Err(ConfigError::new("mute_share", message).help("0.04 is the default"));
        }
        if !(HISTORY_MIN..=HISTORY_MAX).contains(&self.history_max) {
            let message = format!("must lie between {HISTORY_MIN} and {HISTORY_MAX}, not be {}", self.history_max);
            return Err(ConfigError::new("history_max", message).help("16384 is the default"));
        }
        if self.max_series == Some(0) {
            return Err(ConfigError::new("max_series", "must be at least 1").help("leave it out for no limit"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> String {
        serde_json::from_str::<AnomalyConfig>(json).unwrap().validate().unwrap_err().to_string()
    }

    #[test]
    fn an_empty_table_is_the_default_and_a_misspelt_setting_is_refused() {
        assert_eq!(serde_json::from_str::<AnomalyConfig>("{}").unwrap(), AnomalyConfig::default());
        assert!(serde_json::from_str::<AnomalyConfig>(r#"{"treshold": 1}"#).is_err());
        assert_eq!(serde_json::from_str::<AnomalyConfig>(r#"{"emit": "all"}"#).unwrap().emit, Emit::All);
        assert_eq!(AnomalyConfig::default().validate(), Ok(()));
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        assert_eq!(
            fault(r#"{"threshold": 0}"#),
            "`threshold`: must be above 0 and at most 3, not 0; 0.31 is the default"
        );
        assert!(fault(r#"{"threshold": 3.5}"#).starts_with("`threshold`"));
        assert!(fault(r#"{"mute_share": -0.1}"#).starts_with("`mute_share`"));
        assert!(fault(r#"{"history_max": 15}"#).starts_with("`history_max`"));
        assert!(fault(r#"{"max_series": 0}"#).starts_with("`max_series`"));
        assert!(fault(r#"{"model": ""}"#).starts_with("`model`"));
    }
}
