//! What the output is to look like.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use sluicegate_core::Roles;

use super::arrays::dictionary;
use super::column::Column;
use crate::config::LayoutKind;
use crate::wave::Dims;

/// What a layout has to know.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) kind: LayoutKind,
    /// Optional columns, in the order of [`Column::OF_NUMBERS`] or [`Column::OF_CLASSES`].
    pub(super) columns: Vec<Column>,
    pub(super) dims: Dims,
    pub(super) targets: Vec<String>,
    /// What is shown: names of the product, then of the models beside it.
    pub(super) models: Vec<String>,
    /// Whether events have times.
    pub(super) timed: bool,
    /// Whether events have keys.
    pub(super) keyed: bool,
}

impl Plan {
    pub(super) fn wants(&self, column: Column) -> bool {
        self.columns.contains(&column)
    }

    /// What is said of a model, the first being the product, in a layout that says once what is said of a target. No mixture has
    /// a weight in itself.
    pub(super) fn columns_of(&self, model: usize) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(move |column| !column.is_of_target() && (model > 0 || **column != Column::Weight))
    }

    /// The columns of the output: which event it is, then these.
    pub(super) fn schema(&self, fields: Vec<Field>) -> SchemaRef {
        let mut all = vec![
            Field::new("partition", dictionary(), false),
            Field::new("offset", DataType::Int64, false),
            Field::new("key", dictionary(), true),
            Field::new("time", time_type(), true),
        ];
        all.extend(fields);
        let roles = Roles { time: self.timed.then(|| "time".to_owned()), key: self.keyed.then(|| "key".to_owned()) };
        roles.mark(&Schema::new(all))
    }
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}
