//! Targets seen through a function: a price as its logarithm, so that its differences are returns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::ConfigError;

use crate::config::no_repeats;

/// Finer units would leave too few digits of a logarithm, coarser ones nothing of it.
const UNITS: std::ops::RangeInclusive<f64> = 1e-9..=1e9;

/// A function through which targets are seen. Everything after it is in its units: what the models look at, forecasts, scores
/// and the output columns, `observed` among them.
///
/// With `{ kind = "log", unit = 1e-4 }` a price p becomes 10,000 · ln p; its differences are log returns in basis points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransformConfig {
    /// Which function.
    pub kind: TransformKind,
    /// What counts as 1 afterwards: 1e-2 for per cent, 1e-4 for basis points.
    #[serde(default = "default_unit")]
    pub unit: f64,
    /// Which of the targets are seen through it; by default all.
    #[serde(default)]
    pub targets: Option<Vec<String>>,
}

/// Functions through which targets can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransformKind {
    /// The natural logarithm. A value that is 0 or negative has none; `bad_values.target` says what becomes of it.
    Log,
}

fn default_unit() -> f64 {
    1.0
}

impl TransformConfig {
    /// The function for the target called `target`, where it is seen through one.
    pub(crate) fn of(&self, target: &str) -> Option<Transform> {
        let is_seen = self.targets.as_ref().is_none_or(|targets| targets.iter().any(|name| name == target));
        is_seen.then_some(Transform { kind: self.kind, unit: self.unit })
    }

    /// Refuses settings that cannot work with these targets.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self, targets: &[String]) -> Result<(), ConfigError> {
        if !UNITS.contains(&self.unit) {
            let message = format!("must be from {:e} to {:e}, not {}", UNITS.start(), UNITS.end(), self.unit);
            return Err(ConfigError::new("unit", message).help("1e-4 gives basis points, 1e-2 per cent"));
        }
        let Some(named) = &self.targets else { return Ok(()) };
        no_repeats("targets", named)?;
        match named.iter().find(|name| !targets.contains(name)) {
            Some(name) => {
                let message = format!("`{name}` is not among the operator's targets");
                Err(ConfigError::new("targets", message).help(format!("there are: {}", targets.join(", "))))
            }
            None if named.is_empty() => {
                Err(ConfigError::new("targets", "names none").help("leave it out to see all targets through it"))
            }
            None => Ok(()),
        }
    }
}

/// The function of one target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Transform {
    kind: TransformKind,
    unit: f64,
}

impl Transform {
    /// The value as it is seen; `None` where the function has none.
    pub(crate) fn apply(&self, value: f64) -> Option<f64> {
        match self.kind {
            TransformKind::Log => (value > 0.0).then(|| value.ln() / self.unit),
        }
    }

    /// The value that is seen as `seen`.
    pub(crate) fn invert(&self, seen: f64) -> f64 {
        match self.kind {
            TransformKind::Log => (seen * self.unit).exp(),
        }
    }

    /// What is wrong with a value that the function has none for.
    pub(crate) fn refusal(&self) -> &'static str {
        match self.kind {
            TransformKind::Log => "has no logarithm, as it is not above 0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(unit: f64) -> TransformConfig {
        TransformConfig { kind: TransformKind::Log, unit, targets: None }
    }

    #[test]
    fn differences_of_logarithms_are_returns() {
        let transform = log(1e-4).of("close").unwrap();
        let step = transform.apply(101.0).unwrap() - transform.apply(100.0).unwrap();
        assert!((step - 99.503_308_531_680_9).abs() < 1e-9, "{step}");
        assert_eq!([0.0, -0.0, -1.0, f64::NAN].map(|value| transform.apply(value)), [None; 4]);
        assert!(transform.apply(f64::MIN_POSITIVE).unwrap().is_finite());
        assert!((transform.invert(transform.apply(101.0).unwrap()) - 101.0).abs() < 1e-9, "and back");
    }

    #[test]
    fn only_the_named_targets_are_seen_through_it() {
        let targets = ["close".to_owned(), "spread".to_owned()];
        let one = TransformConfig { targets: Some(vec!["close".into()]), ..log(1.0) };
        assert_eq!(one.validate(&targets), Ok(()));
        assert!(one.of("close").is_some() && one.of("spread").is_none());
        let refused = |config: TransformConfig| config.validate(&targets).unwrap_err().key;
        assert_eq!(refused(log(0.0)), "unit");
        assert_eq!(refused(log(f64::NAN)), "unit");
        assert_eq!(refused(TransformConfig { targets: Some(vec!["open".into()]), ..log(1.0) }), "targets");
        assert_eq!(refused(TransformConfig { targets: Some(vec![]), ..log(1.0) }), "targets");
    }
}
