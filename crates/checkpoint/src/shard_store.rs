//! The checkpoints of one shard.

use std::collections::{BTreeMap, BTreeSet};

use sluicegate_core::{CheckpointRef, Offset, PartitionId, States, failpoint};
use uuid::Uuid;

use crate::delta::{self, Index};
use crate::error::unless_damaged;
use crate::manifest::{About, Base, FORMAT, MANIFEST, Manifest, Name, StateFile, hashed};
use crate::store::encoded;
use crate::{CheckpointError, FileLedger};
use sluicegate_place::Place;

/// A difference larger than this part of the whole state is not worth reading two files for.
const DELTA_SHARE_MAX: usize = 2;

/// The checkpoints of one shard.
///
/// A state is written whole now and then, and as the difference to the last whole one in between: whole again once the
/// difference is half its size. A difference always refers to a whole state, never to another difference.
#[derive(Clone)]
pub struct ShardStore {
    place: Place,
    folder: String,
    pipeline: String,
    partition: PartitionId,
    retain: usize,
    /// The line that the next checkpoint continues.
    line: Option<String>,
    next_number: Option<u64>,
    /// The last whole state of each component.
    wholes: BTreeMap<String, Whole>,
    /// A seed was read, and goes with the next pruning.
    pub(crate) has_seed: bool,
}

#[derive(Clone)]
pub(crate) struct Whole {
    base: Base,
    index: Index,
    bytes: usize,
}

/// A checkpoint that was read and is intact.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Which one it is.
    pub reference: CheckpointRef,
    /// The state of each component.
    pub states: States,
    /// Whose states they are.
    pub about: About,
}

/// What became of one checkpoint, every byte of it looked at.
#[derive(Debug)]
pub struct Examined {
    /// Its name.
    pub name: String,
    /// What it is; `None` where it was never completed, and so is no checkpoint.
    pub found: Result<Option<Summary>, CheckpointError>,
}

/// A checkpoint as it is listed.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Which one it is.
    pub reference: CheckpointRef,
    /// Size of its files, less what it shares with others.
    pub size_bytes: u64,
    /// Whether some of its files are differences.
    pub is_delta: bool,
    /// Whose states they are.
    pub about: About,
}

impl ShardStore {
    pub(crate) fn new(place: Place, folder: String, pipeline: String, partition: PartitionId, retain: usize) -> Self {
        let (line, next_number, wholes) = (None, None, BTreeMap::new());
        Self { place, folder, pipeline, partition, retain, line, next_number, wholes, has_seed: false }
    }

    /// The same place, as if nothing had been read or written yet.
    pub(crate) fn without_history(&self) -> Self {
        let (line, next_number, wholes) = (None, None, BTreeMap::new());
        Self { line, next_number, wholes, ..self.clone() }
    }

    /// The partition whose checkpoints they are.
    pub fn partition(&self) -> &PartitionId {
        &self.partition
    }

    /// The commits that are kept beside these checkpoints.
    pub fn ledger(&self) -> FileLedger {
        FileLedger::new(self.place.clone(), format!("{}/commits", self.folder), self.partition.clone())
    }

