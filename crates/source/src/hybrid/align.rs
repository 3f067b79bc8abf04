//! How rows of the history get the columns of live ones.

use arrow::array::{RecordBatch, new_null_array};
use arrow::compute::can_cast_types;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use sluicegate_core::ConfigError;
use sluicegate_core::config::nearest;

use crate::time::cast_strictly;

/// Where each live column is found in the history; `None` where it is missing and stays empty.
#[derive(Debug, Clone)]
pub(super) struct Alignment {
    places: Vec<Option<usize>>,
    to: SchemaRef,
}

impl Alignment {
    /// Finds the columns of `to` among those of `from`, by name.
    ///
    /// # Errors
    /// When one that may not be empty is missing, or cannot become what it has to be.
    pub(super) fn of(from: &Schema, to: &SchemaRef) -> Result<Self, ConfigError> {
        let mut places = Vec::with_capacity(to.fields().len());
        for field in to.fields() {
            let name = field.name();
            let found = from.column_with_name(name);
            if let Some((_, column)) = found
                && !can_cast_types(column.data_type(), field.data_type())
            {
                let message =
                    format!("column `{name}` holds {}, but live rows have {}", column.data_type(), field.data_type());
                return Err(ConfigError::new("", message).help("give both sides the same type"));
            }
            let role = to.metadata().values().any(|role| role == name);
            if found.is_none() && (role || !field.is_nullable()) {
                let error = ConfigError::new("", format!("it has no column `{name}`, which live rows have"));
                let names = from.fields().iter().map(|field| field.name().as_str());
                return Err(match nearest(name, names) {
                    Some(near) => error.help(format!("it has `{near}`; call both the same")),
                    None => error.help("read it with `columns`, or leave it out of `schema` or `metadata` of `live`"),
                });
            }
            places.push(found.map(|(place, _)| place));
        }
        Ok(Self { places, to: to.clone() })
    }

    /// The rows with the columns of live ones.
    ///
    /// # Errors
    /// When a value cannot become what it has to be.
    pub(super) fn apply(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = self.places.iter().zip(self.to.fields()).map(|(place, field)| match place {
            Some(place) => cast_strictly(rows.column(*place), field.data_type()),
            None => Ok(new_null_array(field.data_type(), rows.num_rows())),
        });
        RecordBatch::try_new(self.to.clone(), columns.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray as _, Float32Array, Int64Array};
    use arrow::datatypes::{DataType, Field, Float64Type};
    use std::sync::Arc;

    fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
        Arc::new(Schema::new(
            fields.iter().map(|(name, of, null)| Field::new(*name, of.clone(), *null)).collect::<Vec<_>>(),
        ))
    }

    #[test]
    fn columns_are_found_by_name_and_get_the_live_type() {
        let from = schema(&[("count", DataType::Int64, true), ("load", DataType::Float32, true)]);
        let to = schema(&[("load", DataType::Float64, true), ("note", DataType::Utf8, true)]);
        let rows = RecordBatch::try_new(
            from.clone(),
            vec![Arc::new(Int64Array::from(vec![1])), Arc::new(Float32Array::from(vec![0.5]))],
        );
        let aligned = Alignment::of(&from, &to).unwrap().apply(&rows.unwrap()).unwrap();
        assert_eq!(aligned.schema(), to);
        assert_eq!(aligned.column(0).as_primitive::<Float64Type>().value(0), 0.5);
        assert_eq!(aligned.column(1).null_count(), 1);
    }

    #[test]
    fn a_column_that_cannot_be_had_is_named() {
        let from = schema(&[("lode", DataType::Float64, true)]);
        let refused = Alignment::of(&from, &schema(&[("load", DataType::Float64, false)])).unwrap_err().to_string();
        assert!(refused.contains("`load`") && refused.contains("`lode`"), "{refused}");
        let list = DataType::new_list(DataType::Utf8, true);
        let refused = Alignment::of(&schema(&[("a", list, true)]), &schema(&[("a", DataType::Int64, true)]));
        assert!(refused.unwrap_err().to_string().contains("column `a` holds List"));
    }
}
