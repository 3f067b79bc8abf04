//! Which partitions a source had, so that it is noticed when keys have moved to others.

use serde::{Deserialize, Serialize};
use sluicegate_core::PartitionId;

use crate::store::{Store, encoded};
use crate::{CheckpointError, manifest::hashed};

/// Times that a record is written anew while others write theirs.
const TRIES_MAX: usize = 16;

#[derive(Serialize, Deserialize)]
struct Record {
    partitions: Vec<String>,
    /// Of the names, one a line.
    blake3: String,
}

impl Store {
    /// The partitions that a source is known to have had; `None` when nothing is known of it yet.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn known_partitions(&self, source: &str) -> Result<Option<Vec<PartitionId>>, CheckpointError> {
        let Some(number) = self.newest_layout(source)? else { return Ok(None) };
        let file = layout_file(self.pipeline(), source, number);
        let bytes = self.place().read(&file)?;
        let damaged = |message: String| CheckpointError::Damaged { file: file.clone(), message };
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if record.blake3 != hashed(record.partitions.join("\n").as_bytes()) {
            return Err(damaged("its hash does not fit".to_owned()));
        }
        Ok(Some(record.partitions.into_iter().map(PartitionId::new).collect()))
    }

    /// Adds partitions to those that a source is known to have had. Processes that do so at the same time lose nothing.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn note_partitions(&self, source: &str, partitions: &[PartitionId]) -> Result<(), CheckpointError> {
        for _ in 0..TRIES_MAX {
            let newest = self.newest_layout(source)?;
            let mut all = self.known_partitions(source)?.unwrap_or_default();
            let before = all.len();
            let new = partitions.iter().filter(|partition| !all.contains(partition)).cloned().collect::<Vec<_>>();
            all.extend(new);
            if newest.is_some() && all.len() == before {
                return Ok(());
            }
            let partitions: Vec<String> = all.iter().map(PartitionId::to_string).collect();
            let record = Record { blake3: hashed(partitions.join("\n").as_bytes()), partitions };
            let file = layout_file(self.pipeline(), source, newest.map_or(0, |number| number + 1));
            let text = serde_json::to_vec(&record)
                .map_err(|error| CheckpointError::Damaged { file: file.clone(), message: error.to_string() })?;
            if self.place().create(&file, text)? {
                return Ok(());
            }
        }
        let file = format!("{}/.layout/{}", self.pipeline(), encoded(source));
        let message = "others write it all the time".to_owned();
        Err(CheckpointError::Damaged { file, message })
    }

    fn newest_layout(&self, source: &str) -> Result<Option<u64>, CheckpointError> {
        let (_, files) = self.place().list(&format!("{}/.layout/{}", self.pipeline(), encoded(source)))?;
        Ok(files.iter().filter_map(|file| file.strip_suffix(".json")?.parse().ok()).max())
    }
}

fn layout_file(pipeline: &str, source: &str, number: u64) -> String {
    format!("{pipeline}/.layout/{}/{number:010}.json", encoded(source))
}
