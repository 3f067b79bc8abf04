//! Commits kept beside the checkpoints.

use serde::{Deserialize, Serialize};
use sluicegate_core::{Commit, Ledger, LedgerError, PartitionId, failpoint};

use crate::CheckpointError;
use crate::manifest::hashed;
use sluicegate_place::Place;
use uuid::Uuid;

/// Older commits that stay, to be looked at.
const RETAINED: u64 = 8;
/// Times that a take-over is tried while somebody else commits.
const TRIES_MAX: usize = 16;

/// The ledger of a shard whose source and sinks have none: numbered files, each created once.
///
/// Only one process can create the file of a number. Whoever takes over writes the next number, so a predecessor that comes
/// back to life finds its own next number taken, and knows that it is fenced.
pub struct FileLedger {
    place: Place,
    folder: String,
    partition: PartitionId,
    /// The number of the last record that is ours; `None` before the first take-over.
    last: Option<u64>,
    /// What our records are known by.
    writer: String,
}

#[derive(Serialize, Deserialize)]
struct Record {
    /// `None` before the first commit.
    commit: Option<Commit>,
    /// Of the commit.
    blake3: String,
    /// Whoever wrote it.
    #[serde(default)]
    writer: String,
}

impl FileLedger {
    pub(crate) fn new(place: Place, folder: String, partition: PartitionId) -> Self {
        Self { place, folder, partition, last: None, writer: Uuid::new_v4().simple().to_string() }
    }

    /// What is committed, without taking anything over.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self) -> Result<Option<Commit>, LedgerError> {
        match self.newest()? {
            None => Ok(None),
            Some(number) => self.record(number),
        }
    }

    fn newest(&self) -> Result<Option<u64>, LedgerError> {
        let (_, files) = self.place.list(&self.folder).map_err(failed)?;
        Ok(files.iter().filter_map(|file| file.strip_suffix(".json")?.parse().ok()).max())
    }

    fn path(&self, number: u64) -> String {
        format!("{}/{number:020}.json", self.folder)
    }

    fn record(&self, number: u64) -> Result<Option<Commit>, LedgerError> {
        let file = self.path(number);
        let bytes = self.place.read(&file).map_err(failed)?;
        let damaged = |message: String| failed(CheckpointError::Damaged { file: file.clone(), message });
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if record.blake3 != hash(record.commit.as_ref())? {
            return Err(damaged("its hash does not fit".to_owned()));
        }
        Ok(record.commit)
    }

    /// Writes a record; `false` when somebody else has.
    fn create(&self, number: u64, commit: Option<&Commit>) -> Result<bool, LedgerError> {
        let record = Record { commit: commit.cloned(), blake3: hash(commit)?, writer: self.writer.clone() };
        let text = serde_json::to_vec(&record).map_err(|error| LedgerError::Failed(error.into()))?;
        self.place.create(&self.path(number), text).map_err(failed)
    }
}

fn hash(commit: Option<&Commit>) -> Result<String, LedgerError> {
    Ok(hashed(commit.map(Commit::encode).transpose()?.unwrap_or_default().as_bytes()))
}

fn failed(error: impl Into<CheckpointError>) -> LedgerError {
    LedgerError::Failed(error.into().into())
}

impl Ledger for FileLedger {
    fn take_over(&mut self) -> Result<Option<Commit>, LedgerError> {
        for _ in 0..TRIES_MAX {
            let newest = self.newest()?;
            let commit = match newest {
                None => None,
                Some(number) => self.record(number)?,
            };
            let next = newest.map_or(0, |number| number + 1);
            if self.create(next, commit.as_ref())? {
                self.last = Some(next);
                return Ok(commit);
            }
        }
        let message = format!("others commit in {} all the time; run one process per partition", self.folder);
        Err(LedgerError::Failed(message.into()))
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), LedgerError> {
        let Some(last) = self.last else {
            return Err(LedgerError::Lost("nothing can be committed before the shard is taken over".into()));
        };
        let next = last + 1;
        let fenced = || LedgerError::Fenced(format!("{} was written by somebody else", self.path(next)).into());
        failpoint::reach("file_commit.before", &self.partition);
        if !self.create(next, Some(commit))? {
            return Err(fenced());
        }
        // A number that was free may be one that a successor has used and removed long since.
        if self.newest()? != Some(next) {
            self.place.remove(&self.path(next)).map_err(failed)?;
            return Err(fenced());
        }
        failpoint::reach("file_commit.after", &self.partition);
        self.last = Some(next);
        if let Some(old) = next.checked_sub(RETAINED) {
            // An old record that stays harms nobody.
            let _ = self.place.remove(&self.path(old));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sluicegate_core::Offset;

    use super::*;

    #[test]
    fn a_record_that_is_found_written_is_ours_only_if_we_wrote_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = || Place::open(".", folder.path()).unwrap();
        let ledger = || FileLedger::new(place(), "commits".to_owned(), PartitionId::new("p"));
        let (ours, other) = (ledger(), ledger());
        let commit = Commit { position: Offset(7), checkpoint: None, ended: false };
        assert!(ours.create(0, Some(&commit)).unwrap());
        assert!(ours.create(0, Some(&commit)).unwrap(), "the answer was lost, and it was tried again");
        assert!(!other.create(0, Some(&commit)).unwrap(), "equal commits are not enough");
        assert_eq!(other.read().unwrap(), Some(commit));
    }
}
