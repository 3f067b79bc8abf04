//! GARCH(1,1) with Student's t, refitted as the stream goes on.

mod fit;
mod simplex;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::{ConfigError, SnapshotReader, SnapshotWriter};
use sluicegate_score::{Distribution, StudentT, TShape};

pub use fit::GarchMean;
use fit::{Parameters, fit};

use super::change::Changes;
use crate::error::ModelError;
use crate::predictor::Predictor;
use crate::slab::Slab;
use crate::wave::{Dims, Wave};

/// Four or five parameters fitted to fewer changes are chance.
const WINDOW_MIN: usize = 50;
/// A fit goes some hundred times through the window, and a key remembers it.
const WINDOW_MAX: usize = 100_000;

/// Settings of the GARCH control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GarchConfig {
    /// Changes of a key's target from one fit to the next.
    pub refit_every: u64,
    /// How many of the last changes a fit looks at.
    pub window: usize,
    /// Whether changes have a mean.
    pub mean: GarchMean,
}

impl Default for GarchConfig {
    fn default() -> Self {
        Self { refit_every: 1000, window: 4000, mean: GarchMean::Zero }
    }
}

impl GarchConfig {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(WINDOW_MIN..=WINDOW_MAX).contains(&self.window) {
            let message = format!("must be from {WINDOW_MIN} to {WINDOW_MAX} changes, not {}", self.window);
            return Err(ConfigError::new("window", message));
        }
        if self.refit_every == 0 {
            return Err(ConfigError::new("refit_every", "must be at least 1")
                .help("a fit takes about as long as 30,000 events; 1000 is a good start"));
        }
        Ok(())
    }
}

/// What is carried from one change of a target to the next.
#[derive(Debug, Clone, Copy)]
struct State {
    /// Changes so far.
    n: u64,
    parameters: Parameters,
    /// Of the next change.
    variance: f64,
}

impl State {
    const START: Self = Self { n: 0, parameters: Parameters::START, variance: 0.0 };

    /// Takes in a change, and fits the parameters where it is time.
    fn take(&mut self, config: &GarchConfig, window: &mut [f64], change: f64) {
        let length = window.len() as u64;
        window[(self.n % length) as usize] = change;
        self.n += 1;
        // As in an exponentially weighted mean, the first squares weigh the same.
        let first = self.parameters == Parameters::START && self.n as f64 * Parameters::START.alpha < 1.0;
        self.variance = if first {
            self.variance + (change * change - self.variance) / self.n as f64
        } else {
            self.parameters.next_variance(self.variance, change)
        };
        if self.n.is_multiple_of(config.refit_every) && self.n >= WINDOW_MIN as u64 {
            let (newer, older) = window.split_at((self.n % length) as usize);
            let changes = if self.n < length { newer.to_vec() } else { [older, newer].concat() };
            if let Some((parameters, variance)) = fit(&changes, config.mean, self.parameters) {
                (self.parameters, self.variance) = (parameters, variance);
            }
        }
    }
}

/// GARCH(1,1) with Student's t, for returns: quiet and wild times that follow each other, around a mean change of zero or a
/// constant.
///
/// Per key and target, with r_t the change from one event to the next (of the level, so a log return where the level is a log
/// price; Bollerslev 1987, "A conditionally heteroskedastic time series model for speculative prices and rates of return"):
///
/// r_t = μ + e_t,  σ²_{t+1} = ω + α e_t² + β σ²_t,  e_t = σ_t · Student's t with ν degrees of freedom and variance one.
///
/// Every `refit_every` changes of the target all parameters are fitted by maximum likelihood to the last `window` changes, from
/// the ones before, and σ² is worked out anew; between fits it is carried on by the recursion. y_{t+h} is Student's t with ν
/// degrees of freedom around y_t + hμ, with the variance E σ²_{t+1} + … + E σ²_{t+h}, where
/// E σ²_{t+k+1} = ω + (α + β) E σ²_{t+k}. Before the first fit the variance is exponentially weighted (ω = 0, α = .06, β = .94,
/// ν = 4). A missing value leaves all as it is; the next change then spans more than one event. A fit that fails, for want of
/// changes that are not zero, leaves the parameters as they are.
pub struct Garch {
    config: GarchConfig,
    dims: Dims,
    changes: Changes,
    /// `[T]`.
    states: Slab<State>,
    /// `[T, window]`: the last changes, the n-th at n mod window.
    window: Slab<f64>,
}

