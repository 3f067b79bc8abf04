//! The detector of one series.

use sluicegate_score::EwMoments;

use crate::config::AnomalyConfig;
use crate::novelty::Novelty;
use crate::rule::AlarmRule;
use crate::window::Window;

/// Rows of the trailing mean of the value.
pub(crate) const LEVEL_ROWS: usize = 24;
/// Rows of the trailing mean of the forecast's absolute error.
pub(crate) const ERROR_ROWS: usize = 16;
/// Weight of a new value in the deviation.
const DEVIATION_ALPHA: f64 = 0.002;
/// No distance is measured by less than this share of the value's deviation.
const FLOOR_SHARE: f64 = 0.01;
/// Differences that are so much smaller than the value are taken for rounding: of a constant series nothing is new.
const ROUNDING_SHARE: f64 = 1e-9;
/// Values beyond it count as missing: their squares must stay finite.
pub(crate) const VALUE_MAX: f64 = 1e100;

/// A statistic that can be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// The value.
    Value,
    /// The mean of the last 24 values.
    Level,
    /// The mean of the last 16 absolute errors of the forecast.
    Error,
}

impl Statistic {
    /// All of them, in the order in which ties between them are settled.
    pub const ALL: [Self; 3] = [Self::Value, Self::Level, Self::Error];

    /// Its name in the output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Level => "level",
            Self::Error => "error",
        }
    }
}

/// What the detector says of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Sum of the parts, from 0 to 3; `None` while there is nothing to compare with.
    pub score: Option<f64>,
    /// What each statistic adds, from 0 to 1, in the order of [`Statistic::ALL`]; `None` while there is nothing to compare with.
    pub parts: [Option<f64>; 3],
    /// Whether the row makes an alarm.
    pub alarm: bool,
}

impl Verdict {
    /// The statistic with the largest part; of equal ones the first.
    pub fn reason(&self) -> Statistic {
        let mut largest = (Statistic::Value, self.parts[0].unwrap_or(0.0));
        for (statistic, part) in Statistic::ALL.into_iter().zip(self.parts).skip(1) {
            if part.is_some_and(|part| part > largest.1) {
                largest = (statistic, part.unwrap_or(0.0));
            }
        }
        largest.0
    }
}

/// Watches one series: what is far from everything before is new, and what is new in several ways at once is an anomaly.
///
/// At each row with a value the score is the sum of three parts, of the value, its trailing mean over 24 rows, and the trailing
/// mean over 16 rows of |observed − forecast|. Each part is r / (r + 5), where r is the distance to the nearest earlier one (two
/// rows back or more), over the root mean square of all earlier such distances or, where those are more, a hundredth of the value's
/// deviation or a billionth of the value. An alarm is a score of at least `threshold`, after the probation, and more than max(`mute_rows`, `mute_share` · rows
/// so far) rows after the last alarm. Costs O(log n) for n rows.
///
/// A row whose value is missing, not finite or beyond 1e100 changes nothing and is counted nowhere. One with such a forecast has
/// no part of the error, whose mean stands still.
///
/// ```
/// use sluicegate_anomaly::{AnomalyConfig, Detector};
///
/// let config = AnomalyConfig { probation: 100, ..AnomalyConfig::default() };
/// let mut detector = Detector::new(&config);
/// for row in 0..400 {
///     let value = f64::from(row % 10);
///     let verdict = detector.observe(Some(value), Some(value + 0.5)).ok_or("no value")?;
///     assert!(!verdict.alarm);
/// }
/// assert!(detector.observe(Some(25.0), Some(0.5)).ok_or("no value")?.alarm);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone)]
pub struct Detector {
    rule: AlarmRule,
    pub(crate) state: State,
}

/// All that a detector remembers.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// Rows with a value so far.
    pub(crate) rows: u64,
    /// The row of the last alarm, counted from one.
    pub(crate) alarm: Option<u64>,
    pub(crate) moments: EwMoments,
    pub(crate) level: Window,
    pub(crate) error: Window,
    /// In the order of [`Statistic::ALL`].
    pub(crate) novelty: [Novelty; 3],
}

impl Detector {
    /// One that has seen nothing.
    pub fn new(config: &AnomalyConfig) -> Self {
        let novelty = || Novelty::new(config.history_max);
        let state = State {
            rows: 0,
            alarm: None,
            moments: EwMoments::default(),
            level: Window::default(),
            error: Window::default(),
            novelty: [novelty(), novelty(), novelty()],
        };
        Self::with(config, state)
    }

    pub(crate) fn with(config: &AnomalyConfig, state: State) -> Self {
        Self { rule: AlarmRule::of(config), state }
    }

