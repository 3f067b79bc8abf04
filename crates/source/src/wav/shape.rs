//! The columns, and the rows of a stretch of one file.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use sluicegate_core::{Roles, SAMPLE_RATE};

use super::clock::{Clock, time_type};
use super::frame::{Frame, Grid};
use super::source::Recording;

pub(super) const FILE: &str = "file";
pub(super) const TIME: &str = "time";
/// What is said of a row, by unit.
pub(super) const OF_SAMPLE: [&str; 2] = ["sample", "value"];
pub(super) const OF_FRAME: [&str; 4] = ["frame", "rms_db", "zero_crossing_rate", "peak"];

/// What rows look like.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) schema: SchemaRef,
    pub(super) grid: Grid,
    pub(super) clock: Clock,
    /// Whether there is a column of keys beside that of files.
    has_key: bool,
}

impl Shape {
    /// Of samples where `of_samples`, else of frames; with a column of keys of this name, where files are none themselves.
    pub(super) fn new(grid: Grid, of_samples: bool, clock: Clock, key: Option<&str>) -> Self {
        let text = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let mut fields = vec![Field::new(FILE, text(), false)];
        fields.extend(key.map(|key| Field::new(key, text(), false)));
        let numbers: &[&str] = if of_samples { &OF_SAMPLE } else { &OF_FRAME };
        let of_number = |(place, name): (usize, &&str)| {
            Field::new(*name, if place == 0 { DataType::Int64 } else { DataType::Float64 }, false)
        };
        fields.extend(numbers.iter().enumerate().map(of_number));
        fields.push(Field::new(TIME, time_type(), false));
        let roles = Roles { time: Some(TIME.to_owned()), key: Some(key.unwrap_or(FILE).to_owned()) };
        let schema = Schema::new(fields);
        let rate = (SAMPLE_RATE.to_owned(), clock.rate.to_string());
        let schema = if of_samples { schema.with_metadata(HashMap::from([rate])) } else { schema };
        Self { schema: roles.mark(&schema), grid, clock, has_key: key.is_some() }
    }

    /// Rows `first ..` of a recording, by what is said of each.
    ///
    /// # Errors
    /// When the columns do not fit the schema, which would be a mistake of this crate.
    pub(super) fn rows(&self, of: &Recording, first: i64, said: Said) -> Result<RecordBatch, ArrowError> {
        let rows = first..first + said.len() as i64;
        let mut columns = vec![same(&of.label, said.len())?];
        if self.has_key {
            columns.push(same(&of.key, said.len())?);
        }
        columns.push(Arc::new(Int64Array::from_iter_values(rows.clone())));
        columns.extend(said.columns());
        let time = |row| self.clock.at(of.first_sample + self.grid.last_sample(row));
        let times = TimestampMicrosecondArray::from_iter_values(rows.map(time));
        columns.push(Arc::new(times.with_data_type(time_type())));
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}

/// A text, over and over.
fn same(text: &str, rows: usize) -> Result<ArrayRef, ArrowError> {
    let keys = Int32Array::from_value(0, rows);
    let values = Arc::new(StringArray::from_iter_values([text]));
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values)?))
}

/// What is said of some rows that follow each other.
pub(super) enum Said {
    /// The value of each sample.
    Samples(Vec<f64>),
    /// What is said of each frame.
    Frames(Vec<Frame>),
}

impl Said {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Samples(values) => values.len(),
            Self::Frames(frames) => frames.len(),
        }
    }

    fn columns(self) -> Vec<ArrayRef> {
        match self {
            Self::Samples(values) => vec![Arc::new(Float64Array::from(values))],
            Self::Frames(frames) => {
                let column = |of: fn(&Frame) -> f64| -> ArrayRef {
                    Arc::new(Float64Array::from_iter_values(frames.iter().map(of)))
                };
                vec![column(|frame| frame.rms_db), column(|frame| frame.zero_crossing_rate), column(|frame| frame.peak)]
            }
        }
    }
}
