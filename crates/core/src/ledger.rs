//! The ledger: where a shard's position is committed, together with the outputs that belong to it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BoxError, Offset};

/// Longest encoding of a [`Commit`], in bytes. Kafka allows 4,096 bytes of metadata for an offset by default.
const ENCODED_BYTES_MAX: usize = 4096;

/// Where a shard has come to: everything before `position` is done, and its outputs are visible.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Commit {
    /// The offset at which reading goes on.
    pub position: Offset,
    /// The newest durable checkpoint of this shard, none of whose rows is after `position`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointRef>,
    /// Whether the partition ended at `position` and its operators were finished.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

/// Names one durable checkpoint of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CheckpointRef {
    /// Its name within the shard's checkpoints.
    pub name: String,
    /// The position that it was taken at.
    pub position: Offset,
    /// The hash of its manifest, in hexadecimal digits.
    pub manifest: String,
}

impl Commit {
    /// The commit as one line of JSON, to be kept beside an offset.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when it is too long for that.
    pub fn encode(&self) -> Result<String, LedgerError> {
        let text = serde_json::to_string(self).map_err(|error| LedgerError::Failed(error.into()))?;
        if text.len() > ENCODED_BYTES_MAX {
            let message = format!("a commit takes {} bytes; {ENCODED_BYTES_MAX} fit beside an offset", text.len());
            return Err(LedgerError::Failed(message.into()));
        }
        Ok(text)
    }

    /// Reads what [`Commit::encode`] wrote; `None` where it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// Commits the positions of one shard, each atomically with the outputs of every sink that belongs to it.
///
/// Whoever takes a shard over with [`Ledger::take_over`] is the only one who can commit from then on: a predecessor that is
/// still running, or comes back to life, gets [`LedgerError::Fenced`], and nothing it wrote since its last commit is ever
/// visible. All calls may block.
pub trait Ledger: Send {
    /// Fences whoever held the shard before and returns what was committed last; `None` when nothing was.
    ///
    /// May be called again, after [`LedgerError::Lost`].
    ///
    /// # Errors
    /// When the ledger cannot be reached or read, or holds something that is no commit of ours.
    fn take_over(&mut self) -> Result<Option<Commit>, LedgerError>;

    /// Commits a position, and with it everything that the sinks of this ledger were given since the last commit.
    ///
    /// # Errors
    /// See [`LedgerError`].
    fn commit(&mut self, commit: &Commit) -> Result<(), LedgerError>;
}

/// Why a ledger could not commit.
#[derive(Debug)]
#[non_exhaustive]
pub enum LedgerError {
    /// Somebody else has taken the shard over. What was written since the last commit is void, and nothing more may be
    /// written.
    Fenced(BoxError),
    /// The commit did not happen, or nobody knows whether it did. The shard has to be taken over anew, and goes on from what
    /// is found committed then.
    Lost(BoxError),
    /// Nothing can be committed until somebody changes something.
    Failed(BoxError),
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced(error) => write!(
                f,
                "another process has taken this partition over, so this one stops and commits nothing more: {error}"
            ),
            Self::Lost(error) => write!(f, "the outcome of a commit is unknown: {error}"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LedgerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let (Self::Fenced(error) | Self::Lost(error) | Self::Failed(error)) = self;
        error.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_read_back_as_it_was_written() {
        let checkpoint = CheckpointRef { name: "0000000007-ab".into(), position: Offset(40), manifest: "00ff".into() };
        let commit = Commit { position: Offset(42), checkpoint: Some(checkpoint), ended: false };
        let text = commit.encode().unwrap();
        assert_eq!(text, r#"{"position":42,"checkpoint":{"name":"0000000007-ab","position":40,"manifest":"00ff"}}"#);
        assert_eq!(Commit::parse(&text), Some(commit));
        assert_eq!(Commit::parse("offset of somebody else"), None);
    }
}
