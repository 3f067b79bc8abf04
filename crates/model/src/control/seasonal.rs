//! This time is like last time: the value of one period ago.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::{ConfigError, SnapshotReader, SnapshotWriter};
use sluicegate_score::Distribution;

use super::residual::Residuals;
use crate::error::ModelError;
use crate::predictor::Predictor;
use crate::slab::Slab;
use crate::wave::{Dims, Wave};

const DEGREES_OF_FREEDOM: f64 = 3.0;
/// A key remembers a whole period. A week of minutes has 10,080.
const PERIOD_MAX: usize = 20_000;

/// Settings of the seasonal control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeasonalConfig {
    /// Events of a key from one round to the next: 24 for a day of hourly values.
    pub period: usize,
}

impl SeasonalConfig {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(2..=PERIOD_MAX).contains(&self.period) {
            let message = format!("must be from 2 to {PERIOD_MAX} events, not {}", self.period);
            return Err(ConfigError::new("period", message).help("a period of one event is the control `persistence`"));
        }
        Ok(())
    }
}

/// Forecasts the level of one period ago, with a Student's t (ν = 3) as wide as its own errors have been.
///
/// For y_{t+h} that is the level at t + h − p·⌈h/p⌉, p being the period in events of the key: the last one of the same phase.
/// A value that was missing there counts as the one before it, as everywhere. While no event of that phase was seen it
/// forecasts the last value, as persistence does.
pub struct Seasonal {
    dims: Dims,
    period: u64,
    residuals: Residuals,
    /// `[period, T]`: levels, event i at i mod period.
    levels: Slab<f64>,
}

impl Seasonal {
    /// No keys yet.
    pub fn new(config: SeasonalConfig, dims: Dims) -> Self {
        Self {
            residuals: Residuals::new(DEGREES_OF_FREEDOM, dims.clone()),
            levels: Slab::new(config.period * dims.targets, f64::NAN),
            period: config.period as u64,
            dims,
        }
    }
}

impl Predictor for Seasonal {
    fn reserve(&mut self, slots: usize) {
        self.residuals.reserve(slots);
        self.levels.reserve(slots);
    }

    fn observe(&mut self, wave: &Wave) -> Result<(), ModelError> {
        (0..wave.len()).for_each(|row| self.residuals.observe(wave, row));
        Ok(())
    }

    fn forecast(&mut self, wave: &Wave, out: &mut [Option<Distribution>]) -> Result<(), ModelError> {
        let (targets, outputs) = (self.dims.targets, self.dims.outputs());
        for (row, out) in out.chunks_exact_mut(outputs).enumerate() {
            let (event, levels) = (wave.events[row], self.levels.row_mut(wave.slots[row]));
            let now = &wave.level[row * targets..][..targets];
            let place = |event: u64| (event % self.period) as usize * targets;
            levels[place(event)..][..targets].copy_from_slice(now);
            for (k, ((target, horizon), out)) in self.dims.pairs().zip(out).enumerate() {
                let then = levels[place(event + horizon as u64) + target];
                let point = if then.is_nan() { now[target] } else { then };
                *out = self.residuals.issue(wave, row, k, point);
            }
        }
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        self.residuals.forget(slot);
        self.levels.clear(slot);
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        to.f64("levels", &[slots.len(), self.levels.width()], &self.levels.gather(slots, |level| level))?;
        self.residuals.snapshot(slots, to)
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.levels.fill(&from.f64("levels", &[keys, self.levels.width()])?, |level| level);
        self.residuals.restore(keys, from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::{dims, drive, means};

    #[test]
    fn the_value_of_one_period_ago_is_forecast_and_the_last_one_before_there_was_a_period() {
        let horizons = [1, 3, 4];
        let mut seasonal = Seasonal::new(SeasonalConfig { period: 3 }, dims(&horizons));
        let said = drive(&mut seasonal, &horizons, &[10.0, 11.0, 12.0, 20.0, f64::NAN, 22.0]);
        // For event t + h: the last one of its phase. The one before stands for the missing value.
        assert_eq!(means(&said, 0)[1..], [11.0, 10.0, 11.0, 12.0, 20.0].map(Some));
        assert_eq!(means(&said, 1)[3..], [20.0, 20.0, 22.0].map(Some));
        assert_eq!(means(&said, 2)[5], Some(20.0));
        assert_eq!((means(&said, 0)[0], means(&said, 2)[4]), (None, None), "no error is known yet");
    }

    #[test]
    fn its_scale_is_that_of_its_own_errors() {
        let round = [3.0, 9.0, -4.0, 0.5];
        let values: Vec<f64> = (0..400).map(|event| round[event % 4] + 0.01 * (event % 3) as f64).collect();
        let mut seasonal = Seasonal::new(SeasonalConfig { period: 4 }, dims(&[1]));
        let scale = drive(&mut seasonal, &[1], &values).last().unwrap()[0].unwrap().scale();
        assert!((0.005..0.6).contains(&scale), "{scale}");
    }
}
