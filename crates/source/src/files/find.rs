//! Which files the setting `path` means.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use sluicegate_place::{Address, is_url};

use super::{InputFile, remote};
use crate::SourceError;

/// Which files of a directory are meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// How their names end, without the dot, the first one being the usual. None of them means any file.
    pub(crate) endings: &'static [&'static str],
    /// Whether a name may go on with the ending of a compressed file.
    pub(crate) compressed: bool,
}

/// How names of compressed files end.
pub(super) const COMPRESSED: [&str; 2] = ["gz", "zst"];

impl Kind {
    /// Whether a file of this name is meant where its directory is named.
    pub(super) fn is_meant(self, name: &str) -> bool {
        let plain = COMPRESSED.iter().filter(|_| self.compressed);
        let name = plain.fold(name, |name, ending| strip_ending(name, ending).unwrap_or(name));
        let fits = self.endings.is_empty() || self.endings.iter().any(|ending| strip_ending(name, ending).is_some());
        !name.starts_with(['.', '_']) && fits
    }

    /// What a directory without any is said to lack.
    pub(super) fn wanted(self) -> String {
        if self.endings.is_empty() {
            return "readable".to_owned();
        }
        self.endings.iter().map(|ending| format!("*.{ending}")).collect::<Vec<_>>().join(" or ")
    }
}

/// A name without its ending; `None` where it has another one, or nothing else.
pub(super) fn strip_ending<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    name.strip_suffix(ending)?.strip_suffix('.').filter(|stem| !stem.is_empty())
}

/// The files that `entries` stand for, in the order in which they are read. No file comes twice.
///
/// # Errors
/// When an entry leads to no file, or two lead to the same.
pub(crate) fn find(entries: &[String], base_dir: &Path, kind: Kind) -> Result<Vec<InputFile>, SourceError> {
    let mut files = Vec::new();
    for entry in entries {
        match Address::parse(entry, base_dir)? {
            Address::S3 { bucket, key } => files.extend(remote::find(&bucket, &key, kind)?),
            // A `file://` URL is an absolute path.
            Address::Local(path) if is_url(entry) => {
                let entry = path.to_str().ok_or_else(|| SourceError::Name { path: path.clone() })?;
                files.extend(local(entry, base_dir, kind)?.into_iter().map(InputFile::local));
            }
            Address::Local(_) => files.extend(local(entry, base_dir, kind)?.into_iter().map(InputFile::local)),
        }
    }
    let mut seen = HashSet::new();
    for file in &files {
        let path = file.path.clone();
        let real = if file.is_local() {
            path.canonicalize().map_err(|source| SourceError::Io { path: path.clone(), source })?
        } else {
            path.clone()
        };
        if !seen.insert(real) {
            return Err(SourceError::NamedTwice { path });
        }
    }
    Ok(files)
}

/// The local files that an entry stands for.
fn local(entry: &str, base_dir: &Path, kind: Kind) -> Result<Vec<PathBuf>, SourceError> {
    let path = base_dir.join(entry);
    match path.metadata() {
        Ok(found) if found.is_dir() => in_directory(&path, kind),
        Ok(_) => Ok(vec![path]),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if special(entry).is_none() {
                return Err(SourceError::NotFound { path });
            }
            matching(entry, base_dir)
        }
        Err(source) => Err(SourceError::Io { path, source }),
    }
}

/// Where the first character stands that makes an entry a pattern.
pub(super) fn special(entry: &str) -> Option<usize> {
    entry.find(['*', '?', '['])
}

fn in_directory(directory: &Path, kind: Kind) -> Result<Vec<PathBuf>, SourceError> {
    let failed = |source| SourceError::Io { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in directory.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // A name that is no Unicode cannot name a partition, but its file is still read.
        let meant = path.file_name().is_some_and(|name| kind.is_meant(&name.to_string_lossy()));
        if meant && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(SourceError::EmptyDirectory { path: directory.to_owned(), wanted: kind.wanted() });
    }
    files.sort();
    Ok(files)
}

/// How patterns are meant.
pub(super) const MATCH: glob::MatchOptions =
    glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

fn matching(entry: &str, base_dir: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let pattern = if Path::new(entry).is_absolute() {
        entry.to_owned()
    } else {
        let base = base_dir.to_str().ok_or_else(|| SourceError::Name { path: base_dir.to_owned() })?;
        match base {
            "" => entry.to_owned(),
            base => format!("{}{}{entry}", glob::Pattern::escape(base), std::path::MAIN_SEPARATOR),
        }
    };
    let found = glob::glob_with(&pattern, MATCH)
        .map_err(|error| SourceError::BadPattern { pattern: entry.to_owned(), message: error.msg.to_owned() })?;
    let mut files = Vec::new();
    for path in found {
        let path = path.map_err(|error| SourceError::Io { path: error.path().to_owned(), source: error.into() })?;
        if path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(SourceError::NoMatch { pattern: base_dir.join(entry).display().to_string() });
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARQUET: Kind = Kind { endings: &["parquet"], compressed: false };

    #[test]
    fn a_base_folder_with_special_characters_is_taken_literally() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("a[1]*");
        std::fs::create_dir(&base).unwrap();
        std::fs::write(base.join("x[2].parquet"), "").unwrap();
        assert_eq!(find(&["*.parquet".into()], &base, PARQUET).unwrap().len(), 1);
        let found = find(&["x[2].parquet".into()], &base, PARQUET).unwrap();
        assert_eq!(found[0].path, base.join("x[2].parquet"));
    }

    #[test]
    fn a_file_url_is_an_absolute_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a b.parquet"), "").unwrap();
        let url = format!("file://{}/a%20?.parquet", dir.path().display());
        let found = find(&[url], Path::new("elsewhere"), PARQUET).unwrap();
        assert_eq!(found[0].path, dir.path().join("a b.parquet"));
    }

    #[test]
    fn compressed_files_of_a_directory_are_meant_where_they_can_be_read() {
        let text = Kind { endings: &["jsonl", "ndjson"], compressed: true };
        assert!(["a.jsonl", "a.ndjson.gz", "a.b.jsonl.zst"].iter().all(|name| text.is_meant(name)));
        assert!([".a.jsonl", "_a.jsonl", "a.json", "a.gz", ".jsonl", "jsonl"].iter().all(|name| !text.is_meant(name)));
        assert!(!PARQUET.is_meant("a.parquet.gz"));
    }
}
