//! Files in a local folder or an object store, with blocking calls.

use std::path::Path as FsPath;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use tokio::runtime::{Builder, Runtime};

use crate::CheckpointError;

/// Where files are. Clones share it.
#[derive(Clone)]
pub(crate) struct Place {
    store: Arc<dyn ObjectStore>,
    root: Path,
    runtime: Arc<Own>,
}

/// The runtime that drives the object store's calls. It may be dropped anywhere.
struct Own(Option<Runtime>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Place {
    /// The folder `path`, relative to `base_dir`, made when it is not there; or the object store that a URL names.
    pub(crate) fn open(path: &str, base_dir: &FsPath) -> Result<Self, CheckpointError> {
        let failed = |message: String| CheckpointError::Place { path: path.to_owned(), message };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| failed(error.to_string()))?;
        let (store, root): (Arc<dyn ObjectStore>, Path) = match url::Url::parse(path) {
            Ok(url) if url.scheme().len() > 1 => {
                // Credentials and region come from the environment, under the names that object_store gives them.
                let options = std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value));
                let aws = options.filter(|(name, _)| name.starts_with("aws_"));
                let (store, root) =
                    object_store::parse_url_opts(&url, aws).map_err(|error| failed(error.to_string()))?;
                (Arc::from(store), root)
            }
            _ => {
                let folder = base_dir.join(path);
                std::fs::create_dir_all(&folder).map_err(|error| failed(error.to_string()))?;
                let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| failed(error.to_string()))?;
                (Arc::new(store.with_fsync(true)), Path::default())
            }
        };
        Ok(Self { store, root, runtime: Arc::new(Own(Some(runtime))) })
    }

    fn at(&self, file: &str) -> Path {
        let parts = file.split('/').filter(|part| !part.is_empty());
        parts.fold(self.root.clone(), |path, part| path.join(part))
    }

    fn wait<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        self.runtime.0.as_ref().map(|runtime| runtime.block_on(call))
    }

    /// Writes a file that is not there yet; `false` when it is.
    pub(crate) fn create(&self, file: &str, bytes: Vec<u8>) -> Result<bool, CheckpointError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put = self.wait(self.store.put_opts(&self.at(file), PutPayload::from(bytes), options));
        match put {
            Some(Ok(_)) => Ok(true),
            Some(Err(Error::AlreadyExists { .. })) => Ok(false),
            Some(Err(source)) => Err(CheckpointError::Io { doing: "write", file: file.to_owned(), source }),
            None => Err(CheckpointError::Missing { file: file.to_owned() }),
        }
    }

    /// Reads a whole file.
    pub(crate) fn read(&self, file: &str) -> Result<Bytes, CheckpointError> {
        let get = self.wait(async { self.store.get(&self.at(file)).await?.bytes().await });
        match get {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(Error::NotFound { .. })) | None => Err(CheckpointError::Missing { file: file.to_owned() }),
            Some(Err(source)) => Err(CheckpointError::Io { doing: "read", file: file.to_owned(), source }),
        }
    }

    /// The names right below a folder: folders, then files, each sorted. None where there is no such folder.
    pub(crate) fn list(&self, folder: &str) -> Result<(Vec<String>, Vec<String>), CheckpointError> {
        let at = self.at(folder);
        let listed = self.wait(self.store.list_with_delimiter(Some(&at)));
        match listed {
            Some(Ok(listed)) => {
                let last = |path: &Path| path.filename().map(str::to_owned);
                let mut folders: Vec<String> = listed.common_prefixes.iter().filter_map(last).collect();
                let mut files: Vec<String> = listed.objects.iter().filter_map(|file| last(&file.location)).collect();
                folders.sort();
                files.sort();
                Ok((folders, files))
            }
            Some(Err(Error::NotFound { .. })) | None => Ok((Vec::new(), Vec::new())),
            Some(Err(source)) => Err(CheckpointError::Io { doing: "list", file: folder.to_owned(), source }),
        }
    }

    /// Removes a file; it may be gone already.
    pub(crate) fn remove(&self, file: &str) -> Result<(), CheckpointError> {
        match self.wait(self.store.delete(&self.at(file))) {
            Some(Ok(()) | Err(Error::NotFound { .. })) | None => Ok(()),
            Some(Err(source)) => Err(CheckpointError::Io { doing: "remove", file: file.to_owned(), source }),
        }
    }

    /// Removes everything below a folder, files of the name `last` at the end.
    pub(crate) fn remove_all(&self, folder: &str, first: &str) -> Result<(), CheckpointError> {
        self.remove(&format!("{folder}/{first}"))?;
        let at = self.at(folder);
        let all = self.wait(async { self.store.list(Some(&at)).collect::<Vec<_>>().await }).unwrap_or_default();
        for file in all {
            let file = file.map_err(|source| CheckpointError::Io { doing: "list", file: folder.to_owned(), source })?;
            let gone = self.wait(self.store.delete(&file.location));
            if let Some(Err(source)) = gone
                && !matches!(source, Error::NotFound { .. })
            {
                return Err(CheckpointError::Io { doing: "remove", file: file.location.to_string(), source });
            }
        }
        Ok(())
    }
}
