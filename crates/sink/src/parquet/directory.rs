//! The directory that all shards of a sink write into, and what an earlier run left in it.
//!
//! What is there is listed once, when the first shard opens, before this run has made any file. Under
//! [`Existing::Replace`] what Sluicegate wrote of that list is removed once, by whichever shard is the first to publish a
//! file, before that file gets its name; the lock makes the others wait until then. So nothing of this run is ever in the
//! list, whatever partitions the earlier run had, and files of two runs never stand side by side.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::config::Existing;
use super::folder::Folder;
use super::names;
use super::part::Part;
use crate::SinkError;

#[derive(Debug)]
pub(super) struct Directory {
    folder: Arc<Folder>,
    existing: Existing,
    /// `None` until the first shard opens.
    earlier: Mutex<Option<Earlier>>,
}

/// What an earlier run left.
#[derive(Debug, Default)]
struct Earlier {
    /// Complete files that still have to be removed, as far as they are ours: that is looked up right before, since
    /// somebody may put another file in such a place meanwhile.
    complete: Vec<String>,
    /// Unfinished files that still have to be removed: a run that was killed could not do it.
    unfinished: Vec<String>,
    /// The number after the last of each tag.
    next_numbers: HashMap<String, u64>,
}

impl Directory {
    pub(super) fn new(folder: Folder, existing: Existing) -> Self {
        Self { folder: Arc::new(folder), existing, earlier: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the files are.
    pub(super) fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// The number of the first file that this run writes for a tag. Makes the directory when it is not there.
    ///
    /// # Errors
    /// When it cannot be made or read, holds files that are not to be touched, or somebody else's file has the name of the
    /// first one.
    pub(super) fn first_number(&self, tag: &str) -> Result<u64, SinkError> {
        let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = match &mut *earlier {
            Some(earlier) => earlier,
            None => {
                let found = self.look()?;
                earlier.insert(found)
            }
        };
        match self.existing {
            Existing::Append => Ok(earlier.next_numbers.get(tag).copied().unwrap_or(0)),
            Existing::Refuse => Ok(0),
            Existing::Replace => {
                // Told now, not only after hours of work.
                let first = names::complete(tag, 0);
                if earlier.complete.contains(&first) && !self.folder.is_ours(&first) {
                    return Err(SinkError::Foreign { path: self.folder.path_of(&first) });
                }
                Ok(0)
            }
        }
    }

    fn look(&self) -> Result<Earlier, SinkError> {
        self.folder.make()?;
        let mut complete = Vec::new();
        let mut earlier = Earlier::default();
        for name in self.folder.names()? {
            let name = name.as_str();
            if let Some((tag, number)) = names::parse(name) {
                let next = earlier.next_numbers.entry(tag.to_owned()).or_default();
                *next = number.saturating_add(1).max(*next);
                complete.push(name.to_owned());
            } else if names::is_unfinished(name) && self.existing == Existing::Replace {
                earlier.unfinished.push(name.to_owned());
            }
        }
        match (self.existing, complete.first()) {
            (Existing::Refuse, Some(first)) => {
                let (files, first) = (complete.len(), first.clone());
                return Err(SinkError::Occupied { directory: self.path().to_owned(), files, first });
            }
            (Existing::Replace, _) => earlier.complete = complete,
            (Existing::Refuse | Existing::Append, _) => {}
        }
        Ok(earlier)
    }

    /// Completes a file and gives it its name, and returns when that is on the disk.
    ///
    /// # Errors
    /// When the file or the directory cannot be changed, or another file has the name.
    pub(super) fn publish(&self, mut part: Part) -> Result<(), SinkError> {
        part.finish()?;
        let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        let name = part.name().to_owned();
        let Earlier { complete, unfinished: left, .. } = earlier.get_or_insert_default();
        // Looked for before anything is removed, so that a run that fails here leaves the earlier one as it was.
        if self.folder.holds(&name)? {
            let path = self.folder.path_of(&name);
            if !self.folder.is_ours(&name) {
                return Err(SinkError::Foreign { path });
            }
            if !complete.contains(&name) {
                return Err(SinkError::Taken { path });
            }
        }
        for file in left.drain(..).chain(complete.drain(..).filter(|file| self.folder.is_ours(file))) {
            self.folder.remove("remove the earlier run's", &file)?;
        }
        // Somebody may have put a file of their own in the place of the earlier run's just now.
        if self.folder.holds(&name)? {
            return Err(SinkError::Foreign { path: self.folder.path_of(&name) });
        }
        part.complete()?;
        self.folder.sync_names()
    }

    /// What the settings say about files of earlier runs.
    pub(super) fn existing(&self) -> Existing {
        self.existing
    }

    /// The complete files of a tag, whoever wrote them: numbers and names, in order.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub(super) fn complete_files(&self, tag: &str) -> Result<Vec<(u64, String)>, SinkError> {
        let number = |name: &str| names::parse(name).filter(|(of, _)| *of == tag).map(|(_, number)| number);
        let all = self.folder.names()?.into_iter();
        let mut files: Vec<(u64, String)> = all.filter_map(|name| Some((number(&name)?, name))).collect();
        files.sort();
        Ok(files)
    }

    /// Gives a complete, staged file its name. Does nothing when that was done before.
    ///
    /// # Errors
    /// When another file has the name, or the staged one is gone.
    pub(super) fn reveal(&self, staged: &str, name: &str) -> Result<(), SinkError> {
        let folder = &self.folder;
        match (folder.holds(staged)?, folder.holds(name)?) {
            (false, true) => Ok(()),
            (false, false) => {
                let (path, source) = (folder.path_of(staged), std::io::ErrorKind::NotFound.into());
                Err(SinkError::Io { doing: "publish the staged rows of", path, source })
            }
            (true, true) if folder.is_half_renamed(staged, name)? => folder.remove("remove", staged),
            (true, true) => Err(SinkError::Taken { path: folder.path_of(name) }),
            (true, false) => {
                folder.rename(staged, name)?;
                folder.sync_names()
            }
        }
    }
}
