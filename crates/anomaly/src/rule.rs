//! When a score is an alarm.

use crate::config::AnomalyConfig;

/// When a score is an alarm: a score does not depend on it, so one pass of a detector serves to try many.
///
/// ```
/// use sluicegate_anomaly::{AlarmRule, AnomalyConfig};
///
/// let rule = AlarmRule::of(&AnomalyConfig::default());
/// assert!(rule.is_alarm(0.5, 301, None));
/// assert!(!rule.is_alarm(0.5, 305, Some(301)), "the series is mute");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct AlarmRule {
    threshold: f64,
    probation: u64,
    mute_rows: u64,
    mute_share: f64,
}

impl AlarmRule {
    /// That of these settings.
    pub fn of(config: &AnomalyConfig) -> Self {
        let AnomalyConfig { threshold, probation, mute_rows, mute_share, .. } = *config;
        Self { threshold, probation, mute_rows, mute_share }
    }

    /// Whether `score` at row `row` of its series, counted from one, is an alarm, the last one having been at row `last`.
    pub fn is_alarm(&self, score: f64, row: u64, last: Option<u64>) -> bool {
        let mute = (self.mute_rows as f64).max(self.mute_share * row as f64);
        let muted = last.is_some_and(|last| row.saturating_sub(last) as f64 <= mute);
        score >= self.threshold && row > self.probation && !muted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_mutes_and_the_probation_does() {
        let rule = AlarmRule::of(&AnomalyConfig { probation: 5, ..AnomalyConfig::default() });
        assert!(!rule.is_alarm(3.0, 5, None));
        assert!(rule.is_alarm(0.31, 6, None), "a score equal to the threshold counts");
        assert!(!rule.is_alarm(0.309_999, 6, None));
        assert!(!rule.is_alarm(3.0, 26, Some(6)));
        assert!(rule.is_alarm(3.0, 27, Some(6)));
        // At row 1000 an alarm mutes 40 rows.
        assert!(!rule.is_alarm(3.0, 1000, Some(960)));
        assert!(rule.is_alarm(3.0, 1000, Some(959)));
    }
}
