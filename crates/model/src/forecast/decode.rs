//! From the columns of a batch to the numbers of its events.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema, TimeUnit};
use sluicegate_core::config::nearest;
use sluicegate_core::{Batch, ConfigError, Counter, Offset, Roles};

use crate::config::{BadValuesConfig, ForecastConfig, OnBadValue};
use crate::error::ModelError;
use crate::feature::VALUE_MAX;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Which columns mean what, by name and place.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    targets: Vec<(String, usize)>,
    inputs: Vec<(String, usize)>,
    key: Option<(String, usize)>,
    time: Option<(String, usize)>,
}

/// Counts of values that were masked.
#[derive(Debug, Clone)]
pub(super) struct BadValueCounters {
    pub(super) target: Counter,
    pub(super) target_missing: Counter,
    pub(super) input: Counter,
    pub(super) time: Counter,
}

/// The numbers of a batch's events; NaN is missing.
pub(super) struct Events {
    pub(super) offsets: Vec<i64>,
    keys: Option<StringArray>,
    pub(super) times: Vec<Option<i64>>,
    /// `[rows, targets]`.
    pub(super) targets: Vec<f64>,
    /// `[rows, extra inputs]`.
    pub(super) inputs: Vec<f64>,
}

impl Events {
    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }

    pub(super) fn key(&self, row: usize) -> Option<&str> {
        self.keys.as_ref().filter(|keys| keys.is_valid(row)).map(|keys| keys.value(row))
    }
}

impl Columns {
    /// Finds the columns that the settings name and makes sure of their types.
    pub(super) fn find(config: &ForecastConfig, schema: &Schema) -> Result<Self, ConfigError> {
        let roles = Roles::of(schema);
        let numeric = |setting: &str, names: &[String]| -> Result<Vec<(String, usize)>, ConfigError> {
            names.iter().map(|name| find(schema, setting, name, "a number", is_number)).collect()
        };
        let optional =
            |setting: &str, own: &Option<String>, role: Option<String>, what: &str, fits: fn(&DataType) -> bool| {
                own.clone().or(role).map(|name| find(schema, setting, &name, what, fits)).transpose()
            };
        let columns = Self {
            targets: numeric("targets", &config.targets)?,
            inputs: numeric("features.inputs", &config.features.inputs)?,
            key: optional("key", &config.key, roles.key, "text, an integer or a boolean", is_key)?,
            time: optional("time", &config.time, roles.time, "a timestamp or a date", is_time)?,
        };
        if columns.time.is_none() && !config.features.calendar.is_empty() {
            return Err(ConfigError::new("features.calendar", "needs the event time, and no column is named for it")
                .help("name it by `time` in the source or here"));
        }
        Ok(columns)
    }

    /// Reads a batch. Values that cannot be used become NaN and are counted, or are an error where the settings say so.
    pub(super) fn decode(
        &self,
        batch: &Batch,
        bad: BadValuesConfig,
        counters: &BadValueCounters,
    ) -> Result<Events, ModelError> {
        let offsets: Vec<i64> = batch.offsets().iter().map(|offset| offset.0).collect();
        let first = offsets.first().copied().unwrap_or(0);
        let records = batch.records();
        let keys = match &self.key {
            Some(column) => Some(take(records, column, first, &DataType::Utf8)?.as_string::<i32>().clone()),
            None => None,
        };
        let times = match &self.time {
            Some(column) => take_time(records, column, first)?,
            None => vec![None; offsets.len()],
        };
        let mut targets = vec![f64::NAN; offsets.len() * self.targets.len()];
        for (index, column) in self.targets.iter().enumerate() {
            let missing = |_: Offset| {
                counters.target_missing.add(1);
                Ok(())
            };
            let broken = |at| refuse(bad.target, "target", column, at, "is not a finite number", &counters.target);
            fill(records, column, &offsets, index, self.targets.len(), &mut targets, missing, broken)?;
        }
        let mut inputs = vec![f64::NAN; offsets.len() * self.inputs.len()];
        for (index, column) in self.inputs.iter().enumerate() {
            let missing = |at| refuse(bad.input, "input", column, at, "is null", &counters.input);
            let broken = |at| refuse(bad.input, "input", column, at, "is not a finite number", &counters.input);
            fill(records, column, &offsets, index, self.inputs.len(), &mut inputs, missing, broken)?;
        }
        Ok(Events { offsets, keys, times, targets, inputs })
    }

    /// Whether events have keys.
    pub(super) fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// Whether events have times.
    pub(super) fn is_timed(&self) -> bool {
        self.time.is_some()
    }

    /// An event's time lies before that of an earlier event of its key.
    pub(super) fn time_went_back(
        &self,
        bad: BadValuesConfig,
        at: Offset,
        counters: &BadValueCounters,
    ) -> Result<(), ModelError> {
        let Some(column) = &self.time else { return Ok(()) };
        refuse(bad.time, "time", column, at, "lies before an earlier event of the same key", &counters.time)
    }
}

