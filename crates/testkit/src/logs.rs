//! Logs to test with: many keys, gaps, jumps, missing values; the same for the same settings.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use sluicegate_core::{Batch, Offset, Offsets, PartitionId, Roles};

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// What a generated log looks like: columns `ts` (event time), `key`, and `y0`, `y1`, … (targets).
#[derive(Debug, Clone, PartialEq)]
pub struct LogSpec {
    /// Rows.
    pub rows: usize,
    /// Distinct keys; which one comes next is drawn at random.
    pub keys: usize,
    /// Target columns. Each is a noisy wave around a random walk; later ones are of a larger scale.
    pub targets: usize,
    /// Share of the targets' values that are null.
    pub missing: f64,
    /// Share of the targets' values that are far off, NaN or infinite.
    pub hostile: f64,
    /// Share of the rows whose key is null.
    pub null_keys: f64,
    /// Share of the rows whose time is null or lies before that of an earlier row.
    pub odd_times: f64,
    /// Further columns `x0`, `x1`, …: noise, of which a tenth is null.
    pub inputs: usize,
    /// Seed.
    pub seed: u64,
}

impl Default for LogSpec {
    fn default() -> Self {
        Self {
            rows: 500,
            keys: 5,
            targets: 1,
            missing: 0.0,
            hostile: 0.0,
            null_keys: 0.0,
            odd_times: 0.0,
            inputs: 0,
            seed: 0,
        }
    }
}

/// SplitMix64 (Steele, Lea & Flood 2014): small, seeded, good enough for test data.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Sum of uniforms, mean 0, deviation 1.
    fn noise(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

impl LogSpec {
    /// The columns of the log, with the roles of `ts` and `key` marked.
    pub fn schema(&self) -> SchemaRef {
        let mut fields = vec![
            Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
            Field::new("key", DataType::Utf8, true),
        ];
        let names = self.target_names().into_iter().chain(self.input_names());
        fields.extend(names.map(|name| Field::new(name, DataType::Float64, true)));
        Roles { time: Some("ts".into()), key: Some("key".into()) }.mark(&Schema::new(fields))
    }

    /// The names of the target columns.
    pub fn target_names(&self) -> Vec<String> {
        (0..self.targets).map(|target| format!("y{target}")).collect()
    }

    /// The names of the further columns.
    pub fn input_names(&self) -> Vec<String> {
        (0..self.inputs).map(|input| format!("x{input}")).collect()
    }

    /// Makes the log: partition `log`, offsets from 0.
    pub fn build(&self) -> Batch {
        let mut random = Random(self.seed);
        let mut walks = vec![0.0f64; self.keys.max(1) * self.targets];
        let mut steps = vec![0u32; self.keys.max(1)];
        let mut time = 1_700_000_000_000_000i64;
        let (mut times, mut keys) = (Vec::new(), Vec::new());
        let mut inputs: Vec<Vec<Option<f64>>> = vec![Vec::new(); self.inputs];
        let mut columns: Vec<Vec<Option<f64>>> = vec![Vec::new(); self.targets];
        for _ in 0..self.rows {
            let key = (random.next() % self.keys.max(1) as u64) as usize;
            time += (random.next() % 5) as i64 * MICROS_PER_MINUTE;
            let odd = random.unit() < self.odd_times;
            times.push(match (odd, random.next() % 2) {
                (true, 0) => None,
                (true, _) => Some(time - 90 * MICROS_PER_MINUTE),
                (false, _) => Some(time),
            });
            keys.push((random.unit() >= self.null_keys).then(|| format!("key-{key}")));
            for column in &mut inputs {
                let value = random.noise();
                column.push((random.unit() >= 0.1).then_some(value));
            }
            steps[key] += 1;
            for (target, column) in columns.iter_mut().enumerate() {
                let walk = &mut walks[key * self.targets + target];
                *walk += 0.1 * random.noise();
                let wave = (f64::from(steps[key]) * 0.4 + key as f64).sin();
                let value = (*walk + wave + 0.2 * random.noise()) * 30f64.powi(target as i32) + 5.0;
                let fate = random.unit();
                column.push(if fate < self.missing {
                    None
                } else if fate < self.missing + self.hostile {
                    let hostile = [1e30, -1e30, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e200, 0.0, -0.0];
                    Some(hostile[(random.next() % hostile.len() as u64) as usize])
                } else {
                    Some(value)
                });
            }
        }
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
            Arc::new(StringArray::from(keys)),
        ];
        arrays.extend(columns.into_iter().chain(inputs).map(|column| Arc::new(Float64Array::from(column)) as ArrayRef));
        let records = RecordBatch::try_new(self.schema(), arrays).expect("the columns fit the schema");
        let offsets = Offsets::dense(Offset(0), self.rows).expect("few rows");
        Batch::new(PartitionId::new("log"), offsets, records).expect("as many offsets as rows")
    }
}
