//! What several tests of this package need.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(dead_code, reason = "each test uses some of it")]

use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use sluicegate_core::{Batch, Metrics, Operator, OperatorConfig, PartitionId, PipelineContext, ShardContext};
use sluicegate_model::cell::{GruVariant, RecurrentKind};
use sluicegate_model::{ForecastConfig, ModelKind};

/// A network of the family, whatever its head: settings that stand for its kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NetworkSettings {
    pub(crate) kind: ModelKind,
    pub(crate) layers: usize,
    pub(crate) variant: Option<GruVariant>,
    pub(crate) cell: Option<RecurrentKind>,
    pub(crate) lags: Option<usize>,
}

impl NetworkSettings {
    fn new(kind: ModelKind, layers: usize) -> Self {
        Self { kind, layers, variant: None, cell: None, lags: None }
    }

    /// Makes it the model of `config`, looking back over `window` events.
    pub(crate) fn apply(&self, config: &mut ForecastConfig, window: usize) {
        let model = &mut config.model;
        (model.kind, model.layers) = (self.kind, self.layers);
        (model.variant, model.cell, model.lags) = (self.variant, self.cell, self.lags);
        match self.kind {
            ModelKind::FullHistory => model.history_max = Some(window),
            ModelKind::Mlp => {}
            _ => model.bptt.window = Some(window),
        }
    }
}

/// Every network of the family: kinds, variants, and one layer or more.
pub(crate) fn networks() -> Vec<NetworkSettings> {
    let mut all = Vec::new();
    for layers in [1, 2] {
        all.extend([ModelKind::Lstm, ModelKind::Gru, ModelKind::Rnn].map(|kind| NetworkSettings::new(kind, layers)));
        let variant = Some(GruVariant::ResetBefore);
        all.push(NetworkSettings { variant, ..NetworkSettings::new(ModelKind::Gru, layers) });
    }
    all.extend(
        [None, Some(1), Some(3)].map(|lags| NetworkSettings { lags, ..NetworkSettings::new(ModelKind::Mlp, 1) }),
    );
    for (cell, variant, layers) in [
        (None, None, 1),
        (Some(RecurrentKind::Rnn), None, 1),
        (Some(RecurrentKind::Gru), Some(GruVariant::ResetBefore), 2),
    ] {
        all.push(NetworkSettings { cell, variant, ..NetworkSettings::new(ModelKind::FullHistory, layers) });
    }
    all
}

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
