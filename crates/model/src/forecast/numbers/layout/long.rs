//! One row per event, target, horizon and model.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};
use sluicegate_core::PartitionId;
use sluicegate_score::LEVELS;

use super::{Layout, data_type};
use crate::error::ModelError;
use crate::forecast::arrays::{self, dictionary};
use crate::forecast::column::Column;
use crate::forecast::numbers::issue::{FAMILIES, Outcome};
use crate::forecast::plan::Plan;
use crate::forecast::stretch::Stretch;

pub(super) fn fields(plan: &Plan) -> Vec<Field> {
    let mut fields = vec![
        Field::new("target", dictionary(), false),
        Field::new("horizon", DataType::Int32, false),
        Field::new("model", dictionary(), false),
    ];
    for column in &plan.columns {
        fields.extend(column.names().into_iter().map(|name| Field::new(name, data_type(*column), true)));
    }
    fields
}

pub(super) struct Long {
    plan: Plan,
    schema: SchemaRef,
    partition: PartitionId,
}

impl Long {
    pub(super) fn new(plan: Plan, partition: &PartitionId) -> Self {
        Self { schema: super::schema(&plan), plan, partition: partition.clone() }
    }

    /// Target, horizon and model of every row.
    fn identity(&self, events: usize) -> Result<Vec<ArrayRef>, ModelError> {
        let models = self.plan.models.len();
        let (mut targets, mut horizons, mut model_of) = (Vec::new(), Vec::new(), Vec::new());
        for (target, horizon) in self.plan.dims.pairs() {
            for model in 0..models {
                targets.push(target as i32);
                horizons.push(horizon as i32);
                model_of.push(model as i32);
            }
        }
        let some = |names: &[String]| names.iter().cloned().map(Some).collect::<Vec<_>>();
        Ok(vec![
            arrays::texts(targets.repeat(events), &some(&self.plan.targets))?,
            Arc::new(Int32Array::from(horizons.repeat(events))),
            arrays::texts(model_of.repeat(events), &some(&self.plan.models))?,
        ])
    }
}

impl Layout for Long {
    fn rows_per_event(&self) -> usize {
        self.plan.dims.outputs() * self.plan.models.len()
    }

    fn table(&self, stretch: &Stretch, outcome: Outcome<'_>) -> Result<RecordBatch, ModelError> {
        let Outcome { observed, alarms, cells } = outcome;
        let (events, rows) = (stretch.offsets.len(), cells.len());
        let mut columns = arrays::identity(stretch, self.partition.as_str(), self.rows_per_event())?;
        columns.extend(self.identity(events)?);

        // One pass over the cells: every wanted column grows by one number per row.
        let width = self.plan.columns.iter().map(|column| column.names().len()).sum();
        let mut numbers: Vec<Vec<f64>> = (0..width).map(|_| Vec::with_capacity(rows)).collect();
        let mut families = Vec::with_capacity(if self.plan.wants(Column::Family) { rows } else { 0 });
        let per_target = self.plan.dims.horizons.len() * self.plan.models.len();
        for (row, cell) in cells.iter().enumerate() {
            let mut place = 0;
            for column in &self.plan.columns {
                let value = match column {
                    Column::Family => {
                        families.push(cell.family());
                        f64::NAN
                    }
                    Column::Quantiles => {
                        for (numbers, quantile) in numbers[place..].iter_mut().zip(cell.quantiles()) {
                            numbers.push(quantile);
                        }
                        place += LEVELS.len();
                        continue;
                    }
                    Column::Observed => observed[row / per_target],
                    column => cell.number(*column),
                };
                if data_type(*column) == DataType::Float64 {
                    numbers[place].push(value);
                }
                place += 1;
            }
        }
        let mut numbers = numbers.into_iter();
        for column in &self.plan.columns {
            for _ in column.names() {
                let values = numbers.next().unwrap_or_default();
                columns.push(match column {
                    Column::Family => arrays::texts(std::mem::take(&mut families), &FAMILIES)?,
                    Column::Drift => arrays::flags((0..rows).map(|row| alarms[row / per_target]).collect()),
                    _ => arrays::numbers(values),
                });
            }
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
