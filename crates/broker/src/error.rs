//! What can go wrong with a broker.

use std::io;
use std::path::PathBuf;

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// Nobody fetched Kafka.
    #[error("there is no Kafka in {folder}; `cargo xtask test` fetches it")]
    NotFetched {
        /// Where it should be.
        folder: PathBuf,
    },
    /// Nobody fetched the schema registry.
    #[error("there is no schema registry in {folder}; `cargo xtask test` fetches it")]
    NoRegistry {
        /// Where it should be.
        folder: PathBuf,
    },
    /// A file could not be read or written, or a program not be started.
    #[error("cannot {doing} {what}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        what: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The broker ended, or did not come up in time.
    #[error("the Kafka broker did not come up; its log ends with:\n{log}")]
    NotUp {
        /// The last lines of its log.
        log: String,
    },
    /// It is somebody else's.
    #[error("the broker at {bootstrap} is not ours to {doing}; unset KAFKA_BOOTSTRAP")]
    NotOurs {
        /// Its address.
        bootstrap: String,
        /// What was to be done.
        doing: &'static str,
    },
}

impl BrokerError {
    pub(crate) fn io(doing: &'static str, what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Self {
        let what = what.to_string();
        move |source| Self::Io { doing, what, source }
    }
}
