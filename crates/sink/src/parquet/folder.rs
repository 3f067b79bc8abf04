//! Where files are: a local folder, or a prefix of an object store. Everything goes by names below it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sluicegate_place::{Address, Place, PlaceError, Upload};

use super::mark;
use crate::SinkError;

/// A local folder, or a prefix of an object store.
#[derive(Debug)]
pub(super) enum Folder {
    Local(PathBuf),
    Remote {
        /// As it is shown.
        url: PathBuf,
        place: Place,
    },
}

impl Folder {
    /// The folder at an address. Makes and asks nothing yet.
    ///
    /// # Errors
    /// When the environment says something of the store that cannot be.
    pub(super) fn at(address: Address) -> Result<Self, PlaceError> {
        Ok(match address {
            Address::Local(path) => Self::Local(path),
            address => {
                let place = Place::at(&address)?;
                Self::Remote { url: place.shown("").into(), place }
            }
        })
    }

    /// The folder as it is shown.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Local(path) | Self::Remote { url: path, .. } => path,
        }
    }

    /// A file in it, as it is shown.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        match self {
            Self::Local(path) => path.join(name),
            Self::Remote { place, .. } => place.shown(name).into(),
        }
    }

    /// Whether a file in the making can be seen under its name, so that it has to be hidden.
    pub(super) fn shows_unfinished(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> SinkError {
        SinkError::Io { doing, path: self.path().to_owned(), source }
    }

    /// Makes the folder when it is not there. A store has none.
    pub(super) fn make(&self) -> Result<(), SinkError> {
        match self {
            Self::Local(path) => fs::create_dir_all(path).map_err(|error| self.failed("make the directory", error)),
            Self::Remote { .. } => Ok(()),
        }
    }

    /// The names of all files in it that are Unicode, sorted.
    pub(super) fn names(&self) -> Result<Vec<String>, SinkError> {
        let failed = |error| self.failed("list the directory", error);
        match self {
            Self::Local(path) => {
                let mut names = Vec::new();
                for entry in fs::read_dir(path).map_err(failed)? {
                    names.extend(entry.map_err(failed)?.file_name().into_string().ok());
                }
                names.sort();
                Ok(names)
            }
            Self::Remote { place, .. } => Ok(place.list("")?.1),
        }
    }

    /// Whether anything has this name, be it a link that leads nowhere.
    pub(super) fn holds(&self, name: &str) -> Result<bool, SinkError> {
        let path = match self {
            Self::Local(path) => path.join(name),
            Self::Remote { place, .. } => return Ok(place.look(name)?.is_some()),
        };
        match fs::symlink_metadata(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(SinkError::Io { doing: "look for", path, source }),
        }
    }

    /// Whether a Parquet sink of some pipeline wrote this file. What cannot be read is somebody else's.
    pub(super) fn is_ours(&self, name: &str) -> bool {
        match self {
            Self::Local(path) => mark::is_ours(&path.join(name)),
            Self::Remote { place, .. } => place
                .look(name)
                .is_ok_and(|found| found.is_some_and(|found| mark::is_ours_in_store(&place.object(&found)))),
        }
    }

    /// Begins a file of this name; in a local folder it must not be there yet.
    pub(super) fn create(&self, name: &str) -> Result<Output, SinkError> {
        match self {
            Self::Local(path) => {
                let file = File::create_new(path.join(name)).map_err(|error| self.failed("write into", error))?;
                Ok(Output::File(file, path.join(name)))
            }
            Self::Remote { place, .. } => Ok(Output::Upload(place.upload(name))),
        }
    }

    /// Reads a file.
    pub(super) fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, SinkError> {
        match self {
            Self::Local(path) => {
                let path = path.join(name);
                let file = File::open(&path).map_err(|source| SinkError::Io { doing: "read", path, source })?;
                Ok(Box::new(file))
            }
            Self::Remote { place, .. } => {
                let found = place.look(name)?.ok_or_else(|| PlaceError::Missing { file: place.shown(name) })?;
                Ok(Box::new(place.object(&found).reader(0)))
            }
        }
    }

    /// Removes a file; it may be gone already.
    pub(super) fn remove(&self, doing: &'static str, name: &str) -> Result<(), SinkError> {
        let path = match self {
            Self::Local(path) => path.join(name),
            Self::Remote { place, .. } => return Ok(place.remove(name)?),
        };
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(SinkError::Io { doing, path, source }),
            _ => Ok(()),
        }
    }

    /// Gives a file a name that no other file has.
    ///
    /// # Errors
    /// [`SinkError::Taken`] when one has. A local folder is to be asked for that before.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), SinkError> {
        match self {
            Self::Local(folder) => {
                let path = folder.join(to);
                fs::rename(folder.join(from), &path).map_err(|source| SinkError::Io { doing: "publish", path, source })
            }
            Self::Remote { place, .. } => {
                if place.move_new(from, to)? {
                    Ok(())
                } else {
                    Err(SinkError::Taken { path: self.path_of(to) })
                }
            }
        }
    }

    /// Whether two files of a store have as many bytes: then an earlier process gave one the other's name and was killed before it
    /// could remove it. In a local folder that cannot be.
    pub(super) fn is_half_renamed(&self, from: &str, to: &str) -> Result<bool, SinkError> {
        match self {
            Self::Local(_) => Ok(false),
            Self::Remote { place, .. } => {
                let size = |name: &str| Ok::<_, PlaceError>(place.look(name)?.map(|found| found.size));
                Ok(size(from)? == size(to)? && self.is_ours(to))
            }
        }
    }

    /// Waits until all names are on the disk. Windows has no such call, and needs none.
    pub(super) fn sync_names(&self) -> Result<(), SinkError> {
        match self {
            Self::Local(path) if cfg!(unix) => {
                let synced = File::open(path).and_then(|folder| folder.sync_all());
                synced.map_err(|error| self.failed("sync the directory", error))
            }
            _ => Ok(()),
        }
    }
}

/// A file in the making. In a store nobody sees it before it is complete, and dropping it leaves nothing.
pub(super) enum Output {
    File(File, PathBuf),
    Upload(Upload),
}

impl Output {
    /// Waits until what was written is on the disk.
    pub(super) fn sync(&self) -> Result<(), SinkError> {
        match self {
            Self::File(file, path) => {
                file.sync_all().map_err(|source| SinkError::Io { doing: "write", path: path.clone(), source })
            }
            Self::Upload(_) => Ok(()),
        }
    }

    /// Completes the file under the name that it was begun with.
    pub(super) fn complete(self) -> Result<(), SinkError> {
        self.sync()?;
        match self {
            Self::File(..) => Ok(()),
            Self::Upload(upload) => Ok(upload.finish()?),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file, _) => file.write(bytes),
            Self::Upload(upload) => upload.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.flush(),
            Self::Upload(upload) => upload.flush(),
        }
    }
}
