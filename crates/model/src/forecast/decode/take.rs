//! Finding columns by name, and taking them as the type that is wanted.

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema, TimeUnit};
use sluicegate_core::ConfigError;
use sluicegate_core::config::nearest;

use crate::error::ModelError;

const MICROS_PER_DAY: i64 = 86_400_000_000;

pub(super) fn take(
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
pub(super) fn take_time(
    records: &RecordBatch,
    column: &(String, usize),
    offset: i64,
) -> Result<Vec<Option<i64>>, ModelError> {
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

pub(super) fn find(
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

pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

pub(super) fn is_key(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_key(values),
        other => {
            matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean)
                || other.is_integer()
        }
    }
}

/// What a bernoulli head can be of.
pub(super) fn is_yes_or_no(data_type: &DataType) -> bool {
    *data_type == DataType::Boolean || data_type.is_integer()
}

pub(super) fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