    /// Whether there is any complete checkpoint that continues another, so that something was committed before it was written.
    /// One whose manifest cannot be read counts.
    ///
    /// # Errors
    /// When the place cannot be asked.
    pub fn has_any(&self) -> Result<bool, CheckpointError> {
        for name in self.names()? {
            match self.manifest(&name.to_string(), None) {
                Ok(manifest) if manifest.first => {}
                Err(CheckpointError::Missing { .. }) => {}
                Err(error) if !error.is_damage() => return Err(error),
                Ok(_) | Err(_) => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Writes a checkpoint and returns when it is durable. It continues the one that was read or written last; if none was, it
    /// begins a line of its own.
    ///
    /// # Errors
    /// When it could not be written whole. What was written of it is removed, as far as possible, and is no checkpoint.
    pub fn write(&mut self, position: Offset, states: States, about: &About) -> Result<CheckpointRef, CheckpointError> {
        let number = match self.next_number {
            Some(number) => number,
            None => self.names()?.iter().map(|name| name.number + 1).max().unwrap_or(0),
        };
        let first = self.line.is_none();
        let line = self.line.get_or_insert_with(short_id).clone();
        let name = Name { number, line, attempt: short_id() }.to_string();
        self.next_number = Some(number + 1);
        match self.write_files(&name, position, first, states, about) {
            Ok(reference) => Ok(reference),
            Err(error) => {
                // The first error is the one to tell; what cannot be removed now goes when checkpoints are pruned.
                let _ = self.place.remove_all(&self.path(&name), MANIFEST);
                Err(error)
            }
        }
    }

    pub(crate) fn write_files(
        &mut self,
        name: &str,
        position: Offset,
        first: bool,
        states: States,
        about: &About,
    ) -> Result<CheckpointRef, CheckpointError> {
        let mut files = BTreeMap::new();
        let mut wholes = Vec::new();
        failpoint::reach("checkpoint.files.before", &self.partition);
        for (component, state) in states {
            let file = format!("{}.state", encoded(&component));
            let path = format!("{}/{file}", self.path(name));
            let state_blake3 = hashed(&state);
            let delta = self.wholes.get(&component).and_then(|whole| {
                let delta = delta::difference(&whole.index, &state);
                let base = Base { state_blake3: state_blake3.clone(), ..whole.base.clone() };
                (delta.len() * DELTA_SHARE_MAX <= whole.bytes).then_some((delta, base))
            });
            let (bytes, base) = match delta {
                Some((delta, base)) => (delta, Some(base)),
                None => {
                    let base = Base {
                        checkpoint: name.to_owned(),
                        file: file.clone(),
                        blake3: state_blake3.clone(),
                        state_blake3,
                    };
                    wholes.push((component.clone(), Whole { base, index: Index::of(&state), bytes: state.len() }));
                    (state, None)
                }
            };
            let about_file = StateFile { file, bytes: bytes.len() as u64, blake3: hashed(&bytes), base };
            self.create(&path, bytes)?;
            files.insert(component, about_file);
        }
        let manifest = Manifest {
            format: FORMAT,
            partition: self.partition.to_string(),
            position,
            first,
            about: about.clone(),
            states: files,
        };
        let path = format!("{}/{MANIFEST}", self.path(name));
        let text = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| CheckpointError::Damaged { file: path.clone(), message: error.to_string() })?;
        let reference = CheckpointRef { name: name.to_owned(), position, manifest: hashed(&text) };
        failpoint::reach("checkpoint.manifest.before", &self.partition);
        self.create(&path, text)?;
        failpoint::reach("checkpoint.manifest.after", &self.partition);
        self.wholes.extend(wholes);
        Ok(reference)
    }

    fn create(&self, path: &str, bytes: Vec<u8>) -> Result<(), CheckpointError> {
        if self.place.create(path, bytes)? {
            return Ok(());
        }
        let message = "somebody else wrote it under the name of this attempt".to_owned();
        Err(CheckpointError::Damaged { file: path.to_owned(), message })
    }

    /// Reads a checkpoint, every byte of it verified. What is written next continues it.
    ///
    /// # Errors
    /// When a file of it is missing, damaged or foreign; the message names the file.
    pub fn read(&mut self, reference: &CheckpointRef) -> Result<Checkpoint, CheckpointError> {
        let manifest = self.manifest(&reference.name, Some(&reference.manifest))?;
        let mut states = States::new();
        let mut wholes = BTreeMap::new();
        for (component, file) in &manifest.states {
            let (state, whole) = self.state(&reference.name, file)?;
            wholes.insert(component.clone(), whole);
            states.insert(component.clone(), state);
        }
        self.wholes = wholes;
        self.line = Name::of(reference).map(|name| name.line);
        Ok(Checkpoint { reference: reference.clone(), states, about: manifest.about })
    }

    /// The newest intact checkpoint before another of its line; `None` where there is none.
    ///
    /// # Errors
    /// When the place cannot be asked: none is passed over that may be intact.
    pub fn newest_before(&mut self, reference: &CheckpointRef) -> Result<Option<Checkpoint>, CheckpointError> {
        let Some(of) = Name::of(reference) else { return Ok(None) };
        let names = self.names()?;
        let older = names.iter().rev().filter(|name| name.line == of.line && name.number < of.number);
        for name in older {
            let Some(found) = unless_damaged(self.reference_of(&name.to_string()))? else { continue };
            if found.position > reference.position {
                continue;
            }
            if let Some(checkpoint) = unless_damaged(self.read(&found))? {
                return Ok(Some(checkpoint));
            }
        }
        Ok(None)
    }

    /// All complete checkpoints, oldest first. One whose manifest is damaged is left out.
    ///
    /// # Errors
    /// When the place cannot be asked.
    pub fn list(&self) -> Result<Vec<Summary>, CheckpointError> {
        let mut all = Vec::new();
        for name in self.names()? {
            let name = name.to_string();
            let (reference, manifest) = (self.reference_of(&name), self.manifest(&name, None));
            let (Some(reference), Some(manifest)) = (unless_damaged(reference)?, unless_damaged(manifest)?) else {
                continue;
            };
            all.push(summary(reference, manifest));
        }
        Ok(all)
    }

    /// Reads and verifies every checkpoint, complete or not, oldest first.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn examine(&self) -> Result<Vec<Examined>, CheckpointError> {
        let look = |name: String| {
            let found = match self.reference_of(&name) {
                Err(CheckpointError::Missing { .. }) => Ok(None),
                Err(error) => Err(error),
                Ok(reference) => {
                    let whole = self.without_history().read(&reference);
                    whole.and_then(|_| Ok(Some(summary(reference, self.manifest(&name, None)?))))
                }
            };
            Examined { name, found }
        };
        Ok(self.names()?.iter().map(ToString::to_string).map(look).collect())
    }

    /// The newest checkpoint that is intact; `None` where there is none.
    ///
    /// # Errors
    /// When the place cannot be asked: none is passed over that may be intact.
    pub fn newest(&self) -> Result<Option<Checkpoint>, CheckpointError> {
        let mut own = self.without_history();
        for name in self.names()?.iter().rev() {
            let read = self.reference_of(&name.to_string()).and_then(|reference| own.read(&reference));
            if let Some(checkpoint) = unless_damaged(read)? {
                return Ok(Some(checkpoint));
            }
        }
        Ok(None)
    }

    /// Removes every checkpoint that was written after this one: the shard went back to it.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn forget_after(&mut self, reference: &CheckpointRef) -> Result<(), CheckpointError> {
        let Some(kept) = Name::of(reference) else { return Ok(()) };
        for name in self.names()?.iter().filter(|name| name.number > kept.number) {
            self.remove_folder(&name.to_string(), MANIFEST)?;
        }
        Ok(())
    }

