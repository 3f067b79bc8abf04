//! Checkpoints on a disk: what was written is read back, and whatever is not what was written is refused by name.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sluicegate_checkpoint::{About, CheckpointConfig, CheckpointError, ShardStore, Store};
use sluicegate_core::{CheckpointRef, Commit, Ledger, LedgerError, Offset, PartitionId, States};

fn store(folder: &Path, pipeline: &str) -> ShardStore {
    let config = CheckpointConfig { retain: 2, ..CheckpointConfig::new("ck") };
    Store::open(&config, folder, pipeline).unwrap().shard(&PartitionId::new("trades/0"))
}

fn about(pipeline: &str) -> About {
    About {
        pipeline: pipeline.to_owned(),
        components: BTreeMap::from([("forecast".to_owned(), "forecast".to_owned())]),
        arithmetic: BTreeMap::new(),
        version: "0".to_owned(),
    }
}

/// A large state of which step `n` changes a little.
fn states(n: u8) -> States {
    let mut state: Vec<u8> = (0..120_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    state[200_000..200_008].fill(n);
    States::from([("forecast".to_owned(), state), ("files".to_owned(), vec![n; 40])])
}

fn write(store: &mut ShardStore, n: u8) -> CheckpointRef {
    store.write(Offset(i64::from(n) * 10), states(n), &about("p")).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn whole_states_and_differences_are_read_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = store(folder.path(), "p");
    let references: Vec<CheckpointRef> = (0..4).map(|n| write(&mut writer, n)).collect();
    let listed = writer.list().unwrap();
    assert_eq!(listed.iter().map(|one| one.is_delta).collect::<Vec<_>>(), [false, true, true, true]);
    assert!(listed[3].size_bytes * 5 < listed[0].size_bytes, "a small change takes {} bytes", listed[3].size_bytes);
    for (n, reference) in references.iter().enumerate() {
        let read = store(folder.path(), "p").read(reference).unwrap();
        assert!(read.states == states(n as u8));
        assert_eq!(read.about, about("p"));
    }
    // Whoever read one goes on from it, with differences to the same whole states.
    let mut other = store(folder.path(), "p");
    other.read(&references[3]).unwrap();
    let next = write(&mut other, 9);
    assert!(store(folder.path(), "p").list().unwrap().last().unwrap().is_delta);
    assert!(store(folder.path(), "p").read(&next).unwrap().states == states(9));
}

#[test]
fn every_cut_and_every_flipped_bit_is_detected_and_the_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = store(folder.path(), "p");
    write(&mut writer, 0);
    let newest = write(&mut writer, 1);
    let mut tried = 0;
    for file in files(folder.path()) {
        // The first checkpoint's own manifest and small state are not part of the second.
        let of_newest = file.to_string_lossy().contains(&newest.name);
        let base = file.file_name().is_some_and(|name| name == "forecast.state");
        if !of_newest && !base {
            continue;
        }
        let whole = std::fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        for place in 0..50 {
            let at = place * whole.len() / 50;
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (place % 8);
            for damaged in [&whole[..at], &flipped[..]] {
                std::fs::write(&file, damaged).unwrap();
                let error = store(folder.path(), "p").read(&newest).unwrap_err().to_string();
                assert!(error.contains(name), "{name} at {at}: {error}");
                tried += 1;
            }
        }
        std::fs::remove_file(&file).unwrap();
        let error = store(folder.path(), "p").read(&newest).unwrap_err();
        assert!(matches!(&error, CheckpointError::Missing { file } if file.contains(name)), "{error}");
        std::fs::write(&file, &whole).unwrap();
    }
    assert_eq!(tried, 4 * 100);
    assert!(store(folder.path(), "p").read(&newest).is_ok());
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_one_before_of_its_line() {
    let folder = tempfile::tempdir().unwrap();
    // A line that was left behind must not be gone back to.
    write(&mut store(folder.path(), "p"), 0);
    let mut writer = store(folder.path(), "p");
    let references: Vec<CheckpointRef> = (1..4).map(|n| write(&mut writer, n)).collect();
    let found = store(folder.path(), "p").newest_before(&references[2]).unwrap().unwrap();
    assert_eq!(found.reference, references[1]);
    let broken = files(folder.path()).into_iter().find(|file| file.to_string_lossy().contains(&references[1].name));
    std::fs::write(broken.unwrap(), "x").unwrap();
    let found = store(folder.path(), "p").newest_before(&references[2]).unwrap().unwrap();
    assert_eq!(found.reference, references[0]);
    assert!(store(folder.path(), "p").newest_before(&references[0]).unwrap().is_none());
}

/// Makes a file one that the system refuses to open, though it is there.
#[cfg(unix)]
fn bar(file: &Path) {
    std::fs::remove_file(file).unwrap();
    std::os::unix::fs::symlink(file, file).unwrap();
}

#[test]
#[cfg(unix)]
fn a_checkpoint_that_cannot_be_asked_for_is_neither_damaged_nor_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = store(folder.path(), "p");
    let references: Vec<CheckpointRef> = (0..4).map(|n| write(&mut writer, n)).collect();
    let of = |n: usize, name: &str| {
        let mut all = files(&folder.path().join("ck")).into_iter();
        all.find(|file| file.to_string_lossy().contains(&references[n].name) && file.ends_with(name)).unwrap()
    };
    bar(&of(2, "manifest.json"));
    let other = || store(folder.path(), "p");
    let asked = [
        other().read(&references[2]).err(),
        other().newest_before(&references[3]).err(),
        other().list().err(),
        other().prune(&references[3]).err(),
    ];
    for (place, error) in asked.into_iter().enumerate() {
        assert!(error.as_ref().is_some_and(|error| !error.is_damage()), "{place}: {error:?}");
    }
    // Nothing was removed for want of an answer: the first holds what the last one is a difference to.
    assert!(other().read(&references[0]).is_ok() && other().read(&references[3]).is_ok());
    bar(&of(3, "files.state"));
    assert!(other().newest().is_err_and(|error| !error.is_damage()));
    bar(&of(0, "manifest.json"));
    assert!(other().has_any().is_err_and(|error| !error.is_damage()));
}

