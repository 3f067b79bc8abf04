//! From the columns of a batch to what the detectors look at.

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType};
use sluicegate_core::config::nearest;
use sluicegate_core::{Batch, ConfigError};

use crate::error::AnomalyError;

/// Says whether a type will do.
type Fits = fn(&DataType) -> bool;

/// The columns that must be there, what they hold and whether they do.
const NEEDED: [(&str, &str, Fits); 5] = [
    ("target", "text", is_text),
    ("horizon", "an integer", DataType::is_integer),
    ("model", "text", is_text),
    ("observed", "a number", DataType::is_numeric),
    ("forecast", "a number", DataType::is_numeric),
];
/// Those that may be.
const OPTIONAL: [(&str, &str, Fits); 3] = [
    ("key", "text", is_text),
    ("time", "a timestamp", |data_type| matches!(data_type, DataType::Timestamp(_, _))),
    ("offset", "an integer", DataType::is_integer),
];

/// What sources of the columns there are.
const HELP: &str = "the input must be an operator `forecast` of numbers with `layout = \"long\"` and `observed` and `forecast` among its `columns`";

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

/// Makes sure that the columns of forecasts are there.
///
/// # Errors
/// Names the first one that is missing or of another type.
pub(crate) fn check(input: &Schema) -> Result<(), ConfigError> {
    let all = NEEDED.iter().map(|column| (column, true)).chain(OPTIONAL.iter().map(|column| (column, false)));
    for ((name, what, fits), is_needed) in all {
        match input.column_with_name(name) {
            Some((_, field)) if fits(field.data_type()) => {}
            Some((_, field)) => {
                let message = format!("column `{name}` has type {}, but must hold {what}", field.data_type());
                return Err(ConfigError::new("input", message).help(HELP));
            }
            None if is_needed => {
                let names = input.fields().iter().map(|field| field.name().as_str());
                let near = nearest(name, names).map_or(String::new(), |near| format!(" (there is `{near}`)"));
                return Err(ConfigError::new("input", format!("there is no column `{name}`{near}")).help(HELP));
            }
            None => {}
        }
    }
    Ok(())
}

/// The rows of a batch, column by column.
pub(crate) struct Rows {
    /// The events' offsets: the column `offset` where there is one, else the rows' own.
    pub(crate) events: Int64Array,
    keys: Option<StringArray>,
    times: Option<TimestampMicrosecondArray>,
    targets: StringArray,
    horizons: Int64Array,
    models: StringArray,
    observed: Float64Array,
    forecasts: Float64Array,
}

impl Rows {
    pub(crate) fn of(batch: &Batch) -> Result<Self, AnomalyError> {
        let offset = batch.offsets().get(0).map_or(0, |offset| offset.0);
        let optional = |column, data_type: &DataType| take(batch.records(), column, offset, data_type);
        let needed = |column, data_type: &DataType| {
            let missing = || AnomalyError::Column { column, offset, reason: "is not in this batch".into() };
            optional(column, data_type)?.ok_or_else(missing)
        };
        let texts = |column| Ok::<_, AnomalyError>(needed(column, &DataType::Utf8)?.as_string::<i32>().clone());
        let numbers =
            |column| Ok::<_, AnomalyError>(needed(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone());
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        Ok(Self {
            events: match optional("offset", &DataType::Int64)? {
                Some(offsets) => offsets.as_primitive::<Int64Type>().clone(),
                None => batch.offsets().iter().map(|offset| offset.0).collect::<Vec<_>>().into(),
            },
            keys: optional("key", &DataType::Utf8)?.map(|keys| keys.as_string::<i32>().clone()),
            times: optional("time", &micros)?.map(|times| times.as_primitive::<TimestampMicrosecondType>().clone()),
            targets: texts("target")?,
            horizons: needed("horizon", &DataType::Int64)?.as_primitive::<Int64Type>().clone(),
            models: texts("model")?,
            observed: numbers("observed")?,
            forecasts: numbers("forecast")?,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }

    /// Who forecast, where that is said.
    pub(crate) fn model(&self, row: usize) -> Option<&str> {
        self.models.is_valid(row).then(|| self.models.value(row))
    }

    /// The target, where the row is of a target at the next event.
    pub(crate) fn target_at_next(&self, row: usize) -> Option<&str> {
        let is_next = self.horizons.is_valid(row) && self.horizons.value(row) == 1;
        (is_next && self.targets.is_valid(row)).then(|| self.targets.value(row))
    }

    pub(crate) fn key(&self, row: usize) -> Option<&str> {
        let keys = self.keys.as_ref().filter(|keys| keys.is_valid(row))?;
        Some(keys.value(row))
    }

    /// Microseconds since 1970 in UTC.
    pub(crate) fn time(&self, row: usize) -> Option<i64> {
        let times = self.times.as_ref().filter(|times| times.is_valid(row))?;
        Some(times.value(row))
    }

    pub(crate) fn observed(&self, row: usize) -> Option<f64> {
        self.observed.is_valid(row).then(|| self.observed.value(row))
    }

    pub(crate) fn forecast(&self, row: usize) -> Option<f64> {
        self.forecasts.is_valid(row).then(|| self.forecasts.value(row))
    }
}

/// A column as the type that is wanted; a time loses its zone, and one that does not fit is null.
fn take(
    records: &RecordBatch,
    column: &'static str,
    offset: i64,
    to: &DataType,
) -> Result<Option<ArrayRef>, AnomalyError> {
    let Some(array) = records.column_by_name(column) else { return Ok(None) };
    match cast(array, to) {
        Ok(array) => Ok(Some(array)),
        Err(error) => Err(AnomalyError::Column { column, offset, reason: error.to_string() }),
    }
}
