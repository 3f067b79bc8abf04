//! Which samples a row is made of, and what is said of them.

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::ConfigError;

/// A frame is held in memory as a whole.
const LENGTH_MAX: u64 = 1 << 20;
/// Quieter frames, silence among them, count as this loud: below it, sound of 16 bits is nothing but zeros.
const FLOOR_DB: f64 = -120.0;

/// Frames of samples.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrameConfig {
    /// How long a frame is: a number of samples, or a time such as "25ms", rounded down to whole samples.
    pub length: Span,
    /// How far it is from the beginning of a frame to that of the next, in the same way. By default frames follow each other.
    #[serde(default)]
    pub hop: Option<Span>,
}

/// So many samples, or so much time.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number of samples, or a time such as \"25ms\"")]
pub enum Span {
    /// Samples.
    Samples(u64),
    /// A whole number and a unit: `us`, `ms` or `s`.
    Time(String),
}

impl Span {
    /// Samples at this rate, rounded down.
    fn samples(&self, rate: u32, setting: &str) -> Result<i64, ConfigError> {
        let fail = |message: String| {
            let help = format!("write 1 to {LENGTH_MAX} samples, or a time such as \"25ms\"");
            Err(ConfigError::new(setting, message).help(help))
        };
        let samples = match self {
            Self::Samples(samples) => *samples,
            Self::Time(text) => match parse_micros(text) {
                Some(micros) => (u128::from(micros) * u128::from(rate) / 1_000_000) as u64,
                None => return fail(format!("\"{text}\" is no span of time")),
            },
        };
        match samples {
            1..=LENGTH_MAX => Ok(samples as i64),
            _ => fail(format!("that is {samples} samples")),
        }
    }
}

/// Microseconds of a text such as `25ms`; less than 2³² of them.
fn parse_micros(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let per_unit = match unit {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(per_unit).filter(|micros| *micros < 1 << 32)
}

/// Which samples of a file each of its rows is made of: row r of `length` from sample r · `hop` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) length: i64,
    pub(super) hop: i64,
}

impl Grid {
    /// A row for each sample.
    pub(super) const SAMPLES: Self = Self { length: 1, hop: 1 };

    /// A row for each frame.
    ///
    /// # Errors
    /// Names the setting that no frame can have.
    pub(super) fn of_frames(config: &FrameConfig, rate: u32) -> Result<Self, ConfigError> {
        let length = config.length.samples(rate, "frame.length")?;
        if length < 2 {
            return Err(ConfigError::new("frame.length", "a frame of one sample never crosses zero")
                .help("write 2 samples or more, or unit = \"sample\""));
        }
        let hop = config.hop.as_ref().map_or(Ok(length), |hop| hop.samples(rate, "frame.hop"))?;
        Ok(Self { length, hop })
    }

    /// Rows of a file with so many samples. What is left at its end is no row.
    pub(super) fn rows(self, samples: i64) -> i64 {
        if samples < self.length { 0 } else { (samples - self.length) / self.hop + 1 }
    }

    /// The last sample of a row, which is when the row is known.
    pub(super) fn last_sample(self, row: i64) -> i64 {
        row * self.hop + self.length - 1
    }

    /// The first row whose last sample is `sample` or a later one.
    pub(super) fn first_with_last(self, sample: i64) -> i64 {
        let after = (sample - (self.length - 1)).max(0);
        after / self.hop + i64::from(after % self.hop != 0)
    }
}

/// What is said of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    /// 10 · log₁₀ of the mean square, and at least −120: decibels relative to a square wave of full scale.
    pub(super) rms_db: f64,
    /// Share of neighbouring samples of which one is below zero and the other is not (Bachu et al. 2008).
    pub(super) zero_crossing_rate: f64,
    /// The largest magnitude.
    pub(super) peak: f64,
}

impl Frame {
    /// Of two samples or more, summed up from the first to the last.
    pub(super) fn of(samples: &[f64]) -> Self {
        let mean_square = samples.iter().map(|x| x * x).sum::<f64>() / samples.len() as f64;
        let crossings = samples.windows(2).filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0)).count();
        let decibels = 10.0 * mean_square.log10();
        Self {
            // A sample that is no number makes no loudness; `max` would take the floor for it.
            rms_db: if decibels < FLOOR_DB { FLOOR_DB } else { decibels },
            zero_crossing_rate: crossings as f64 / (samples.len() - 1) as f64,
            peak: samples.iter().fold(0.0, |peak: f64, x| peak.max(x.abs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_file_are_the_frames_that_fit_into_it() {
        let grid = Grid { length: 4, hop: 3 };
        assert_eq!([0, 3, 4, 6, 7, 10].map(|samples| grid.rows(samples)), [0, 0, 1, 1, 2, 3]);
        assert_eq!([0, 1, 2].map(|row| grid.last_sample(row)), [3, 6, 9]);
        assert_eq!([0, 3, 4, 6, 7].map(|sample| grid.first_with_last(sample)), [0, 0, 1, 1, 2]);
        let apart = Grid { length: 2, hop: 5 };
        assert_eq!([1, 2, 6, 7].map(|samples| apart.rows(samples)), [0, 1, 1, 2]);
        assert_eq!(Grid::SAMPLES.rows(9), 9);
    }

    #[test]
    fn a_frame_is_told_by_its_loudness_its_crossings_and_its_peak() {
        // python3 -c "import math; print(10 * math.log10((.25 + .0625 + .0625 + 0) / 4))"
        let frame = Frame::of(&[0.5, -0.25, -0.25, 0.0]);
        assert!((frame.rms_db + 10.280_287_236_002_434).abs() < 1e-12, "{frame:?}");
        assert_eq!((frame.zero_crossing_rate, frame.peak), (2.0 / 3.0, 0.5));
        let full = Frame::of(&[1.0, -1.0, 1.0]);
        assert_eq!(full, Frame { rms_db: 0.0, zero_crossing_rate: 1.0, peak: 1.0 });
        let silence = Frame::of(&[0.0; 8]);
        assert_eq!(silence, Frame { rms_db: -120.0, zero_crossing_rate: 0.0, peak: 0.0 });
        assert!(Frame::of(&[0.0, f64::NAN]).rms_db.is_nan());
    }

    #[test]
    fn spans_are_samples_or_times() {
        let time = |text: &str| Span::Time(text.to_owned()).samples(22_050, "frame.hop").map_err(|error| error.key);
        assert_eq!(time("25ms"), Ok(551));
        assert_eq!(time("1s"), Ok(22_050));
        assert_eq!(time("46us"), Ok(1));
        for bad in ["25", "ms", "1.5ms", "-1s", "1us", "0s", "99999999999s", "48s", "1 s"] {
            assert_eq!(time(bad), Err("frame.hop".to_owned()), "{bad}");
        }
        assert!(Span::Samples(0).samples(8000, "frame.hop").is_err());
        let one = FrameConfig { length: Span::Samples(1), hop: None };
        assert_eq!(Grid::of_frames(&one, 8000).unwrap_err().key, "frame.length");
        let by_default = FrameConfig { length: Span::Samples(80), hop: None };
        assert_eq!(Grid::of_frames(&by_default, 8000), Ok(Grid { length: 80, hop: 80 }));
    }
}
