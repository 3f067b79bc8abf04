//! The state that a partition begins with when nothing was committed for it yet.

use sluicegate_core::States;

use crate::manifest::MANIFEST;
use crate::{Checkpoint, CheckpointError, ShardStore};

/// The name of its folder. No checkpoint is called so.
pub(crate) const SEED: &str = "seed";

impl ShardStore {
    /// Writes the states of another shard's checkpoint as those that this one begins with, in place of any it had.
    ///
    /// # Errors
    /// When they could not be written whole; what was written of them is no seed.
    pub fn sow(&mut self, from: &Checkpoint) -> Result<(), CheckpointError> {
        self.remove_seed()?;
        let mut whole = self.without_history();
        whole.write_files(SEED, from.reference.position, true, from.states.clone(), &from.about)?;
        Ok(())
    }

    /// The states that the shard begins with, every byte verified; `None` where it has none of its own.
    ///
    /// # Errors
    /// When a file is missing or damaged; the message names it.
    pub fn seed(&mut self) -> Result<Option<States>, CheckpointError> {
        let manifest = match self.manifest(SEED, None) {
            Err(CheckpointError::Missing { .. }) => return Ok(None),
            manifest => manifest?,
        };
        let mut states = States::new();
        for (component, file) in &manifest.states {
            states.insert(component.clone(), self.state(SEED, file)?.0);
        }
        self.has_seed = true;
        Ok(Some(states))
    }

    /// Removes what the shard was to begin with.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_seed(&mut self) -> Result<(), CheckpointError> {
        self.has_seed = false;
        self.remove_folder(SEED, MANIFEST)
    }
}
