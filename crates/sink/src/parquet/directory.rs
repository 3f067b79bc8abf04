//! The directory that all shards of a sink write into, and what an earlier run left in it.
//!
//! What is there is listed once, when the first shard opens, before this run has made any file. Under
//! [`Existing::Replace`] that list is removed once, by whichever shard is the first to publish a file, before that file
//! gets its name; the lock makes the others wait until then. So nothing of this run is ever in the list, whatever partitions
//! the earlier run had, and files of two runs never stand side by side.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::config::Existing;
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
    /// Files that still have to be removed.
    files: Vec<PathBuf>,
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
    /// When it cannot be made or read, or holds files of an earlier run that are not to be touched.
    pub(super) fn first_number(&self, tag: &str) -> Result<u64, SinkError> {
        let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = match &mut *earlier {
            Some(earlier) => earlier,
            None => {
                let found = self.look()?;
                earlier.insert(found)
            }
        };
        Ok(match self.existing {
            Existing::Append => earlier.next_numbers.get(tag).copied().unwrap_or(0),
            Existing::Replace | Existing::Refuse => 0,
        })
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
                // A run that was killed could not remove it.
                earlier.files.push(self.path.join(name));
            }
        }
        complete.sort();
        match (self.existing, complete.first()) {
            (Existing::Refuse, Some(first)) => {
                let (files, first) = (complete.len(), first.clone());
                return Err(SinkError::Occupied { directory: self.path.clone(), files, first });
            }
            (Existing::Replace, _) => earlier.files.extend(complete.iter().map(|name| self.path.join(name))),
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
        let files = earlier.as_mut().map(|earlier| &mut earlier.files);
        for file in files.into_iter().flat_map(|files| files.drain(..)) {
            match fs::remove_file(&file) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(SinkError::Io { doing: "remove the earlier run's", path: file, source });
                }
                _ => {}
            }
        }
        let path = self.path.join(name);
        if path.try_exists().map_err(|source| SinkError::Io { doing: "look for", path: path.clone(), source })? {
            return Err(SinkError::Taken { path });
        }
        fs::rename(unfinished, &path).map_err(|source| SinkError::Io { doing: "publish", path, source })?;
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