    /// Judges the next row by the rows before it, then takes it in. `forecast` is what was said of this row before it came.
    /// `None` where there is no value to judge.
    pub fn observe(&mut self, observed: Option<f64>, forecast: Option<f64>) -> Option<Verdict> {
        let value = usable(observed)?;
        let state = &mut self.state;
        state.rows += 1;
        let floor = (FLOOR_SHARE * state.moments.deviation()).max(ROUNDING_SHARE * value.abs());
        let level = state.level.mean(LEVEL_ROWS, value);
        let error = usable(forecast).map(|forecast| state.error.mean(ERROR_ROWS, (value - forecast).abs()));
        let statistics = [Some(value), Some(level), error];
        let mut parts = [None; 3];
        for ((part, novelty), statistic) in parts.iter_mut().zip(&mut state.novelty).zip(statistics) {
            *part = statistic.and_then(|statistic| novelty.part(statistic, floor));
        }
        state.moments.update(DEVIATION_ALPHA, value);
        let score = parts.iter().flatten().copied().reduce(|sum, part| sum + part);
        let alarm = score.is_some_and(|score| self.rule.is_alarm(score, state.rows, state.alarm));
        if alarm {
            state.alarm = Some(state.rows);
        }
        Some(Verdict { score, parts, alarm })
    }
}

fn usable(number: Option<f64>) -> Option<f64> {
    number.filter(|number| number.abs() <= VALUE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detector(probation: u64) -> Detector {
        Detector::new(&AnomalyConfig { probation, ..AnomalyConfig::default() })
    }

    #[test]
    fn verdicts_worked_by_hand() {
        let mut detector = detector(0);
        // Values 0, 4, 2; levels 0, 2, 2; forecasts only from the second row, errors 1, then the mean of 1 and 2, then of 1, 2, 3.
        let observed = |detector: &mut Detector, value, forecast| detector.observe(Some(value), forecast).unwrap();
        let first = observed(&mut detector, 0.0, None);
        assert_eq!((first.parts, first.score, first.alarm), ([None; 3], None, false));
        assert_eq!(observed(&mut detector, 4.0, Some(3.0)).parts, [None; 3]);
        // Against 0: D = 2 for the value and for the level. The scale is .01 · deviation of {0, 4}, which is 2.
        let part = 2.0 / (2.0 + 5.0 * 0.02);
        let third = observed(&mut detector, 2.0, Some(4.0));
        assert_eq!((third.parts, third.score), ([Some(part), Some(part), None], Some(part + part)));
        assert!(third.alarm);
        assert_eq!(third.reason(), Statistic::Value);
        // Value 4 again: D = 0. Level 2.5: D = .5 against {0, 2}, scale 2. Error 2 against {1}: D = 1, scale .01 · deviation of
        // {0, 4, 2}, sqrt(8/3).
        let fourth = observed(&mut detector, 4.0, Some(7.0));
        let error = 1.0 / (1.0 + 5.0 * 0.01 * (8.0_f64 / 3.0).sqrt());
        assert_eq!(fourth.parts[..2], [Some(0.0), Some(0.5 / 10.5)]);
        assert!((fourth.parts[2].unwrap() - error).abs() < 1e-15);
        assert_eq!((fourth.alarm, fourth.reason()), (false, Statistic::Error), "muted");
    }

    #[test]
    fn what_is_missing_or_not_usable_changes_nothing() {
        let (mut with, mut without) = (detector(0), detector(0));
        for row in 0..200 {
            for bad in [None, Some(f64::NAN), Some(f64::INFINITY), Some(-1.1e100)] {
                assert_eq!(with.observe(bad, Some(1.0)), None);
            }
            let value = f64::from(row * row % 37);
            assert_eq!(with.observe(Some(value), Some(2.0)), without.observe(Some(value), Some(2.0)));
        }
        assert_eq!(with.state.rows, 200);
    }

    #[test]
    fn a_forecast_that_is_not_usable_has_no_part() {
        let mut detector = detector(0);
        for row in 0..50 {
            detector.observe(Some(f64::from(row % 7)), Some(3.0));
        }
        for bad in [None, Some(f64::NAN), Some(f64::NEG_INFINITY), Some(1e200)] {
            assert_eq!(detector.observe(Some(3.0), bad).unwrap().parts[2], None);
        }
        assert!(detector.observe(Some(3.0), Some(3.0)).unwrap().parts[2].is_some());
    }

    #[test]
    fn what_rounding_makes_of_a_constant_is_nothing_new() {
        let mut detector = detector(0);
        for row in 0..400 {
            let forecast = 5.0 + f64::from(row * row % 7 - 3) * f64::EPSILON;
            let verdict = detector.observe(Some(5.0), Some(forecast)).unwrap();
            assert!(!verdict.alarm && verdict.score.is_none_or(|score| score < 1e-3), "row {row}: {verdict:?}");
        }
    }

    #[test]
    fn huge_values_give_finite_scores_and_do_not_last_in_the_means() {
        let mut detector = detector(0);
        for (row, value) in [1.0, 1e30, -1e30, 1e100, -1e100, 5e-324].into_iter().cycle().take(300).enumerate() {
            let verdict = detector.observe(Some(value), Some(-value)).unwrap();
            assert!(verdict.score.is_none_or(|score| (0.0..=3.0).contains(&score)), "row {row}: {verdict:?}");
        }
        for _ in 0..LEVEL_ROWS {
            detector.observe(Some(1.0), Some(1.0));
        }
        assert_eq!(detector.state.level.values.iter().sum::<f64>(), LEVEL_ROWS as f64);
    }
}
