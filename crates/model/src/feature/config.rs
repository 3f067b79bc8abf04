//! What the network sees beside the targets' own past: the table `features`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::ConfigError;

use super::CalendarFeature;
use crate::config::no_repeats;

/// A level is kept for each event up to the longest lag, so longer ones would make per-key memory large.
const LAG_MAX: usize = 1000;
/// Each lag widens the network's input by one number per target.
const LAGS_MAX: usize = 64;

/// What the network sees beside the targets' own past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureConfig {
    /// Cycles of the next event's time.
    pub calendar: Vec<CalendarFeature>,
    /// Further numeric columns to look at. A missing or infinite value counts as the column's running mean.
    pub inputs: Vec<String>,
    /// Further columns of classes to look at: text, integers or booleans. See `classes`.
    pub categories: Vec<String>,
    /// Adds, per target, its level so many events ago, in the same units as its level now; 0 where the key has no such event.
    /// Where the next event resembles one of a season ago, `[season - 1]` is that one: `[23]` in hourly data with a daily
    /// cycle.
    pub lags: Vec<usize>,
    /// Adds the time since the key's last event, as a logarithm: 0 where it is as long as usual, and where it is not known.
    pub elapsed: bool,
    /// Adds, per target, the logarithm of its fast scale (of the nearest horizon) over its slow scale: is it calmer or wilder
    /// than usual?
    pub scale_ratio: bool,
    /// Adds, per target and input column, a 1 where the value is missing.
    pub missing_indicator: bool,
    /// Weight of a new value in the mean and deviation by which levels are seen: they look back over some 1/this events.
    pub level_alpha: f64,
    /// Weight of a new difference in the scale that networks and `ar` forecast in. Streams whose calm and wild times alternate
    /// quickly want a larger one.
    pub scale_alpha: f64,
}

impl Default for FeatureConfig {
    fn default() -> Self {
        Self {
            calendar: Vec::new(),
            inputs: Vec::new(),
            categories: Vec::new(),
            lags: Vec::new(),
            elapsed: false,
            scale_ratio: false,
            missing_indicator: false,
            level_alpha: 0.002,
            scale_alpha: 0.03,
        }
    }
}

impl FeatureConfig {
    /// Numbers of the network's input for so many targets that are numbers. Classes come beside them.
    pub fn width(&self, targets: usize) -> usize {
        let Self { inputs, lags, elapsed, scale_ratio, missing_indicator, .. } = self;
        let per_target = 2 + usize::from(*scale_ratio) + usize::from(*missing_indicator) + lags.len();
        let per_input = 1 + usize::from(*missing_indicator);
        targets * per_target + inputs.len() * per_input + self.calendar_width() + usize::from(*elapsed)
    }

    /// Width of the calendar.
    pub fn calendar_width(&self) -> usize {
        self.calendar.iter().map(|feature| feature.width()).sum()
    }

    /// The longest lag; 0 without any.
    pub(super) fn lag_max(&self) -> usize {
        self.lags.iter().copied().max().unwrap_or(0)
    }

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        no_repeats("inputs", &self.inputs)?;
        no_repeats("categories", &self.categories)?;
        if let Some(both) = self.categories.iter().find(|name| self.inputs.contains(name)) {
            let message = format!("names `{both}`, which is already a number among the inputs");
            return Err(ConfigError::new("categories", message));
        }
        no_repeats("calendar", &self.calendar)?;
        no_repeats("lags", &self.lags)?;
        if self.lags.iter().any(|lag| !(1..=LAG_MAX).contains(lag)) {
            return Err(ConfigError::new("lags", format!("must each be from 1 to {LAG_MAX} events ago")));
        }
        if self.lags.len() > LAGS_MAX {
            return Err(ConfigError::new("lags", format!("must be at most {LAGS_MAX} lags, not {}", self.lags.len())));
        }
        for (name, alpha) in [("level_alpha", self.level_alpha), ("scale_alpha", self.scale_alpha)] {
            if !(alpha > 0.0 && alpha <= 1.0) {
                let message = format!("must be above 0 and at most 1, not {alpha}");
                return Err(ConfigError::new(name, message).help("0.01 looks back over some 100 events"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_that_cannot_work_are_refused_by_name() {
        let refused = |config: FeatureConfig| config.validate().unwrap_err().key;
        let base = FeatureConfig::default;
        assert_eq!(base().validate(), Ok(()));
        assert_eq!(refused(FeatureConfig { lags: vec![0], ..base() }), "lags");
        assert_eq!(refused(FeatureConfig { lags: vec![2, 2], ..base() }), "lags");
        assert_eq!(refused(FeatureConfig { lags: vec![LAG_MAX + 1], ..base() }), "lags");
        assert_eq!(refused(FeatureConfig { lags: (1..=LAGS_MAX + 1).collect(), ..base() }), "lags");
        assert_eq!(refused(FeatureConfig { inputs: vec!["x".into(), "x".into()], ..base() }), "inputs");
        assert_eq!(refused(FeatureConfig { level_alpha: 0.0, ..base() }), "level_alpha");
        assert_eq!(refused(FeatureConfig { scale_alpha: f64::NAN, ..base() }), "scale_alpha");
        let twice = vec![CalendarFeature::Hour; 2];
        assert_eq!(refused(FeatureConfig { calendar: twice, ..base() }), "calendar");
    }
}
