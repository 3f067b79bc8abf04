//! Schemas by id and subject, over HTTP.
//!
//! The interface is Confluent's: `GET /schemas/ids/ID`, `GET /subjects/SUBJECT/versions/latest`,
//! `POST /subjects/SUBJECT/versions`. All calls block.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sluicegate_core::ConfigError;
use ureq::Agent;
use ureq::http::{Response, StatusCode};
use url::Url;

use super::config::RegistryConfig;

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// Of one request.
const WITHIN: Duration = Duration::from_secs(10);
/// Before the second request, and the longest before any.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// Longest schema that is read.
const SCHEMA_BYTES_MAX: u64 = 4 << 20;
/// Longest part of an answer that is shown.
const SHOWN_CHARS_MAX: usize = 300;

/// Why a registry gave no schema.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistryError {
    /// It cannot be reached, or is out of order. May pass.
    #[error("the schema registry {url} does not answer: {message}")]
    Away { url: String, message: String },
    /// It refuses. Stays so until somebody changes something.
    #[error("the schema registry {url} refuses: {message}")]
    Refused { url: String, message: String },
}

/// A client of one registry. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Registry {
    base: Url,
    authorization: Option<String>,
    agent: Agent,
    retry: Duration,
}

#[derive(Deserialize, Serialize)]
struct SchemaText {
    schema: String,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "schemaType")]
    schema_type: Option<String>,
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

impl Registry {
    /// A client. Connects to nothing yet.
    ///
    /// # Errors
    /// When the address is none, or holds credentials.
    pub(crate) fn new(config: &RegistryConfig) -> Result<Self, ConfigError> {
        let wrong = |message: &str| {
            ConfigError::new("registry.url", message.to_owned()).help("write it as http://localhost:8081")
        };
        let mut base = Url::parse(&config.url).map_err(|error| wrong(&format!("it is no address: {error}")))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong("it is no address of an HTTP server"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong("an address with credentials in it ends up in logs; set `username` and `password`"));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let authorization = match (&config.username, &config.password, &config.token) {
            (None, None, None) => None,
            (Some(user), Some(password), None) => Some(format!("Basic {}", base64(&format!("{user}:{password}")))),
            (None, None, Some(token)) => Some(format!("Bearer {token}")),
            _ => {
                return Err(ConfigError::new(
                    "registry",
                    "its credentials are neither a user with a password nor a token",
                )
                .help("set `username` and `password`, or `token`"));
            }
        };
        let agent = Agent::config_builder().timeout_global(Some(WITHIN)).http_status_as_error(false).build();
        let retry = Duration::from_millis(config.retry_ms);
        Ok(Self { base, authorization, agent: agent.into(), retry })
    }

    /// The schema of this id; `None` where there is none. Waits for a registry that is away.
    pub(crate) fn schema(&self, id: u32) -> Result<Option<String>, RegistryError> {
        let answer = self.insist(self.retry, |registry| registry.get(&["schemas", "ids", &id.to_string()]))?;
        answer.map(|text| self.text_of(&text)).transpose()
    }

    /// The latest schema of a subject; `None` where there is none.
    pub(crate) fn latest(&self, subject: &str) -> Result<Option<String>, RegistryError> {
        let answer = self.get(&["subjects", subject, "versions", "latest"])?;
        answer.map(|text| self.text_of(&text)).transpose()
    }

