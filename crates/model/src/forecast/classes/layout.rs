//! How forecasts of classes become rows.

use std::sync::Arc;

use arrow::array::{Array, MapFieldNames};
use arrow::array::{ArrayRef, Float32Builder, Int32Array, MapBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, SchemaRef};
use sluicegate_core::PartitionId;

use super::issue::{Cell, FAMILIES};
use crate::config::LayoutKind;
use crate::error::ModelError;
use crate::forecast::arrays::{self, dictionary};
use crate::forecast::column::Column;
use crate::forecast::plan::Plan;
use crate::forecast::stretch::Stretch;
use crate::forecast::vocabulary::{OTHER_NAME, Vocabulary};

/// What there is to lay out of a stretch.
pub(super) struct Content<'a> {
    pub(super) stretch: &'a Stretch,
    /// `[events, K, shown]`.
    pub(super) cells: &'a [Cell],
    /// `[events, shown, width]`: all probabilities that were issued; empty where nobody asked for them.
    pub(super) probabilities: &'a [f32],
    /// Per target: the classes observed, as they came in.
    pub(super) observed: &'a [StringArray],
    /// `[events, targets]`: how many classes were known at an event.
    pub(super) known: &'a [u32],
    /// `[events, targets]`: whether the class made an alarm of drift.
    pub(super) alarms: &'a [bool],
    /// Per target.
    pub(super) vocabularies: &'a [Vocabulary],
}

pub(super) struct Layout {
    plan: Plan,
    schema: SchemaRef,
    partition: PartitionId,
}

/// The columns of the output.
pub(in crate::forecast) fn schema(plan: &Plan) -> SchemaRef {
    let field = |name: String, column: Column| Field::new(name, data_type(column), true);
    let mut fields = Vec::new();
    match plan.kind {
        LayoutKind::Long => {
            fields.extend([
                Field::new("target", dictionary(), false),
                Field::new("horizon", DataType::Int32, false),
                Field::new("model", dictionary(), false),
            ]);
            fields.extend(plan.columns.iter().map(|column| field(column.as_str().to_owned(), *column)));
        }
        LayoutKind::Wide => {
            for (target, name) in plan.targets.iter().enumerate() {
                for column in plan.columns.iter().filter(|column| column.is_of_target()) {
                    fields.push(field(format!("{name}_{}", column.as_str()), *column));
                }
                for (_, horizon) in plan.dims.pairs().filter(|(of, _)| *of == target) {
                    for (model, model_name) in plan.models.iter().enumerate() {
                        let prefix = match model {
                            0 => format!("{name}_{horizon}"),
                            _ => format!("{name}_{horizon}_{model_name}"),
                        };
                        let column = |column: &Column| field(format!("{prefix}_{}", column.as_str()), *column);
                        fields.extend(plan.columns_of(model).map(column));
                    }
                }
            }
        }
    }
    plan.schema(fields)
}

fn data_type(column: Column) -> DataType {
    match column {
        Column::Family => dictionary(),
        Column::Class | Column::ForecastClass | Column::ObservedClass => DataType::Utf8,
        Column::Probabilities => map_type(),
        Column::Drift => DataType::Boolean,
        _ => DataType::Float64,
    }
}

/// From the name of a class to its probability.
fn map_type() -> DataType {
    map_builder().finish().data_type().clone()
}

fn map_builder() -> MapBuilder<StringBuilder, Float32Builder> {
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    MapBuilder::new(Some(names), StringBuilder::new(), Float32Builder::new())
}

impl Layout {
    pub(super) fn new(plan: Plan, partition: &PartitionId) -> Self {
        Self { schema: schema(&plan), plan, partition: partition.clone() }
    }

    fn per_event(&self) -> usize {
        self.plan.dims.outputs() * self.plan.models.len()
    }

    pub(super) fn rows_per_event(&self) -> usize {
        match self.plan.kind {
            LayoutKind::Long => self.per_event(),
            LayoutKind::Wide => 1,
        }
    }

