//! Points in time, and columns that hold the event time.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::array::{Array, ArrayRef, Int64Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::compute::kernels::cast_utils::string_to_datetime;
use arrow::datatypes::{ArrowTimestampType, DataType, TimeUnit as ArrowUnit};
use arrow::error::ArrowError;
use schemars::JsonSchema;
use serde::Deserialize;

const NANOS_PER_DAY: i128 = 24 * 60 * 60 * NANOS_PER_SECOND;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
const UTC: &str = "UTC";

/// The unit of an integer that counts from 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TimeUnit {
    /// Seconds.
    #[serde(rename = "s")]
    Second,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Millisecond,
    /// Microseconds.
    #[serde(rename = "us")]
    Microsecond,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanosecond,
}

impl TimeUnit {
    /// The type that an Int64 column of this unit is handed on as.
    pub(crate) fn data_type(self) -> DataType {
        let unit = match self {
            Self::Second => ArrowUnit::Second,
            Self::Millisecond => ArrowUnit::Millisecond,
            Self::Microsecond => ArrowUnit::Microsecond,
            Self::Nanosecond => ArrowUnit::Nanosecond,
        };
        DataType::Timestamp(unit, Some(UTC.into()))
    }

    /// The same numbers, as timestamps of this unit in UTC. Copies no data.
    pub(crate) fn mark(self, column: &dyn Array) -> Option<ArrayRef> {
        let ticks = column.as_any().downcast_ref::<Int64Array>()?;
        fn marked<T: ArrowTimestampType>(ticks: &Int64Array) -> ArrayRef {
            let times: PrimitiveArray<T> = ticks.reinterpret_cast();
            Arc::new(times.with_timezone(UTC))
        }
        Some(match self {
            Self::Second => marked::<TimestampSecondType>(ticks),
            Self::Millisecond => marked::<TimestampMillisecondType>(ticks),
            Self::Microsecond => marked::<TimestampMicrosecondType>(ticks),
            Self::Nanosecond => marked::<TimestampNanosecondType>(ticks),
        })
    }
}

/// Nanoseconds from 1970-01-01T00:00:00Z to the time that `text` names; without a zone it is taken as UTC.
pub(crate) fn parse(text: &str) -> Option<i128> {
    let utc: Tz = "+00:00".parse().ok()?;
    let time = string_to_datetime(&utc, text.trim()).ok()?;
    Some(i128::from(time.timestamp()) * NANOS_PER_SECOND + i128::from(time.timestamp_subsec_nanos()))
}

/// Whether a column of this type holds times as it is.
pub(crate) fn is_time(data_type: &DataType) -> bool {
    nanos_per_tick(data_type).is_some()
}

fn nanos_per_tick(data_type: &DataType) -> Option<i128> {
    Some(match data_type {
        DataType::Timestamp(ArrowUnit::Second, _) => NANOS_PER_SECOND,
        DataType::Timestamp(ArrowUnit::Millisecond, _) | DataType::Date64 => 1_000_000,
        DataType::Timestamp(ArrowUnit::Microsecond, _) => 1000,
        DataType::Timestamp(ArrowUnit::Nanosecond, _) => 1,
        DataType::Date32 => NANOS_PER_DAY,
        _ => return None,
    })
}

/// The smallest number of a column of the type `data_type` that stands for the time `nanos` or a later one; `None` where
/// no number can.
pub(crate) fn least_tick(nanos: i128, data_type: &DataType) -> Option<i64> {
    let per_tick = nanos_per_tick(data_type)?;
    let tick = nanos.div_euclid(per_tick) + i128::from(nanos.rem_euclid(per_tick) != 0);
    if tick > i128::from(i64::MAX) { None } else { Some(i64::try_from(tick).unwrap_or(i64::MIN)) }
}

/// The numbers of a column of times.
///
/// # Errors
/// When it is no such column.
pub(crate) fn ticks(column: &dyn Array) -> Result<Int64Array, ArrowError> {
    let numbers = cast(column, &DataType::Int64)?;
    let numbers = numbers.as_any().downcast_ref::<Int64Array>().cloned();
    numbers.ok_or_else(|| ArrowError::CastError(format!("{} holds no times", column.data_type())))
}

/// A column as another type, strictly: a value that cannot be one is an error. A time that has no zone is taken as UTC.
#[cfg(feature = "kafka")]
pub(crate) fn cast_strictly(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    use arrow::array::ArrayData;
    use arrow::compute::{CastOptions, cast_with_options};
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    match (column.data_type(), to) {
        (DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64, DataType::Timestamp(unit, Some(_))) => {
            let plain = cast_with_options(column, &DataType::Timestamp(*unit, None), &strict)?;
            // The same counts, which are from 1970 in UTC, under their zone's name.
            let data: ArrayData = plain.to_data().into_builder().data_type(to.clone()).build()?;
            Ok(arrow::array::make_array(data))
        }
        _ => cast_with_options(column, to, &strict),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_zone_and_clock() {
        const DAY: i128 = 1_483_228_800;
        let cases = [
            ("2017-01-01T00:00:00Z", Some(DAY * 1_000_000_000)),
            ("2017-01-01", Some(DAY * 1_000_000_000)),
            ("2017-01-01 00:00:00.5", Some(DAY * 1_000_000_000 + 500_000_000)),
            ("2017-01-01T01:00:00+01:00", Some(DAY * 1_000_000_000)),
            ("9999-12-31", Some(253_402_214_400 * 1_000_000_000)),
            ("last week", None),
            ("2017-13-01", None),
            ("", None),
        ];
        for (text, nanos) in cases {
            assert_eq!(parse(text), nanos, "{text}");
        }
    }

    #[test]
    fn a_bound_between_two_ticks_is_the_later_one_also_before_1970() {
        let milli = DataType::Timestamp(ArrowUnit::Millisecond, None);
        assert_eq!(least_tick(1_000_001, &milli), Some(2));
        assert_eq!(least_tick(1_000_000, &milli), Some(1));
        assert_eq!(least_tick(-1_000_001, &milli), Some(-1));
        assert_eq!(least_tick(1, &DataType::Date32), Some(1));
        assert_eq!(least_tick(-1, &DataType::Date32), Some(0));
        let nano = DataType::Timestamp(ArrowUnit::Nanosecond, None);
        assert_eq!(least_tick(i128::from(i64::MAX) + 1, &nano), None);
        assert_eq!(least_tick(i128::from(i64::MIN) - 1, &nano), Some(i64::MIN));
    }
}
