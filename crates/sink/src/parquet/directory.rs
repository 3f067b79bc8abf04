//! The directory that all shards of a sink write into, and what an earlier run left in it.
//!
//! What is there is listed once, when the first shard opens, before this run has made any file. Under
//! [`Existing::Replace`] what Sluicegate wrote of that list is removed once, by whichever shard is the first to publish a
//! file, before that file gets its name; the lock makes the others wait until then. So nothing of this run is ever in the
//! list, whatever partitions the earlier run had, and files of two runs never stand side by side.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::config::Existing;
use super::mark;
use super::names;
use crate::SinkError;

#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    existing: Existing,
    /// `None` until the first shard opens.
    earlier: Mutex<Option<Earlier>>,
}

/// What an earlier run left.
#[derive(Debug, Default)]
struct Earlier {
    /// Complete files that still have to be removed, as far as they are ours: that is looked up right before, since
    /// somebody may put another file in such a place meanwhile.
    complete: Vec<PathBuf>,
    /// Unfinished files that still have to be removed: a run that was killed could not do it.
    unfinished: Vec<PathBuf>,
    /// The number after the last of each tag.
    next_numbers: HashMap<String, u64>,
}

impl Directory {
    pub(super) fn new(path: PathBuf, existing: Existing) -> Self {
        Self { path, existing, earlier: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
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
                let first = self.path.join(names::complete(tag, 0));
                if earlier.complete.contains(&first) && !mark::is_ours(&first) {
                    return Err(SinkError::Foreign { path: first });
                }
                Ok(0)
            }
        }
    }

    fn look(&self) -> Result<Earlier, SinkError> {
        fs::create_dir_all(&self.path).map_err(|error| self.failed("make the directory", error))?;
        let failed = |error| self.failed("list the directory", error);
        let mut complete = Vec::new();
        let mut earlier = Earlier::default();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some((tag, number)) = names::parse(name) {
                let next = earlier.next_numbers.entry(tag.to_owned()).or_default();
                *next = number.saturating_add(1).max(*next);
                complete.push(name.to_owned());
            } else if names::is_unfinished(name) && self.existing == Existing::Replace {
                earlier.unfinished.push(self.path.join(name));
            }
        }
        complete.sort();
        match (self.existing, complete.first()) {
            (Existing::Refuse, Some(first)) => {
                let (files, first) = (complete.len(), first.clone());
                return Err(SinkError::Occupied { directory: self.path.clone(), files, first });
            }
            (Existing::Replace, _) => earlier.complete.extend(complete.iter().map(|name| self.path.join(name))),
            (Existing::Refuse | Existing::Append, _) => {}
        }
        Ok(earlier)
    }

    /// Gives a complete file its name, and returns when that is on the disk.
    ///
    /// # Errors
    /// When the file or the directory cannot be changed, or another file has the name.
    pub(super) fn publish(&self, unfinished: &Path, name: &str) -> Result<(), SinkError> {
        let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.join(name);
        let Earlier { complete, unfinished: left, .. } = earlier.get_or_insert_default();
        // Looked for before anything is removed, so that a run that fails here leaves the earlier one as it was.
        if is_there(&path)? {
            if !mark::is_ours(&path) {
                return Err(SinkError::Foreign { path });
            }
            if !complete.contains(&path) {
                return Err(SinkError::Taken { path });
            }
        }
        for file in left.drain(..).chain(complete.drain(..).filter(|file| mark::is_ours(file))) {
            match fs::remove_file(&file) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(SinkError::Io { doing: "remove the earlier run's", path: file, source });
                }
                _ => {}
            }
        }
        // Somebody may have put a file of their own in the place of the earlier run's just now.
        if is_there(&path)? {
            return Err(SinkError::Foreign { path });
        }
        fs::rename(unfinished, &path).map_err(|source| SinkError::Io { doing: "publish", path, source })?;
        self.sync_names()
    }

    /// What the settings say about files of earlier runs.
    pub(super) fn existing(&self) -> Existing {
        self.existing
    }

    /// Makes the directory when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn make(&self) -> Result<(), SinkError> {
        fs::create_dir_all(&self.path).map_err(|error| self.failed("make the directory", error))
    }

    /// Everything in the directory.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub(super) fn entries(&self) -> Result<Vec<PathBuf>, SinkError> {
        let failed = |error| self.failed("list the directory", error);
        let entries = fs::read_dir(&self.path).map_err(failed)?;
        entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
    }

    /// The complete files of a tag with their numbers, in order, whoever wrote them.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub(super) fn complete_files(&self, tag: &str) -> Result<Vec<(u64, PathBuf)>, SinkError> {
        let number = |path: &Path| {
            let name = path.file_name()?.to_str()?;
            names::parse(name).filter(|(of, _)| *of == tag).map(|(_, number)| number)
        };
        let entries = self.entries()?.into_iter();
        let mut files: Vec<(u64, PathBuf)> = entries.filter_map(|path| Some((number(&path)?, path))).collect();
        files.sort();
        Ok(files)
    }

    /// Gives a complete, staged file its name. Does nothing when that was done before.
    ///
    /// # Errors
    /// When another file has the name, or the staged one is gone.
    pub(super) fn reveal(&self, staged: &Path, name: &str) -> Result<(), SinkError> {
        let path = self.path.join(name);
        if !is_there(staged)? {
            if is_there(&path)? {
                return Ok(());
            }
            let source = io::Error::from(io::ErrorKind::NotFound);
            return Err(SinkError::Io { doing: "publish the staged rows of", path: staged.to_owned(), source });
        }
        if is_there(&path)? {
            return Err(SinkError::Taken { path });
        }
        fs::rename(staged, &path).map_err(|source| SinkError::Io { doing: "publish", path, source })?;
        self.sync_names()
    }

    /// Waits until all names in the directory are on the disk.
    ///
    /// # Errors
    /// When the directory cannot be synchronised.
    pub(super) fn sync_names(&self) -> Result<(), SinkError> {
        self.sync().map_err(|error| self.failed("sync the directory", error))
    }

    /// A name is on the disk when its directory is. Windows has no such call, and needs none.
    fn sync(&self) -> io::Result<()> {
        if cfg!(unix) { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> SinkError {
        SinkError::Io { doing, path: self.path.clone(), source }
    }
}

/// Whether anything has this name, be it a link that leads nowhere.
fn is_there(path: &Path) -> Result<bool, SinkError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(SinkError::Io { doing: "look for", path: path.to_owned(), source }),
    }
}