    /// Registers a schema under a subject, if it is not there yet, and returns its id.
    pub(crate) fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let body = SchemaText { schema: schema.to_owned(), schema_type: None };
        let body = serde_json::to_vec(&body).map_err(|error| self.refused(&error.to_string()))?;
        let mut request = self.agent.post(self.at(&["subjects", subject, "versions"]).as_str());
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let answer = request.header("Content-Type", CONTENT_TYPE).send(&body[..]);
        let text = self.read(answer)?.ok_or_else(|| self.refused("it knows no subjects"))?;
        let registered: Registered = serde_json::from_str(&text).map_err(|error| self.refused(&error.to_string()))?;
        Ok(registered.id)
    }

    fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    fn get(&self, segments: &[&str]) -> Result<Option<String>, RegistryError> {
        let mut request = self.agent.get(self.at(segments).as_str());
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        self.read(request.header("Accept", CONTENT_TYPE).call())
    }

    /// The text of an answer; `None` for what is not there.
    fn read(&self, answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<Option<String>, RegistryError> {
        let mut answer = answer.map_err(|error| self.away(&error.to_string()))?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(SCHEMA_BYTES_MAX).read_to_string();
        let text = text.map_err(|error| self.away(&error.to_string()))?;
        if status.is_success() {
            return Ok(Some(text));
        }
        let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
        let message = format!("{status} {shown}");
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(self.away(&message)),
            status if status.is_server_error() => Err(self.away(&message)),
            _ => Err(self.refused(&message)),
        }
    }

    fn text_of(&self, answer: &str) -> Result<String, RegistryError> {
        let found: SchemaText = serde_json::from_str(answer).map_err(|error| self.refused(&error.to_string()))?;
        match found.schema_type.as_deref() {
            None | Some("AVRO") => Ok(found.schema),
            Some(other) => Err(self.refused(&format!("the schema is of type {other}, not of Avro"))),
        }
    }

    /// Asks until the registry answers, for at most `within`.
    fn insist<T>(&self, within: Duration, ask: impl Fn(&Self) -> Result<T, RegistryError>) -> Result<T, RegistryError> {
        let deadline = Instant::now() + within;
        let mut pause = PAUSE.0;
        loop {
            match ask(self) {
                Err(error @ RegistryError::Away { .. }) if Instant::now() + pause < deadline => {
                    tracing::warn!("{error}; asking again in {} ms", pause.as_millis());
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(PAUSE.1);
                }
                result => return result,
            }
        }
    }

    fn away(&self, message: &str) -> RegistryError {
        RegistryError::Away { url: self.base.to_string(), message: message.to_owned() }
    }

    fn refused(&self, message: &str) -> RegistryError {
        RegistryError::Refused { url: self.base.to_string(), message: message.to_owned() }
    }
}

/// RFC 4648, section 4.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let place = (bits >> (18 - 6 * digit)) as usize & 63;
            out.push(if digit <= chunk.len() { DIGITS[place] as char } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> RegistryConfig {
        RegistryConfig { url: url.to_owned(), username: None, password: None, token: None, retry_ms: 1 }
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        // RFC 4648, section 10.
        for (text, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text), expected);
        }
    }

    #[test]
    fn credentials_belong_into_their_settings_and_are_not_shown() {
        let refused = Registry::new(&config("http://me:hunter2@host")).err().unwrap().to_string();
        assert!(refused.contains("`username`") && !refused.contains("hunter2"), "{refused}");
        let secret = RegistryConfig { token: Some("hunter2".to_owned()), ..config("http://host") };
        assert!(!format!("{secret:?}").contains("hunter2"));
        let half = RegistryConfig { username: Some("me".to_owned()), ..config("http://host") };
        assert!(Registry::new(&half).is_err());
        assert!(Registry::new(&config("ftp://host")).is_err());
    }

    #[test]
    fn paths_are_those_of_the_interface_below_any_prefix() {
        let registry = Registry::new(&config("http://host/apis/ccompat/v7")).unwrap();
        assert_eq!(
            registry.at(&["subjects", "a/b", "versions"]).as_str(),
            "http://host/apis/ccompat/v7/subjects/a%2Fb/versions"
        );
    }

    #[test]
    fn a_registry_that_is_away_is_told_from_one_that_refuses() {
        // Nothing listens on port 1.
        let registry = Registry::new(&config("http://127.0.0.1:1")).unwrap();
        assert!(matches!(registry.schema(7), Err(RegistryError::Away { .. })));
    }
}
