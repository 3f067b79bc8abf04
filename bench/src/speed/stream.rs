//! A stream of events that is made up, the same every time: several meters read at the same moments.
//!
//! Key k at tick t has y = 10 k + 3 sin(2π (t/24 + k/keys)) + u, with u = 0.7 u' + ε and ε standard normal. Whoever knew that
//! would forecast with a negative log-likelihood of ½ ln 2πe = 1.419 nats.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;

use crate::running::Done;

/// Negative log-likelihood under the process itself, in nats.
pub(super) const BEST_NLL: f64 = 1.419;

const TICK_US: i64 = 1_000_000;
const START_US: i64 = 1_700_000_000_000_000;

/// The readings, tick by tick, and within a tick key by key.
pub(super) struct Stream {
    keys: usize,
    tick: usize,
    /// u of each key.
    moving: Vec<f64>,
    random: SplitMix,
}

impl Stream {
    pub(super) fn new(keys: usize) -> Self {
        Self { keys, tick: 0, moving: vec![0.0; keys], random: SplitMix(keys as u64) }
    }

    /// The columns of [`Stream::records`]; the time's role and the key's are the pipeline's business.
    fn schema() -> SchemaRef {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        Arc::new(Schema::new(vec![
            Field::new("ts", time, false),
            Field::new("key", DataType::Utf8, false),
            Field::new("y", DataType::Float64, false),
        ]))
    }

    /// The next tick's values: one per key.
    pub(super) fn tick(&mut self) -> Vec<f64> {
        use std::f64::consts::TAU;
        let (tick, keys) = (self.tick as f64, self.keys as f64);
        self.tick += 1;
        let mut values = Vec::with_capacity(self.keys);
        for (key, moving) in self.moving.iter_mut().enumerate() {
            *moving = 0.7 * *moving + self.random.normal();
            let key = key as f64;
            values.push(10.0 * key + 3.0 * (TAU * (tick / 24.0 + key / keys)).sin() + *moving);
        }
        values
    }

    /// The next whole ticks, of at least `rows` rows.
    fn records(&mut self, rows: usize) -> Done<RecordBatch> {
        let ticks = rows.div_ceil(self.keys);
        let (mut times, mut keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ticks {
            let time = START_US + self.tick as i64 * TICK_US;
            times.extend(std::iter::repeat_n(time, self.keys));
            keys.extend((0..self.keys).map(|key| format!("meter-{key:03}")));
            values.extend(self.tick());
        }
        let times = TimestampMicrosecondArray::from(times).with_timezone("UTC");
        let columns: [arrow::array::ArrayRef; 3] =
            [Arc::new(times), Arc::new(StringArray::from(keys)), Arc::new(Float64Array::from(values))];
        Ok(RecordBatch::try_new(Self::schema(), columns.to_vec())?)
    }
}

/// Writes a Parquet file of `events` events, at most one tick more, into `folder`.
pub(super) fn write(folder: &Path, name: &str, keys: usize, events: usize) -> Done<PathBuf> {
    const BATCH_ROWS: usize = 8192;
    let path = folder.join(name);
    let failed = |error: &dyn std::fmt::Display| format!("cannot write {}: {error}", path.display());
    let file = File::create(&path).map_err(|error| failed(&error))?;
    let mut writer = ArrowWriter::try_new(file, Stream::schema(), None).map_err(|error| failed(&error))?;
    let mut stream = Stream::new(keys);
    let mut left = events;
    while left > 0 {
        let records = stream.records(left.min(BATCH_ROWS))?;
        left = left.saturating_sub(records.num_rows());
        writer.write(&records).map_err(|error| failed(&error))?;
    }
    writer.close().map_err(|error| failed(&error))?;
    Ok(path)
}

/// SplitMix64 (Steele, Lea & Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Above 0, at most 1.
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal (Box & Muller 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_what_its_documentation_says() {
        let mut stream = Stream::new(2);
        let (mut before, mut errors) = ([0.0; 2], Vec::new());
        for tick in 0..20_000 {
            for (key, value) in stream.tick().into_iter().enumerate() {
                let cycle = std::f64::consts::TAU * (f64::from(tick) / 24.0 + key as f64 / 2.0);
                let moving = value - 10.0 * key as f64 - 3.0 * cycle.sin();
                errors.push(moving - 0.7 * before[key]);
                before[key] = moving;
            }
        }
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let variance = errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn a_file_has_whole_ticks() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "a.parquet", 16, 20_001).unwrap();
        let file = File::open(path).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 20_016);
    }
}
