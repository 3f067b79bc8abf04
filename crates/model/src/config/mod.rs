//! The settings of a forecast operator: the table `[operator.NAME]` with `type = "forecast"`.

mod bad_values;
mod classes;
mod drift;
mod mixture;
mod model;
mod window;
mod without_effect;

pub use bad_values::{BadValuesConfig, OnBadValue};
pub use classes::ClassesConfig;
pub use drift::DriftConfig;
pub use mixture::{MixtureConfig, MixtureSetting};
pub use model::{BackendKind, BpttConfig, ModelConfig};
pub use window::{AdaptiveWindow, WindowSetting};

use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::ConfigError;

use crate::cell::NetworkKind;
use crate::control::{AutoregressionConfig, EwmaConfig, GarchConfig, PersistenceConfig, SeasonalConfig};
use crate::family::ModelKind;
use crate::feature::{FeatureConfig, TransformConfig};
use crate::forecast::Column;
use crate::head::HeadKind;

/// Farther horizons would make per-key memory large.
const HORIZON_MAX: usize = 1000;
/// Larger layers would not learn event by event at any useful rate.
const HIDDEN_MAX: usize = 4096;

/// Forecasts every event's successors as probability distributions, and learns from each event as it comes.
///
/// One network per partition, shared by all keys; one recurrent state per key. Emits one row per event, target, horizon and
/// model.
///
/// Memory is a function of the settings and the number of keys, never of the length of the stream. With T targets, K outputs
/// (a target at a horizon), M members, farthest horizon h, D inputs, k1 and k2 (the longest there may be), and a state of S numbers (2 · hidden · layers for an
/// LSTM), a key takes about 4(k2 + h)(D + K) + 4S((k2 + h)/k1 + 3) bytes for each network, 40hKM for outstanding forecasts,
/// 8T for each event up to the farthest horizon or feature lag, and 8Kr² + 8hTr for autoregression with r = 2 + lags + calendar
/// columns. At the defaults with one target: some 3.5 kB for each network. `seasonal` adds 8T · period, `garch` 8T · window (32 kB per
/// target at its default), each control 8hK for points that wait, and a mixture 8M for each event ahead of each output. Of classes each
/// outstanding forecast takes 4 bytes for each class.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForecastConfig {
    /// The columns to forecast: numbers, or classes where `model.head` is of classes.
    pub targets: Vec<String>,
    /// A function through which the targets are seen, such as the logarithm of prices. By default they are as they come.
    #[serde(default)]
    pub transform: Option<TransformConfig>,
    /// How many events of the same key ahead to forecast.
    #[serde(default = "default_horizons")]
    pub horizons: Vec<usize>,
    /// The column with the key; by default the one that the source names.
    #[serde(default)]
    pub key: Option<String>,
    /// The column with the event time; by default the one that the source names.
    #[serde(default)]
    pub time: Option<String>,
    /// Time from one event of a key to the next, such as "1h", where it is always the same; by default the key's last gap.
    #[serde(default)]
    pub interval: Option<String>,
    /// What the network sees beside the targets' own past.
    #[serde(default)]
    pub features: FeatureConfig,
    /// How classes are told apart, where targets or inputs are classes.
    #[serde(default)]
    pub classes: ClassesConfig,
    /// The model, and how it learns.
    #[serde(default)]
    pub model: ModelConfig,
    /// Whether the operator's forecast is a mixture of the model, where that is a network at several rates, and the controls:
    /// `true`, `false`, or how it is mixed. By default it is one where the model is a network.
    #[serde(default)]
    pub mixture: MixtureSetting,
    /// Watches whether the operator's forecasts get worse, per key and target. By default nobody does.
    #[serde(default)]
    pub drift: Option<DriftConfig>,
    /// Models that run beside it, on the same events.
    #[serde(default = "default_controls")]
    pub controls: Vec<ModelKind>,
    /// Settings of every `persistence` model.
    #[serde(default)]
    pub persistence: PersistenceConfig,
    /// Settings of every `seasonal` model, which needs them.
    #[serde(default)]
    pub seasonal: Option<SeasonalConfig>,
    /// Settings of every `ar` model; `markov` takes its `forgetting`.
    #[serde(default)]
    pub ar: AutoregressionConfig,
    /// Settings of every `ewma` model.
    #[serde(default)]
    pub ewma: EwmaConfig,
    /// Settings of every `garch` model.
    #[serde(default)]
    pub garch: GarchConfig,
    /// How the forecasts are laid out.
    #[serde(default)]
    pub layout: LayoutKind,
    /// Which of the optional columns are emitted; by default all. What is left out is not computed.
    #[serde(default)]
    pub columns: Option<Vec<Column>>,
    /// How scores are summed up while running.
    #[serde(default)]
    pub scores: ScoresConfig,
    /// What to do with values that cannot be used.
    #[serde(default)]
    pub bad_values: BadValuesConfig,
    /// Most keys to remember; beyond it the least recently seen is forgotten. By default there is no limit.
    #[serde(default)]
    pub max_keys: Option<usize>,
    /// A key not seen during so many rows of the partition is forgotten. By default none is.
    #[serde(default)]
    pub ttl_events: Option<u64>,
}

