//! The folder of a local file system, or the prefix of a bucket.

use std::fmt;
use std::path::Path as FsPath;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::{Path, PathPart};
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions,
    PutPayload,
};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{Address, ObjectFile, PlaceError, Upload, s3};

/// Times that a file is written to a store that does not answer. Each takes as long as the store's client is patient: it tries again
/// by itself what it knows not to have arrived.
const CREATE_TRIES_MAX: usize = 3;

/// Where files are. Clones share it. All calls block.
#[derive(Clone)]
pub struct Place {
    store: Arc<dyn ObjectStore>,
    root: Path,
    /// The folder or URL, as it is shown.
    shown: Arc<str>,
    runtime: Arc<Own>,
}

/// A file that a listing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name below the place, with `/` between folders.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// What changes when the file does, where the store has such a thing.
    pub tag: Option<String>,
}

/// The runtime that drives the store's calls. It may be dropped anywhere.
struct Own(Option<Runtime>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", self.shown)
    }
}

impl Place {
    /// The folder `path`, relative to `base_dir`, made when it is not there; or the bucket and prefix that a URL names, of which
    /// nothing is asked yet.
    ///
    /// # Errors
    /// When the URL is none of those in [`Address::parse`], or the folder cannot be made.
    pub fn open(path: &str, base_dir: &FsPath) -> Result<Self, PlaceError> {
        Self::at(&Address::parse(path, base_dir)?)
    }

