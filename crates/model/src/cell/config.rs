//! The settings of `model` that say what a network is made of and how far back it reaches.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::ConfigError;

use super::{CellKind, CellShape};
use crate::config::{BackendKind, ModelConfig};
use crate::family::ModelKind;
use crate::network::Probing;

/// More layers than this learn no better from a stream, and each costs as much as the first.
const LAYERS_MAX: usize = 8;
/// An MLP that sees more events than this has more weights than a stream teaches.
const LAGS_MAX: usize = 1000;
const LAGS_DEFAULT: usize = 8;
/// A longer past would take longer to run anew after every event than events take to come.
const HISTORY_MAX: usize = 10_000;
const HISTORY_DEFAULT: usize = 256;

/// Where a GRU's reset gate acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GruVariant {
    /// After the recurrent product, with biases: PyTorch's and cuDNN's.
    #[default]
    ResetAfter,
    /// Before the recurrent product, without biases: that of the papers.
    ResetBefore,
}

/// The cell of a network that may have any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecurrentKind {
    /// Long short-term memory.
    #[default]
    Lstm,
    /// Gated recurrent unit, in the form that `variant` says.
    Gru,
    /// Plain recurrent network with tanh.
    Rnn,
}

/// The members of the family that are networks; see [`ModelKind`](crate::ModelKind).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NetworkKind {
    /// `lstm`.
    Lstm,
    /// `gru`.
    Gru,
    /// `rnn`.
    Rnn,
    /// `mlp`.
    Mlp,
    /// `full-history`.
    FullHistory,
}

impl NetworkKind {
    /// Whether gradients flow back through `bptt.window` events.
    fn is_truncated(self) -> bool {
        !matches!(self, Self::Mlp | Self::FullHistory)
    }
}

impl ModelConfig {
    /// The cell of a network of the given kind under these settings, for inputs of the given width.
    pub fn cell_shape(&self, kind: NetworkKind, inputs: usize) -> CellShape {
        let cell = match (self.recurrent(kind), self.variant.unwrap_or_default()) {
            (None, _) => return CellShape::new(CellKind::Mlp { lags: self.lags() }, inputs, self.hidden),
            (Some(RecurrentKind::Lstm), _) => CellKind::Lstm,
            (Some(RecurrentKind::Rnn), _) => CellKind::Rnn,
            (Some(RecurrentKind::Gru), GruVariant::ResetAfter) => CellKind::Gru,
            (Some(RecurrentKind::Gru), GruVariant::ResetBefore) => CellKind::GruResetBefore,
        };
        let skip_connections = self.skip_connections;
        CellShape { layers: self.layers, skip_connections, ..CellShape::new(cell, inputs, self.hidden) }
    }

    /// The recurrent cell of a network, where it has one.
    fn recurrent(&self, kind: NetworkKind) -> Option<RecurrentKind> {
        match kind {
            NetworkKind::Lstm => Some(RecurrentKind::Lstm),
            NetworkKind::Gru => Some(RecurrentKind::Gru),
            NetworkKind::Rnn => Some(RecurrentKind::Rnn),
            NetworkKind::FullHistory => Some(self.cell.unwrap_or_default()),
            NetworkKind::Mlp => None,
        }
    }

    fn lags(&self) -> usize {
        self.lags.unwrap_or(LAGS_DEFAULT)
    }

    fn history_max(&self) -> usize {
        self.history_max.unwrap_or(HISTORY_DEFAULT)
    }

    /// k2: events of a training window of a network of the given kind, at most; a multiple of k1.
    ///
    /// The windows of a full history hold the whole kept past. Those of an MLP hold all that its trained steps look at, so that
    /// its gradients are exact, those of a part before it included.
    pub(crate) fn window(&self, kind: NetworkKind) -> usize {
        let every = self.bptt.every.max(1);
        match kind {
            NetworkKind::FullHistory => self.history_max(),
            NetworkKind::Mlp => (every + self.lags().saturating_sub(1)).next_multiple_of(every),
            NetworkKind::Lstm | NetworkKind::Gru | NetworkKind::Rnn => self.bptt.window_or_default().longest(),
        }
    }

    /// How far back gradients of a network of the given kind are measured, where k2 follows them or somebody wants to know.
    pub(crate) fn probing(&self, kind: NetworkKind) -> Option<Probing> {
        let setting = self.bptt.window_or_default();
        let tolerance = setting.tolerance();
        let lags = self.measured_lags.or(tolerance.map(|_| setting.longest())).filter(|_| kind.is_truncated())?;
        Some(Probing { lags: lags.max(setting.longest()), tolerance })
    }

    /// What is true of some of these networks.
    fn used(&self, networks: &[NetworkKind]) -> Used {
        let any = |is: &dyn Fn(NetworkKind) -> bool| networks.iter().any(|kind| is(*kind));
        Used {
            gru: any(&|kind| self.recurrent(kind) == Some(RecurrentKind::Gru)),
            recurrent: any(&|kind| self.recurrent(kind).is_some()),
            truncated: any(&NetworkKind::is_truncated),
            mlp: any(&|kind| kind == NetworkKind::Mlp),
            full_history: any(&|kind| kind == NetworkKind::FullHistory),
        }
    }

