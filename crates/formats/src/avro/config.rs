//! The settings `avro` of a source and of a sink.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// How Avro payloads are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AvroConfig {
    /// A file with the schema that the columns are of (`.avsc`), relative to the folder of the pipeline file. Left out: the latest
    /// schema of the subject when the run begins. Records that were written by another schema are read as Avro's rules for
    /// the resolution of schemas say.
    #[serde(default)]
    pub schema_file: Option<String>,

    /// The schema registry that knows by which schema each record was written. Left out: all were written by the one of
    /// `schema_file`.
    #[serde(default)]
    pub registry: Option<RegistryConfig>,

    /// The subject of the schema. By default the topic and `-value`.
    #[serde(default)]
    pub subject: Option<String>,

    /// What stands in front of each datum.
    #[serde(default)]
    pub framing: Framing,
}

/// How rows become Avro payloads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AvroSinkConfig {
    /// The schema registry that the rows' schema is registered in. Needed for `framing = "confluent"`.
    #[serde(default)]
    pub registry: Option<RegistryConfig>,

    /// The subject to register it under. By default the topic and `-value`.
    #[serde(default)]
    pub subject: Option<String>,

    /// The full name of the record in the schema.
    #[serde(default = "record_name")]
    pub name: String,

    /// What stands in front of each datum.
    #[serde(default)]
    pub framing: Framing,
}

fn record_name() -> String {
    "sluicegate.Row".to_owned()
}

/// What stands in front of each datum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// Confluent's wire format: a zero byte, and the number of the schema in the registry as four bytes.
    #[default]
    Confluent,
    /// Nothing.
    None,
}

/// A schema registry with Confluent's HTTP interface.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryConfig {
    /// Its address, such as `http://localhost:8081`, without credentials.
    pub url: String,

    /// For basic authentication, with `password`.
    #[serde(default)]
    pub username: Option<String>,

    /// For basic authentication, such as `"${REGISTRY_PASSWORD}"`.
    #[serde(default)]
    pub password: Option<String>,

    /// A bearer token, such as `"${REGISTRY_TOKEN}"`.
    #[serde(default)]
    pub token: Option<String>,

    /// How long a registry that is away is waited for before the run fails, in milliseconds.
    #[serde(default = "retry_ms")]
    pub retry_ms: u64,
}

fn retry_ms() -> u64 {
    300_000
}

/// Shows no secret.
impl fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryConfig")
            .field("url", &self.url)
            .field("retry_ms", &self.retry_ms)
            .finish_non_exhaustive()
    }
}
