//! The columns that one may ask for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_score::LEVELS;

/// An optional column of the output: of numbers or of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// The kind of distribution: `student-t`, `gaussian`, …, `mixture`.
    Family,
    /// The forecast's mean, in the target's own units.
    Mean,
    /// The distribution's scale parameter, in the target's own units.
    Scale,
    /// Degrees of freedom; null for families without.
    Shape,
    /// The seven quantiles `q025` to `q975`.
    Quantiles,
    /// The target's value at this event.
    Observed,
    /// The mean that was issued for this event `horizon` events ago.
    Forecast,
    /// Negative log-likelihood of the value under that forecast, in nats.
    Nll,
    /// Continuous ranked probability score of that forecast, in the target's own units.
    Crps,
    /// Probability integral transform: that forecast's distribution function at the value.
    Pit,
    /// The model's weight in the mixture, where the product is one; null for the mixture itself.
    Weight,
    /// Whether the value at this event made an alarm: the operator's forecasts of this target have got worse. Where `drift` is
    /// set.
    Drift,
    /// The most probable class.
    Class,
    /// Its probability.
    Probability,
    /// The probability of every class that was seen so far and of the open one: a map from name to number. Emitted only where it
    /// is asked for.
    Probabilities,
    /// The target's class at this event, as it came in.
    ObservedClass,
    /// The class that was held most probable for this event `horizon` events ago.
    ForecastClass,
    /// Negative log-likelihood of the class under that forecast, in bits.
    NllBits,
    /// Brier score of that forecast, from 0 to 2.
    Brier,
}

impl Column {
    /// Those of numbers, in the order they are emitted.
    pub const OF_NUMBERS: [Self; 12] = [
        Self::Family,
        Self::Mean,
        Self::Scale,
        Self::Shape,
        Self::Quantiles,
        Self::Observed,
        Self::Forecast,
        Self::Nll,
        Self::Crps,
        Self::Pit,
        Self::Weight,
        Self::Drift,
    ];

    /// Those of classes, in the order they are emitted.
    pub const OF_CLASSES: [Self; 10] = [
        Self::Family,
        Self::Class,
        Self::Probability,
        Self::Probabilities,
        Self::ObservedClass,
        Self::ForecastClass,
        Self::NllBits,
        Self::Brier,
        Self::Weight,
        Self::Drift,
    ];

    /// Its name in pipeline files.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Family => "family",
            Self::Mean => "mean",
            Self::Scale => "scale",
            Self::Shape => "shape",
            Self::Quantiles => "quantiles",
            Self::Observed => "observed",
            Self::Forecast => "forecast",
            Self::Nll => "nll",
            Self::Crps => "crps",
            Self::Pit => "pit",
            Self::Weight => "weight",
            Self::Drift => "drift",
            Self::Class => "class",
            Self::Probability => "probability",
            Self::Probabilities => "probabilities",
            Self::ObservedClass => "observed_class",
            Self::ForecastClass => "forecast_class",
            Self::NllBits => "nll_bits",
            Self::Brier => "brier",
        }
    }

    /// Whether it says something of a target at an event, whoever forecast it.
    pub(super) fn is_of_target(self) -> bool {
        matches!(self, Self::Observed | Self::ObservedClass | Self::Drift)
    }

    /// The names of the columns it stands for: one, or seven for the quantiles.
    pub(super) fn names(self) -> Vec<String> {
        match self {
            Self::Quantiles => LEVELS.iter().map(|level| format!("q{:03.0}", level * 1000.0)).collect(),
            other => vec![other.as_str().to_owned()],
        }
    }
}
