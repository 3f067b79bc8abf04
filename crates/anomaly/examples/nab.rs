//! Scores the detector on the bundled series of the Numenta Anomaly Benchmark, with the last value as the forecast.
//!
//! ```text
//! cargo run -p sluicegate-anomaly --example nab [-- SETTINGS]
//! ```
//! SETTINGS is a table of the operator's settings in JSON. Prints the score of all files at the threshold set, and then what the
//! threshold costs that is chosen elsewhere: 50 times the files are cut into halves, each folder evenly, and each half is scored
//! at the threshold that is best on the other.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::path::Path;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluicegate_anomaly::{AnomalyConfig, Detector};
use sluicegate_score::NabTally;

const CUTS: usize = 50;

/// A file of the benchmark.
#[derive(Default)]
struct Series {
    values: Vec<f64>,
    anomaly: Vec<bool>,
}

impl Series {
    /// The score at the benchmark's probation, a share of a length that a stream does not know.
    fn score(&self, config: &AnomalyConfig) -> NabTally {
        let probation = sluicegate_score::nab::probation(self.values.len()) as u64;
        self.score_as_set(&AnomalyConfig { probation, ..config.clone() }, true)
    }

    /// The score at the probation set, with the last value as the forecast or without a forecast.
    fn score_as_set(&self, config: &AnomalyConfig, with_forecast: bool) -> NabTally {
        let mut detector = Detector::new(config);
        let (mut last, mut alarms) = (None, Vec::new());
        for (row, value) in self.values.iter().enumerate() {
            let forecast = last.replace(*value).filter(|_| with_forecast);
            let verdict = detector.observe(Some(*value), forecast);
            if verdict.is_some_and(|verdict| verdict.alarm) {
                alarms.push(row);
            }
        }
        let mut tally = NabTally::default();
        tally.add(&self.anomaly, &alarms);
        tally
    }
}

fn read(path: &Path) -> Result<BTreeMap<String, Series>, Box<dyn Error>> {
    let mut series = BTreeMap::<String, Series>::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()? {
        let batch = batch?;
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("no column `{name}`"));
        let names = cast(column("series")?, &DataType::Utf8)?;
        let (names, values) = (names.as_string::<i32>(), column("value")?.as_primitive::<Float64Type>());
        let anomaly = column("anomaly")?.as_boolean();
        for row in 0..batch.num_rows() {
            let of = series.entry(names.value(row).to_owned()).or_default();
            of.values.push(values.value(row));
            of.anomaly.push(anomaly.value(row));
        }
    }
    Ok(series)
}

fn total<'a>(tallies: impl IntoIterator<Item = &'a NabTally>) -> f64 {
    let mut sum = NabTally::default();
    tallies.into_iter().for_each(|tally| sum.merge(tally));
    sum.score().unwrap_or(f64::NAN)
}

/// Numbers for shuffling: the linear congruential generator of Knuth's MMIX.
struct Shuffle(u64);

impl Shuffle {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end as u64) as usize
    }

    /// Whether each file belongs to the first half; of each folder half of the files, the odd ones in turns.
    fn halves(&mut self, names: &[&String]) -> Vec<bool> {
        let mut folders = BTreeMap::<&str, Vec<usize>>::new();
        for (place, name) in names.iter().enumerate() {
            folders.entry(name.split('/').next().unwrap_or_default()).or_default().push(place);
        }
        let mut first = vec![false; names.len()];
        let mut odd = self.below(2);
        for places in folders.values_mut() {
            for end in (1..places.len()).rev() {
                places.swap(end, self.below(end + 1));
            }
            let half = if places.len() % 2 == 1 { (places.len() + odd) / 2 } else { places.len() / 2 };
            odd = if places.len() % 2 == 1 { 1 - odd } else { odd };
            places[..half].iter().for_each(|place| first[*place] = true);
        }
        first
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let config: AnomalyConfig = serde_json::from_str(&std::env::args().nth(1).unwrap_or_else(|| "{}".to_owned()))?;
    let series = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/data/nab.parquet"))?;
    let names: Vec<&String> = series.keys().collect();
    let all = |config: &AnomalyConfig| series.values().map(|series| series.score(config)).collect::<Vec<_>>();

    let tallies = all(&config);
    let windows: u64 = tallies.iter().map(NabTally::windows).sum();
    println!("{} files, {windows} windows, threshold {}: {:.1}", names.len(), config.threshold, total(&tallies));
    for (with_forecast, what) in [(true, ""), (false, ", without a forecast")] {
        let as_set: Vec<_> = series.values().map(|series| series.score_as_set(&config, with_forecast)).collect();
        println!("the same at a probation of {} rows{what}: {:.1}", config.probation, total(&as_set));
    }

    let thresholds: Vec<f64> = (20..=80).step_by(2).map(|hundredths| f64::from(hundredths) / 100.0).collect();
    let by_threshold: Vec<Vec<NabTally>> =
        thresholds.iter().map(|threshold| all(&AnomalyConfig { threshold: *threshold, ..config.clone() })).collect();
    for (threshold, tallies) in thresholds.iter().zip(&by_threshold) {
        print!("{threshold:.2} {:.1}  ", total(tallies));
    }
    println!();
    let mut shuffle = Shuffle(1);
    let mut elsewhere = Vec::new();
    for _ in 0..CUTS {
        let first = shuffle.halves(&names);
        for half in [true, false] {
            let of = |tallies: &[NabTally], half| {
                let chosen: Vec<NabTally> =
                    tallies.iter().zip(&first).filter(|(_, is)| **is == half).map(|(tally, _)| *tally).collect();
                total(&chosen)
            };
            let best = by_threshold.iter().max_by(|a, b| of(a, !half).total_cmp(&of(b, !half)));
            elsewhere.extend(best.map(|tallies| of(tallies, half)));
        }
    }
    let n = elsewhere.len() as f64;
    let mean = elsewhere.iter().sum::<f64>() / n;
    let deviation = (elsewhere.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / n).sqrt();
    println!("threshold from the other half, {} halves: {mean:.1} (deviation {deviation:.1})", elsewhere.len());
    Ok(())
}
