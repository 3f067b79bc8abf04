//! Whether an operator stands for a mixture of models, and of which: the setting `mixture`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use sluicegate_core::ConfigError;

use super::no_repeats;
use crate::family::ModelKind;

/// Rates of the copies of a network where none are named, as multiples of `model.optimizer.rate`.
const RATES: [f64; 3] = [1.0 / 3.0, 1.0, 10.0 / 3.0];

/// Whether the operator's forecast is a mixture: `true`, `false`, or a table of settings.
///
/// By default it is one where the model is a network, and the model's alone where it is a control.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum MixtureSetting {
    /// As the model's kind has it.
    #[default]
    ByModel,
    /// The model alone.
    Off,
    /// A mixture.
    On(MixtureConfig),
}

impl MixtureSetting {
    /// The mixture's settings where it is one, for a model of this kind.
    pub fn of(&self, kind: ModelKind) -> Option<Cow<'_, MixtureConfig>> {
        match self {
            Self::ByModel => kind.network().map(|_| Cow::Owned(MixtureConfig::default())),
            Self::Off => None,
            Self::On(config) => Some(Cow::Borrowed(config)),
        }
    }
}

impl<'de> Deserialize<'de> for MixtureSetting {
    /// An untagged enum would not say which entry of the table is wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SwitchOrTable;

        impl<'de> Visitor<'de> for SwitchOrTable {
            type Value = MixtureSetting;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, or a table such as { rates = [0.001, 0.01] }")
            }

            fn visit_bool<E: Error>(self, on: bool) -> Result<MixtureSetting, E> {
                Ok(if on { MixtureSetting::On(MixtureConfig::default()) } else { MixtureSetting::Off })
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<MixtureSetting, M::Error> {
                MixtureConfig::deserialize(MapAccessDeserializer::new(map)).map(MixtureSetting::On)
            }
        }

        deserializer.deserialize_any(SwitchOrTable)
    }
}

impl JsonSchema for MixtureSetting {
    fn schema_name() -> Cow<'static, str> {
        "MixtureSetting".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "boolean" }, generator.subschema_for::<MixtureConfig>()] })
    }
}

/// A mixture of models by fixed share on log loss, per key, target and horizon: hardly ever worse than its best member.
///
/// Its members are a copy of the network for each rate, each with starting parameters of its own (or the model as it is, where it is no network), all controls, and where
/// asked for the networks once more with their locations put to the last value. A member that n labels were forecast by has a
/// mean negative log-likelihood at most ln(E)/n + ((n − 1)/n)·(−ln(1 − share)) below the mixture's, E being the number of
/// members. At horizon h a label moves the weights h events after they were used: that bound then holds for each of the h
/// interleaved series of labels, with its own n. See `sluicegate_score::FixedShare`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MixtureConfig {
    /// First step sizes of the copies of the network. By default a third of `model.optimizer.rate`, the rate itself, and ten
    /// thirds of it.
    pub rates: Option<Vec<f64>>,
    /// Adds, for each copy of the network, its forecast with the location put to the last value: what is left of it where the
    /// direction cannot be foretold, as with prices. It is derived, not trained again.
    pub zero_mean: bool,
    /// The share of all weight that is dealt out evenly with every value: how fast a change of the best member is followed.
    pub share: f64,
    /// Whether the forecasts of the copies are emitted too, as `lstm@0.003`. The controls' always are.
    pub emit_members: bool,
}

impl Default for MixtureConfig {
    fn default() -> Self {
        Self { rates: None, zero_mean: false, share: 0.01, emit_members: false }
    }
}

impl MixtureConfig {
    /// The rates of the copies of a network whose own rate is `rate`.
    pub fn rates_around(&self, rate: f64) -> Vec<f64> {
        self.rates.clone().unwrap_or_else(|| RATES.iter().map(|factor| in_three_digits(factor * rate)).collect())
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if let Some(rates) = &self.rates {
            if rates.is_empty() || !rates.iter().all(|rate| rate.is_finite() && *rate > 0.0) {
                return Err(ConfigError::new("rates", "must name at least one rate, each above 0"));
            }
            no_repeats("rates", rates)?;
        }
        if sluicegate_score::FixedShare::new(self.share).is_none() {
            return Err(ConfigError::new("share", format!("must be from 0 to below 1, not {}", self.share)));
        }
        Ok(())
    }
}

/// A rate is part of a member's name, so it should be short.
fn in_three_digits(rate: f64) -> f64 {
    format!("{rate:.2e}").parse().unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<MixtureSetting, String> {
        #[derive(Deserialize)]
        struct Settings {
            #[serde(default)]
            mixture: MixtureSetting,
        }
        let read: Result<Settings, _> = serde_json::from_str(text);
        read.map(|settings| settings.mixture).map_err(|error| error.to_string())
    }

    #[test]
    fn a_mixture_is_a_switch_or_a_table() {
        assert_eq!(read("{}"), Ok(MixtureSetting::ByModel));
        assert_eq!(read(r#"{"mixture": false}"#), Ok(MixtureSetting::Off));
        assert_eq!(read(r#"{"mixture": true}"#), Ok(MixtureSetting::On(MixtureConfig::default())));
        let with = |share| MixtureSetting::On(MixtureConfig { share, ..MixtureConfig::default() });
        assert_eq!(read(r#"{"mixture": {"share": 0.05}}"#), Ok(with(0.05)));
        assert!(read(r#"{"mixture": {"chare": 0.05}}"#).unwrap_err().contains("unknown field `chare`"));
        assert!(read(r#"{"mixture": "on"}"#).unwrap_err().contains("true, false, or a table"));
    }

    #[test]
    fn networks_are_mixed_unless_told_otherwise_and_controls_are_not() {
        assert!(MixtureSetting::ByModel.of(ModelKind::Lstm).is_some());
        assert!(MixtureSetting::ByModel.of(ModelKind::Persistence).is_none());
        assert!(MixtureSetting::Off.of(ModelKind::Lstm).is_none());
        assert!(MixtureSetting::On(MixtureConfig::default()).of(ModelKind::Persistence).is_some());
    }

    #[test]
    fn rates_by_default_lie_around_the_networks_own() {
        assert_eq!(MixtureConfig::default().rates_around(3e-3), [1e-3, 3e-3, 1e-2]);
        assert_eq!(MixtureConfig::default().rates_around(5e-4), [1.67e-4, 5e-4, 1.67e-3]);
    }
}
