//! Places in a partition: how `start` and `stop` are written, and what they mean.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::value::Datetime;

/// A place in a partition.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Position {
    /// The row with this offset.
    Offset(u64),
    /// The first row, in offset order, with this event time or a later one, such as `2017-01-01T00:00:00Z` or `2017-01-01`.
    Time(String),
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, expecting = "either { offset = N } or { time = \"…\" }")]
        struct Written {
            offset: Option<u64>,
            time: Option<Time>,
        }
        match Written::deserialize(deserializer)? {
            Written { offset: Some(offset), time: None } => Ok(Self::Offset(offset)),
            Written { offset: None, time: Some(Time(text)) } => Ok(Self::Time(text)),
            _ => Err(D::Error::custom("write either { offset = N } or { time = \"…\" }")),
        }
    }
}

/// The text of a time, which TOML knows with and without quotes.
struct Time(String);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as 2017-01-01T00:00:00Z")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                Ok(Time(text.to_owned()))
            }

            /// Serde has no times of its own; TOML hands one on as a map.
            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Time, M::Error> {
                let mut time = Datetime::deserialize(MapAccessDeserializer::new(map))?;
                // TOML lets seconds be left out.
                if let Some(clock) = &mut time.time {
                    clock.second.get_or_insert(0);
                }
                Ok(Time(time.to_string()))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// The text of a time that may be left out.
pub(crate) fn optional_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Time::deserialize(deserializer).map(|Time(text)| Some(text))
}

/// Where reading begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// At this offset.
    Offset(i64),
    /// At the first row with this event time or a later one, in nanoseconds from 1970-01-01T00:00:00Z.
    Time(i128),
}

impl Bound {
    /// Whether there may be rows from this bound on before `stop`, as far as that is known without the rows.
    pub(crate) fn may_precede(self, stop: Self) -> bool {
        match (self, stop) {
            (Self::Offset(start), Self::Offset(stop)) => start < stop,
            (Self::Time(start), Self::Time(stop)) => start < stop,
            _ => true,
        }
    }
}