    /// The checkpoint called `name`, as its manifest stands.
    ///
    /// # Errors
    /// When there is none, or its manifest cannot be read.
    pub fn reference_of(&self, name: &str) -> Result<CheckpointRef, CheckpointError> {
        let bytes = self.place.read(&self.manifest_path(name))?;
        let manifest = Manifest::parse(&self.manifest_path(name), &bytes)?;
        Ok(CheckpointRef { name: name.to_owned(), position: manifest.position, manifest: hashed(&bytes) })
    }

    /// The text of a checkpoint's manifest.
    ///
    /// # Errors
    /// When there is none.
    pub fn manifest_text(&self, name: &str) -> Result<String, CheckpointError> {
        let bytes = self.place.read(&self.manifest_path(name))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Removes what nobody needs any more, after a commit that names `keep`: older checkpoints beyond those that are to be
    /// retained, those of lines that were left behind, and what was never completed.
    ///
    /// # Errors
    /// When something cannot be removed, or what is needed cannot be told.
    pub fn prune(&mut self, keep: &CheckpointRef) -> Result<(), CheckpointError> {
        let Some(kept) = Name::of(keep) else { return Ok(()) };
        let names = self.names()?;
        let older: Vec<&Name> = names.iter().filter(|name| name.number < kept.number).collect();
        let retained = older.iter().rev().filter(|name| name.line == kept.line).take(self.retain - 1);
        let newer = names.iter().filter(|name| name.number >= kept.number);
        let mut needed: BTreeSet<String> = retained.map(ToString::to_string).collect();
        needed.extend(newer.map(Name::to_string));
        for name in needed.clone() {
            // One that is damaged, or is not complete yet, needs nothing that could be told.
            if let Some(manifest) = unless_damaged(self.manifest(&name, None))? {
                needed.extend(manifest.bases().map(str::to_owned));
            }
        }
        failpoint::reach("prune.before", &self.partition);
        for name in older {
            let name = name.to_string();
            if !needed.contains(&name) && !self.wholes.values().any(|whole| whole.base.checkpoint == name) {
                self.remove_folder(&name, MANIFEST)?;
            }
        }
        if self.has_seed {
            // The shard has begun, so it is never needed again.
            self.remove_seed()?;
        }
        Ok(())
    }

    /// Removes all checkpoints and commits of the shard: it begins anew.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn forget(&mut self) -> Result<(), CheckpointError> {
        (self.line, self.next_number, self.wholes) = (None, None, BTreeMap::new());
        for name in self.names()? {
            self.remove_folder(&name.to_string(), MANIFEST)?;
        }
        self.remove_seed()?;
        self.remove_folder("commits", "")
    }

