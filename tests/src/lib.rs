//! End-to-end tests of Sluicegate: what a user does, through the command, on real files.
//!
//! This library holds what the tests share: a folder to work in, running the command, and reading what it wrote.
#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

pub mod disturb;
pub mod full;
pub mod kafka;
pub mod kills;
pub mod outcome;
pub mod running;
pub mod s3;
pub mod site;
pub mod small_disk;
pub mod torture;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::compute::{concat_batches, take};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// A folder with a pipeline file and its data, removed at the end of the test.
pub struct Workplace {
    dir: tempfile::TempDir,
    command: PathBuf,
}

/// How a run of the command ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Workplace {
    /// An empty folder in which `command` is the `sluice` command.
    pub fn new(command: impl Into<PathBuf>) -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary folder"), command: command.into() }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a text file.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file in a temporary folder");
    }

    /// Writes a Parquet file with the first `rows` of [`events`].
    pub fn write_events(&self, name: &str, rows: usize) {
        self.write_records(name, &events(rows));
    }

    /// Writes a Parquet file of several row groups.
    pub fn write_records(&self, name: &str, records: &RecordBatch) {
        let file = fs::File::create(self.path(name)).expect("a file in a temporary folder");
        let properties = parquet::file::properties::WriterProperties::builder()
            .set_max_row_group_row_count(Some(500))
            .set_dictionary_enabled(false)
            .set_compression(parquet::basic::Compression::ZSTD(Default::default()))
            .build();
        let mut writer = ArrowWriter::try_new(file, records.schema(), Some(properties)).expect("a writer");
        writer.write(records).expect("rows");
        writer.close().expect("a footer");
    }

    /// The command with these arguments, in the folder, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.command);
        command.args(args).current_dir(self.dir.path());
        command
    }

    /// Starts the command with these arguments and lets nobody hear it.
    pub fn start_silently(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command starts")
    }

    /// Runs the command to its end.
    pub fn run(&self, args: &[&str]) -> Ended {
        self.command(args).output().expect("the command starts").into()
    }
}

/// Starts a process again and again and kills each one after so many milliseconds, until one is over by itself before that. Returns
/// how many were killed at work.
pub fn kill_until_over(mut start: impl FnMut() -> Child, waits_ms: impl IntoIterator<Item = u64>) -> usize {
    let mut kills = 0;
    for wait_ms in waits_ms {
        let mut run = start();
        std::thread::sleep(Duration::from_millis(wait_ms));
        let is_over = run.try_wait().expect("a process of ours").is_some();
        run.kill().expect("a process of ours");
        run.wait().expect("a process of ours");
        if is_over {
            break;
        }
        kills += 1;
    }
    kills
}

/// So many hourly events of two keys in turn: `ts`, `meter`, `load`, `count`, `note`.
pub fn events(rows: usize) -> RecordBatch {
    let hour = 3_600_000_000i64;
    let meter = |row: usize| if row.is_multiple_of(2) { "a" } else { "b" };
    let load = |row: usize| (row as f64 * 0.26).sin() * 3.0 + (row % 7) as f64 * 0.1 + 10.0;
    let columns: [(&str, ArrayRef); 5] = [
        ("ts", Arc::new(TimestampMicrosecondArray::from_iter_values((0..rows as i64).map(|row| row / 2 * hour)))),
        ("meter", Arc::new(StringArray::from_iter_values((0..rows).map(meter)))),
        ("load", Arc::new(Float64Array::from_iter_values((0..rows).map(load)))),
        ("count", Arc::new(Int64Array::from_iter_values((0..rows as i64).map(|row| row % 5)))),
        ("note", Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("n{row}"))))),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// The same rows with another column in place of the one of this name.
pub fn with_column(records: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let columns = records.schema_ref().fields().iter().zip(records.columns()).map(|(field, of)| {
        let of = if field.name() == name { &column } else { of };
        (field.name().clone(), Arc::clone(of))
    });
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// The same rows with one value of a column taken from another row of it, or null where that is `None`.
pub fn with_value_of(records: &RecordBatch, name: &str, row: usize, from: Option<usize>) -> RecordBatch {
    let places: UInt64Array = (0..records.num_rows())
        .map(|at| if at == row { from.map(|from| from as u64) } else { Some(at as u64) })
        .collect();
    let column = records.column_by_name(name).expect("a column of this name");
    with_column(records, name, take(column, &places, None).expect("rows that are there"))
}

/// All rows of the complete Parquet files in a folder, in the order of their names.
pub fn read_folder(folder: &Path) -> RecordBatch {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder that can be listed")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "parquet"))
        .filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')))
        .collect();
    files.sort();
    let batches: Vec<RecordBatch> = files.iter().map(|file| read_file(file)).collect();
    let schema = batches.first().expect("at least one file").schema();
    concat_batches(&schema, &batches).expect("files of one schema")
}

/// All rows of a complete Parquet file.
pub fn read_file(file: &Path) -> RecordBatch {
    let file = fs::File::open(file).expect("a file that can be opened");
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("a complete Parquet file");
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder.build().expect("a reader").map(|batch| batch.expect("rows")).collect();
    concat_batches(&schema, &batches).expect("batches of one schema")
}

/// The bundled pipelines.
pub fn pipelines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines")
}
