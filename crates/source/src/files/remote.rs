//! Which files of an object store are meant.

use glob::Pattern;
use sluicegate_place::{Address, Place};

use super::InputFile;
use super::find::{Kind, MATCH, special};
use crate::SourceError;

/// The files that a key of a bucket stands for: a file, a folder, or a pattern.
///
/// # Errors
/// When there is none, or the store cannot be asked.
pub(super) fn find(bucket: &str, key: &str, kind: Kind) -> Result<Vec<InputFile>, SourceError> {
    let place = |key: &str| Place::at(&Address::S3 { bucket: bucket.to_owned(), key: key.to_owned() });
    match special(key) {
        Some(first) => {
            let folder = key[..first].rfind('/').unwrap_or(0);
            matching(&place(&key[..folder])?, key[folder..].trim_start_matches('/'))
        }
        None => {
            let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
            let parent = place(folder)?;
            if let Some(found) = parent.look(name)?.filter(|_| !name.is_empty()) {
                return Ok(vec![InputFile::remote(parent, found)]);
            }
            in_folder(&place(key)?, kind)
        }
    }
}

fn matching(place: &Place, pattern: &str) -> Result<Vec<InputFile>, SourceError> {
    let matcher = Pattern::new(pattern)
        .map_err(|error| SourceError::BadPattern { pattern: place.shown(pattern), message: error.msg.to_owned() })?;
    let found = place.find()?.into_iter().filter(|found| matcher.matches_with(&found.name, MATCH));
    let files: Vec<InputFile> = found.map(|found| InputFile::remote(place.clone(), found)).collect();
    if files.is_empty() {
        return Err(SourceError::NoMatch { pattern: place.shown(pattern) });
    }
    Ok(files)
}

fn in_folder(place: &Place, kind: Kind) -> Result<Vec<InputFile>, SourceError> {
    let all = place.find()?;
    if all.is_empty() {
        return Err(SourceError::NotFound { path: place.shown("").into() });
    }
    let meant = all.into_iter().filter(|found| !found.name.contains('/') && kind.is_meant(&found.name));
    let files: Vec<InputFile> = meant.map(|found| InputFile::remote(place.clone(), found)).collect();
    if files.is_empty() {
        return Err(SourceError::EmptyDirectory { path: place.shown("").into(), wanted: kind.wanted() });
    }
    Ok(files)
}
