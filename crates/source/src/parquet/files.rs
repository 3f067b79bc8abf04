//! Which files the setting `path` means, and what partitions are called after them.

use std::collections::{BTreeMap, HashSet};
use std::path::{Component, Path, PathBuf};

use crate::SourceError;

/// The files that `entries` stand for, in the order in which they are read. No file comes twice.
///
/// # Errors
/// When an entry leads to no file, or two lead to the same.
pub(super) fn find(entries: &[String], base_dir: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut files = Vec::new();
    for entry in entries {
        let path = base_dir.join(entry);
        match path.metadata() {
            Ok(found) if found.is_dir() => files.extend(in_directory(&path)?),
            Ok(_) => files.push(path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if special(entry).is_none() {
                    return Err(SourceError::NotFound { path });
                }
                files.extend(matching(entry, base_dir)?);
            }
            Err(source) => return Err(SourceError::Io { path, source }),
        }
    }
    let mut seen = HashSet::new();
    for file in &files {
        let real = file.canonicalize().map_err(|source| SourceError::Io { path: file.clone(), source })?;
        if !seen.insert(real) {
            return Err(SourceError::NamedTwice { path: file.clone() });
        }
    }
    Ok(files)
}

/// Where the first character stands that makes an entry a pattern.
fn special(entry: &str) -> Option<usize> {
    entry.find(['*', '?', '['])
}

fn in_directory(directory: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let failed = |source| SourceError::Io { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in directory.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let skipped = path.file_name().is_some_and(|name| matches!(name.as_encoded_bytes().first(), Some(b'.' | b'_')));
        if !skipped && path.extension().is_some_and(|extension| extension == "parquet") && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(SourceError::EmptyDirectory { path: directory.to_owned() });
    }
    files.sort();
    Ok(files)
}

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
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let found = glob::glob_with(&pattern, options)
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

/// What the one partition of all files is called after: the first entry of `path`. `None` where that gives no name.
pub(super) fn name_of_all(entry: &str, base_dir: &Path) -> Option<String> {
    let path = base_dir.join(entry);
    if path.exists() {
        let name = if path.is_dir() { Path::new(entry).file_name() } else { Path::new(entry).file_stem() };
        return name?.to_str().map(str::to_owned);
    }
    let fixed = &entry[..special(entry)?];
    let folder = &fixed[..fixed.rfind(['/', std::path::MAIN_SEPARATOR])?];
    Path::new(folder).file_name()?.to_str().map(str::to_owned)
}

/// What the partition of each file is called: its stem, with as many of its folders in front as tell it from the others.
///
/// # Errors
/// When a name is not Unicode.
pub(super) fn names_per_file(files: &[PathBuf]) -> Result<Vec<String>, SourceError> {
    let mut parts = Vec::with_capacity(files.len());
    for file in files {
        let name = || SourceError::Name { path: file.clone() };
        let stem = file.file_stem().and_then(|stem| stem.to_str()).ok_or_else(name)?;
        let mut folders = Vec::new();
        for component in file.parent().into_iter().flat_map(Path::components) {
            match component {
                Component::CurDir => {}
                component => folders.push(component.as_os_str().to_str().ok_or_else(name)?),
            }
        }
        folders.push(stem);
        parts.push(folders);
    }
    let with_folders = |file: usize, folders: usize| {
        let parts = &parts[file];
        parts[parts.len().saturating_sub(folders + 1)..].join("/")
    };
    let mut names: Vec<String> = (0..files.len()).map(|file| with_folders(file, 0)).collect();
    let deepest = parts.iter().map(Vec::len).max().unwrap_or(0);
    for folders in 1..=deepest {
        for file in not_unique(&names) {
            names[file] = with_folders(file, folders);
        }
    }
    // Only the extensions are left to differ: `a.parquet` beside `a.parq`.
    for file in not_unique(&names) {
        if let Some(extension) = files[file].extension().and_then(|extension| extension.to_str()) {
            names[file] = format!("{}.{extension}", names[file]);
        }
    }
    Ok(names)
}

/// The places of all names that come more than once.
fn not_unique(names: &[String]) -> Vec<usize> {
    let mut alike: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, name) in names.iter().enumerate() {
        alike.entry(name).or_default().push(place);
    }
    alike.into_values().filter(|places| places.len() > 1).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[&str]) -> Vec<String> {
        names_per_file(&files.iter().map(PathBuf::from).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn files_are_called_by_their_stems_and_by_folders_where_stems_are_alike() {
        assert_eq!(names(&["d/a.parquet", "d/b.x.parquet"]), ["a", "b.x"]);
        assert_eq!(names(&["d/2023/a.parquet", "d/2024/a.parquet", "b.parquet"]), ["2023/a", "2024/a", "b"]);
        assert_eq!(names(&["x/y/a.parquet", "z/y/a.parquet", "w/a.parquet"]), ["x/y/a", "z/y/a", "w/a"]);
        assert_eq!(names(&["d/a.parquet", "d/a.parq"]), ["d/a.parquet", "d/a.parq"]);
    }

    #[test]
    fn one_partition_is_called_after_the_first_entry() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("power.d")).unwrap();
        std::fs::write(dir.path().join("etth1.v2.parquet"), "").unwrap();
        let cases = [
            ("etth1.v2.parquet", Some("etth1.v2")),
            ("power.d", Some("power.d")),
            ("power.d/", Some("power.d")),
            ("power.d/*.parquet", Some("power.d")),
            ("power.d/2024-*/x.parquet", Some("power.d")),
            ("*.parquet", None),
            (".", None),
        ];
        for (entry, name) in cases {
            assert_eq!(name_of_all(entry, dir.path()).as_deref(), name, "{entry}");
        }
    }

    #[test]
    fn a_base_folder_with_special_characters_is_taken_literally() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("a[1]*");
        std::fs::create_dir(&base).unwrap();
        std::fs::write(base.join("x[2].parquet"), "").unwrap();
        assert_eq!(find(&["*.parquet".into()], &base).unwrap().len(), 1);
        assert_eq!(find(&["x[2].parquet".into()], &base).unwrap(), [base.join("x[2].parquet")]);
    }
}
