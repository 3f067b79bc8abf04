//! One row per event: `<target>_observed` and `<target>_drift`, then `<target>_<horizon>_<what>` of the product's forecast, and
//! `<target>_<horizon>_<model>_<what>` of the models beside it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, SchemaRef};
use sluicegate_core::PartitionId;
use sluicegate_score::LEVELS;

use super::{Layout, data_type};
use crate::error::ModelError;
use crate::forecast::arrays;
use crate::forecast::column::Column;
use crate::forecast::numbers::issue::{Cell, FAMILIES, Outcome};
use crate::forecast::plan::Plan;
use crate::forecast::stretch::Stretch;

pub(super) fn fields(plan: &Plan) -> Vec<Field> {
    let mut fields = Vec::new();
    for (target, name) in plan.targets.iter().enumerate() {
        for column in plan.columns.iter().filter(|column| column.is_of_target()) {
            fields.push(Field::new(format!("{name}_{}", column.as_str()), data_type(*column), true));
        }
        for (_, horizon) in plan.dims.pairs().filter(|(of, _)| *of == target) {
            for (model, model_name) in plan.models.iter().enumerate() {
                let prefix = match model {
                    0 => format!("{name}_{horizon}"),
                    _ => format!("{name}_{horizon}_{model_name}"),
                };
                for column in plan.columns_of(model) {
                    let field = |what: String| Field::new(format!("{prefix}_{what}"), data_type(*column), true);
                    fields.extend(column.names().into_iter().map(field));
                }
            }
        }
    }
    fields
}

pub(super) struct Wide {
    plan: Plan,
    schema: SchemaRef,
    partition: PartitionId,
}

impl Wide {
    pub(super) fn new(plan: Plan, partition: &PartitionId) -> Self {
        Self { schema: super::schema(&plan), plan, partition: partition.clone() }
    }
}

impl Layout for Wide {
    fn rows_per_event(&self) -> usize {
        1
    }

    fn table(&self, stretch: &Stretch, outcome: Outcome<'_>) -> Result<RecordBatch, ModelError> {
        let Outcome { observed, alarms, cells } = outcome;
        let (targets, models) = (self.plan.dims.targets, self.plan.models.len());
        let horizons = self.plan.dims.horizons.len();
        let per_event = self.plan.dims.outputs() * models;
        let mut columns = arrays::identity(stretch, self.partition.as_str(), 1)?;
        for target in 0..targets {
            if self.plan.wants(Column::Observed) {
                columns.push(arrays::numbers(observed.iter().skip(target).step_by(targets).copied().collect()));
            }
            if self.plan.wants(Column::Drift) {
                columns.push(arrays::flags(alarms.iter().skip(target).step_by(targets).copied().collect()));
            }
            for place in target * horizons * models..(target + 1) * horizons * models {
                let of_place = || cells.iter().skip(place).step_by(per_event);
                for column in self.plan.columns_of(place % models) {
                    match column {
                        Column::Family => {
                            columns.push(arrays::texts(of_place().map(Cell::family).collect(), &FAMILIES)?);
                        }
                        Column::Quantiles => {
                            // Searched for once for each cell, whatever the number of columns.
                            let quantiles: Vec<_> = of_place().map(Cell::quantiles).collect();
                            for level in 0..LEVELS.len() {
                                columns.push(arrays::numbers(quantiles.iter().map(|all| all[level]).collect()));
                            }
                        }
                        column => columns.push(arrays::numbers(of_place().map(|cell| cell.number(*column)).collect())),
                    }
                }
            }
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