    /// The settings that give the states of these networks their meaning, each with its value in words.
    pub(crate) fn cell_settings(&self, networks: &[NetworkKind]) -> Vec<(&'static str, String)> {
        let Used { gru, recurrent, truncated, mlp, full_history } = self.used(networks);
        let all = [
            (full_history, "model.cell", format!("{:?}", self.cell.unwrap_or_default())),
            (gru, "model.variant", format!("{:?}", self.variant.unwrap_or_default())),
            (recurrent, "model.layers", self.layers.to_string()),
            (recurrent && self.layers > 1, "model.skip_connections", self.skip_connections.to_string()),
            (mlp, "model.lags", self.lags().to_string()),
            (full_history, "model.history_max", self.history_max().to_string()),
            (truncated, "model.bptt.window", self.bptt.window_or_default().in_words()),
        ];
        all.into_iter().filter(|(used, ..)| *used).map(|(_, name, value)| (name, value)).collect()
    }

    /// Refuses settings that contradict each other, or that none of these networks has a use for.
    pub(crate) fn validate_cell(&self, networks: &[NetworkKind]) -> Result<(), ConfigError> {
        let Used { gru, recurrent, truncated, mlp, full_history } = self.used(networks);
        let kind = self.kind.as_str();
        if mlp && self.backend == BackendKind::Native {
            let message = "\"native\" has recurrent cells only, and an `mlp` is among the models";
            return Err(ConfigError::new("backend", message).help("leave it out, or set backend = \"libtorch\""));
        }
        if self.skip_connections && self.layers == 1 {
            let error = ConfigError::new("skip_connections", "joins every layer to the head, and there is one layer");
            return Err(error.help("leave it out, or set layers = 2 or more"));
        }
        if self.skip_connections && self.backend == BackendKind::Libtorch {
            let error = ConfigError::new("skip_connections", "is done by the native backend only");
            return Err(error.help("leave it out, or leave `backend` out"));
        }
        let no_window = match self.kind {
            ModelKind::FullHistory => "leave it out: gradients flow through the whole past, up to history_max events",
            _ => "leave it out: gradients reach all that the model looks at",
        };
        let cases = [
            (
                self.cell.is_some() && !full_history,
                "cell",
                "is the cell of a full history",
                "leave it out, or set kind = \"full-history\"",
            ),
            (
                self.variant.is_some() && !gru,
                "variant",
                "is where a GRU has its reset gate",
                "leave it out, or set kind = \"gru\"",
            ),
            (
                self.layers > 1 && !recurrent,
                "layers",
                "stacks recurrent cells",
                "leave it out, or take a recurrent kind",
            ),
            (
                self.memory_events.is_some() && !recurrent,
                "memory_events",
                "is how long the gates of a recurrent cell hold on at the start",
                "leave it out, or take a recurrent kind",
            ),
            (
                self.lags.is_some() && !mlp,
                "lags",
                "is how many events an MLP sees",
                "leave it out, or set kind = \"mlp\"",
            ),
            (
                self.history_max.is_some() && !full_history,
                "history_max",
                "is how far a full history goes back",
                "leave it out, or set kind = \"full-history\"",
            ),
            (
                self.bptt.window.is_some() && !truncated && (mlp || full_history),
                "bptt.window",
                "truncates the gradients of a recurrent network",
                no_window,
            ),
        ];
        if let Some((_, key, what, help)) = cases.into_iter().find(|(is_wrong, ..)| *is_wrong) {
            let message = format!("{what}, and neither `{kind}` nor a control has a use for it");
            return Err(ConfigError::new(key, message).help(help));
        }
        in_range("layers", self.layers, LAYERS_MAX)?;
        in_range("lags", self.lags(), LAGS_MAX)?;
        in_range("history_max", self.history_max(), HISTORY_MAX)?;
        if let Some(events) = self.memory_events
            && !(2..=HISTORY_MAX).contains(&events)
        {
            return Err(ConfigError::new("memory_events", format!("must be from 2 to {HISTORY_MAX}, not {events}")));
        }
        if truncated || self.bptt.window.is_some() {
            self.bptt.validate_window()?;
        }
        let every = self.bptt.every.max(1);
        if full_history && !self.history_max().is_multiple_of(every) {
            let (history_max, next) = (self.history_max(), self.history_max().next_multiple_of(every));
            let message = format!("must be a multiple of bptt.every, which is {every}; it is {history_max}");
            return Err(ConfigError::new("history_max", message).help(format!("write history_max = {next}")));
        }
        Ok(())
    }
}

/// What is true of some of several networks.
struct Used {
    gru: bool,
    recurrent: bool,
    truncated: bool,
    mlp: bool,
    full_history: bool,
}

