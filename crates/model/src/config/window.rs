//! How far back gradients flow: the setting `model.bptt.window`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use sluicegate_core::ConfigError;

/// A gradient through more events than this costs more than it teaches.
const WINDOW_MAX: usize = 10_000;

/// k2: a number of events, or `{ adaptive = { tolerance = 0.1, max = 64 } }`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WindowSetting {
    /// So many.
    Events(usize),
    /// As many as the decay of gradients asks for.
    Adaptive(AdaptiveWindow),
}

/// A window that follows how far back gradients reach (Aicher, Foti & Fox 2019, "Adaptively truncating backpropagation through time to
/// control gradient bias").
///
/// About every eighth optimizer step measures ‖d loss_t / d h_{t−k}‖ for k up to `max`. From its averages φ_k, relative to φ_0, follows how
/// much a window leaves out: with T the sum of φ_k over the lags that it does not reach, a geometric tail beyond `max` included, and S
/// that over those that it reaches, the relative bias of its gradient is taken as T / (S − T). The window is the smallest multiple of
/// `bptt.every` whose bias is below `tolerance`, and `max` where there is none; it begins with `max`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveWindow {
    /// The relative bias that gradients may have, between 0 and 1.
    #[serde(default = "default_tolerance")]
    pub tolerance: f64,
    /// The longest window, in events; a multiple of `bptt.every`. What is remembered of each key is as if it were always so long.
    pub max: usize,
}

fn default_tolerance() -> f64 {
    0.1
}

impl From<usize> for WindowSetting {
    fn from(events: usize) -> Self {
        Self::Events(events)
    }
}

impl WindowSetting {
    /// The longest that the window may be.
    pub fn longest(&self) -> usize {
        match self {
            Self::Events(events) => *events,
            Self::Adaptive(adaptive) => adaptive.max,
        }
    }

    /// The bias that is tolerated, where the window follows it.
    pub fn tolerance(&self) -> Option<f64> {
        match self {
            Self::Events(_) => None,
            Self::Adaptive(adaptive) => Some(adaptive.tolerance),
        }
    }

    /// What gives a state its meaning; the tolerance may change under it.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Events(events) => events.to_string(),
            Self::Adaptive(adaptive) => format!("adaptive up to {}", adaptive.max),
        }
    }

    pub(crate) fn validate(&self, every: usize) -> Result<(), ConfigError> {
        let (key, entry) = match self {
            Self::Events(_) => ("bptt.window", "window"),
            Self::Adaptive(AdaptiveWindow { tolerance, .. }) => {
                if !(*tolerance > 0.0 && *tolerance < 1.0) {
                    let message = format!("must lie between 0 and 1, and is {tolerance}");
                    return Err(ConfigError::new("bptt.window.adaptive.tolerance", message)
                        .help("write 0.1 for gradients that are off by a tenth of their size"));
                }
                ("bptt.window.adaptive.max", "max")
            }
        };
        let window = self.longest();
        if !(1..=WINDOW_MAX).contains(&window) {
            return Err(ConfigError::new(key, format!("must be from 1 to {WINDOW_MAX}, not {window}")));
        }
        if every > window || !window.is_multiple_of(every) {
            let next = window.next_multiple_of(every);
            let message = format!("must be a multiple of bptt.every, which is {every}; it is {window}");
            return Err(ConfigError::new(key, message)
                .help(format!("write {entry} = {next}, so that every label is learned from once")));
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for WindowSetting {
    /// An untagged enum would not say which entry of the table is wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrTable;

        impl<'de> Visitor<'de> for NumberOrTable {
            type Value = WindowSetting;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of events, or a table such as { adaptive = { tolerance = 0.1, max = 64 } }")
            }

            fn visit_u64<E: Error>(self, events: u64) -> Result<WindowSetting, E> {
                usize::try_from(events).map(WindowSetting::Events).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, events: i64) -> Result<WindowSetting, E> {
                let refused = || E::custom(format!("expected a whole number of 0 or more, found the number {events}"));
                usize::try_from(events).map(WindowSetting::Events).map_err(|_| refused())
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<WindowSetting, M::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(|table| WindowSetting::Adaptive(table.adaptive))
            }
        }

        deserializer.deserialize_any(NumberOrTable)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Table {
    /// A window that follows how far back gradients reach.
    adaptive: AdaptiveWindow,
}

impl JsonSchema for WindowSetting {
    fn schema_name() -> Cow<'static, str> {
        "WindowSetting".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, generator.subschema_for::<Table>()] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_cannot_be_is_refused_by_name() {
        let refused = |tolerance: f64, max: usize| {
            let error = WindowSetting::Adaptive(AdaptiveWindow { tolerance, max }).validate(4).unwrap_err();
            (error.key.clone(), error.to_string())
        };
        for tolerance in [0.0, 1.0, -0.1, f64::NAN] {
            assert_eq!(refused(tolerance, 8).0, "bptt.window.adaptive.tolerance");
        }
        for max in [0, 2, 10, 10_004] {
            assert_eq!(refused(0.1, max).0, "bptt.window.adaptive.max");
        }
        assert!(refused(0.1, 10).1.contains("write max = 12"), "{}", refused(0.1, 10).1);
        assert_eq!(WindowSetting::Adaptive(AdaptiveWindow { tolerance: 0.1, max: 12 }).validate(4), Ok(()));
    }

    #[test]
    fn a_window_is_a_number_or_a_table_and_anything_else_is_told() {
        let read = |text: &str| serde_json::from_str::<WindowSetting>(text).map_err(|error| error.to_string());
        assert_eq!(read("8"), Ok(WindowSetting::Events(8)));
        let adaptive = |tolerance| Ok(WindowSetting::Adaptive(AdaptiveWindow { tolerance, max: 64 }));
        assert_eq!(read("{\"adaptive\": {\"max\": 64}}"), adaptive(0.1));
        assert_eq!(read("{\"adaptive\": {\"max\": 64, \"tolerance\": 0.2}}"), adaptive(0.2));
        for (text, message) in [
            ("-8", "found the number -8"),
            ("true", "a number of events, or a table such as"),
            ("{\"adaptive\": {\"tolerance\": 0.2}}", "missing field `max`"),
            ("{\"adaptive\": {\"max\": 64, \"min\": 1}}", "unknown field `min`"),
            ("{\"fixed\": 8}", "unknown field `fixed`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
