//! The labelled series, what a detector says of their rows, and what its alarms score.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluicegate::anomaly::{AlarmRule, AnomalyConfig, Detector, Verdict};
use sluicegate_score::{NabTally, nab};

use super::total;
use crate::forecasts;
use crate::running::Done;

/// A series of the benchmark.
#[derive(Default)]
pub(super) struct Series {
    pub(super) name: String,
    values: Vec<f64>,
    /// Whether each row lies in a labelled window.
    anomaly: Vec<bool>,
    /// Of each row in the file.
    offsets: Vec<usize>,
}

/// The score of each row of a series.
pub(super) type Scores = Vec<Option<f64>>;
/// Which part of a verdict counts as the score.
pub(super) type Part = fn(&Verdict) -> Option<f64>;

/// Reads values and labels.
pub(super) fn read(path: &Path) -> Done<Vec<Series>> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
    let file = File::open(path).map_err(|error| failed(&error))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
    let mut series = BTreeMap::<String, Series>::new();
    let mut offset = 0;
    for batch in reader.map_err(|error| failed(&error))? {
        let batch: RecordBatch = batch.map_err(|error| failed(&error))?;
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| failed(&format!("it has no column {name}")));
        let names = cast(column("series")?, &DataType::Utf8)?;
        let (names, values) = (names.as_string::<i32>(), column("value")?.as_primitive::<Float64Type>());
        let anomaly = column("anomaly")?.as_boolean();
        for row in 0..batch.num_rows() {
            let name = names.value(row);
            let of =
                series.entry(name.to_owned()).or_insert_with(|| Series { name: name.to_owned(), ..Series::default() });
            of.values.push(values.value(row));
            of.anomaly.push(anomaly.value(row));
            of.offsets.push(offset);
            offset += 1;
        }
    }
    Ok(series.into_values().collect())
}

/// The offsets of written alarms, ascending.
pub(super) fn alerts(folder: &Path) -> Done<Vec<i64>> {
    let mut all = Vec::new();
    forecasts::each_batch(folder, &["offset"], |records| {
        let offsets = records.column_by_name("offset").ok_or("there is no column `offset`")?;
        all.extend(offsets.as_primitive::<Int64Type>().values());
        Ok(())
    })?;
    all.sort_unstable();
    Ok(all)
}

/// Runs a detector over each series, with these forecasts of its rows or none.
pub(super) fn judge(
    series: &[Series],
    forecasts: Option<&[Vec<Option<f64>>]>,
    config: &AnomalyConfig,
    part: Part,
) -> Vec<Scores> {
    let of = |(place, series): (usize, &Series)| {
        let mut detector = Detector::new(config);
        let forecast = |row: usize| *forecasts?.get(place)?.get(row)?;
        let score = |(row, value): (usize, &f64)| detector.observe(Some(*value), forecast(row)).as_ref().and_then(part);
        series.values.iter().enumerate().map(score).collect()
    };
    series.iter().enumerate().map(of).collect()
}

/// Rows with an alarm.
pub(super) struct Alarms(Vec<usize>);

impl Alarms {
    /// What scores are by the rule of these settings.
    pub(super) fn of(scores: &Scores, config: &AnomalyConfig) -> Self {
        let rule = AlarmRule::of(config);
        let (mut alarms, mut last) = (Vec::new(), None);
        for (place, score) in scores.iter().enumerate() {
            let row = place as u64 + 1;
            if score.is_some_and(|score| rule.is_alarm(score, row, last)) {
                alarms.push(place);
                last = Some(row);
            }
        }
        Self(alarms)
    }
}

impl Series {
    pub(super) fn rows(&self) -> usize {
        self.values.len()
    }

    /// What alarms by these settings score.
    pub(super) fn tally(&self, scores: &Scores, config: &AnomalyConfig) -> NabTally {
        self.tally_of(&Alarms::of(scores, config).0)
    }

    /// The same with the benchmark's probation.
    pub(super) fn tally_of_benchmark(&self, scores: &Scores, config: &AnomalyConfig) -> NabTally {
        let probation = nab::probation(self.rows()) as u64;
        self.tally(scores, &AnomalyConfig { probation, ..config.clone() })
    }

    fn tally_of(&self, alarms: &[usize]) -> NabTally {
        let mut tally = NabTally::default();
        tally.add(&self.anomaly, alarms);
        tally
    }

    /// The last value, as the forecast of each row.
    pub(super) fn last_values(&self) -> Vec<Option<f64>> {
        std::iter::once(None).chain(self.values.iter().copied().map(Some)).take(self.rows()).collect()
    }

    /// What was said at each row's offset.
    pub(super) fn of_offsets(&self, by_offset: &[Option<f64>]) -> Vec<Option<f64>> {
        self.offsets.iter().map(|offset| by_offset.get(*offset).copied().flatten()).collect()
    }

    /// The offsets of rows with an alarm.
    pub(super) fn offsets_of(&self, alarms: &Alarms) -> Vec<i64> {
        alarms.0.iter().filter_map(|row| self.offsets.get(*row)).map(|offset| *offset as i64).collect()
    }
}

/// The control that looks at nothing: an alarm every so many rows, at the spacing that is best for these files, and its mean score
/// over where the first alarm falls.
pub(super) fn blind(series: &[Series]) -> (usize, f64) {
    const STARTS: usize = 10;
    let score = |spacing: usize| {
        let from = |start: usize| {
            let alarms = |series: &Series| (start..series.rows()).step_by(spacing).collect::<Vec<_>>();
            total(series.iter().map(|series| series.tally_of(&alarms(series))))
        };
        (0..STARTS).map(|start| from(start * spacing / STARTS)).sum::<f64>() / STARTS as f64
    };
    let all = (100..=1500).step_by(20).map(|spacing| (spacing, score(spacing)));
    all.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forecasts_and_alarms_find_their_rows() {
        let series = Series { values: vec![1.0, 2.0, 4.0], offsets: vec![5, 7, 9], ..Series::default() };
        assert_eq!(series.last_values(), [None, Some(1.0), Some(2.0)]);
        let by_offset: Vec<_> = (0..9).map(|offset| Some(f64::from(offset))).collect();
        assert_eq!(series.of_offsets(&by_offset), [Some(5.0), Some(7.0), None]);
        assert_eq!(series.offsets_of(&Alarms(vec![0, 2])), [5, 9]);
    }

    #[test]
    fn alarms_by_the_rule_are_those_of_the_detector() {
        let config = AnomalyConfig { probation: 20, ..AnomalyConfig::default() };
        let values: Vec<f64> = (0..400_u32).map(|row| f64::from(row * row % 97 + row / 80 * 200)).collect();
        let series = [Series { values, ..Series::default() }];
        let scores = judge(&series, Some(&[series[0].last_values()]), &config, |verdict| verdict.score);
        let alarms = judge(&series, Some(&[series[0].last_values()]), &config, |verdict| verdict.alarm.then_some(1.0));
        let expected: Vec<usize> = (0..400).filter(|row| alarms[0][*row].is_some()).collect();
        assert!(expected.len() > 2);
        assert_eq!(Alarms::of(&scores[0], &config).0, expected);
    }
}
