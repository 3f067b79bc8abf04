//! The calendar of the next event's time, as sines and cosines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// The first day of 1970 was a Thursday; Monday is 0.
const WEEKDAY_OF_DAY_0: i64 = 3;

/// A cycle that the stream may follow. All are in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CalendarFeature {
    /// The time of day: sine and cosine over 24 hours and over 12 hours.
    Hour,
    /// The day of the week: sine and cosine over 7 days.
    Weekday,
}

impl std::fmt::Display for CalendarFeature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hour => "hour",
            Self::Weekday => "weekday",
        })
    }
}

impl CalendarFeature {
    /// Every cycle there is.
    pub const ALL: [Self; 2] = [Self::Hour, Self::Weekday];

    /// Numbers it adds to the input.
    pub fn width(self) -> usize {
        match self {
            Self::Hour => 4,
            Self::Weekday => 2,
        }
    }

    /// Appends them for the time `micros` after 1970 in UTC.
    pub fn push(self, micros: i64, out: &mut Vec<f64>) {
        let turn = std::f64::consts::TAU;
        match self {
            Self::Hour => {
                let of_day = micros.rem_euclid(MICROS_PER_DAY) as f64 / MICROS_PER_DAY as f64;
                for cycles in [1.0, 2.0] {
                    let (sin, cos) = (turn * of_day * cycles).sin_cos();
                    out.extend([sin, cos]);
                }
            }
            Self::Weekday => {
                let weekday = (micros.div_euclid(MICROS_PER_DAY) + WEEKDAY_OF_DAY_0).rem_euclid(7);
                let (sin, cos) = (turn * weekday as f64 / 7.0).sin_cos();
                out.extend([sin, cos]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_in_the_morning_is_a_quarter_of_the_day() {
        let mut out = Vec::new();
        CalendarFeature::Hour.push(6 * 3_600_000_000 - 5 * MICROS_PER_DAY, &mut out);
        for (value, expected) in out.iter().zip([1.0, 0.0, 0.0, -1.0]) {
            assert!((value - expected).abs() < 1e-12, "{out:?}");
        }
    }

    #[test]
    fn weekdays_begin_with_monday_also_before_1970() {
        // 29 December 1969 was a Monday.
        let mut out = Vec::new();
        CalendarFeature::Weekday.push(-3 * MICROS_PER_DAY, &mut out);
        assert_eq!(out, [0.0, 1.0]);
    }
}
