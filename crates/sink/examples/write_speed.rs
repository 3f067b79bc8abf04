//! How long the Parquet sink takes per row of forecasts, and how large a row is: `… --example write_speed -- "SETTINGS"`,
//! with settings in TOML, such as `compression = "none"`.
//!
//! Values are made up: locations follow a noisy wave, and everything else of a forecast follows from location and scale, as
//! it does in the real ones. The numbers of the report therefore hold for speed, and roughly for size.

use std::error::Error;
use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use sluicegate_core::config::Document;
use sluicegate_core::{Batch, Metrics, Offset, Offsets, PartitionId, PipelineContext, ShardContext, SinkConfig};
use sluicegate_sink::ParquetConfig;

const TARGETS: [&str; 7] = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"];
const MODELS: [&str; 3] = ["forecast", "persistence", "ar"];
const EVENT_ROWS: usize = TARGETS.len() * MODELS.len();
const BATCH_ROWS: usize = 390 * EVENT_ROWS;
const BATCHES: usize = 128;
const RUNS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let settings = std::env::args().nth(1).unwrap_or_default();
    let directory = tempfile::tempdir_in(".")?;
    let batches = (0..BATCHES).map(|batch| forecasts(batch * BATCH_ROWS)).collect::<Result<Vec<_>, _>>()?;
    let (rows, mut cpu_s, mut wall_s) = ((BATCHES * BATCH_ROWS) as f64, f64::MAX, f64::MAX);
    for _ in 0..RUNS {
        let settings = Document::parse("settings", format!("path = '.'\n{settings}"), Vec::new())?;
        let config: ParquetConfig = settings.root().read()?;
        let pipeline = PipelineContext::new("speed", directory.path());
        let factory = config.bind(&batches[0].records().schema(), &pipeline)?;
        let shard = ShardContext::new(PartitionId::new("power"), "out", Metrics::new());
        let mut sink = factory.open(&shard).map_err(|error| error.to_string())?;
        let (start, cpu_start_s) = (Instant::now(), thread_cpu_s()?);
        for batch in &batches {
            sink.write(batch).map_err(|error| error.to_string())?;
        }
        sink.finish().map_err(|error| error.to_string())?;
        cpu_s = cpu_s.min(thread_cpu_s()? - cpu_start_s);
        wall_s = wall_s.min(start.elapsed().as_secs_f64());
    }
    let mut bytes = 0;
    for file in std::fs::read_dir(directory.path())? {
        bytes += file?.metadata()?.len();
    }
    println!(
        "{:.3} us/row of one core, {:.3} us/row until all is on the disk, {:.1} bytes/row",
        cpu_s * 1e6 / rows,
        wall_s * 1e6 / rows,
        bytes as f64 / rows
    );
    Ok(())
}

/// Time that this thread has run on a core; 0 where Linux does not say.
fn thread_cpu_s() -> Result<f64, Box<dyn Error>> {
    let Ok(text) = std::fs::read_to_string("/proc/thread-self/schedstat") else { return Ok(0.0) };
    Ok(text.split_whitespace().next().unwrap_or("0").parse::<f64>()? / 1e9)
}

fn forecasts(first: usize) -> Result<Batch, Box<dyn Error>> {
    let event = |row: usize| (first + row) / EVENT_ROWS;
    let model = |row: usize| (first + row) % MODELS.len();
    let target = |row: usize| (first + row) / MODELS.len() % TARGETS.len();
    let noise = |row: usize, salt: u64| {
        let mut bits = (first + row) as u64 ^ salt << 40;
        for _ in 0..3 {
            bits = (bits ^ bits >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        }
        (bits >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    let mean = |row: usize| 10.0 * (event(row) as f64 * TAU / 96.0 + target(row) as f64).sin() + noise(row, 1);
    let scale = |row: usize| 1.0 + 0.2 * noise(row, 2);
    let observed = |row: usize| mean(row / MODELS.len() * MODELS.len()) + noise(row / MODELS.len(), 3);
    let z = |row: usize| (observed(row) - mean(row)) / scale(row);
    let floats =
        |f: &dyn Fn(usize) -> Option<f64>| -> ArrayRef { Arc::new(Float64Array::from_iter((0..BATCH_ROWS).map(f))) };
    let quantile = |q: f64| floats(&|row| Some(mean(row) + q * scale(row)));
    let columns = [
        ("partition", words(&["power"], |_| 0)?),
        ("offset", Arc::new(Int64Array::from_iter_values((0..BATCH_ROWS).map(|row| event(row) as i64)))),
        ("key", words(&["north", "south", "east", "west"], |row| event(row) % 4)?),
        ("time", times((0..BATCH_ROWS).map(|row| 1_467_331_200_000_000 + event(row) as i64 * 900_000_000))),
        ("target", words(&TARGETS, target)?),
        ("horizon", Arc::new(Int32Array::from(vec![1; BATCH_ROWS]))),
        ("model", words(&MODELS, model)?),
        ("family", words(&["student-t", "gaussian"], |row| usize::from(model(row) == 2))?),
        ("mean", floats(&|row| Some(mean(row)))),
        ("scale", floats(&|row| Some(scale(row)))),
        ("shape", floats(&|row| [Some(8.0 + noise(row, 4)), Some(3.0), None][model(row)])),
        ("q025", quantile(-2.31)),
        ("q100", quantile(-1.40)),
        ("q250", quantile(-0.71)),
        ("q500", quantile(0.0)),
        ("q750", quantile(0.71)),
        ("q900", quantile(1.40)),
        ("q975", quantile(2.31)),
        ("observed", floats(&|row| Some(observed(row)))),
        ("forecast", floats(&|row| Some(mean(row) - 0.1 * noise(row, 5)))),
        ("nll", floats(&|row| Some(0.92 + scale(row).ln() + 0.5 * z(row) * z(row)))),
        ("crps", floats(&|row| Some(0.23 * scale(row) + 0.4 * z(row) * z(row)))),
        ("pit", floats(&|row| Some(0.5 + 0.5 * z(row).tanh()))),
    ];
    let records = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))?;
    let offsets = Offsets::dense(Offset(first as i64), BATCH_ROWS)?;
    Ok(Batch::new(PartitionId::new("power"), offsets, records)?)
}

fn words(words: &[&str], word: impl Fn(usize) -> usize) -> Result<ArrayRef, arrow::error::ArrowError> {
    let keys = Int32Array::from_iter_values((0..BATCH_ROWS).map(|row| word(row) as i32));
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(StringArray::from(words.to_vec())))?))
}

fn times(micros: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
}
