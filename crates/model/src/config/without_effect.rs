//! Settings that nothing would look at: whoever wrote one expects something of it, so it is refused.

use sluicegate_core::ConfigError;

use super::{ClassesConfig, ForecastConfig, MixtureSetting, ModelConfig};
use crate::family::ModelKind;
use crate::forecast::Column;

impl ForecastConfig {
    /// Refuses settings that have no effect beside the others. A setting at its default counts as not written.
    pub(super) fn refuse_without_effect(&self) -> Result<(), ConfigError> {
        self.refuse_empty_columns()?;
        if self.networks().is_empty() {
            self.refuse_settings_of_networks()?;
        }
        let no_classes = !self.model.head.is_of_classes() && self.features.categories.is_empty();
        if no_classes && self.classes != ClassesConfig::default() {
            let message = "is about classes, and neither are the targets classes nor are there features.categories";
            let help = "leave it out, or set model.head to \"categorical\" to forecast classes";
            return Err(ConfigError::new("classes", message).help(help));
        }
        Ok(())
    }

    /// Refuses columns that have been asked for and cannot be there.
    fn refuse_empty_columns(&self) -> Result<(), ConfigError> {
        let asked = |column| self.columns.iter().flatten().any(|asked| *asked == column);
        let fail = |message: &str, help: &str| Err(ConfigError::new("columns", message).help(help));
        if asked(Column::Drift) && self.drift.is_none() {
            return fail("`drift` is there only where drift is watched", "leave it out, or write drift = {}");
        }
        if asked(Column::Weight) && self.mixture.of(self.model.kind).is_none() {
            return fail(
                "`weight` is of the members of a mixture, and there is none",
                "leave it out, or write mixture = true",
            );
        }
        Ok(())
    }

    /// Refuses what only networks look at. The seed may stay: it is set from outside, for all pipelines alike.
    fn refuse_settings_of_networks(&self) -> Result<(), ConfigError> {
        let (model, default) = (&self.model, ModelConfig::default());
        let head = !model.head.is_of_classes() && model.head != default.head;
        let mixture = match &self.mixture {
            MixtureSetting::On(mixture) => Some(mixture),
            MixtureSetting::ByModel | MixtureSetting::Off => None,
        };
        let written = [
            ("model.hidden", model.hidden != default.hidden),
            ("model.head", head),
            ("model.bptt", model.bptt != default.bptt),
            ("model.update_every", model.update_every.is_some()),
            ("model.expected_keys", model.expected_keys != default.expected_keys),
            ("model.optimizer", model.optimizer != default.optimizer),
            ("model.learn", model.learn != default.learn && !self.runs(ModelKind::Experts)),
            ("model.initial", model.initial.is_some()),
            ("model.backend", model.backend != default.backend),
            ("mixture.rates", mixture.is_some_and(|mixture| mixture.rates.is_some())),
            ("mixture.zero_mean", mixture.is_some_and(|mixture| mixture.zero_mean)),
        ];
        match written.into_iter().find(|(_, is_written)| *is_written) {
            Some((setting, _)) => {
                let message = format!("is of networks, and there is none: the model is `{}`", model.kind.as_str());
                Err(ConfigError::new(setting, message)
                    .help("leave it out, or set model.kind to a network such as \"lstm\""))
            }
            None => Ok(()),
        }
    }