impl Garch {
    /// No keys yet.
    pub fn new(config: GarchConfig, dims: Dims) -> Self {
        Self {
            changes: Changes::new(&dims),
            states: Slab::new(dims.targets, State::START),
            window: Slab::new(dims.targets * config.window, 0.0),
            config,
            dims,
        }
    }
}

impl Predictor for Garch {
    fn reserve(&mut self, slots: usize) {
        self.changes.reserve(slots);
        self.states.reserve(slots);
        self.window.reserve(slots);
    }

    fn observe(&mut self, wave: &Wave) -> Result<(), ModelError> {
        for (row, slot) in wave.slots.iter().enumerate() {
            let windows = self.window.row_mut(*slot).chunks_exact_mut(self.config.window);
            for (target, (state, window)) in self.states.row_mut(*slot).iter_mut().zip(windows).enumerate() {
                if let Some(change) = self.changes.next(wave, row, target) {
                    state.take(&self.config, window, change);
                }
            }
        }
        Ok(())
    }

    fn forecast(&mut self, wave: &Wave, out: &mut [Option<Distribution>]) -> Result<(), ModelError> {
        let (targets, horizons) = (self.dims.targets, &self.dims.horizons);
        for ((row, slot), out) in wave.slots.iter().enumerate().zip(out.chunks_exact_mut(self.dims.outputs())) {
            let states = self.states.row(*slot).iter();
            for ((target, state), out) in states.enumerate().zip(out.chunks_exact_mut(horizons.len())) {
                let (parameters, place) = (state.parameters, row * targets + target);
                let shape = TShape::new(parameters.df);
                let per_deviation = ((parameters.df - 2.0) / parameters.df).sqrt();
                let (mut sum, mut next, mut ahead) = (0.0, state.variance, 0);
                for (horizon, out) in horizons.iter().zip(out) {
                    while ahead < *horizon {
                        sum += next;
                        next = parameters.expected_variance(next);
                        ahead += 1;
                    }
                    if state.n > 0 {
                        let location = wave.level[place] + *horizon as f64 * parameters.mean;
                        let scale = per_deviation * sum.sqrt().max(wave.scale_min[place]);
                        *out = StudentT::new(location, scale, shape).map(Distribution::StudentT);
                    }
                }
            }
        }
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        self.changes.forget(slot);
        self.states.clear(slot);
        self.window.clear(slot);
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let (keys, targets) = (slots.len(), self.dims.targets);
        let parameters = self.states.gather(slots, |state| state.parameters.to_array());
        to.i64("n", &[keys, targets], &self.states.gather(slots, |state| state.n as i64))?;
        to.f64("parameters", &[keys, targets, Parameters::WIDTH], parameters.as_flattened())?;
        to.f64("variance", &[keys, targets], &self.states.gather(slots, |state| state.variance))?;
        to.f64("window", &[keys, targets, self.config.window], &self.window.gather(slots, |change| change))?;
        self.changes.snapshot(slots, to)
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let damaged = || ModelError::Restore("the parameters of a GARCH are none".into());
        let targets = self.dims.targets;
        let n = from.i64("n", &[keys, targets])?;
        let parameters = from.f64("parameters", &[keys, targets, Parameters::WIDTH])?;
        let variances = from.f64("variance", &[keys, targets])?;
        let parts = n.into_iter().zip(parameters.as_chunks::<{ Parameters::WIDTH }>().0).zip(variances);
        let states: Vec<State> = parts
            .map(|((n, parameters), variance)| {
                let parameters = Parameters::from_array(*parameters).ok_or_else(damaged)?;
                Ok(State { n: u64::try_from(n).map_err(|_| damaged())?, parameters, variance })
            })
            .collect::<Result<_, ModelError>>()?;
        self.states.fill(&states, |state| state);
        self.window.fill(&from.f64("window", &[keys, targets, self.config.window])?, |change| change);
        self.changes.restore(keys, from)
    }
}
