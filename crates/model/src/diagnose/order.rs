//! Does order matter? The same rows in an order drawn at random within each key, with time and key in their places.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch, UInt64Array};
use arrow::compute::{cast, concat_batches, take};
use arrow::datatypes::DataType;
use sluicegate_core::{Batch, BoxError, Metrics, Offset, Offsets, Roles};

use super::Subject;
use crate::error::ModelError;
use crate::forecast;
use crate::random::Random;

/// Scores of a network with and without the order of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Mean negative log-likelihood in nats, over targets and horizons: for each seed of the network and of the order, as the rows are
    /// and in another order.
    pub scores: Vec<[f64; 2]>,
}

impl Order {
    /// What is lost without the order: the mean over seeds, and its standard error, not a number for a single seed.
    pub fn lost(&self) -> (f64, f64) {
        let count = self.scores.len() as f64;
        let lost = || self.scores.iter().map(|[ordered, shuffled]| shuffled - ordered);
        let mean = lost().sum::<f64>() / count;
        let variance = lost().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, (variance / count).sqrt())
    }
}

/// Scores the network that the settings name, alone, on the events as they are and in as many other orders as there are seeds.
///
/// # Errors
/// When the settings are wrong, or no event is scored.
pub fn order(subject: Subject<'_>, seeds: u64) -> Result<Order, BoxError> {
    let (config, events) = (subject.alone(subject.config.model.kind), subject.events());
    let from = config.scores.from;
    // Known before anything has been learned.
    if from > 0 && events as u64 <= from {
        return Err(ModelError::ScoresBeginLater { events, from }.into());
    }
    let score = |config: &crate::ForecastConfig, log: &[Batch]| -> Result<f64, BoxError> {
        let metrics = Metrics::new();
        forecast::watch(config, Subject { log, ..subject }, &metrics, |_, _| Ok(()))?;
        let samples = metrics.samples();
        let is_nll = |sample: &&sluicegate_core::Sample| {
            sample.name == "forecast_score"
                && sample.label("stat") == Some("nll")
                && sample.label("range") != Some("learning")
        };
        let all: Vec<f64> =
            samples.iter().filter(is_nll).map(|sample| sample.value).filter(|value| value.is_finite()).collect();
        if all.is_empty() {
            return Err(ModelError::NothingScored { events }.into());
        }
        Ok(all.iter().sum::<f64>() / all.len() as f64)
    };
    let mut scores = Vec::new();
    for seed in 0..seeds {
        let mut config = config.clone();
        config.model.seed = config.model.seed.wrapping_add(seed);
        scores.push([score(&config, subject.log)?, score(&config, &shuffled(subject.log, &config.key, seed)?)?]);
    }
    Ok(Order { scores })
}

/// The rows in an order drawn at random within each key: what stands in the columns of time and key stays in its place.
fn shuffled(log: &[Batch], key: &Option<String>, seed: u64) -> Result<Vec<Batch>, BoxError> {
    let Some(first) = log.first() else { return Ok(Vec::new()) };
    let schema = first.records().schema();
    let all = concat_batches(&schema, log.iter().map(Batch::records))?;
    let roles = Roles::of(&schema);
    let key = key.clone().or(roles.key);
    let order = UInt64Array::from(drawn(&all, key.as_deref(), &mut Random::new(seed))?);
    let mut columns = Vec::with_capacity(all.num_columns());
    for (field, column) in schema.fields().iter().zip(all.columns()) {
        let stays = [&key, &roles.time].into_iter().any(|role| role.as_ref() == Some(field.name()));
        columns.push(if stays { column.clone() } else { take(column, &order, None)? });
    }
    let records = RecordBatch::try_new(schema, columns)?;
    let rows = records.num_rows();
    let offset = first.offsets().get(0).unwrap_or(Offset(0));
    Ok(vec![Batch::new(first.partition().clone(), Offsets::dense(offset, rows)?, records)?])
}

/// For each row the one whose values come in its place: another of its key.
fn drawn(records: &RecordBatch, key: Option<&str>, random: &mut Random) -> Result<Vec<u64>, BoxError> {
    let mut places: HashMap<Option<String>, Vec<usize>> = HashMap::new();
    let keys = key.and_then(|key| records.column_by_name(key)).map(|keys| cast(keys, &DataType::Utf8)).transpose()?;
    // Keys in the order in which they are first seen, so that what is drawn depends on the seed alone.
    let mut seen = Vec::new();
    for row in 0..records.num_rows() {
        let own = keys.as_ref().map(|keys| keys.as_string::<i32>()).filter(|keys| keys.is_valid(row));
        let own = own.map(|keys| keys.value(row).to_owned());
        let rows = places.entry(own.clone()).or_default();
        if rows.is_empty() {
            seen.push(own);
        }
        rows.push(row);
    }
    let mut order = vec![0; records.num_rows()];
    for own in seen {
        let places = places.remove(&own).unwrap_or_default();
        let mut rows = places.clone();
        for last in (1..rows.len()).rev() {
            let other = (f64::from(random.unit()) * (last + 1) as f64) as usize;
            rows.swap(last, other.min(last));
        }
        places.into_iter().zip(rows).for_each(|(place, row)| order[place] = row as u64);
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;
    use sluicegate_core::PartitionId;

    use super::*;

    #[test]
    fn values_move_within_their_key_and_time_and_key_stay() {
        let numbers = |of: fn(i64) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values((0..60).map(of))) };
        let keys: ArrayRef = Arc::new(StringArray::from_iter((0..60).map(|row| [Some("a"), Some("b"), None][row % 3])));
        let records =
            RecordBatch::try_from_iter([("t", numbers(|row| row)), ("k", keys), ("y", numbers(|row| row))]).unwrap();
        let roles = Roles { time: Some("t".into()), key: Some("k".into()) };
        let records = records.clone().with_schema(roles.mark(&records.schema())).unwrap();
        let batch = Batch::new(PartitionId::new("p"), Offsets::dense(Offset(7), 60).unwrap(), records.clone()).unwrap();
        let moved = shuffled(&[batch.slice(0, 31), batch.slice(31, 29)], &None, 5).unwrap();
        let [moved] = moved.as_slice() else { panic!("one batch") };
        assert_eq!((moved.offsets().get(0), moved.len()), (Some(Offset(7)), 60));
        assert_eq!(moved.records().columns()[..2], records.columns()[..2]);
        let values = moved.records().column(2).as_primitive::<Int64Type>();
        let mut sorted: Vec<i64> = values.values().to_vec();
        assert_ne!(sorted, (0..60).collect::<Vec<_>>());
        assert!(sorted.iter().enumerate().all(|(row, value)| row as i64 % 3 == value % 3), "within their keys");
        sorted.sort_unstable();
        assert_eq!(sorted, (0..60).collect::<Vec<_>>());
    }
}
