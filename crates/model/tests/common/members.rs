//! Every member of the family, as settings. What is added to the family is found here by its name in pipeline files, so that no
//! list has to be kept: a new kind does not compile before it has settings below.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sluicegate_model::cell::{GruVariant, RecurrentKind};
use sluicegate_model::control::{GarchMean, SeasonalConfig};
use sluicegate_model::feature::CalendarFeature;
use sluicegate_model::{AdaptiveWindow, ForecastConfig, MixtureSetting, ModelKind, WindowSetting};

use super::network::NetworkSettings;

/// Every variant of an enum of settings, from its schema.
pub(crate) fn every<T: JsonSchema + DeserializeOwned>() -> Vec<T> {
    let schema = schemars::schema_for!(T).to_value();
    let listed = |name: &str| schema[name].as_array().cloned().unwrap_or_default();
    let nested = listed("oneOf").into_iter().flat_map(|one| match one["enum"].as_array() {
        Some(names) => names.clone(),
        None => vec![one["const"].clone()],
    });
    let names: Vec<Value> = nested.chain(listed("enum")).collect();
    assert!(!names.is_empty(), "no variant in {schema}");
    names.into_iter().map(|name| serde_json::from_value(name).unwrap()).collect()
}

/// The forms that a network of this kind has: variants, cells, and one layer or more. None where it is no network.
pub(crate) fn forms(kind: ModelKind) -> Vec<NetworkSettings> {
    let of_layers = |layers| NetworkSettings::new(kind, layers);
    match kind {
        ModelKind::Lstm | ModelKind::Rnn => [1, 2].map(of_layers).to_vec(),
        ModelKind::Gru => {
            let variants = every::<GruVariant>().into_iter().map(Some);
            variants.flat_map(|variant| [1, 2].map(|layers| NetworkSettings { variant, ..of_layers(layers) })).collect()
        }
        ModelKind::Mlp => [None, Some(1), Some(3)].map(|lags| NetworkSettings { lags, ..of_layers(1) }).to_vec(),
        ModelKind::FullHistory => {
            let of_cell = |cell| match cell {
                RecurrentKind::Gru => NetworkSettings {
                    cell: Some(cell),
                    variant: Some(GruVariant::ResetBefore),
                    ..NetworkSettings::new(kind, 2)
                },
                RecurrentKind::Lstm | RecurrentKind::Rnn => NetworkSettings { cell: Some(cell), ..of_layers(1) },
            };
            every::<RecurrentKind>().into_iter().map(of_cell).collect()
        }
        ModelKind::Persistence
        | ModelKind::Seasonal
        | ModelKind::Markov
        | ModelKind::Ar
        | ModelKind::Ewma
        | ModelKind::Garch
        | ModelKind::Experts => Vec::new(),
    }
}

/// Settings of this kind for these targets, one of every form, so small that everything happens on a short log.
pub(crate) fn settings(kind: ModelKind, targets: &[&str]) -> Vec<ForecastConfig> {
    let mut base = ForecastConfig::new(targets.iter().copied());
    (base.model.kind, base.model.hidden, base.mixture) = (kind, 4, MixtureSetting::Off);
    base.horizons = vec![1, 3];
    base.features.calendar = vec![CalendarFeature::Hour];
    base.seasonal = Some(SeasonalConfig { period: 5 });
    (base.garch.refit_every, base.garch.window) = (20, 60);
    let with = |change: &dyn Fn(&mut ForecastConfig)| {
        let mut config = base.clone();
        change(&mut config);
        config
    };
    match kind {
        ModelKind::Persistence => [false, true].map(|adapt| with(&|config| config.persistence.adapt = adapt)).to_vec(),
        ModelKind::Garch => {
            every::<GarchMean>().into_iter().map(|mean| with(&|config| config.garch.mean = mean)).collect()
        }
        // They forecast the next event and none farther ahead.
        ModelKind::Experts => vec![with(&|config| config.horizons = vec![1])],
        ModelKind::Seasonal | ModelKind::Markov | ModelKind::Ar | ModelKind::Ewma => vec![base],
        ModelKind::Lstm | ModelKind::Gru | ModelKind::Rnn | ModelKind::Mlp | ModelKind::FullHistory => {
            let of_form = |form: NetworkSettings| {
                with(&|config| {
                    config.model.bptt.every = 2;
                    form.apply(config, 6);
                })
            };
            let mut all: Vec<ForecastConfig> = forms(kind).into_iter().map(of_form).collect();
            // Those whose windows have a fixed length, once more with one that follows their gradients.
            let mut adaptive = all[0].clone();
            if let Some(window) = &mut adaptive.model.bptt.window {
                *window = WindowSetting::Adaptive(AdaptiveWindow { tolerance: 0.3, max: 6 });
                all.push(adaptive);
            }
            all
        }
    }
}