/// Counts a value, or makes an error of it.
fn refuse(
    what: OnBadValue,
    setting: &'static str,
    column: &(String, usize),
    at: Offset,
    reason: &'static str,
    counter: &Counter,
) -> Result<(), ModelError> {
    if what == OnBadValue::Fail {
        return Err(ModelError::BadValue { offset: at.0, column: column.0.clone(), reason, setting });
    }
    counter.add(1);
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "one loop for targets and inputs; a struct would be named once")]
fn fill(
    records: &RecordBatch,
    column: &(String, usize),
    offsets: &[i64],
    index: usize,
    width: usize,
    out: &mut [f64],
    missing: impl Fn(Offset) -> Result<(), ModelError>,
    broken: impl Fn(Offset) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    let array = take(records, column, offsets.first().copied().unwrap_or(0), &DataType::Float64)?;
    let values = array.as_primitive::<Float64Type>();
    for (row, (value, offset)) in values.iter().zip(offsets).enumerate() {
        match value {
            Some(value) if value.is_finite() && value.abs() <= VALUE_MAX => out[row * width + index] = value,
            Some(_) => broken(Offset(*offset))?,
            None => missing(Offset(*offset))?,
        }
    }
    Ok(())
}

fn take(
    records: &RecordBatch,
    (name, place): &(String, usize),
    offset: i64,
    to: &DataType,
) -> Result<ArrayRef, ModelError> {
    let failed = |reason: String| ModelError::Column { column: name.clone(), offset, reason };
    // By place where the columns are those it was bound to, else by name.
    let is_it = records.schema_ref().fields().get(*place).is_some_and(|field| field.name() == name);
    let array = if is_it { Some(records.column(*place)) } else { records.column_by_name(name) };
    let array = array.ok_or_else(|| failed("is not in this batch".into()))?;
    cast(array, to).map_err(|error| failed(error.to_string()))
}

/// Microseconds since 1970 in UTC. A time without a zone is taken as UTC; one that does not fit is missing.
fn take_time(records: &RecordBatch, column: &(String, usize), offset: i64) -> Result<Vec<Option<i64>>, ModelError> {
    let ticks = take(records, column, offset, &DataType::Int64)?;
    let of = records.schema();
    let (per_micro, micros) = match of.field_with_name(&column.0)?.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => (1000, 1),
        DataType::Timestamp(TimeUnit::Microsecond, _) => (1, 1),
        DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date64 => (1, 1000),
        DataType::Timestamp(TimeUnit::Second, _) => (1, 1_000_000),
        _ => (1, MICROS_PER_DAY),
    };
    let ticks = ticks.as_primitive::<Int64Type>();
    Ok(ticks.iter().map(|tick| tick.and_then(|tick| tick.div_euclid(per_micro).checked_mul(micros))).collect())
}

fn find(
    schema: &Schema,
    setting: &str,
    name: &str,
    what: &str,
    fits: fn(&DataType) -> bool,
) -> Result<(String, usize), ConfigError> {
    match schema.column_with_name(name) {
        Some((place, field)) if fits(field.data_type()) => Ok((name.to_owned(), place)),
        Some((_, field)) => {
            let message = format!("column `{name}` has type {}, but must hold {what}", field.data_type());
            Err(ConfigError::new(setting, message))
        }
        None => {
            let names = || schema.fields().iter().map(|field| field.name().as_str());
            let error = ConfigError::new(setting, format!("there is no column `{name}`"));
            Err(match nearest(name, names()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help(format!("there are: {}", names().collect::<Vec<_>>().join(", "))),
            })
        }
    }
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

fn is_key(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_key(values),
        other => {
            matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean)
                || other.is_integer()
        }
    }
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;

    #[test]
    fn times_of_every_type_become_microseconds_in_utc() {
        use arrow::array::{Date32Array, Date64Array, TimestampNanosecondArray, TimestampSecondArray};
        let columns: [(ArrayRef, Option<i64>); 6] = [
            (std::sync::Arc::new(TimestampSecondArray::from(vec![-1])), Some(-1_000_000)),
            (std::sync::Arc::new(TimestampSecondArray::from(vec![7]).with_timezone("Europe/Berlin")), Some(7_000_000)),
            (std::sync::Arc::new(TimestampNanosecondArray::from(vec![-1])), Some(-1)),
            (std::sync::Arc::new(Date32Array::from(vec![2])), Some(2 * MICROS_PER_DAY)),
            (std::sync::Arc::new(Date64Array::from(vec![5])), Some(5000)),
            (std::sync::Arc::new(TimestampSecondArray::from(vec![i64::MAX])), None),
        ];
        for (column, micros) in columns {
            let data_type = column.data_type().clone();
            let records = RecordBatch::try_from_iter([("ts", column)]).unwrap();
            assert_eq!(take_time(&records, &("ts".into(), 0), 0).unwrap(), [micros], "{data_type}");
        }
    }

    #[test]
    fn a_misspelt_or_wrongly_typed_column_is_named() {
        let schema =
            Schema::new(vec![Field::new("load", DataType::Float32, true), Field::new("city", DataType::Utf8, true)]);
        let find = |target: &str| Columns::find(&ForecastConfig::new([target]), &schema).unwrap_err().to_string();
        assert_eq!(find("lode"), "`targets`: there is no column `lode`; did you mean `load`?");
        assert_eq!(find("city"), "`targets`: column `city` has type Utf8, but must hold a number");
    }
}
