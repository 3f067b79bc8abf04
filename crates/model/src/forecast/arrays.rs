//! Small builders of Arrow arrays.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::DataType;

use super::stretch::Stretch;
use crate::error::ModelError;

/// Numbers, NaN as null.
pub(super) fn numbers(values: Vec<f64>) -> ArrayRef {
    let nulls = if values.iter().any(|value| value.is_nan()) {
        Some(NullBuffer::from_iter(values.iter().map(|value| !value.is_nan())))
    } else {
        None
    };
    Arc::new(Float64Array::new(ScalarBuffer::from(values), nulls))
}

/// Yes or no.
pub(super) fn flags(values: Vec<bool>) -> ArrayRef {
    Arc::new(BooleanArray::from(values))
}

/// Text that repeats: places in a list of distinct values; a negative place is null.
pub(super) fn texts<S: AsRef<str>>(places: Vec<i32>, distinct: &[Option<S>]) -> Result<ArrayRef, ModelError> {
    let values: StringArray = distinct.iter().map(|text| Some(text.as_ref().map_or("", AsRef::as_ref))).collect();
    let is_null = |place: &i32| usize::try_from(*place).ok().and_then(|place| distinct[place].as_ref()).is_none();
    let keys = if places.iter().any(is_null) {
        let nulls = NullBuffer::from_iter(places.iter().map(|place| !is_null(place)));
        Int32Array::new(ScalarBuffer::from(places.iter().map(|place| (*place).max(0)).collect::<Vec<_>>()), Some(nulls))
    } else {
        Int32Array::from(places)
    };
    Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(values))?))
}

/// Partition, offset, key and time of every event, each repeated `times` times.
pub(super) fn identity(stretch: &Stretch, partition: &str, times: usize) -> Result<Vec<ArrayRef>, ModelError> {
    let repeat = |place: usize| std::iter::repeat_n(place, times);
    let events = || (0..stretch.offsets.len()).flat_map(repeat);
    let offsets: Int64Array = events().map(|event| stretch.offsets[event]).collect::<Vec<_>>().into();
    let keys = events().map(|event| stretch.key_of[event]).collect();
    let time: TimestampMicrosecondArray = events().map(|event| stretch.times[event]).collect();
    Ok(vec![
        texts(vec![0; stretch.offsets.len() * times], &[Some(partition)])?,
        Arc::new(offsets),
        texts(keys, &stretch.keys)?,
        Arc::new(time.with_timezone("UTC")),
    ])
}

/// The type of text that repeats.
pub(super) fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}
