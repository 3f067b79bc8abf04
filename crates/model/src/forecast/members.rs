//! Who forecasts: the models of an operator, the members of their mixture, and what is shown of them.

use crate::config::ForecastConfig;
use crate::family::ModelKind;

/// Whose forecast a member stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The model of this place.
    Model(usize),
    /// That model's, with its location put to the last value.
    ZeroMean(usize),
}

/// One who forecasts, alone or in a mixture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) source: Source,
}

/// One line of an output: the mixture, or a member by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Mixture,
    Member(usize),
}

/// Models, members and lines, each list in its order.
///
/// Models are networks before controls; members are the networks, their zero-mean copies, and the controls. Without a mixture
/// each model is a member and the first is the product.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lineup {
    /// The models, with the rate of each where it is not that of the settings.
    pub(super) models: Vec<(ModelKind, Option<f64>)>,
    pub(super) members: Vec<Member>,
    /// What is shown, the product first.
    pub(super) shown: Vec<Shown>,
}

impl Lineup {
    pub(super) fn of(config: &ForecastConfig) -> Self {
        let kind = config.model.kind;
        let mixture = config.mixture.of(kind);
        let (mut models, mut members) = (Vec::new(), Vec::new());
        let member = |name: String, source: Source| Member { name, source };
        match &mixture {
            None => {
                models.push((kind, None));
                members.push(member(kind.as_str().to_owned(), Source::Model(0)));
            }
            Some(mixture) if kind.network().is_some() => {
                let rates = mixture.rates_around(config.model.optimizer.rate);
                let name = |rate: &f64| format!("{}@{rate}", kind.as_str());
                let networks = rates.iter().enumerate();
                members.extend(networks.clone().map(|(place, rate)| member(name(rate), Source::Model(place))));
                if mixture.zero_mean {
                    let copy = |(place, rate)| member(format!("{}-zero-mean", name(rate)), Source::ZeroMean(place));
                    members.extend(networks.map(copy));
                }
                models.extend(rates.iter().map(|rate| (kind, Some(*rate))));
            }
            // A control that runs beside itself takes part once.
            Some(_) if config.controls.contains(&kind) => {}
            Some(_) => {
                models.push((kind, None));
                members.push(member(kind.as_str().to_owned(), Source::Model(0)));
            }
        }
        let own = members.len();
        for control in &config.controls {
            members.push(member(control.as_str().to_owned(), Source::Model(models.len())));
            models.push((*control, None));
        }
        let shows_own = mixture.as_ref().is_none_or(|mixture| mixture.emit_members);
        let first = if shows_own { 0 } else { own };
        let product = mixture.map(|_| Shown::Mixture);
        let shown = product.into_iter().chain((first..members.len()).map(Shown::Member)).collect();
        Self { models, members, shown }
    }

    /// Whether the product is a mixture.
    pub(super) fn is_mixed(&self) -> bool {
        self.shown.first() == Some(&Shown::Mixture)
    }

    /// The names of what is shown beside the product, whose name is the operator's.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.shown.iter().skip(1).filter_map(|shown| match shown {
            Shown::Member(place) => self.members.get(*place).map(|member| member.name.as_str()),
            Shown::Mixture => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{MixtureConfig, MixtureSetting};

    fn lineup(kind: ModelKind, mixture: MixtureSetting) -> Lineup {
        let mut config = ForecastConfig::new(["y"]);
        (config.model.kind, config.mixture) = (kind, mixture);
        Lineup::of(&config)
    }

    fn sources(lineup: &Lineup) -> Vec<Source> {
        lineup.members.iter().map(|member| member.source).collect()
    }

    fn names(lineup: &Lineup) -> Vec<&str> {
        lineup.names().collect()
    }

    #[test]
    fn a_single_model_stands_before_its_controls() {
        let single = lineup(ModelKind::Gru, MixtureSetting::Off);
        assert_eq!(single.models, [ModelKind::Gru, ModelKind::Persistence, ModelKind::Ar].map(|kind| (kind, None)));
        assert_eq!(sources(&single), [0, 1, 2].map(Source::Model));
        assert_eq!(single.shown, [0, 1, 2].map(Shown::Member));
        assert_eq!(names(&single), ["persistence", "ar"]);
        assert_eq!(lineup(ModelKind::Ar, MixtureSetting::ByModel).shown, [0, 1, 2].map(Shown::Member));
    }

    #[test]
    fn a_mixture_is_of_networks_their_zero_mean_copies_and_controls() {
        let config = MixtureConfig {
            rates: Some(vec![1e-3, 1e-2]),
            zero_mean: true,
            emit_members: true,
            ..MixtureConfig::default()
        };
        let mixed = lineup(ModelKind::Lstm, MixtureSetting::On(config.clone()));
        let networks = [Some(1e-3), Some(1e-2)].map(|rate| (ModelKind::Lstm, rate));
        assert_eq!(mixed.models[..2], networks);
        assert_eq!(mixed.models[2..], [(ModelKind::Persistence, None), (ModelKind::Ar, None)]);
        let [a, b, c, d] = [0, 1, 2, 3].map(Source::Model);
        assert_eq!(sources(&mixed), [a, b, Source::ZeroMean(0), Source::ZeroMean(1), c, d]);
        assert_eq!(
            names(&mixed),
            ["lstm@0.001", "lstm@0.01", "lstm@0.001-zero-mean", "lstm@0.01-zero-mean", "persistence", "ar"]
        );
        assert_eq!(mixed.shown[0], Shown::Mixture);
        assert_eq!(mixed.shown[1..], [0, 1, 2, 3, 4, 5].map(Shown::Member));

        let quiet = MixtureSetting::On(MixtureConfig { emit_members: false, ..config });
        let quiet = lineup(ModelKind::Lstm, quiet);
        assert_eq!(quiet.shown, [Shown::Mixture, Shown::Member(4), Shown::Member(5)]);
        assert_eq!(names(&quiet), ["persistence", "ar"]);
    }

    #[test]
    fn a_mixture_of_controls_has_each_once() {
        let mixed = lineup(ModelKind::Ar, MixtureSetting::On(MixtureConfig::default()));
        assert_eq!(mixed.models, [ModelKind::Persistence, ModelKind::Ar].map(|kind| (kind, None)));
        assert_eq!(mixed.shown, [Shown::Mixture, Shown::Member(0), Shown::Member(1)]);
    }
}
