//! The checkpoints of one pipeline.

use std::path::Path;

use sluicegate_core::PartitionId;

use crate::{CheckpointConfig, CheckpointError, ShardStore};
use sluicegate_place::Place;

/// The checkpoints of all shards of one pipeline. Clones share the place.
#[derive(Clone)]
pub struct Store {
    place: Place,
    pipeline: String,
    retain: usize,
}

impl Store {
    /// The checkpoints that the pipeline called `pipeline` keeps; a relative path starts at `base_dir`. Reads nothing yet.
    ///
    /// # Errors
    /// [`CheckpointError::Place`] when the folder cannot be made, or the URL leads nowhere.
    pub fn open(config: &CheckpointConfig, base_dir: &Path, pipeline: &str) -> Result<Self, CheckpointError> {
        let place = Place::open(&config.path, base_dir)?;
        Ok(Self { place, pipeline: pipeline.to_owned(), retain: config.retain })
    }

    /// The partitions that have a folder here, by name.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn shards(&self) -> Result<Vec<PartitionId>, CheckpointError> {
        let (folders, _) = self.place.list(&self.pipeline)?;
        let of_partition = |folder: &String| decoded(folder).filter(|name| encoded(name) == *folder);
        Ok(folders.iter().filter_map(of_partition).map(PartitionId::new).collect())
    }

    /// The name of the pipeline.
    pub fn pipeline(&self) -> &str {
        &self.pipeline
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The checkpoints of one shard.
    pub fn shard(&self, partition: &PartitionId) -> ShardStore {
        let folder = format!("{}/{}", self.pipeline, encoded(partition.as_str()));
        ShardStore::new(self.place.clone(), folder, self.pipeline.clone(), partition.clone(), self.retain)
    }
}

/// A name that is safe as that of a file, from which the original can be told.
pub(crate) fn encoded(name: &str) -> String {
    let mut out = String::new();
    for (place, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' || byte == b'.' && place > 0;
        if plain {
            out.push(byte as char);
        } else {
            out.push_str(&format!("={byte:02x}"));
        }
    }
    out
}

fn decoded(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if *byte == b'=' {
            let (digits, after) = after.split_first_chunk::<2>()?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_partitions_are_safe_and_read_back() {
        for name in ["trades-0", "../etc", "a/b", "süd", "", ".hidden", "x=y"] {
            let safe = encoded(name);
            assert!(!safe.contains('/') && !safe.starts_with('.'), "{safe}");
            assert_eq!(decoded(&safe).as_deref(), Some(name));
        }
    }
}