    /// The table of a stretch.
    pub(super) fn table(&self, content: &Content<'_>) -> Result<RecordBatch, ModelError> {
        let (events, per_event) = (content.stretch.offsets.len(), self.per_event());
        let mut columns = arrays::identity(content.stretch, self.partition.as_str(), self.rows_per_event())?;
        match self.plan.kind {
            LayoutKind::Long => {
                columns.extend(self.identity(events)?);
                let all: Vec<usize> = (0..events * per_event).collect();
                for column in &self.plan.columns {
                    columns.push(self.column(*column, &all, content)?);
                }
            }
            LayoutKind::Wide => {
                let per_target = self.plan.dims.horizons.len() * self.plan.models.len();
                for target in 0..self.plan.dims.targets {
                    let first: Vec<usize> = (0..events).map(|event| event * per_event + target * per_target).collect();
                    for column in self.plan.columns.iter().filter(|column| column.is_of_target()) {
                        columns.push(self.column(*column, &first, content)?);
                    }
                    for place in target * per_target..(target + 1) * per_target {
                        let cells: Vec<usize> = (0..events).map(|event| event * per_event + place).collect();
                        for column in self.plan.columns_of(place % self.plan.models.len()) {
                            columns.push(self.column(*column, &cells, content)?);
                        }
                    }
                }
            }
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// Target, horizon and model of every row of the long layout.
    fn identity(&self, events: usize) -> Result<Vec<ArrayRef>, ModelError> {
        let models = self.plan.models.len() as i32;
        let of_event = || self.plan.dims.pairs().flat_map(|pair| (0..models).map(move |model| (pair, model)));
        let targets: Vec<i32> = of_event().map(|((target, _), _)| target as i32).collect();
        let horizons: Vec<i32> = of_event().map(|((_, horizon), _)| horizon as i32).collect();
        let of: Vec<i32> = of_event().map(|(_, model)| model).collect();
        let some = |names: &[String]| names.iter().cloned().map(Some).collect::<Vec<_>>();
        Ok(vec![
            arrays::texts(targets.repeat(events), &some(&self.plan.targets))?,
            Arc::new(Int32Array::from(horizons.repeat(events))),
            arrays::texts(of.repeat(events), &some(&self.plan.models))?,
        ])
    }

    /// One column for the given cells.
    fn column(&self, column: Column, cells: &[usize], content: &Content<'_>) -> Result<ArrayRef, ModelError> {
        let per_event = self.per_event();
        let target = |cell: &usize| cell % per_event / (self.plan.dims.horizons.len() * self.plan.models.len());
        let number =
            |of: fn(&Cell) -> f64| arrays::numbers(cells.iter().map(|cell| of(&content.cells[*cell])).collect());
        let name = |of: fn(&Cell) -> Option<u32>| -> ArrayRef {
            let names = cells.iter().map(|cell| {
                let class = of(&content.cells[*cell])?;
                Some(self.name(content, cell / per_event, target(cell), class))
            });
            Arc::new(names.collect::<StringArray>())
        };
        Ok(match column {
            Column::Family => {
                let families = cells.iter().map(|cell| content.cells[*cell].family()).collect();
                arrays::texts(families, &FAMILIES)?
            }
            Column::Class => name(|cell| cell.issued.map(|issued| issued.class)),
            Column::ForecastClass => name(|cell| cell.forecast),
            Column::ObservedClass => {
                let observed = cells.iter().map(|cell| {
                    let (of_target, event) = (&content.observed[target(cell)], cell / per_event);
                    of_target.is_valid(event).then(|| of_target.value(event))
                });
                Arc::new(observed.collect::<StringArray>())
            }
            Column::Drift => {
                let alarm = |cell: &usize| content.alarms[cell / per_event * self.plan.dims.targets + target(cell)];
                arrays::flags(cells.iter().map(alarm).collect())
            }
            Column::Probabilities => self.probabilities(cells, content)?,
            Column::Probability => number(|cell| cell.issued.map_or(f64::NAN, |issued| issued.probability)),
            Column::NllBits => number(|cell| cell.score.map_or(f64::NAN, |score| score.bits())),
            Column::Brier => number(|cell| cell.score.map_or(f64::NAN, |score| score.brier)),
            Column::Weight => number(|cell| cell.weight),
            // Those of numbers are refused where the settings are checked.
            _ => number(|_| f64::NAN),
        })
    }

    /// The name of a class as it was known at an event: one that came later in the same stretch was not seen yet.
    fn name<'a>(&self, content: &Content<'a>, event: usize, target: usize, class: u32) -> &'a str {
        let known = content.known[event * self.plan.dims.targets + target];
        content.vocabularies[target].name_among(class, known)
    }

    fn probabilities(&self, cells: &[usize], content: &Content<'_>) -> Result<ArrayRef, ModelError> {
        let (models, horizons) = (self.plan.models.len(), self.plan.dims.horizons.len());
        let width = self.plan.dims.probabilities();
        let ranges: Vec<_> = self.plan.dims.probability_ranges().collect();
        let mut builder = map_builder();
        for cell in cells {
            let (event, k, model) = (cell / self.per_event(), cell % self.per_event() / models, cell % models);
            let target = k / horizons;
            let of_model = &content.probabilities[(event * models + model) * width..][..width];
            let of_output = &of_model[ranges[k].clone()];
            if content.cells[*cell].issued.is_none() {
                builder.append(false)?;
                continue;
            }
            // Numbers that no class has yet stand for what was not seen, like the open class.
            let mut unseen = None;
            for (class, probability) in of_output.iter().enumerate() {
                match self.name(content, event, target, class as u32) {
                    OTHER_NAME => *unseen.get_or_insert(0.0) += probability,
                    name => {
                        builder.keys().append_value(name);
                        builder.values().append_value(*probability);
                    }
                }
            }
            if let Some(unseen) = unseen {
                builder.keys().append_value(OTHER_NAME);
                builder.values().append_value(unseen);
            }
            builder.append(true)?;
        }
        Ok(Arc::new(builder.finish()))
    }
}
