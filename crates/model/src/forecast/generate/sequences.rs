//! From the settings and the state of an operator to sequences of one key.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use arrow::datatypes::SchemaRef;
use sluicegate_core::{BoxError, ConfigError, Metrics, PartitionId, ShardContext, SnapshotReader, SnapshotWriter};

use super::{Chance, Sampler, Step};
use crate::config::ForecastConfig;
use crate::error::ModelError;
use crate::feature::VALUE_MAX;
use crate::forecast::bind::Factory;
use crate::forecast::decode::Columns;
use crate::random::Random;

/// The state of a forecast operator, to generate from.
///
/// Whatever it learned stays as it is: no parameter of a network moves. What a key remembers goes on with what is generated, and so
/// do the weights of a mixture and what the controls hold. The state that it was restored from is not written to.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{Float64Array, RecordBatch};
/// use sluicegate_core::{
///     Batch, Metrics, Offset, Offsets, OperatorConfig, Output, PartitionId, PipelineContext, ShardContext, SnapshotWriter,
/// };
/// use sluicegate_model::{ForecastConfig, Generator, ModelKind, Random};
///
/// let load = Arc::new(Float64Array::from_iter_values((0..50).map(|hour| f64::from(hour % 24))));
/// let records = RecordBatch::try_from_iter([("load", load as _)])?;
/// let mut config = ForecastConfig::new(["load"]);
/// config.model.kind = ModelKind::Ar;
/// let factory = config.clone().bind(&records.schema(), &PipelineContext::default())?;
/// let shard = ShardContext::new(PartitionId::new("meter"), "forecast", Metrics::new());
/// let mut operator = factory.build(&shard)?;
/// let schema = records.schema();
/// operator.process(Batch::new(shard.partition, Offsets::dense(Offset(0), 50)?, records)?, &mut Output::new())?;
/// let mut state = SnapshotWriter::new();
/// operator.snapshot(&mut state)?;
///
/// let mut sequences = Generator::restore(config, &schema, &state.finish()?)?.of_key(None)?;
/// let mut random = Random::new(1);
/// let path = (0..24).map(|_| sequences.step(&mut random)).collect::<Result<Vec<_>, _>>()?;
/// sequences.start_over()?;
/// assert_eq!(sequences.step(&mut Random::new(1))?, path[0], "one seed, one sequence");
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
pub struct Generator {
    operator: Box<dyn Sampler>,
}

impl Generator {
    /// Restores the state of an operator with these settings, whose input has these columns.
    ///
    /// # Errors
    /// When the settings cannot work, or no sequence can come of them; when the state was made with others, or is damaged.
    pub fn restore(config: ForecastConfig, input: &SchemaRef, state: &[u8]) -> Result<Self, ModelError> {
        config.validate()?;
        refuse(&config)?;
        let columns = Columns::find(&config, input)?;
        let factory = Factory { config: frozen(config), columns, base_dir: PathBuf::new() };
        let shard = ShardContext::new(PartitionId::new("generated"), "generator", Metrics::new());
        let mut operator: Box<dyn Sampler> = if factory.config.model.head.is_of_classes() {
            Box::new(factory.of_classes(&shard)?)
        } else {
            Box::new(factory.of_numbers(&shard)?)
        };
        operator.restore(&SnapshotReader::parse(state)?).map_err(of_model)?;
        Ok(Self { operator })
    }

    /// The keys that have a state, the missing one first, then by bytes. There is none before the first event.
    pub fn keys(&self) -> Vec<Option<String>> {
        self.operator.keys()
    }

