//! When the operator's forecasts are held to have got worse: the table `drift`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::ConfigError;
use sluicegate_score::PageHinkley;

/// A detector per key and target on the negative log-likelihoods of the operator's forecasts for the nearest horizon
/// (Page-Hinkley, see `sluicegate_score::PageHinkley`).
///
/// An alarm shows in the column `drift` and in the metric `forecast_drift_alarms`. The response: the weights of that key's
/// and target's mixtures go back to even, so that no member has to catch up what the past gave the others, and the detector
/// begins anew. The networks learn on as before. Each alarm so adds at most ln(E)/n to the bound of the mixture's regret.
///
/// It is off by default: the losses of real streams depend on each other, which raises alarms without a change (on the bundled
/// power data 24 in 122,000 losses).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table such as { threshold = 60 }, or {} for the defaults")]
pub struct DriftConfig {
    /// Deviations of the loss by which it may rise without being noticed.
    pub tolerance: f64,
    /// Sum of the rises beyond that, in deviations, that raises an alarm.
    pub threshold: f64,
    /// Weight of a new loss in its running mean and deviation.
    pub alpha: f64,
    /// Losses that are looked at before the first alarm, and after each.
    pub events_min: u64,
}

impl Default for DriftConfig {
    fn default() -> Self {
        Self { tolerance: 0.2, threshold: 40.0, alpha: 1e-3, events_min: 100 }
    }
}

impl DriftConfig {
    /// A detector that has seen nothing; `None` where the settings cannot work.
    pub(crate) fn detector(&self) -> Option<PageHinkley> {
        PageHinkley::new(self.tolerance, self.threshold, self.alpha, self.events_min)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let Self { tolerance, threshold, alpha, .. } = *self;
        let fail = |key: &str, message: String| Err(ConfigError::new(key, message));
        if !(0.0..4.0).contains(&tolerance) {
            return fail("tolerance", format!("must be from 0 to below 4, not {tolerance}"));
        }
        if !(threshold.is_finite() && threshold > 0.0) {
            return fail("threshold", format!("must be above 0, not {threshold}"));
        }
        if !(alpha > 0.0 && alpha <= 1.0) {
            return fail("alpha", format!("must be above 0 and at most 1, not {alpha}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_by_default_are_those_of_the_test() {
        assert_eq!(DriftConfig::default().detector(), Some(PageHinkley::default()));
    }

    #[test]
    fn whatever_is_accepted_makes_a_detector() {
        let base = DriftConfig::default;
        for config in [
            DriftConfig { tolerance: -0.1, ..base() },
            DriftConfig { tolerance: f64::NAN, ..base() },
            DriftConfig { threshold: 0.0, ..base() },
            DriftConfig { threshold: f64::INFINITY, ..base() },
            DriftConfig { alpha: 0.0, ..base() },
            DriftConfig { alpha: 1.5, ..base() },
        ] {
            assert!(config.validate().is_err() && config.detector().is_none(), "{config:?}");
        }
    }

    #[test]
    fn a_switch_in_its_place_is_told_how_to_write_it() {
        let error = serde_json::from_str::<DriftConfig>("true").unwrap_err().to_string();
        assert!(error.contains("expected a table such as { threshold = 60 }, or {} for the defaults"), "{error}");
    }
}
