//! From settings and columns to an operator per shard.

use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use sluicegate_core::{
    BoxError, ConfigError, Operator, OperatorConfig, OperatorFactory, PipelineContext, Placement, ShardContext,
};

use super::classes::{self, Classes};
use super::column::Column;
use super::decode::Columns;
use super::members::Lineup;
use super::numbers::{self, Numbers};
use super::operator::ForecastOperator;
use super::plan::Plan;
use super::settings::Settings;
use super::vocabulary::Vocabulary;
use crate::config::ForecastConfig;
use crate::error::ModelError;
use crate::family::ModelKind;
use crate::head::HeadKind;
use crate::predictor::Predictor;
use crate::wave::Dims;

/// From the seed of a copy of the network to that of the next: farther than a user counts.
const SEED_STEP: u64 = 1 << 32;

/// Where there is room for all values of a byte, they are known beforehand.
const BYTES: usize = 256;

/// How a model of some kind is built.
pub(super) type Build<F> = fn(ModelKind, &ForecastConfig, &Dims, &Path) -> Result<Box<dyn Predictor<F>>, ModelError>;

/// A forecast operator's settings, checked against the columns it will get.
pub(super) struct Factory {
    pub(super) config: ForecastConfig,
    pub(super) columns: Columns,
    pub(super) base_dir: PathBuf,
}

impl OperatorConfig for ForecastConfig {
    fn bind(self, input: &SchemaRef, pipeline: &PipelineContext) -> Result<Box<dyn OperatorFactory>, ConfigError> {
        Ok(Box::new(Factory::check(self, input, pipeline)?))
    }
}

impl Factory {
    /// Holds settings against the columns of the input.
    pub(super) fn check(
        config: ForecastConfig,
        input: &SchemaRef,
        pipeline: &PipelineContext,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        if let Some(name) = Lineup::of(&config).names().find(|name| *name == pipeline.component) {
            let message =
                format!("the operator is called `{name}`, and so is a model beside it; rows say by name who forecast");
            return Err(ConfigError::new("controls", message).help("give the operator another name"));
        }
        if let Some(initial) = &config.model.initial {
            let file = pipeline.base_dir.join(initial);
            if let Err(error) = std::fs::File::open(&file) {
                let message = format!("{} cannot be opened: {error}", file.display());
                return Err(ConfigError::new("model.initial", message));
            }
        }
        let columns = Columns::find(&config, input)?;
        Ok(Self { config, columns, base_dir: pipeline.base_dir.clone() })
    }

    pub(super) fn dims(&self) -> Dims {
        let vocabularies = self.vocabularies();
        let classes = if self.config.model.head.is_of_classes() {
            vocabularies.iter().take(self.config.targets.len()).map(Vocabulary::len).collect()
        } else {
            Vec::new()
        };
        let code = |vocabulary: &Vocabulary| self.config.classes.code(vocabulary.len());
        let codes = vocabularies.iter().map(code).collect();
        Dims { targets: self.config.targets.len(), classes, codes, ..self.dims_of_numbers() }
    }

    /// Those of the numbers alone, for what looks at nothing else.
    pub(super) fn dims_of_numbers(&self) -> Dims {
        let mut horizons = self.config.horizons.clone();
        horizons.sort_unstable();
        let targets = if self.config.model.head.is_of_classes() { 0 } else { self.config.targets.len() };
        Dims {
            targets,
            horizons,
            inputs: self.config.features.width(targets),
            calendar: self.config.features.calendar_width(),
            ..Dims::default()
        }
    }

    /// Of the columns of classes in their order, with what is known beforehand.
    pub(super) fn vocabularies(&self) -> Vec<Vocabulary> {
        let ForecastConfig { targets, features, classes, model, .. } = &self.config;
        let open = |(column, is_byte): (&String, bool)| match classes.known.get(column) {
            Some(known) => Vocabulary::open(classes.max, known.iter().map(String::as_str)),
            None if is_byte && classes.max >= BYTES => Vocabulary::of_bytes(classes.max),
            None => Vocabulary::open(classes.max, []),
        };
        let of_classes = targets.iter().filter(|_| model.head.is_of_classes());
        let columns =
            of_classes.map(|column| (column, true)).chain(features.categories.iter().map(|name| (name, false)));
        let vocabulary = |((column, is_target), is_byte)| {
            if is_target && model.head == HeadKind::Bernoulli { Vocabulary::binary() } else { open((column, is_byte)) }
        };
        columns.zip(self.columns.bytes()).map(vocabulary).collect()
    }