    /// Refuses models that there are of numbers only, where the targets are classes.
    pub(super) fn refuse_models_of_numbers(&self) -> Result<(), ConfigError> {
        let of_numbers = |kind: &ModelKind| matches!(kind, ModelKind::Ewma | ModelKind::Garch);
        let models = std::iter::once(("model.kind", &self.model.kind));
        let all = models.chain(self.controls.iter().map(|kind| ("controls", kind)));
        let Some((setting, kind)) = all.into_iter().find(|(_, kind)| of_numbers(kind)) else { return Ok(()) };
        let message = format!("`{}` forecasts numbers, and the targets are classes", kind.as_str());
        Err(ConfigError::new(setting, message).help(
            "of classes there are the networks, \"persistence\", \"seasonal\", \"markov\", \"ar\" and \"experts\"",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BackendKind, DriftConfig, MixtureConfig};
    use crate::head::HeadKind;

    fn check(change: impl Fn(&mut ForecastConfig)) -> Result<(), String> {
        let mut config = ForecastConfig::new(["y"]);
        change(&mut config);
        config.validate().map_err(|error| error.to_string())
    }

    fn key(change: impl Fn(&mut ForecastConfig)) -> String {
        let mut config = ForecastConfig::new(["y"]);
        change(&mut config);
        config.validate().unwrap_err().key
    }

    #[test]
    fn models_of_numbers_are_refused_for_classes() {
        for head in [HeadKind::Categorical, HeadKind::Bernoulli] {
            let as_model = |c: &mut ForecastConfig| (c.model.head, c.model.kind) = (head, ModelKind::Garch);
            assert_eq!(key(as_model), "model.kind");
            let as_control =
                |c: &mut ForecastConfig| (c.model.head, c.controls) = (head, vec![ModelKind::Ar, ModelKind::Ewma]);
            assert_eq!(
                check(as_control).unwrap_err(),
                "`controls`: `ewma` forecasts numbers, and the targets are classes; of classes there are the networks, \
                 \"persistence\", \"seasonal\", \"markov\", \"ar\" and \"experts\""
            );
            assert_eq!(check(|c| c.model.head = head), Ok(()));
        }
        assert_eq!(check(|c| c.controls = vec![ModelKind::Ewma, ModelKind::Garch]), Ok(()));
    }

    #[test]
    fn a_column_that_cannot_be_there_is_refused_where_it_was_asked_for() {
        let drift = |c: &mut ForecastConfig| c.columns = Some(vec![Column::Drift]);
        assert_eq!(
            check(drift).unwrap_err(),
            "`columns`: `drift` is there only where drift is watched; leave it out, or write drift = {}"
        );
        assert_eq!(check(|c| (c.columns, c.drift) = (Some(vec![Column::Drift]), Some(DriftConfig::default()))), Ok(()));
        let weight = |c: &mut ForecastConfig| c.columns = Some(vec![Column::Weight]);
        assert_eq!(check(weight), Ok(()), "a network is mixed by default");
        assert_eq!(key(|c| (c.columns, c.mixture) = (Some(vec![Column::Weight]), MixtureSetting::Off)), "columns");
        assert_eq!(key(|c| (c.columns, c.model.kind) = (Some(vec![Column::Weight]), ModelKind::Ar)), "columns");
    }

    #[test]
    fn settings_of_networks_are_refused_where_there_is_none() {
        let ar = |change: fn(&mut ForecastConfig)| {
            move |c: &mut ForecastConfig| {
                (c.model.kind, c.controls) = (ModelKind::Ar, vec![ModelKind::Persistence]);
                change(c);
            }
        };
        assert_eq!(check(ar(|c| c.model.seed = 3)), Ok(()));
        assert_eq!(check(ar(|c| c.model.head = HeadKind::Categorical)), Ok(()), "it says what the targets are");
        assert_eq!(
            check(ar(|c| c.model.hidden = 64)).unwrap_err(),
            "`model.hidden`: is of networks, and there is none: the model is `ar`; leave it out, or set model.kind to a network \
             such as \"lstm\""
        );
        assert_eq!(key(ar(|c| c.model.head = HeadKind::Gaussian)), "model.head");
        assert_eq!(key(ar(|c| c.model.backend = BackendKind::Native)), "model.backend");
        assert_eq!(key(ar(|c| c.model.learn = false)), "model.learn");
        assert_eq!(key(ar(|c| c.model.optimizer.rate = 0.1)), "model.optimizer");
        let rates = MixtureConfig { rates: Some(vec![0.1]), ..MixtureConfig::default() };
        let mixed = move |c: &mut ForecastConfig| {
            (c.model.kind, c.mixture) = (ModelKind::Ar, MixtureSetting::On(rates.clone()));
            c.controls.clear();
        };
        assert_eq!(key(mixed), "mixture.rates");
        let beside = |c: &mut ForecastConfig| {
            (c.model.kind, c.model.hidden, c.controls) = (ModelKind::Ar, 64, vec![ModelKind::Gru]);
        };
        assert_eq!(check(beside), Ok(()), "a control is a network");
    }

    #[test]
    fn settings_of_classes_are_refused_where_there_are_none() {
        assert_eq!(key(|c| c.classes.max = 8), "classes");
        assert_eq!(check(|c| (c.classes.max, c.model.head) = (8, HeadKind::Categorical)), Ok(()));
        assert_eq!(check(|c| (c.classes.max, c.features.categories) = (8, vec!["day".into()])), Ok(()));
    }
}
