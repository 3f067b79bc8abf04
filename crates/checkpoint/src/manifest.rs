//! What a checkpoint says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluicegate_core::{CheckpointRef, Offset};

use crate::CheckpointError;

/// The format that this version writes and reads.
pub(crate) const FORMAT: u32 = 1;
/// The name of the file.
pub(crate) const MANIFEST: &str = "manifest.json";

/// Whose state a checkpoint holds, and what made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The pipeline's name.
    pub pipeline: String,
    /// The type of each of its components.
    pub components: BTreeMap<String, String>,
    /// The arithmetic of each operator that has some of its own: results are equal bit by bit only where this is.
    pub arithmetic: BTreeMap<String, String>,
    /// The version of Sluicegate.
    pub version: String,
}

/// The file `manifest.json` of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    pub(crate) partition: String,
    pub(crate) position: Offset,
    /// The first of its line: nothing was committed before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) first: bool,
    #[serde(flatten)]
    pub(crate) about: About,
    /// By component.
    pub(crate) states: BTreeMap<String, StateFile>,
}

/// One file of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateFile {
    pub(crate) file: String,
    pub(crate) bytes: u64,
    /// Of the file, in hexadecimal digits.
    pub(crate) blake3: String,
    /// Where the file is a difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<Base>,
}

/// What a difference is to, and what it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Base {
    /// The checkpoint that holds the whole state.
    pub(crate) checkpoint: String,
    pub(crate) file: String,
    pub(crate) blake3: String,
    /// The hash of the state that comes out.
    pub(crate) state_blake3: String,
}

impl Manifest {
    /// Reads a manifest. `file` names it in errors.
    pub(crate) fn parse(file: &str, bytes: &[u8]) -> Result<Self, CheckpointError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let damaged =
            |error: serde_json::Error| CheckpointError::Damaged { file: file.to_owned(), message: error.to_string() };
        let Format { format } = serde_json::from_slice(bytes).map_err(damaged)?;
        if format != FORMAT {
            return Err(CheckpointError::Version { file: file.to_owned(), found: format, known: FORMAT });
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }

    /// The checkpoints that this one is a difference to.
    pub(crate) fn bases(&self) -> impl Iterator<Item = &str> {
        self.states.values().filter_map(|state| state.base.as_ref()).map(|base| base.checkpoint.as_str())
    }
}

/// The name of a checkpoint: its number, the line of checkpoints that it belongs to, and the attempt that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) number: u64,
    /// Checkpoints of one line continue each other; a shard that begins anew begins a line.
    pub(crate) line: String,
    pub(crate) attempt: String,
}

impl Name {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let (number, line, attempt) = (parts.next()?, parts.next()?, parts.next()?);
        let sane = parts.next().is_none() && number.len() == 10 && !line.is_empty() && !attempt.is_empty();
        sane.then(|| Some(Self { number: number.parse().ok()?, line: line.to_owned(), attempt: attempt.to_owned() }))?
    }

    pub(crate) fn of(reference: &CheckpointRef) -> Option<Self> {
        Self::parse(&reference.name)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:010}-{}-{}", self.number, self.line, self.attempt)
    }
}

/// The hash of some bytes, in hexadecimal digits.
pub(crate) fn hashed(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
