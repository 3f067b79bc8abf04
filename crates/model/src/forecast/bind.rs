//! From settings and columns to an operator per shard.

use std::path::PathBuf;

use arrow::datatypes::SchemaRef;
use sluicegate_core::{
    BoxError, ConfigError, Operator, OperatorConfig, OperatorFactory, PipelineContext, Placement, ShardContext,
};

use super::decode::Columns;
use super::layout::{Column, Plan};
use super::operator::ForecastOperator;
use super::settings::Settings;
use crate::cell::CellShape;
use crate::config::ForecastConfig;
use crate::error::ModelError;
use crate::predictor::Predictor;
use crate::wave::Dims;

/// One line of an output: the mixture, or a model by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Mixture,
    Model(usize),
}

/// A forecast operator's settings, checked against the columns it will get.
pub(super) struct Factory {
    pub(super) config: ForecastConfig,
    pub(super) columns: Columns,
    pub(super) base_dir: PathBuf,
}

impl OperatorConfig for ForecastConfig {
    fn bind(self, input: &SchemaRef, pipeline: &PipelineContext) -> Result<Box<dyn OperatorFactory>, ConfigError> {
        self.validate()?;
        if let Some(control) = self.controls.iter().find(|control| control.as_str() == pipeline.component) {
            let name = control.as_str();
            let message =
                format!("the operator is called `{name}` like its control `{name}`, and rows say by name who forecast");
            return Err(
                ConfigError::new("controls", message).help("give the operator another name, or leave that control out")
            );
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
        }
    }

    /// Rates of the copies of the network that are shown beside their mixture.
    fn shown_members(&self) -> impl Iterator<Item = f64> + '_ {
        self.config
            .mixture
            .iter()
            .filter(|mixture| mixture.emit_members)
            .flat_map(|mixture| mixture.rates.iter().copied())
    }

    /// The models in their initial state: the networks, then the controls.
    pub(super) fn models(&self) -> Result<Vec<Box<dyn Predictor>>, ModelError> {
        let (config, dims) = (&self.config, self.dims());
        let mut models = Vec::new();
        match &config.mixture {
            Some(mixture) => {
                for rate in &mixture.rates {
                    let mut member = config.clone();
                    member.model.optimizer.rate = *rate;
                    models.push(config.model.kind.build(&member, &dims, &self.base_dir)?);
                }
            }
            None => models.push(config.model.kind.build(config, &dims, &self.base_dir)?),
        }
        for kind in &config.controls {
            models.push(kind.build(config, &dims, &self.base_dir)?);
        }
        Ok(models)
    }

    /// What is shown, in the order of the names in [`Factory::plan`].
    pub(super) fn shown(&self) -> Vec<Shown> {
        let networks = self.config.mixture.as_ref().map_or(1, |mixture| mixture.rates.len());
        let controls = (networks..networks + self.config.controls.len()).map(Shown::Model);
        let (product, members) = match &self.config.mixture {
            Some(_) => (Shown::Mixture, self.shown_members().count()),
            None => (Shown::Model(0), 0),
        };
        std::iter::once(product).chain((0..members).map(Shown::Model)).chain(controls).collect()
    }

    /// The layout, with the product called `product`.
    pub(super) fn plan(&self, product: &str) -> Plan {
        let mixed = self.config.mixture.is_some();
        let wanted = |column: &Column| {
            let asked = self.config.columns.as_ref().is_none_or(|columns| columns.contains(column));
            asked && (mixed || *column != Column::Weight)
        };
        let members = self.shown_members().map(|rate| format!("{}@{rate}", self.config.model.kind.as_str()));
        let controls = self.config.controls.iter().map(|kind| kind.as_str().to_owned());
        Plan {
            kind: self.config.layout,
            columns: Column::ALL.into_iter().filter(wanted).collect(),
            dims: self.dims(),
            targets: self.config.targets.clone(),
            models: std::iter::once(product.to_owned()).chain(members).chain(controls).collect(),
            timed: self.columns.is_timed(),
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

    /// Of the network; controls compute alike on every machine that keeps to IEEE 754.
    fn arithmetic(&self) -> Option<String> {
        let kind = self.config.model.kind.cell()?;
        let shape = CellShape { kind, inputs: self.dims().inputs, hidden: self.config.model.hidden };
        // Where the backend fails, building the operator fails with the reason.
        crate::arithmetic::of_libtorch(shape).ok()
    }

    fn identity(&self) -> Option<String> {
        Some(Settings::of(&self.config).line())
    }

    fn build(&self, shard: &ShardContext) -> Result<Box<dyn Operator>, BoxError> {
        Ok(Box::new(ForecastOperator::new(self, shard)?))
    }
}