    pub(crate) fn remove_folder(&self, name: &str, first: &str) -> Result<(), CheckpointError> {
        Ok(self.place.remove_all(&self.path(name), first)?)
    }

    fn names(&self) -> Result<Vec<Name>, CheckpointError> {
        let (folders, _) = self.place.list(&self.folder)?;
        Ok(folders.iter().filter_map(|folder| Name::parse(folder)).collect())
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    fn manifest_path(&self, name: &str) -> String {
        format!("{}/{MANIFEST}", self.path(name))
    }

    pub(crate) fn manifest(&self, name: &str, hash: Option<&str>) -> Result<Manifest, CheckpointError> {
        let file = self.manifest_path(name);
        let bytes = self.place.read(&file)?;
        if hash.is_some_and(|hash| hash != hashed(&bytes)) {
            let message = "it is not what was committed".to_owned();
            return Err(CheckpointError::Damaged { file, message });
        }
        let manifest = Manifest::parse(&file, &bytes)?;
        let found = format!("pipeline `{}`, partition `{}`", manifest.about.pipeline, manifest.partition);
        let expected = format!("pipeline `{}`, partition `{}`", self.pipeline, self.partition);
        if found != expected {
            return Err(CheckpointError::Foreign { file, found, expected });
        }
        Ok(manifest)
    }

    /// The state in a file, and the whole one that it is, or is a difference to.
    pub(crate) fn state(&self, name: &str, file: &StateFile) -> Result<(Vec<u8>, Whole), CheckpointError> {
        let path = format!("{}/{}", self.path(name), file.file);
        let bytes = self.verified(&path, &file.blake3)?;
        let Some(base) = &file.base else {
            let own = Base {
                checkpoint: name.to_owned(),
                file: file.file.clone(),
                blake3: file.blake3.clone(),
                state_blake3: file.blake3.clone(),
            };
            let whole = Whole { base: own, index: Index::of(&bytes), bytes: bytes.len() };
            return Ok((bytes, whole));
        };
        let base_path = format!("{}/{}", self.path(&base.checkpoint), base.file);
        let base_bytes = self.verified(&base_path, &base.blake3)?;
        let damaged = |message: &str| CheckpointError::Damaged { file: path.clone(), message: message.to_owned() };
        let state = delta::apply(&base_bytes, &bytes).map_err(damaged)?;
        if hashed(&state) != base.state_blake3 {
            return Err(damaged("it does not lead to the state that was written"));
        }
        let whole = Whole { base: base.clone(), index: Index::of(&base_bytes), bytes: base_bytes.len() };
        Ok((state, whole))
    }

    fn verified(&self, path: &str, blake3: &str) -> Result<Vec<u8>, CheckpointError> {
        let bytes = self.place.read(path)?;
        if hashed(&bytes) == blake3 {
            return Ok(bytes.to_vec());
        }
        let message = "its hash is not the one in the manifest".to_owned();
        Err(CheckpointError::Damaged { file: path.to_owned(), message })
    }
}

fn summary(reference: CheckpointRef, manifest: Manifest) -> Summary {
    let is_delta = manifest.bases().next().is_some();
    let size_bytes = manifest.states.values().map(|file| file.bytes).sum();
    Summary { reference, size_bytes, is_delta, about: manifest.about }
}

fn short_id() -> String {
    Uuid::new_v4().simple().to_string()[..12].to_owned()
}