fn default_horizons() -> Vec<usize> {
    vec![1]
}

fn default_controls() -> Vec<ModelKind> {
    vec![ModelKind::Persistence, ModelKind::Ar]
}

/// How forecasts become rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LayoutKind {
    /// One row per event, target, horizon and model.
    #[default]
    Long,
    /// One row per event, with a column per target, horizon and number.
    Wide,
}

/// How scores are summed up while running. What is emitted stays in the targets' own units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScoresConfig {
    /// Scores are divided by each target's deviation over so many first rows of the partition; by default they are not.
    pub standardise_rows: Option<u64>,
    /// Rows before this one are summed up apart, as `learning`.
    pub from: u64,
    /// Rows from this one on are not counted. By default all are.
    pub to: Option<u64>,
}

impl ForecastConfig {
    /// Settings that forecast the given columns, all else by default.
    pub fn new(targets: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            targets: targets.into_iter().map(Into::into).collect(),
            transform: None,
            horizons: default_horizons(),
            key: None,
            time: None,
            interval: None,
            features: FeatureConfig::default(),
            classes: ClassesConfig::default(),
            model: ModelConfig::default(),
            mixture: MixtureSetting::default(),
            drift: None,
            controls: default_controls(),
            persistence: PersistenceConfig::default(),
            seasonal: None,
            ar: AutoregressionConfig::default(),
            ewma: EwmaConfig::default(),
            garch: GarchConfig::default(),
            layout: LayoutKind::default(),
            columns: None,
            scores: ScoresConfig::default(),
            bad_values: BadValuesConfig::default(),
            max_keys: None,
            ttl_events: None,
        }
    }

    /// Whether the operator runs a model of this kind.
    pub(crate) fn runs(&self, kind: ModelKind) -> bool {
        self.model.kind == kind || self.controls.contains(&kind)
    }

    /// The settings of `seasonal` models.
    ///
    /// # Errors
    /// When they are missing or cannot work.
    pub(crate) fn seasonal(&self) -> Result<SeasonalConfig, ConfigError> {
        let Some(seasonal) = self.seasonal else {
            let message = "the model `seasonal` forecasts the value of one period ago, and no period is given";
            return Err(ConfigError::new("seasonal", message)
                .help("write seasonal = { period = 24 } for a day of hourly values, in events of a key"));
        };
        seasonal.validate().map_err(|error| error.within("seasonal"))?;
        Ok(seasonal)
    }

    /// Refuses settings that contradict each other, whatever columns come in.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let fail = |key: &str, message: String| Err(ConfigError::new(key, message));
        if self.targets.is_empty() {
            return fail("targets", "names no column to forecast".into());
        }
        no_repeats("targets", &self.targets)?;
        if let Some(transform) = &self.transform {
            transform.validate(&self.targets).map_err(|error| error.within("transform"))?;
        }
        self.features.validate().map_err(|error| error.within("features"))?;
        no_repeats("controls", &self.controls.iter().map(|kind| kind.as_str().to_owned()).collect::<Vec<_>>())?;
        if self.horizons.is_empty() || self.horizons.iter().any(|horizon| !(1..=HORIZON_MAX).contains(horizon)) {
            return fail("horizons", format!("must name at least one horizon, each from 1 to {HORIZON_MAX}"));
        }
        no_repeats("horizons", &self.horizons)?;
        if let Some(interval) = &self.interval
            && crate::duration::parse_micros(interval).is_none()
        {
            return Err(ConfigError::new("interval", format!("\"{interval}\" is not a span of time above 0"))
                .help("write a whole number and a unit: 250ms, 30s, 15m, 1h or 1d"));
        }
        if self.max_keys == Some(0) {
            return fail("max_keys", "must leave room for at least one key".into());
        }
        if self.ttl_events == Some(0) {
            return fail("ttl_events", "must be at least 1".into());
        }
        if self.scores.standardise_rows == Some(0) {
            return fail("scores.standardise_rows", "must be at least 1".into());
        }
        if self.scores.to.is_some_and(|to| to <= self.scores.from) {
            return fail("scores.to", format!("must come after scores.from, which is {}", self.scores.from));
        }
        self.classes.validate(self).map_err(|error| error.within("classes"))?;
        let there_are = self.columns_there_are();
        if let Some(other) = self.columns.iter().flatten().find(|column| !there_are.contains(column)) {
            let what = if self.model.head.is_of_classes() { "classes" } else { "numbers" };
            let names: Vec<&str> = there_are.iter().map(|column| column.as_str()).collect();
            let message = format!("`{}` is no column of forecasts of {what}", other.as_str());
            return Err(ConfigError::new("columns", message).help(format!("there are: {}", names.join(", "))));
        }
        if self.model.head.is_of_classes() {
            self.refuse_models_of_numbers()?;
            self.validate_for_classes()?;
        }
        if self.runs(ModelKind::Seasonal) {
            self.seasonal()?;
        }
        self.ar.validate().map_err(|error| error.within("ar"))?;
        self.ewma.validate().map_err(|error| error.within("ewma"))?;
        self.garch.validate().map_err(|error| error.within("garch"))?;
        self.bad_values.validate().map_err(|error| error.within("bad_values"))?;
        if let MixtureSetting::On(mixture) = &self.mixture {
            mixture.validate().map_err(|error| error.within("mixture"))?;
        }
        if let Some(drift) = &self.drift {
            drift.validate().map_err(|error| error.within("drift"))?;
        }
        self.validate_experts()?;
        let networks = self.networks();
        let model = self.model.validate().and_then(|()| self.model.validate_cell(&networks));
        model.map_err(|error| error.within("model"))?;
        self.refuse_without_effect()
    }

    /// The networks among the model and the controls.
    pub(crate) fn networks(&self) -> Vec<NetworkKind> {
        std::iter::once(&self.model.kind).chain(&self.controls).filter_map(|kind| kind.network()).collect()
    }
}

