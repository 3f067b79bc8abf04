//! One cell of any Arrow array.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StructArray, downcast_dictionary_array};
use arrow::datatypes::{
    ArrowTimestampType, DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::temporal_conversions::as_datetime;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// What a cell holds.
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float32(f32),
    Float64(f64),
    /// Text, or what has no number of its own in JSON.
    Text(Cow<'a, str>),
    /// All elements of a list; a map is a list of its entries.
    List(ArrayRef),
    /// Row of a struct.
    Struct(&'a StructArray, usize),
}

/// The cell in row `row` of `array`.
pub(crate) fn value(array: &dyn Array, row: usize) -> Value<'_> {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int8 => Value::Int(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Value::Int(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Value::Int(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Value::UInt(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Value::UInt(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Value::UInt(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => Value::UInt(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float16 => Value::Float32(array.as_primitive::<Float16Type>().value(row).to_f32()),
        DataType::Float32 => Value::Float32(array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => Value::Float64(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).into()),
        DataType::LargeUtf8 => Value::Text(array.as_string::<i64>().value(row).into()),
        DataType::Utf8View => Value::Text(array.as_string_view().value(row).into()),
        DataType::Binary => hexadecimal(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => hexadecimal(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => hexadecimal(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => hexadecimal(array.as_fixed_size_binary().value(row)),
        DataType::Timestamp(unit, zone) => {
            let has_zone = zone.is_some();
            match unit {
                TimeUnit::Second => timestamp::<TimestampSecondType>(array, row, has_zone),
                TimeUnit::Millisecond => timestamp::<TimestampMillisecondType>(array, row, has_zone),
                TimeUnit::Microsecond => timestamp::<TimestampMicrosecondType>(array, row, has_zone),
                TimeUnit::Nanosecond => timestamp::<TimestampNanosecondType>(array, row, has_zone),
            }
        }
        DataType::List(_) => Value::List(array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => Value::List(array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(_, _) => Value::List(array.as_fixed_size_list().value(row)),
        DataType::Map(_, _) => Value::List(Arc::new(array.as_map().value(row))),
        DataType::Struct(_) => Value::Struct(array.as_struct(), row),
        _ => downcast_dictionary_array!(
            array => match array.key(row) {
                Some(key) => value(array.values(), key),
                None => Value::Null,
            },
            _ => displayed(array, row),
        ),
    }
}

fn hexadecimal<'a>(bytes: &[u8]) -> Value<'a> {
    Value::Text(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
}

/// An instant in UTC where there is a zone, a time on some clock where there is none; the bare number where it is out of
/// the calendar's range.
fn timestamp<'a, T: ArrowTimestampType>(array: &dyn Array, row: usize, has_zone: bool) -> Value<'a> {
    let ticks = array.as_primitive::<T>().value(row);
    match as_datetime::<T>(ticks) {
        Some(time) => {
            let zone = if has_zone { "Z" } else { "" };
            Value::Text(format!("{}{zone}", time.format("%Y-%m-%dT%H:%M:%S%.f")).into())
        }
        None => Value::Int(ticks),
    }
}

/// Dates, times of day, decimals, intervals and whatever else: as Arrow itself shows them.
fn displayed(array: &dyn Array, row: usize) -> Value<'_> {
    let options = FormatOptions::default();
    let text = ArrayFormatter::try_new(array, &options).and_then(|cells| cells.value(row).try_to_string());
    Value::Text(text.unwrap_or_else(|error| error.to_string()).into())
}