    /// The same for an address.
    ///
    /// # Errors
    /// When the folder cannot be made, or the environment says something of the store that cannot be.
    pub fn at(address: &Address) -> Result<Self, PlaceError> {
        match address {
            Address::Local(folder) => {
                let shown = folder.display().to_string();
                let failed = |message: String| PlaceError::Unusable { path: shown.clone(), message };
                std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
                let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(error.to_string()))?;
                // As in a store, a folder is gone with its last file; else each removed checkpoint would leave one for good.
                let store = store.with_fsync(true).with_automatic_cleanup(true);
                Self::of(Arc::new(store), Path::default(), shown)
            }
            Address::S3 { bucket, key } => {
                let shown = if key.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{key}") };
                let failed = |message: String| PlaceError::Unusable { path: shown.clone(), message };
                let store = s3::store(bucket, std::env::vars()).map_err(failed)?;
                let root = Path::parse(key).map_err(|error| failed(error.to_string()))?;
                Self::of(Arc::new(store), root, shown)
            }
        }
    }

    /// Files in a store that is made already.
    pub(crate) fn of(store: Arc<dyn ObjectStore>, root: Path, shown: String) -> Result<Self, PlaceError> {
        let failed = |error: std::io::Error| PlaceError::Unusable { path: shown.clone(), message: error.to_string() };
        // One thread beside the callers keeps connections alive that nobody uses at the moment.
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("place").enable_all().build();
        let runtime = Arc::new(Own(Some(runtime.map_err(failed)?)));
        Ok(Self { store, root, shown: shown.into(), runtime })
    }

    /// A file as it is shown: with the folder or URL that it is in.
    pub fn shown(&self, file: &str) -> String {
        if file.is_empty() { self.shown.to_string() } else { format!("{}/{file}", self.shown) }
    }

    pub(crate) fn path(&self, file: &str) -> Path {
        let parts = file.split('/').filter(|part| !part.is_empty());
        // A name stands for itself; one that no store takes is escaped.
        parts.fold(self.root.clone(), |path, part| path.join(PathPart::parse(part).unwrap_or_else(|_| part.into())))
    }

    pub(crate) fn store(&self) -> &dyn ObjectStore {
        self.store.as_ref()
    }

    /// Waits for a call, also where a runtime of somebody else's is at work in this thread.
    pub(crate) fn wait<T: Send>(
        &self,
        doing: &'static str,
        file: &str,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, PlaceError> {
        let over = || PlaceError::Unusable { path: self.shown(file), message: "the process is ending".to_owned() };
        let runtime = self.runtime.0.as_ref().ok_or_else(over)?;
        let result = if Handle::try_current().is_ok() {
            let waited = std::thread::scope(|scope| scope.spawn(|| runtime.block_on(call)).join());
            waited.map_err(|_| over())?
        } else {
            runtime.block_on(call)
        };
        result.map_err(|error| PlaceError::io(doing, self.shown(file), error))
    }

    /// Writes a file that is not there yet; `false` when it is, with other bytes.
    ///
    /// A store may have done what it was asked though its answer was lost. So a file that holds these very bytes counts as
    /// written now. Where only one of several writers may have written it, the bytes have to say which.
    ///
    /// # Errors
    /// When it cannot be written. It may be there all the same where a store did not answer.
    pub fn create(&self, file: &str, bytes: Vec<u8>) -> Result<bool, PlaceError> {
        let bytes = Bytes::from(bytes);
        for tries_left in (0..CREATE_TRIES_MAX).rev() {
            let unanswered = match self.create_once(file, bytes.clone()) {
                Ok(true) => return Ok(true),
                Ok(false) => None,
                Err(error) if error.is_unanswered() => Some(error),
                Err(error) => return Err(error),
            };
            match (self.read(file), unanswered) {
                (Ok(found), _) => return Ok(found == bytes),
                (Err(PlaceError::Missing { .. }), Some(error)) if tries_left == 0 => return Err(error),
                (Err(PlaceError::Missing { .. }), Some(_)) => {}
                (Err(PlaceError::Missing { .. }), None) => break,
                (Err(error), _) => return Err(error),
            }
        }
        // Somebody else wrote it and has removed it since.
        Ok(false)
    }

    fn create_once(&self, file: &str, bytes: Bytes) -> Result<bool, PlaceError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let path = self.path(file);
        let put = async {
            match self.store.put_opts(&path, PutPayload::from(bytes), options).await {
                Ok(_) => Ok(true),
                Err(Error::AlreadyExists { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.wait("write", file, put)
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// [`PlaceError::Missing`] when it is not there.
    pub fn read(&self, file: &str) -> Result<Bytes, PlaceError> {
        self.wait("read", file, async { self.store.get(&self.path(file)).await?.bytes().await })
    }

    /// What is known of a file; `None` when it is not there.
    ///
    /// # Errors
    /// When the place cannot be asked.
    pub fn look(&self, file: &str) -> Result<Option<Found>, PlaceError> {
        match self.wait("look for", file, self.store.head(&self.path(file))) {
            Ok(meta) => Ok(Some(self.found(meta))),
            Err(PlaceError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A file, to be read by ranges. It must be as it was when it was found.
    pub fn object(&self, found: &Found) -> ObjectFile {
        ObjectFile::new(self.clone(), found.clone())
    }

    pub(crate) fn read_range(&self, found: &Found, range: std::ops::Range<u64>) -> Result<Bytes, PlaceError> {
        let options = GetOptions { if_match: found.tag.clone(), range: Some(range.into()), ..GetOptions::default() };
        let path = self.path(&found.name);
        self.wait("read", &found.name, async { self.store.get_opts(&path, options).await?.bytes().await })
    }

    /// A file that is written piece by piece. It is there once [`Upload::finish`] returns, in place of any that was.
    pub fn upload(&self, file: &str) -> Upload {
        Upload::new(self.clone(), file.to_owned())
    }

    /// Gives a file another name that no file has yet; `false` when one has. It must be at most 5 GiB large.
    ///
    /// # Errors
    /// [`PlaceError::Missing`] when it is not there.
    pub fn move_new(&self, from: &str, to: &str) -> Result<bool, PlaceError> {
        let options = CopyOptions::new().with_mode(CopyMode::Create);
        let (from_path, to_path) = (self.path(from), self.path(to));
        let copied = self.wait("write", to, async {
            match self.store.copy_opts(&from_path, &to_path, options).await {
                Ok(()) => Ok(true),
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        })?;
        if copied {
            self.remove(from)?;
        }
        Ok(copied)
    }

    /// The names right below a folder: folders, then files, each sorted. None where there is no such folder.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub fn list(&self, folder: &str) -> Result<(Vec<String>, Vec<String>), PlaceError> {
        let at = self.path(folder);
        let listed = self.wait("list", folder, self.store.list_with_delimiter(Some(&at)));
        let listed = match listed {
            Err(PlaceError::Missing { .. }) => return Ok((Vec::new(), Vec::new())),
            listed => listed?,
        };
        let last = |path: &Path| path.filename().map(str::to_owned);
        let mut folders: Vec<String> = listed.common_prefixes.iter().filter_map(last).collect();
        let mut files: Vec<String> = listed.objects.iter().filter_map(|file| last(&file.location)).collect();
        folders.sort();
        files.sort();
        Ok((folders, files))
    }

    /// All files below the place, however deep, by name.
    ///
    /// # Errors
    /// When they cannot be listed; [`PlaceError::Missing`] where there is no such bucket.
    pub fn find(&self) -> Result<Vec<Found>, PlaceError> {
        let listed = async {
            let mut all = Vec::new();
            let mut stream = self.store.list(Some(&self.root));
            while let Some(meta) = stream.next().await {
                all.push(meta?);
            }
            Ok(all)
        };
        let mut found: Vec<Found> = self.wait("list", "", listed)?.into_iter().map(|meta| self.found(meta)).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn found(&self, meta: ObjectMeta) -> Found {
        let whole = meta.location.as_ref();
        let below = whole.strip_prefix(self.root.as_ref()).unwrap_or(whole).trim_start_matches('/');
        Found { name: below.to_owned(), size: meta.size, tag: meta.e_tag }
    }

    /// Removes a file; it may be gone already.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, file: &str) -> Result<(), PlaceError> {
        match self.wait("remove", file, self.store.delete(&self.path(file))) {
            Err(PlaceError::Missing { .. }) => Ok(()),
            removed => removed,
        }
    }

    /// Removes everything below a folder, the file `first` in it before all others.
    ///
    /// # Errors
    /// When something cannot be listed or removed.
    pub fn remove_all(&self, folder: &str, first: &str) -> Result<(), PlaceError> {
        self.remove(&format!("{folder}/{first}"))?;
        let at = self.path(folder);
        let remove = async {
            let all: Vec<_> = self.store.list(Some(&at)).collect().await;
            for file in all {
                match self.store.delete(&file?.location).await {
                    Ok(()) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        match self.wait("remove", folder, remove) {
            Err(PlaceError::Missing { .. }) => Ok(()),
            removed => removed,
        }
    }
}