fn in_range(key: &str, value: usize, most: usize) -> Result<(), ConfigError> {
    match value {
        value if (1..=most).contains(&value) => Ok(()),
        value => Err(ConfigError::new(key, format!("must be from 1 to {most}, not {value}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BpttConfig, ForecastConfig};

    fn refusal(change: impl Fn(&mut ModelConfig)) -> Option<(String, String)> {
        let mut config = ForecastConfig::new(["y"]);
        change(&mut config.model);
        config.validate().err().map(|error| (error.key.clone(), error.to_string()))
    }

    fn refused(change: impl Fn(&mut ModelConfig)) -> String {
        refusal(change).map(|(key, _)| key).unwrap_or_default()
    }

    #[test]
    fn settings_that_the_model_has_no_use_for_are_refused_by_name() {
        let of = |kind: ModelKind, change: fn(&mut ModelConfig)| {
            refused(move |model| {
                model.kind = kind;
                change(model);
            })
        };
        assert_eq!(of(ModelKind::Mlp, |model| model.layers = 2), "model.layers");
        assert_eq!(of(ModelKind::Lstm, |model| model.variant = Some(GruVariant::ResetAfter)), "model.variant");
        assert_eq!(of(ModelKind::FullHistory, |model| model.variant = Some(GruVariant::ResetAfter)), "model.variant");
        assert_eq!(of(ModelKind::Lstm, |model| model.lags = Some(8)), "model.lags");
        assert_eq!(of(ModelKind::Gru, |model| model.history_max = Some(8)), "model.history_max");
        assert_eq!(of(ModelKind::Mlp, |model| model.memory_events = Some(8)), "model.memory_events");
        assert_eq!(of(ModelKind::Rnn, |model| model.cell = Some(RecurrentKind::Rnn)), "model.cell");
        assert_eq!(of(ModelKind::Ar, |model| model.layers = 2), "model.layers");
        assert_eq!(of(ModelKind::Mlp, |model| model.bptt.window = Some(8.into())), "model.bptt.window");
        assert_eq!(of(ModelKind::FullHistory, |model| model.bptt.window = Some(8.into())), "model.bptt.window");
        let message = refusal(|model| (model.kind, model.bptt.window) = (ModelKind::FullHistory, Some(8.into())));
        let (_, message) = message.unwrap();
        assert!(message.contains("neither `full-history` nor a control"), "{message}");
    }

    #[test]
    fn a_backend_without_the_cell_is_refused() {
        let of = |kind: ModelKind| refused(|model| (model.kind, model.backend) = (kind, BackendKind::Native));
        assert_eq!((of(ModelKind::Mlp), of(ModelKind::FullHistory)), ("model.backend".into(), String::new()));
    }

    #[test]
    fn settings_out_of_their_range_are_refused_by_name() {
        assert_eq!(refused(|model| model.layers = 0), "model.layers");
        assert_eq!(refused(|model| model.layers = 9), "model.layers");
        assert_eq!(refused(|model| model.skip_connections = true), "model.skip_connections");
        let skipping =
            |backend| refused(|model| (model.layers, model.skip_connections, model.backend) = (2, true, backend));
        assert_eq!(skipping(BackendKind::Libtorch), "model.skip_connections");
        assert_eq!((skipping(BackendKind::Auto), skipping(BackendKind::Native)), (String::new(), String::new()));
        assert_eq!(refused(|model| model.memory_events = Some(1)), "model.memory_events");
        assert_eq!(refused(|model| (model.kind, model.lags) = (ModelKind::Mlp, Some(0))), "model.lags");
        let history = |every: usize, most: usize| {
            refused(move |model| {
                (model.kind, model.history_max) = (ModelKind::FullHistory, Some(most));
                model.bptt.every = every;
            })
        };
        assert_eq!((history(1, 0), history(4, 10)), ("model.history_max".into(), "model.history_max".into()));
        assert_eq!(history(4, 12), "");
        // The default of a setting that is not used contradicts nothing.
        assert_eq!(refused(|model| (model.kind, model.bptt.every) = (ModelKind::Mlp, 16)), "");
    }

    #[test]
    fn a_control_may_use_what_the_model_does_not() {
        let mut config = ForecastConfig::new(["y"]);
        config.model.lags = Some(4);
        config.controls = vec![ModelKind::Mlp];
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(config.networks(), [NetworkKind::Lstm, NetworkKind::Mlp]);
    }

    #[test]
    fn the_windows_of_an_mlp_hold_all_that_its_trained_steps_see() {
        let window = |every: usize, lags: usize| {
            let bptt = BpttConfig { every, window: None };
            ModelConfig { lags: Some(lags), bptt, ..ModelConfig::default() }.window(NetworkKind::Mlp)
        };
        assert_eq!([window(1, 1), window(1, 8), window(4, 8), window(4, 1)], [1, 8, 12, 4]);
    }
}
