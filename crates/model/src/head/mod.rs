//! Heads: the distribution of the next event, made from the hidden state.
//!
//! A head owns a linear map from the hidden state to a few raw numbers per *output* (a target at a horizon), and says
//! what distribution they stand for. Its loss is the negative log-likelihood, that of quantiles the pinball loss; its
//! gradient is analytic, so automatic differentiation is needed for the cell only. One file each.

mod bernoulli;
mod categorical;
mod gaussian;
mod linear;
mod quantiles;
mod student_t;

pub use bernoulli::BernoulliHead;
pub use categorical::CategoricalHead;
pub use gaussian::GaussianHead;
pub use linear::Linear;
pub use quantiles::QuantilesHead;
pub use student_t::StudentTHead;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_score::Distribution;

use crate::error::ModelError;
use crate::parameters::ParameterSpec;
use crate::wave::{Dims, MISSING};

/// The natural logarithm of the scale is held in this range, in units of the running scale of the target.
pub const LOG_SCALE: std::ops::RangeInclusive<f32> = -6.0..=5.0;

/// Logarithms of probabilities of classes are at most so far apart in forecasts.
const RAW_SPAN: f32 = 30.0;

/// A class as the label of a head; NaN where it is missing.
pub(crate) fn label_of_class(class: u32) -> f32 {
    if class == MISSING { f32::NAN } else { class as f32 }
}

/// Where the numbers stand that are forecast of one event: what takes a forecast from scaled units to a target's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing<'a> {
    /// `[T]`: the last observed value of each target.
    pub level: &'a [f64],
    /// `[K]`: the running scale of each output.
    pub scale: &'a [f64],
}

impl Standing<'_> {
    /// Level and scale of output `k`.
    fn of(&self, k: usize) -> (f64, f64) {
        (self.level[k * self.level.len() / self.scale.len()], self.scale[k])
    }
}

/// Turns raw numbers into a forecast, and a label into a gradient.
///
/// `F` is what is said of an output, as in [`Predictor`](crate::Predictor). Of numbers everything is in *scaled* units: the
/// target is the difference to the last value over its running scale. With `K` outputs the raw numbers of a row are blocks of
/// `K`: first one block, then the next. Of classes they are one block per output.
pub trait Head<F = Option<Distribution>>: Send {
    /// Raw numbers of a row.
    fn raw_len(&self) -> usize;

    /// Parameters of its own beside the linear map, with their names and shapes.
    fn own_parameters(&self) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// Writes the starting values of its own parameters.
    fn init(&self, own: &mut [f32]) {
        let _ = own;
    }

    /// Puts its own parameters back into their range after an optimizer step.
    fn constrain(&self, own: &mut [f32]) {
        let _ = own;
    }

    /// Called after every change of the parameters, before any forecast under the new ones.
    fn load(&mut self, own: &[f32]) {
        let _ = own;
    }

    /// The forecasts of a row, given its raw numbers: `out` has room for every output. Nothing is said of an output when the
    /// parameters are not finite.
    fn forecast(&self, raw: &[f32], standing: Standing<'_>, out: &mut [F]);

    /// Adds up loss and gradient of one row.
    ///
    /// `labels` holds `K` scaled targets, or numbers of classes; NaN where there is none. `d_raw` is overwritten with the gradient with respect to
    /// `raw`; the gradient with respect to the head's own parameters is added to `d_own`. Returns the summed loss.
    fn loss(&self, own: &[f32], raw: &[f32], labels: &[f32], d_raw: &mut [f32], d_own: &mut [f32]) -> f64;
}

/// Which distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// Student's t with learned degrees of freedom: right for almost any stream of numbers.
    #[default]
    StudentT,
    /// A Gaussian whose gradient is guarded against outliers.
    Gaussian,
    /// Quantiles that never cross, by the pinball loss: for distributions that are skewed or of no known shape.
    Quantiles,
    /// A probability for each of several classes: text, integers or booleans.
    Categorical,
    /// The probability of a yes: booleans, or 0 and 1.
    Bernoulli,
}

impl HeadKind {
    /// Whether targets are classes.
    pub fn is_of_classes(self) -> bool {
        matches!(self, Self::Categorical | Self::Bernoulli)
    }

    /// Most parameters of a distribution that stands beside forecasts of this head: those of a Student's t, which the controls
    /// say, or its own quantiles.
    pub(crate) fn parameters_max(self) -> usize {
        let families = ["student-t", if self == Self::Quantiles { "quantiles" } else { "gaussian" }];
        families.into_iter().filter_map(Distribution::parameter_count).max().unwrap_or(Distribution::PARAMETERS_MAX)
    }

    /// A head of this kind with `outputs` outputs that are numbers.
    ///
    /// # Errors
    /// When it is one of classes.
    pub fn of_numbers(self, outputs: usize) -> Result<Box<dyn Head>, ModelError> {
        match self {
            Self::StudentT => Ok(Box::new(StudentTHead::new(outputs))),
            Self::Gaussian => Ok(Box::new(GaussianHead::new(outputs))),
            Self::Quantiles => Ok(Box::new(QuantilesHead::new(outputs))),
            Self::Categorical | Self::Bernoulli => Err(ModelError::Head { head: self, what: "numbers" }),
        }
    }

    /// A head of this kind for targets that are classes.
    ///
    /// # Errors
    /// When it is one of numbers.
    pub fn of_classes(self, dims: &Dims) -> Result<Box<dyn Head<f32>>, ModelError> {
        match self {
            Self::Categorical => Ok(Box::new(CategoricalHead::new(dims.classes_of_outputs().collect()))),
            Self::Bernoulli => Ok(Box::new(BernoulliHead::new(dims.outputs()))),
            Self::StudentT | Self::Gaussian | Self::Quantiles => Err(ModelError::Head { head: self, what: "classes" }),
        }
    }
}

fn clamp_log_scale(raw: f32) -> f32 {
    raw.clamp(*LOG_SCALE.start(), *LOG_SCALE.end())
}