impl ForecastConfig {
    /// The columns that there are of what is forecast.
    pub(crate) fn columns_there_are(&self) -> &'static [Column] {
        if self.model.head.is_of_classes() { &Column::OF_CLASSES } else { &Column::OF_NUMBERS }
    }

    /// Experts forecast classes, and the next event alone.
    fn validate_experts(&self) -> Result<(), ConfigError> {
        let asked = [
            ("model.experts", self.model.experts.is_some()),
            ("model.kind", self.model.kind == ModelKind::Experts),
            ("controls", self.controls.contains(&ModelKind::Experts)),
        ];
        let Some((setting, _)) = asked.into_iter().find(|(_, asked)| *asked) else { return Ok(()) };
        if self.model.head != HeadKind::Categorical {
            let message = "asks for experts, which forecast classes";
            return Err(ConfigError::new(setting, message).help("set model.head to \"categorical\""));
        }
        if self.horizons != [1] {
            let message = "asks for experts, which forecast the next event and none farther ahead";
            return Err(ConfigError::new(setting, message).help("leave horizons out, or write horizons = [1]"));
        }
        if self.model.experts.is_some() && self.networks().is_empty() && !self.runs(ModelKind::Experts) {
            let message = "are under a network or a model `experts`, and there is neither";
            return Err(ConfigError::new("model.experts", message));
        }
        Ok(())
    }

    /// Refuses what makes no sense of classes.
    fn validate_for_classes(&self) -> Result<(), ConfigError> {
        if self.features.scale_ratio {
            return Err(ConfigError::new("features.scale_ratio", "is of numbers, and the targets are classes"));
        }
        if !self.features.lags.is_empty() {
            return Err(ConfigError::new("features.lags", "are of numbers, and the targets are classes"));
        }
        if self.transform.is_some() {
            return Err(ConfigError::new("transform", "is of numbers, and the targets are classes"));
        }
        if self.mixture.of(self.model.kind).is_some_and(|mixture| mixture.zero_mean) {
            return Err(ConfigError::new("mixture.zero_mean", "is of numbers, and the targets are classes"));
        }
        if self.scores.standardise_rows.is_some() {
            return Err(ConfigError::new("scores.standardise_rows", "is of numbers, and the targets are classes"));
        }
        for (setting, policy) in
            [("target", self.bad_values.target), ("missing_target", self.bad_values.missing_target)]
        {
            if policy == OnBadValue::Carry {
                let message = "carries numbers on, and the targets are classes";
                let error = ConfigError::new(format!("bad_values.{setting}"), message);
                return Err(error.help("write \"mask\", \"dead-letter\" or \"fail\""));
            }
        }
        Ok(())
    }
}

