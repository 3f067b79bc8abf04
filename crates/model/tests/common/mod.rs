//! What several tests of this package need.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(dead_code, reason = "each test uses some of it")]

pub(crate) mod members;
pub(crate) mod network;
pub(crate) mod suite;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use sluicegate_core::{Batch, Metrics, Operator, OperatorConfig, PartitionId, PipelineContext, ShardContext};
use sluicegate_model::{ForecastConfig, ModelConfig, ModelKind};

/// The log with every value of a float column replaced by what `change` makes of its row and value.
pub(crate) fn with_column(log: &Batch, column: &str, change: &dyn Fn(usize, f64) -> f64) -> Batch {
    let records = log.records();
    let place = records.schema().index_of(column).unwrap();
    let values = records.column(place).as_primitive::<Float64Type>();
    let changed: Float64Array =
        values.iter().enumerate().map(|(row, value)| value.map(|value| change(row, value))).collect();
    let mut columns = records.columns().to_vec();
    columns[place] = Arc::new(changed);
    let records = RecordBatch::try_new(records.schema(), columns).unwrap();
    Batch::new(log.partition().clone(), log.offsets().clone(), records).unwrap()
}

/// A column of text, empty for null.
pub(crate) fn texts(table: &RecordBatch, column: &str) -> Vec<String> {
    let column = arrow::compute::cast(table.column_by_name(column).unwrap(), &DataType::Utf8).unwrap();
    column.as_string::<i32>().iter().map(|text| text.unwrap_or("").to_owned()).collect()
}

/// An operator called `forecast` on partition `log`.
pub(crate) fn operator(
    config: &ForecastConfig,
    schema: &SchemaRef,
    base_dir: &Path,
    metrics: &Metrics,
) -> Box<dyn Operator> {
    let pipeline = PipelineContext::new("test", base_dir);
    let factory = config.clone().bind(schema, &pipeline).unwrap();
    factory.build(&ShardContext::new(PartitionId::new("log"), "forecast", metrics.clone())).unwrap()
}

/// Makes `kind` the model. The size of the network goes where it is none: it would be refused.
pub(crate) fn set_kind(config: &mut ForecastConfig, kind: ModelKind) {
    config.model.kind = kind;
    if kind.network().is_none() {
        config.model.hidden = ModelConfig::default().hidden;
    }
}

/// A column of numbers, NaN for null.
pub(crate) fn numbers(table: &RecordBatch, column: &str) -> Vec<f64> {
    let values = table.column_by_name(column).unwrap().as_primitive::<Float64Type>();
    values.iter().map(|value| value.unwrap_or(f64::NAN)).collect()
}

/// The log with other values in one of its columns.
pub(crate) fn with_values(log: &Batch, name: &str, values: &[Option<f64>]) -> Batch {
    let place = log.records().schema().index_of(name).unwrap();
    let mut columns = log.records().columns().to_vec();
    columns[place] = Arc::new(Float64Array::from(values.to_vec()));
    let records = RecordBatch::try_new(log.records().schema(), columns).unwrap();
    Batch::new(log.partition().clone(), log.offsets().clone(), records).unwrap()
}

/// The value of a counter or gauge, summed over its labels.
pub(crate) fn metric(metrics: &Metrics, name: &str) -> f64 {
    metrics.samples().iter().filter(|sample| sample.name == name).map(|sample| sample.value).sum()
}
