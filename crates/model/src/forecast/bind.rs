//! From settings and columns to an operator per shard.

use std::path::PathBuf;

use arrow::datatypes::SchemaRef;
use sluicegate_core::{
    BoxError, ConfigError, Operator, OperatorConfig, OperatorFactory, PipelineContext, Placement, ShardContext,
};

use super::decode::Columns;
use super::members::Lineup;
use super::numbers::{Column, Numbers, Plan};
use super::operator::ForecastOperator;
use crate::cell::CellShape;
use crate::config::ForecastConfig;
use crate::error::ModelError;
use crate::family::ModelKind;
use crate::predictor::Predictor;
use crate::wave::Dims;

/// A forecast operator's settings, checked against the columns it will get.
pub(super) struct Factory {
    pub(super) config: ForecastConfig,
    pub(super) columns: Columns,
    pub(super) base_dir: PathBuf,
}

impl OperatorConfig for ForecastConfig {
    fn bind(self, input: &SchemaRef, pipeline: &PipelineContext) -> Result<Box<dyn OperatorFactory>, ConfigError> {
        self.validate()?;
        if let Some(name) = Lineup::of(&self).names().find(|name| *name == pipeline.component) {
            let message =
                format!("the operator is called `{name}` like a model beside it, and rows say by name who forecast");
            return Err(ConfigError::new("controls", message).help("give the operator another name"));
        }
        if let Some(initial) = &self.model.initial {
            let file = pipeline.base_dir.join(initial);
            if let Err(error) = std::fs::File::open(&file) {
                let message = format!("{} cannot be opened: {error}", file.display());
                return Err(ConfigError::new("model.initial", message));
            }
        }
        let columns = Columns::find(&self, input)?;
        Ok(Box::new(Factory { config: self, columns, base_dir: pipeline.base_dir.clone() }))
    }
}

impl Factory {
    pub(super) fn dims(&self) -> Dims {
        let mut horizons = self.config.horizons.clone();
        horizons.sort_unstable();
        let targets = self.config.targets.len();
        Dims {
            targets,
            horizons,
            inputs: self.config.features.width(targets),
            calendar: self.config.features.calendar_width(),
            ..Dims::default()
        }
    }

    /// The models in their initial state, in the order of the lineup.
    fn models(&self, lineup: &Lineup) -> Result<Vec<Box<dyn Predictor>>, ModelError> {
        let (config, dims) = (&self.config, self.dims());
        let build = |(kind, rate): &(ModelKind, Option<f64>)| match rate {
            Some(rate) => {
                let mut member = config.clone();
                member.model.optimizer.rate = *rate;
                kind.build(&member, &dims, &self.base_dir)
            }
            None => kind.build(config, &dims, &self.base_dir),
        };
        lineup.models.iter().map(build).collect()
    }

    /// The layout, with the product called `product`.
    fn plan(&self, lineup: &Lineup, product: &str) -> Plan {
        let wanted = |column: &Column| {
            let asked = self.config.columns.as_ref().is_none_or(|columns| columns.contains(column));
            let is_there = match column {
                Column::Weight => lineup.is_mixed(),
                Column::Drift => self.config.drift.is_some(),
                _ => true,
            };
            asked && is_there
        };
        Plan {
            kind: self.config.layout,
            columns: Column::ALL.into_iter().filter(wanted).collect(),
            dims: self.dims(),
            targets: self.config.targets.clone(),
            models: std::iter::once(product).chain(lineup.names()).map(str::to_owned).collect(),
            timed: self.columns.is_timed(),
            keyed: self.columns.is_keyed(),
        }
    }
}

impl OperatorFactory for Factory {
    fn output_schema(&self) -> SchemaRef {
        // Names of models are data in the long layout and the product's own is left out of the names of the wide one.
        self.plan(&Lineup::of(&self.config), "").schema()
    }

    fn placement(&self) -> Placement {
        Placement::Worker
    }

    /// Of the network; controls compute alike on every machine that keeps to IEEE 754.
    fn arithmetic(&self) -> Option<String> {
        let kind = self.config.model.kind.cell()?;
        let shape = CellShape { kind, inputs: self.dims().inputs, hidden: self.config.model.hidden };
        // Where the backend fails, building the operator fails with the reason.
        crate::arithmetic::of_libtorch(shape).ok()
    }

    fn build(&self, shard: &ShardContext) -> Result<Box<dyn Operator>, BoxError> {
        let lineup = Lineup::of(&self.config);
        let models = self.models(&lineup)?;
        let plan = self.plan(&lineup, &shard.component);
        let desk = Numbers::new(&self.config, &plan, &lineup, shard);
        Ok(Box::new(ForecastOperator::new(self, models, desk, shard)))
    }
}
