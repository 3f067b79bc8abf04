//! One column of rows that are read value by value.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float32Builder, Float64Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;

use crate::FieldType;

/// A value that fits its column, not yet appended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Missing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

/// The values of one column.
pub(crate) enum Column {
    String(StringBuilder),
    Int64(Int64Builder),
    Int32(Int32Builder),
    Float64(Float64Builder),
    Float32(Float32Builder),
    Boolean(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl Column {
    pub(crate) fn new(field: FieldType) -> Self {
        match field {
            FieldType::String => Self::String(StringBuilder::new()),
            FieldType::Int64 => Self::Int64(Int64Builder::new()),
            FieldType::Int32 => Self::Int32(Int32Builder::new()),
            FieldType::Float64 => Self::Float64(Float64Builder::new()),
            FieldType::Float32 => Self::Float32(Float32Builder::new()),
            FieldType::Boolean => Self::Boolean(BooleanBuilder::new()),
            FieldType::Timestamp | FieldType::TimestampS | FieldType::TimestampMs | FieldType::TimestampUs => {
                Self::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
        }
    }

    /// Appends a value that [`fit`] made for the column's type; anything else is a missing value.
    pub(crate) fn append(&mut self, cell: &Cell) {
        match (self, cell) {
            (Self::String(column), Cell::Text(text)) => column.append_value(text),
            (Self::String(column), _) => column.append_null(),
            (Self::Int64(column), Cell::Int(value)) => column.append_value(*value),
            (Self::Int64(column), _) => column.append_null(),
            (Self::Int32(column), Cell::Int(value)) => column.append_option(i32::try_from(*value).ok()),
            (Self::Int32(column), _) => column.append_null(),
            (Self::Float64(column), Cell::Float(value)) => column.append_value(*value),
            (Self::Float64(column), _) => column.append_null(),
            (Self::Float32(column), Cell::Float(value)) => column.append_value(*value as f32),
            (Self::Float32(column), _) => column.append_null(),
            (Self::Boolean(column), Cell::Bool(value)) => column.append_value(*value),
            (Self::Boolean(column), _) => column.append_null(),
            (Self::Time(column), Cell::Int(value)) => column.append_value(*value),
            (Self::Time(column), _) => column.append_null(),
        }
    }

    pub(crate) fn take(&mut self) -> ArrayRef {
        match self {
            Self::String(column) => Arc::new(column.finish()),
            Self::Int64(column) => Arc::new(column.finish()),
            Self::Int32(column) => Arc::new(column.finish()),
            Self::Float64(column) => Arc::new(column.finish()),
            Self::Float32(column) => Arc::new(column.finish()),
            Self::Boolean(column) => Arc::new(column.finish()),
            Self::Time(column) => Arc::new(column.finish()),
        }
    }
}

/// A value as a column of the given type takes it; what it should have been, otherwise.
pub(crate) fn fit(field: FieldType, value: Cell) -> Result<Cell, &'static str> {
    match (field, value) {
        (_, Cell::Missing) => Ok(Cell::Missing),
        (FieldType::String, value @ Cell::Text(_)) | (FieldType::Int64, value @ Cell::Int(_)) => Ok(value),
        (FieldType::Boolean, value @ Cell::Bool(_)) => Ok(value),
        (FieldType::Int32, Cell::Int(value)) => {
            i32::try_from(value).map(|_| Cell::Int(value)).map_err(|_| "a whole number of 32 bits")
        }
        (FieldType::Float64 | FieldType::Float32, Cell::Int(value)) => Ok(Cell::Float(value as f64)),
        (FieldType::Float64 | FieldType::Float32, value @ Cell::Float(_)) => Ok(value),
        (FieldType::Timestamp, Cell::Text(text)) => {
            let nanos = string_to_timestamp_nanos(text.trim());
            nanos.map(|nanos| Cell::Int(nanos.div_euclid(1000))).map_err(|_| "a time such as 2017-01-01T00:00:00Z")
        }
        (FieldType::TimestampS, Cell::Int(value)) => scaled(value, 1_000_000),
        (FieldType::TimestampMs, Cell::Int(value)) => scaled(value, 1000),
        (FieldType::TimestampUs, Cell::Int(value)) => scaled(value, 1),
        (field, _) => Err(match field {
            FieldType::String => "text",
            FieldType::Int64 => "a whole number of 64 bits",
            FieldType::Int32 => "a whole number of 32 bits",
            FieldType::Float64 | FieldType::Float32 => "a number",
            FieldType::Boolean => "true or false",
            FieldType::Timestamp => "a time such as 2017-01-01T00:00:00Z",
            FieldType::TimestampS => "a time in whole seconds",
            FieldType::TimestampMs => "a time in whole milliseconds",
            FieldType::TimestampUs => "a time in whole microseconds",
        }),
    }
}

/// What a value is, without repeating all of a long one.
pub(crate) fn shown(value: &Cell) -> String {
    const SHOWN_CHARS_MAX: usize = 40;
    match value {
        Cell::Missing => "null, an object or a list".to_owned(),
        Cell::Bool(value) => value.to_string(),
        Cell::Int(value) => value.to_string(),
        Cell::Float(value) => value.to_string(),
        Cell::Text(text) if text.chars().count() <= SHOWN_CHARS_MAX => format!("the text {text:?}"),
        Cell::Text(_) => "a long text".to_owned(),
    }
}

fn scaled(value: i64, by: i64) -> Result<Cell, &'static str> {
    value.checked_mul(by).map(Cell::Int).ok_or("a time within 290,000 years of 1970")
}