/// Refuses a list that holds the same twice.
pub(crate) fn no_repeats<T: PartialEq + std::fmt::Display>(key: &str, values: &[T]) -> Result<(), ConfigError> {
    match values.iter().enumerate().find(|(index, value)| values[..*index].contains(value)) {
        Some((_, twice)) => Err(ConfigError::new(key, format!("names `{twice}` twice"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::TransformKind;

    fn refused(change: impl Fn(&mut ForecastConfig)) -> String {
        let mut config = ForecastConfig::new(["y"]);
        change(&mut config);
        config.validate().unwrap_err().key
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused_by_name() {
        assert_eq!(ForecastConfig::new(["y"]).validate(), Ok(()));
        assert_eq!(refused(|c| c.targets.clear()), "targets");
        assert_eq!(refused(|c| c.targets.push("y".into())), "targets");
        assert_eq!(refused(|c| c.horizons = vec![0]), "horizons");
        assert_eq!(refused(|c| c.interval = Some("often".into())), "interval");
        assert_eq!(refused(|c| c.model.bptt.window = Some(0.into())), "model.bptt.window");
        assert_eq!(refused(|c| c.model.bptt.every = 0), "model.bptt.every");
        assert_eq!(refused(|c| c.model.bptt.every = 9), "model.bptt.window");
        assert_eq!(refused(|c| c.model.bptt.every = 3), "model.bptt.window");
        assert_eq!(refused(|c| c.model.hidden = 0), "model.hidden");
        assert_eq!(refused(|c| c.model.update_every = Some(0)), "model.update_every");
        assert_eq!(refused(|c| c.model.optimizer.rate = -1.0), "model.optimizer.rate");
        assert_eq!(refused(|c| c.ar.lags = vec![0]), "ar.lags");
        assert_eq!(refused(|c| c.ar.lags = vec![1, 1]), "ar.lags");
        assert_eq!(refused(|c| c.horizons = vec![1001]), "horizons");
        assert_eq!(refused(|c| c.controls.push(ModelKind::Seasonal)), "seasonal");
        assert_eq!(refused(|c| c.model.kind = ModelKind::Seasonal), "seasonal");
        let period = |c: &mut ForecastConfig| {
            (c.model.kind, c.seasonal) = (ModelKind::Seasonal, Some(SeasonalConfig { period: 1 }));
        };
        assert_eq!(refused(period), "seasonal.period");
        assert_eq!(refused(|c| c.ewma.decay = 1.0), "ewma.decay");
        assert_eq!(refused(|c| c.garch.window = 49), "garch.window");
        assert_eq!(refused(|c| c.garch.refit_every = 0), "garch.refit_every");
        let mixed = |mixture: MixtureConfig| refused(|c| c.mixture = MixtureSetting::On(mixture.clone()));
        assert_eq!(mixed(MixtureConfig { rates: Some(vec![]), ..MixtureConfig::default() }), "mixture.rates");
        assert_eq!(mixed(MixtureConfig { rates: Some(vec![1e-3, 1e-3]), ..MixtureConfig::default() }), "mixture.rates");
        assert_eq!(mixed(MixtureConfig { share: 1.0, ..MixtureConfig::default() }), "mixture.share");
        assert_eq!(
            refused(|c| c.drift = Some(DriftConfig { tolerance: 4.0, ..DriftConfig::default() })),
            "drift.tolerance"
        );
        assert_eq!(refused(|c| c.max_keys = Some(0)), "max_keys");
        assert_eq!(refused(|c| c.bad_values.limit = f64::INFINITY), "bad_values.limit");
        assert_eq!(refused(|c| c.bad_values.limit = f64::NAN), "bad_values.limit");
        assert_eq!(refused(|c| c.features.lags = vec![0]), "features.lags");
        assert_eq!(
            refused(|c| c.transform = Some(TransformConfig { kind: TransformKind::Log, unit: -1.0, targets: None })),
            "transform.unit"
        );
        assert_eq!(refused(|c| c.controls = vec![ModelKind::Ar, ModelKind::Ar]), "controls");
        assert_eq!(refused(|c| c.scores.to = Some(0)), "scores.to");
    }
}
