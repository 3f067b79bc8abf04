//! Columns of numbers.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use sluicegate_core::Offset;

use super::bad::Bad;
use super::take::take;
use crate::error::ModelError;
use crate::feature::Transform;

/// A column of numbers, and the function that it is seen through.
#[derive(Debug, Clone)]
pub(super) struct NumberColumn {
    pub(super) column: (String, usize),
    pub(super) transform: Option<Transform>,
}

impl NumberColumn {
    /// The number that a value of the column stands for.
    pub(super) fn read(&self, value: Option<f64>, limit: f64) -> Result<f64, Bad> {
        let value = value.ok_or(Bad::Missing)?;
        if !value.is_finite() {
            return Err(Bad::Unusable("is not a finite number"));
        }
        if value.abs() > limit {
            return Err(Bad::Unusable("is beyond the limit of usable numbers"));
        }
        match &self.transform {
            Some(transform) => transform.apply(value).ok_or(Bad::Unusable(transform.refusal())),
            None => Ok(value),
        }
    }
}

/// Numbers of some columns, NaN where missing, and which of those are carried.
pub(super) struct Numbers {
    pub(super) values: Vec<f64>,
    pub(super) carried: Vec<bool>,
}

/// The numbers of some columns. `settle` is asked about each that is none, and says whether it is carried.
pub(super) fn numbers(
    records: &RecordBatch,
    columns: &[NumberColumn],
    offsets: &[i64],
    limit: f64,
    settle: impl Fn(&(String, usize), Offset, Bad) -> Result<bool, ModelError>,
) -> Result<Numbers, ModelError> {
    let width = columns.len();
    let mut values = vec![f64::NAN; offsets.len() * width];
    let mut carried = Vec::new();
    for (index, number) in columns.iter().enumerate() {
        let array = take(records, &number.column, offsets.first().copied().unwrap_or(0), &DataType::Float64)?;
        for (row, (value, offset)) in array.as_primitive::<Float64Type>().iter().zip(offsets).enumerate() {
            let place = row * width + index;
            match number.read(value, limit) {
                Ok(value) => values[place] = value,
                Err(bad) => {
                    if settle(&number.column, Offset(*offset), bad)? {
                        carried.resize(values.len(), false);
                        carried[place] = true;
                    }
                }
            }
        }
    }
    Ok(Numbers { values, carried })
}