    pub(super) fn of_classes(&self, shard: &ShardContext) -> Result<ForecastOperator<Classes>, ModelError> {
        let lineup = Lineup::of(&self.config);
        let models = self.models(&lineup, ModelKind::build_of_classes)?;
        let desk = Classes::new(&self.config, &self.plan(&lineup, &shard.component), &lineup, shard);
        Ok(ForecastOperator::new(self, models, desk, shard))
    }

    pub(super) fn of_numbers(&self, shard: &ShardContext) -> Result<ForecastOperator<Numbers>, ModelError> {
        let lineup = Lineup::of(&self.config);
        let models = self.models(&lineup, ModelKind::build)?;
        let desk = Numbers::new(&self.config, &self.plan(&lineup, &shard.component), &lineup, shard);
        Ok(ForecastOperator::new(self, models, desk, shard))
    }

    /// The models in their initial state, in the order of the lineup.
    fn models<F>(&self, lineup: &Lineup, build: Build<F>) -> Result<Vec<Box<dyn Predictor<F>>>, ModelError> {
        let (config, dims) = (&self.config, self.dims());
        let own = lineup.models.len() - config.controls.len();
        let build = |(place, (kind, rate)): (usize, &(ModelKind, Option<f64>))| match rate {
            Some(rate) => {
                let mut member = config.clone();
                member.model.optimizer.rate = *rate;
                // Copies that start alike err alike, and a mixture gains by what its members do not share.
                member.model.seed = config.model.seed.wrapping_add(place as u64 * SEED_STEP);
                build(*kind, &member, &dims, &self.base_dir)
            }
            // The network alone is what says whether it is worth having over the experts, or they under it.
            None if place >= own && kind.network().is_some() => {
                let mut alone = config.clone();
                alone.model.experts = None;
                build(*kind, &alone, &dims, &self.base_dir)
            }
            None => build(*kind, config, &dims, &self.base_dir),
        };
        lineup.models.iter().enumerate().map(build).collect()
    }

    /// The layout, with the product called `product`.
    fn plan(&self, lineup: &Lineup, product: &str) -> Plan {
        let wanted = |column: &Column| {
            let asked = match &self.config.columns {
                Some(columns) => columns.contains(column),
                None => *column != Column::Probabilities,
            };
            let is_there = match column {
                Column::Weight => lineup.is_mixed(),
                Column::Drift => self.config.drift.is_some(),
                _ => true,
            };
            asked && is_there
        };
        Plan {
            kind: self.config.layout,
            columns: self.config.columns_there_are().iter().copied().filter(wanted).collect(),
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
        let plan = self.plan(&Lineup::of(&self.config), "");
        if self.config.model.head.is_of_classes() { classes::schema(&plan) } else { numbers::schema(&plan) }
    }

    fn placement(&self) -> Placement {
        Placement::Worker
    }

    /// Of the network; controls compute alike on every machine that keeps to IEEE 754, and what is fitted by likelihood (`garch`,
    /// tails) where ln and exp are the same too.
    fn arithmetic(&self) -> Option<String> {
        let model = &self.config.model;
        let shape = model.cell_shape(model.kind.network()?, self.dims().cell_inputs());
        // Where the backend fails, building the operator fails with the reason.
        crate::arithmetic::of(model.backend, shape).ok()
    }

    fn identity(&self) -> Option<String> {
        Some(Settings::of(&self.config).line())
    }

    fn build(&self, shard: &ShardContext) -> Result<Box<dyn Operator>, BoxError> {
        Ok(if self.config.model.head.is_of_classes() {
            Box::new(self.of_classes(shard)?)
        } else {
            Box::new(self.of_numbers(shard)?)
        })
    }
}