    /// Goes on with one key. Events that have no key at all are of `None`.
    ///
    /// # Errors
    /// When the key has no state.
    pub fn of_key(mut self, key: Option<&str>) -> Result<Sequences, ModelError> {
        if !self.keys().iter().any(|known| known.as_deref() == key) {
            let message = match key {
                Some(key) => format!("the key `{key}` has had no event"),
                None => "there was no event without a key".to_owned(),
            };
            return Err(ModelError::Generate(message));
        }
        self.operator.retain_keys(&|known| known == key).map_err(of_model)?;
        let mut writer = SnapshotWriter::new();
        self.operator.snapshot(&mut writer).map_err(of_model)?;
        let (operator, start) = (self.operator, writer.finish()?);
        let range = -VALUE_MAX..=VALUE_MAX;
        Ok(Sequences { operator, key: key.map(str::to_owned), start, temperature: 1.0, range })
    }
}

/// Sequences that go on from the last event of one key.
pub struct Sequences {
    operator: Box<dyn Sampler>,
    key: Option<String>,
    /// The state of the key alone, where each sequence begins.
    start: Vec<u8>,
    temperature: f64,
    range: RangeInclusive<f64>,
}

impl Sequences {
    /// Draws classes by their probabilities to the power of 1/`temperature`: below 1 what is probable comes more often, above 1 less.
    /// At 1, where it is by default, they come as they were forecast. Numbers do, always.
    ///
    /// # Errors
    /// When it is not above 0 and finite.
    pub fn temperature(mut self, temperature: f64) -> Result<Self, ModelError> {
        if !(temperature > 0.0 && temperature.is_finite()) {
            return Err(ModelError::Generate(format!("the temperature must be above 0, not {temperature}")));
        }
        self.temperature = temperature;
        Ok(self)
    }

    /// Clips numbers to what the source can hold, in its units, such as samples of sound to [−1, 1]: what was drawn beyond it counts
    /// as its end. By default only to what can be worked with.
    ///
    /// # Errors
    /// When the range is empty, or reaches beyond [`VALUE_MAX`].
    pub fn within(mut self, range: RangeInclusive<f64>) -> Result<Self, ModelError> {
        if !(-VALUE_MAX <= *range.start() && range.start() <= range.end() && *range.end() <= VALUE_MAX) {
            return Err(ModelError::Generate(format!("there are no numbers to draw from {range:?}")));
        }
        self.range = range;
        Ok(self)
    }

    /// Draws the next event of the sequence.
    ///
    /// # Errors
    /// When nothing was forecast of it yet, or a number left those that can be worked with. The sequence cannot go on then.
    pub fn step(&mut self, random: &mut Random) -> Result<Step, ModelError> {
        self.operator.step(self.key.as_deref(), &self.range, &mut Chance::new(random, self.temperature))
    }

    /// Goes back to the key's last event, for another sequence.
    ///
    /// # Errors
    /// When the state cannot be restored.
    pub fn start_over(&mut self) -> Result<(), ModelError> {
        self.operator.restore(&SnapshotReader::parse(&self.start)?).map_err(of_model)
    }
}

/// Nothing learns, nothing is forgotten, and nothing is read beside the state.
fn frozen(mut config: ForecastConfig) -> ForecastConfig {
    config.model.learn = false;
    config.model.initial = None;
    (config.max_keys, config.ttl_events) = (None, None);
    // What is left out is not computed.
    config.columns = Some(Vec::new());
    config
}

/// Refuses settings by which an event cannot be gone on from.
fn refuse(config: &ForecastConfig) -> Result<(), ModelError> {
    if !config.horizons.contains(&1) {
        let message = format!("the next event is not forecast, only those at {:?}", config.horizons);
        return Err(ConfigError::new("horizons", message).help("put 1 among them").into());
    }
    if let Some(name) = config.features.categories.first() {
        let message = format!("nothing says which class `{name}` would have in an event that is generated");
        return Err(ConfigError::new("features.categories", message)
            .help("generate with an operator without them")
            .into());
    }
    Ok(())
}

fn of_model(error: BoxError) -> ModelError {
    match error.downcast::<ModelError>() {
        Ok(error) => *error,
        Err(error) => ModelError::Restore(error.to_string()),
    }
}
