//! What partitions are called after files.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use sluicegate_core::{PartitionId, PipelineContext};
use sluicegate_place::{Address, is_url};

use super::find::{COMPRESSED, special, strip_ending};
use super::{InputFile, Partitions};
use crate::SourceError;

/// The partition of this name among all of a source.
///
/// # Errors
/// When there is none: those that there are are named.
pub(crate) fn partition_called<'a, P>(
    wanted: &PartitionId,
    all: &'a [P],
    id: impl Fn(&P) -> &PartitionId,
) -> Result<&'a P, SourceError> {
    all.iter().find(|known| id(known) == wanted).ok_or_else(|| {
        let known: Vec<String> = all.iter().map(|known| format!("`{}`", id(known))).collect();
        SourceError::UnknownPartition { partition: wanted.to_string(), known: known.join(", ") }
    })
}

/// Names the partition of every file; files of the same name are one partition. `nameless` is what the one partition is called
/// where neither `path` nor the pipeline has a name.
///
/// # Errors
/// When a file has a name that no partition can have.
pub(crate) fn partition_names(
    partitions: Partitions,
    entries: &[String],
    files: &[InputFile],
    pipeline: &PipelineContext,
    nameless: &str,
) -> Result<Vec<String>, SourceError> {
    match partitions {
        Partitions::PerFile => names_per_file(&files.iter().map(|file| file.path.clone()).collect::<Vec<_>>()),
        Partitions::One => {
            let from_path = entries.first().and_then(|entry| name_of_all(entry, &pipeline.base_dir));
            let from_pipeline = || if pipeline.name.is_empty() { nameless.to_owned() } else { pipeline.name.clone() };
            Ok(vec![from_path.unwrap_or_else(from_pipeline); files.len()])
        }
    }
}

/// The name of a file without its last extension, nor that of a compressed one.
fn stem(file: &Path) -> Option<&str> {
    let name = file.file_name()?.to_str()?;
    let name = COMPRESSED.iter().find_map(|ending| strip_ending(name, ending)).unwrap_or(name);
    Path::new(name).file_stem()?.to_str()
}

/// What the one partition of all files is called after: the first entry of `path`. `None` where that gives no name.
fn name_of_all(entry: &str, base_dir: &Path) -> Option<String> {
    let in_store = matches!(Address::parse(entry, base_dir), Ok(Address::S3 { .. }));
    let url;
    let entry = match Address::parse(entry, base_dir) {
        Ok(Address::Local(path)) if is_url(entry) => {
            url = path.to_str()?.to_owned();
            url.as_str()
        }
        _ => entry,
    };
    let path = base_dir.join(entry);
    if in_store && special(entry).is_none() {
        // What has an ending is a file; a bucket may have dots, too.
        let key = Path::new(entry.split_once("://")?.1);
        let is_file = key.extension().is_some() && key.components().count() > 1;
        return if is_file { stem(key) } else { key.file_name()?.to_str() }.map(str::to_owned);
    }
    if path.exists() {
        let name = if path.is_dir() { Path::new(entry).file_name()?.to_str() } else { stem(Path::new(entry)) };
        return name.map(str::to_owned);
    }
    let fixed = &entry[..special(entry)?];
    let folder = &fixed[..fixed.rfind(['/', std::path::MAIN_SEPARATOR])?];
    Path::new(folder).file_name()?.to_str().map(str::to_owned)
}

/// What the partition of each file is called: its stem, with as many of its folders in front as tell it from the others.
///
/// # Errors
/// When a name is not Unicode.
fn names_per_file(files: &[PathBuf]) -> Result<Vec<String>, SourceError> {
    let mut parts = Vec::with_capacity(files.len());
    for file in files {
        let name = || SourceError::Name { path: file.clone() };
        let stem = stem(file).ok_or_else(name)?;
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
        assert_eq!(names(&["d/a.csv.gz", "d/b.csv"]), ["a", "b"]);
        assert_eq!(names(&["s3://b/x/a.csv", "s3://b/y/a.csv"]), ["x/a", "y/a"]);
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
            ("s3://bucket/x/a.v2.parquet", Some("a.v2")),
            ("s3://bucket/x/", Some("x")),
            ("s3://bu.cket", Some("bu.cket")),
            ("s3://bucket/x/2024-*/a.csv", Some("x")),
            ("s3://bucket/*.csv", Some("bucket")),
            ("file:///x/*.csv", Some("x")),
            (".", None),
        ];
        for (entry, name) in cases {
            assert_eq!(name_of_all(entry, dir.path()).as_deref(), name, "{entry}");
        }
    }
}
