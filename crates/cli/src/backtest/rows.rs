//! What the forecast operator says of its own forecasts, row by row, as series of losses.

use std::collections::HashMap;

use sluicegate::arrow::array::{Array as _, AsArray as _, Float64Array, StringArray};
use sluicegate::arrow::compute::cast;
use sluicegate::arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use sluicegate::{Batch, BoxError};

/// Whose forecasts, of what, how far ahead.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) target: String,
    pub(super) horizon: i32,
    pub(super) model: String,
}

/// Losses of one event; NaN where nothing was forecast for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loss {
    pub(super) time: i64,
    pub(super) nll: f64,
    pub(super) crps: f64,
    pub(super) error: f64,
    pub(super) pit: f64,
}

/// All losses of a history. The same place in two series is the same event.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// In the order in which the operator emits them.
    pub(super) series: Vec<(Name, Vec<Loss>)>,
    places: HashMap<Name, usize>,
    /// The newest time of each key.
    newest: HashMap<(String, String), i64>,
}

impl Losses {
    /// Takes rows of the operator in its long layout.
    ///
    /// # Errors
    /// When an event has no time, or one before that of an earlier event of its key.
    pub(super) fn take(&mut self, batch: &Batch) -> Result<(), BoxError> {
        let records = batch.records();
        let column = |name: &str| {
            records.column_by_name(name).ok_or_else(|| format!("the forecast operator gave no column `{name}`"))
        };
        let text = |name: &str| -> Result<StringArray, BoxError> {
            Ok(cast(column(name)?, &DataType::Utf8)?.as_string::<i32>().clone())
        };
        let number = |name: &str| -> Result<Float64Array, BoxError> {
            Ok(cast(column(name)?, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
        };
        let (partitions, keys, targets, models) = (text("partition")?, text("key")?, text("target")?, text("model")?);
        let offsets = column("offset")?.as_primitive::<Int64Type>();
        let times = column("time")?.as_primitive::<TimestampMicrosecondType>();
        let horizons = column("horizon")?.as_primitive::<Int32Type>();
        let [observed, forecast, nll, crps, pit] =
            [number("observed")?, number("forecast")?, number("nll")?, number("crps")?, number("pit")?];
        let value = |column: &Float64Array, row: usize| if column.is_null(row) { f64::NAN } else { column.value(row) };
        for row in 0..records.num_rows() {
            if times.is_null(row) {
                return Err(format!(
                    "the event at offset {} of partition {} has no time, and folds are ranges of time\n  help: name the column of \
                     times in the source: time = \"…\"",
                    offsets.value(row),
                    partitions.value(row)
                )
                .into());
            }
            let time = times.value(row);
            if row == 0 || offsets.value(row) != offsets.value(row - 1) {
                let key = if keys.is_null(row) { "" } else { keys.value(row) };
                let place = (partitions.value(row).to_owned(), key.to_owned());
                let newest = self.newest.entry(place).or_insert(time);
                if time < *newest {
                    return Err(format!(
                        "the event at offset {} of partition {}{} is from {}, before an earlier one from {}; scores of such a \
                         history would say nothing\n  help: sort it by time",
                        offsets.value(row),
                        partitions.value(row),
                        if key.is_empty() { String::new() } else { format!(", key {key},") },
                        super::time_text(time),
                        super::time_text(*newest),
                    )
                    .into());
                }
                *newest = time;
            }
            let name = Name {
                target: targets.value(row).to_owned(),
                horizon: horizons.value(row),
                model: models.value(row).to_owned(),
            };
            let next = self.series.len();
            let place = *self.places.entry(name.clone()).or_insert(next);
            if place == next {
                self.series.push((name, Vec::new()));
            }
            self.series[place].1.push(Loss {
                time,
                nll: value(&nll, row),
                crps: value(&crps, row),
                error: value(&forecast, row) - value(&observed, row),
                pit: value(&pit, row),
            });
        }
        Ok(())
    }

    /// The times of all events, sorted.
    pub(super) fn times(&self) -> Vec<i64> {
        let mut times: Vec<i64> =
            self.series.first().map(|(_, losses)| losses.iter().map(|loss| loss.time).collect()).unwrap_or_default();
        times.sort_unstable();
        times
    }

    /// The models, in the order of the operator: its own forecast first.
    pub(super) fn models(&self) -> Vec<&str> {
        let mut models: Vec<&str> = Vec::new();
        for (name, _) in &self.series {
            if !models.contains(&name.model.as_str()) {
                models.push(&name.model);
            }
        }
        models
    }

    /// The losses of one model, of what another one forecast.
    pub(super) fn beside(&self, name: &Name, model: &str) -> Option<&[Loss]> {
        let name = Name { model: model.to_owned(), ..name.clone() };
        self.places.get(&name).map(|place| self.series[*place].1.as_slice())
    }
}