#[test]
fn a_checkpoint_of_another_pipeline_or_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let reference = write(&mut store(folder.path(), "p"), 0);
    let of = |name: &str| folder.path().join("ck").join(name);
    std::fs::rename(of("p"), of("q")).unwrap();
    let error = store(folder.path(), "q").read(&reference).unwrap_err().to_string();
    assert!(error.contains("pipeline `p`") && error.contains("not of pipeline `q`"), "{error}");
    let manifest = files(folder.path()).into_iter().find(|file| file.ends_with("manifest.json")).unwrap();
    let text = std::fs::read_to_string(&manifest).unwrap().replace("\"format\": 1", "\"format\": 7");
    std::fs::write(&manifest, text).unwrap();
    let error = store(folder.path(), "q").reference_of(&reference.name).unwrap_err().to_string();
    assert!(error.contains("format 7") && error.contains("manifest.json"), "{error}");
}

#[test]
fn pruning_keeps_what_is_retained_and_what_it_is_a_difference_to() {
    let folder = tempfile::tempdir().unwrap();
    write(&mut store(folder.path(), "p"), 0);
    let mut writer = store(folder.path(), "p");
    let references: Vec<CheckpointRef> = (1..7).map(|n| write(&mut writer, n)).collect();
    store(folder.path(), "p").prune(&references[4]).unwrap();
    let left: Vec<String> =
        store(folder.path(), "p").list().unwrap().into_iter().map(|one| one.reference.name).collect();
    // Two are retained, what is newer stays, and the first holds the whole state of all.
    let expected: Vec<String> = [0, 3, 4, 5].map(|place| references[place].name.clone()).to_vec();
    assert_eq!(left, expected);
    for place in [3, 4, 5] {
        assert!(store(folder.path(), "p").read(&references[place]).is_ok());
    }
    // Nothing is left of the others, not even a folder: there would be more of them for as long as the shard lives.
    let shard = folder.path().join("ck/p/trades=2f0");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut folders: Vec<String> = std::fs::read_dir(shard).unwrap().map(name).collect();
    folders.sort();
    assert_eq!(folders, expected);
}

#[test]
fn only_the_first_checkpoint_of_a_line_may_stand_without_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = store(folder.path(), "p");
    assert!(!writer.has_any().unwrap());
    write(&mut writer, 0);
    assert!(!store(folder.path(), "p").has_any().unwrap());
    write(&mut writer, 1);
    assert!(store(folder.path(), "p").has_any().unwrap());
    writer.forget().unwrap();
    assert!(files(folder.path()).is_empty());
}

fn commit(position: i64) -> Commit {
    Commit { position: Offset(position), checkpoint: None, ended: false }
}

#[test]
fn whoever_takes_a_ledger_over_fences_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = store(folder.path(), "p").ledger();
    assert_eq!(first.take_over().unwrap(), None);
    first.commit(&commit(1)).unwrap();
    let mut second = store(folder.path(), "p").ledger();
    assert_eq!(second.take_over().unwrap(), Some(commit(1)));
    assert!(matches!(first.commit(&commit(2)), Err(LedgerError::Fenced(_))));
    second.commit(&commit(3)).unwrap();
    // Also when the successor has committed so often that the zombie's number is long gone.
    for position in 4..40 {
        second.commit(&commit(position)).unwrap();
    }
    assert!(matches!(first.commit(&commit(2)), Err(LedgerError::Fenced(_))), "a zombie took a number that was pruned");
    assert_eq!(store(folder.path(), "p").ledger().read().unwrap(), Some(commit(39)));
}

#[test]
fn a_damaged_commit_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = store(folder.path(), "p").ledger();
    ledger.take_over().unwrap();
    ledger.commit(&commit(12)).unwrap();
    let newest = files(folder.path()).pop().unwrap();
    let text = std::fs::read_to_string(&newest).unwrap().replace("12", "13");
    std::fs::write(&newest, text).unwrap();
    let error = store(folder.path(), "p").ledger().take_over().unwrap_err().to_string();
    assert!(error.contains(newest.file_name().unwrap().to_str().unwrap()), "{error}");
}
