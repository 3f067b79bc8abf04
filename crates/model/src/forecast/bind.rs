//! From settings and columns to an operator per shard.

use std::path::PathBuf;

use arrow::datatypes::SchemaRef;
use sluicegate_core::{
    BoxError, ConfigError, Operator, OperatorConfig, OperatorFactory, PipelineContext, Placement, ShardContext,
};

use super::decode::Columns;
use super::layout::{Column, Plan};
use super::operator::ForecastOperator;
use crate::config::ForecastConfig;
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
        }
    }

    /// The layout, with the product called `product`.
    pub(super) fn plan(&self, product: &str) -> Plan {
        let wanted = |column: &Column| self.config.columns.as_ref().is_none_or(|columns| columns.contains(column));
        let controls = self.config.controls.iter().map(|kind| kind.as_str().to_owned());
        Plan {
            kind: self.config.layout,
            columns: Column::ALL.into_iter().filter(wanted).collect(),
            dims: self.dims(),
            targets: self.config.targets.clone(),
            models: std::iter::once(product.to_owned()).chain(controls).collect(),
            timed: self.columns.time_column().is_some(),
            keyed: self.columns.is_keyed(),
        }
    }
}

impl OperatorFactory for Factory {
    fn output_schema(&self) -> SchemaRef {
        // Names of models are data in the long layout and the product's own is left out of the names of the wide one.
        self.plan("").schema()
    }

    fn placement(&self) -> Placement {
        Placement::Worker
    }

    fn build(&self, shard: &ShardContext) -> Result<Box<dyn Operator>, BoxError> {
        Ok(Box::new(ForecastOperator::new(self, shard)?))
    }
}
