//! No room for a while: for checkpoints, and for what a sink writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use crate::disturb::Stage;
use crate::kafka::{create, produce};
use crate::read_file;
use crate::running::Running;
use crate::site::{PARTITIONS, Site, bad_among, kill, meter_events, pipeline};
use crate::small_disk::{SmallDisk, limited};

/// What a process says that could not write a checkpoint.
const NOT_WRITTEN: &str = "a checkpoint could not be written";
/// What the system says.
const NO_SPACE: &str = "No space left on device";
const PATIENCE: Duration = Duration::from_secs(120);

/// No file may be larger than a few kilobytes for a while: the process goes on with what it can commit, or stops; the next one,
/// with room, goes on from there.
pub fn limited_checkpoints(command: &str, bootstrap: &str, topic: &str, events: usize) {
    let stage = Stage::set(command, bootstrap, topic, events, "stop = \"end\"");
    let site = &stage.disturbed;
    let mut child = site.start();
    site.wait_until_at_work(&mut child, PARTITIONS as usize);
    kill(&mut child);
    // Files of up to 4 KiB: manifests and traces can be written for a while, states cannot.
    let mut tight = Running::start(limited(&site.command(), 8).stdout(Stdio::null()).stderr(site.log_file()));
    site.ended(&mut tight, PATIENCE);
    assert!(site.log().contains(NOT_WRITTEN), "there was room: {}", site.log());
    site.run_to_its_end();
    stage.assert_same();
}

/// The same on a disk that is full to the last byte, and then is not.
pub fn full_checkpoints(command: &str, bootstrap: &str, topic: &str, events: usize) {
    let stage = Stage::set(command, bootstrap, topic, events, "stop = \"end\"");
    let site = &stage.disturbed;
    let folder = site.place.path("checkpoints");
    fs::create_dir(&folder).expect("a folder");
    let disk = SmallDisk::mount(&folder, 8 << 10).unwrap_or_else(|error| panic!("{error}"));
    let mut child = start(&disk, site);
    site.wait_until_at_work(&mut child, PARTITIONS as usize);
    disk.fill();
    let begun = Instant::now();
    while !site.log().contains(NOT_WRITTEN) {
        assert!(begun.elapsed() < PATIENCE, "there was room: {}", site.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    let log = site.log();
    let said = log.lines().find(|line| line.contains(NOT_WRITTEN)).unwrap_or_default();
    assert!(
        said.contains(NO_SPACE) && said.contains("cannot write checkpoints/"),
        "it does not say which file: {said}"
    );
    disk.free();
    site.ended(&mut child, PATIENCE);
    let mut child = start(&disk, site);
    assert_eq!(site.ended(&mut child, PATIENCE), Some(0), "{}", site.log());
    disk.keep();
    stage.assert_same();
}

/// A Parquet sink whose disk becomes full: the run stops and names the file, files that are to be seen are whole, and after the
/// disk was enlarged the files are those of an undisturbed run.
pub fn full_sink(command: &str, bootstrap: &str, topic: &str, events: usize) {
    create(bootstrap, &[(topic, PARTITIONS)]);
    produce(bootstrap, topic, PARTITIONS, meter_events(events));
    let site = |name: &str| {
        let name = format!("{topic}-{name}");
        let site = Site::new(command, bootstrap, &name, topic, "");
        let text = pipeline(bootstrap, &name, topic, "stop = \"end\"");
        let kafka = format!(
            "type = \"kafka\"\ninput = \"forecast\"\nbootstrap_servers = \"{bootstrap}\"\ntopic = \"{name}.out\"\nkey = \"key\"\n"
        );
        let files = "type = \"parquet\"\ninput = \"forecast\"\npath = \"out\"\nfile_rows_max = 1000\n";
        assert!(text.contains(&kafka), "{text}");
        site.place.write("live.toml", &text.replace(&kafka, files));
        fs::create_dir(site.place.path("out")).expect("a folder");
        site
    };
    let reference = site("reference");
    reference.run_to_its_end();
    let expected = visible(&reference.place.path("out"));
    assert_eq!(expected.values().map(RecordBatch::num_rows).sum::<usize>(), events - bad_among(events));

    let site = site("disturbed");
    let out = site.place.path("out");
    let disk = SmallDisk::mount(&out, 512).unwrap_or_else(|error| panic!("{error}"));
    for _ in 0..2 {
        let before = site.log().len();
        let mut child = start(&disk, &site);
        assert_eq!(site.ended(&mut child, PATIENCE), Some(1), "{}", site.log());
        let said = site.log()[before..].split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(NO_SPACE) && said.contains(" out/"), "{said}");
        for (name, rows) in visible(&disk.seen()) {
            assert!(expected.get(&name) == Some(&rows), "{name} is not what it should be");
        }
    }
    disk.resize(64 << 10);
    let mut child = start(&disk, &site);
    assert_eq!(site.ended(&mut child, PATIENCE), Some(0), "{}", site.log());
    let found = visible(&disk.seen());
    assert!(found.keys().eq(expected.keys()), "{:?} instead of {:?}", found.keys(), expected.keys());
    for (name, rows) in &expected {
        assert!(found[name] == *rows, "{name}: the rows differ");
    }
}

fn start(disk: &SmallDisk, site: &Site) -> Running {
    Running::start(disk.command(&site.command()).stdout(Stdio::null()).stderr(site.log_file()))
}

/// The files that are to be seen in a folder, by name, without what a footer says of who wrote it.
pub fn visible(folder: &Path) -> BTreeMap<String, RecordBatch> {
    let entries = fs::read_dir(folder).expect("a folder that can be listed").map(|entry| entry.expect("an entry"));
    let named = entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    named.filter(|(name, _)| name.starts_with("part-")).map(|(name, path)| (name, plain(&read_file(&path)))).collect()
}

fn plain(rows: &RecordBatch) -> RecordBatch {
    let schema = Schema::new(rows.schema().fields().clone());
    RecordBatch::try_new(Arc::new(schema), rows.columns().to_vec()).expect("the same columns")
}
