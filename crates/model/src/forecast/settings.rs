//! The settings that give a snapshot its meaning.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use crate::config::ForecastConfig;
use crate::error::ModelError;
use crate::family::ModelKind;

/// Settings under which a state means what it does, each with its value in words.
///
/// Others may change from one run to the next: rates, seeds, what is emitted, when it learns.
pub(super) struct Settings {
    values: Vec<(&'static str, String)>,
    /// U, which a later version's default must not change under a running model.
    update_rows: u64,
    /// Whether U was given.
    update_rows_given: bool,
}

impl Settings {
    pub(super) fn of(config: &ForecastConfig) -> Self {
        let model = &config.model;
        let mut horizons = config.horizons.clone();
        horizons.sort_unstable();
        let mut values = vec![
            ("targets", format!("{:?}", config.targets)),
            ("horizons", format!("{horizons:?}")),
            ("transform", config.transform.as_ref().map_or("none".to_owned(), |transform| format!("{transform:?}"))),
            ("features.inputs", format!("{:?}", config.features.inputs)),
            ("features.calendar", format!("{:?}", config.features.calendar)),
            ("features.lags", format!("{:?}", config.features.lags)),
            ("features.elapsed", config.features.elapsed.to_string()),
            ("features.scale_ratio", config.features.scale_ratio.to_string()),
            ("features.missing_indicator", config.features.missing_indicator.to_string()),
            ("features.level_alpha", config.features.level_alpha.to_string()),
            ("features.scale_alpha", config.features.scale_alpha.to_string()),
            ("interval", format!("{:?}", config.interval)),
            ("controls", format!("{:?}", config.controls)),
            ("ar.lags", format!("{:?}", config.ar.lags)),
            ("mixture", mixture(config)),
            ("drift", config.drift.as_ref().map_or("none".to_owned(), |drift| format!("{drift:?}"))),
            ("model.kind", model.kind.as_str().to_owned()),
        ];
        if model.head.is_of_classes() || !config.features.categories.is_empty() {
            values.extend([
                ("features.categories", format!("{:?}", config.features.categories)),
                ("classes.max", config.classes.max.to_string()),
                ("classes.embedding", format!("{:?}", config.classes.embedding)),
                ("classes.order", config.classes.order.to_string()),
            ]);
        }
        if config.runs(ModelKind::Experts) || model.experts.is_some() {
            values.push(("model.experts", model.experts.is_some().to_string()));
        }
        if config.runs(ModelKind::Persistence) {
            values.push(("persistence.adapt", config.persistence.adapt.to_string()));
        }
        if let Some(seasonal) = config.seasonal.filter(|_| config.runs(ModelKind::Seasonal)) {
            values.push(("seasonal.period", seasonal.period.to_string()));
        }
        if config.runs(ModelKind::Garch) {
            values.push(("garch.window", config.garch.window.to_string()));
        }
        let networks = config.networks();
        if !networks.is_empty() {
            values.extend([
                ("model.hidden", model.hidden.to_string()),
                ("model.head", format!("{:?}", model.head)),
                ("model.bptt.every", model.bptt.every.to_string()),
                ("model.optimizer.kind", format!("{:?}", model.optimizer.kind)),
            ]);
            values.extend(model.cell_settings(&networks));
        }
        Self { values, update_rows: model.update_rows(), update_rows_given: model.update_every.is_some() }
    }

    /// U: rows of the shard from one optimizer step to the next.
    pub(super) fn update_rows(&self) -> u64 {
        self.update_rows
    }

    /// All of them in one line.
    pub(super) fn line(&self) -> String {
        self.values.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), ModelError> {
        to.strings("names", self.values.iter().map(|(name, _)| *name))?;
        to.strings("values", self.values.iter().map(|(_, value)| value.as_str()))?;
        Ok(to.i64("update_rows", &[1], &[i64::try_from(self.update_rows).unwrap_or(i64::MAX)])?)
    }

    /// Makes sure that a snapshot was made with these settings. U is taken from it where it was not given here.
    pub(super) fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let (names, values) = (from.strings("names")?, from.strings("values")?);
        for (setting, here) in &self.values {
            let then = names.iter().zip(&values).find(|(name, _)| name == setting).map(|(_, value)| value.as_str());
            if then != Some(here.as_str()) {
                let snapshot = then.unwrap_or("unknown").to_owned();
                return Err(ModelError::Settings { setting, snapshot, here: here.clone() });
            }
        }
        if !self.update_rows_given {
            self.update_rows = u64::try_from(from.i64("update_rows", &[1])?[0])
                .ok()
                .filter(|rows| *rows > 0)
                .ok_or_else(|| ModelError::Restore("its update span is not at least one row".into()))?;
        }
        Ok(())
    }
}

/// What a state holds of the mixture: whose weights, and of which networks. By default the rates follow `model.optimizer.rate`,
/// which may change.
fn mixture(config: &ForecastConfig) -> String {
    match config.mixture.of(config.model.kind) {
        Some(mixture) => {
            let rates = mixture.rates.as_ref().map_or("by default".to_owned(), |rates| format!("{rates:?}"));
            format!("rates {rates}, zero_mean {}", mixture.zero_mean)
        }
        None => "none".to_owned(),
    }
}
