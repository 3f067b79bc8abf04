//! What a network remembers, why another forgets, how far back it pays to look, and what it costs: measured on events, for whoever
//! shows it. The command `sluice diagnose` draws what is found here.
//!
//! A [`Subject`] is the settings of a forecast operator and a stretch of a log. Each diagnosis runs the operator on that stretch, as a
//! pipeline would and with nothing but its network, and then looks inside.

mod order;

pub use order::{Order, order};

use std::path::Path;
use std::time::{Duration, Instant};

use sluicegate_core::{Batch, BoxError, ConfigError, Metrics};

use crate::cell::{CellKind, CellShape, GateTrace};
use crate::config::{ForecastConfig, MixtureSetting};
use crate::error::ModelError;
use crate::family::ModelKind;
use crate::forecast;
use crate::network::GradientDecay;

/// The recurrent members of the family, which are compared.
pub const KINDS: [ModelKind; 3] = [ModelKind::Rnn, ModelKind::Gru, ModelKind::Lstm];

/// What is diagnosed: settings, and events of one partition in their order.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The operator's settings.
    pub config: &'a ForecastConfig,
    /// The events.
    pub log: &'a [Batch],
    /// Where relative paths in the settings begin.
    pub base_dir: &'a Path,
}

/// What a network costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    /// Numbers of parameters, those of the head included.
    pub parameters: usize,
    /// Multiplications with a weight for each event: the step, and its share of a training window forward and back.
    pub multiply_adds: f64,
    /// Bytes that are remembered of each key.
    pub bytes_per_key: usize,
    /// Time for each event, in all that the operator does.
    pub time_per_event: Duration,
}

impl Subject<'_> {
    /// The settings with a network of this kind alone, and nothing that only another kind has a use for.
    fn alone(&self, kind: ModelKind) -> ForecastConfig {
        let mut config = self.config.clone();
        (config.mixture, config.controls, config.columns) = (MixtureSetting::Off, Vec::new(), Some(Vec::new()));
        let model = &mut config.model;
        if model.kind != kind {
            (model.initial, model.lags, model.cell, model.history_max) = (None, None, None, None);
            model.variant = model.variant.filter(|_| kind == ModelKind::Gru);
        }
        model.kind = kind;
        config
    }

    fn events(&self) -> usize {
        self.log.iter().map(Batch::len).sum()
    }
}

/// How gradients of a network of this kind decay with the lag, up to `lags` of them, after it has learned from all events; see
/// [`GradientDecay`].
///
/// # Errors
/// When the settings are wrong, or no key has so many events that anything could be measured.
pub fn gradients(subject: Subject<'_>, kind: ModelKind, lags: usize) -> Result<GradientDecay, BoxError> {
    let mut config = subject.alone(kind);
    let every = config.model.bptt.every.max(1);
    config.model.measured_lags = Some(lags.max(every).next_multiple_of(every));
    let found = forecast::watch(&config, subject, &Metrics::new(), |network, _| Ok(network.decay().cloned()))?;
    let needed = lags as u64 + config.horizons.iter().max().copied().unwrap_or(1) as u64;
    match found {
        Some(decay) if !decay.relative().is_empty() => Ok(decay),
        Some(_) => Err(ModelError::NothingToDiagnose { what: "gradients by lag".into(), needed }.into()),
        None => Err(ModelError::NoNetwork(kind).into()),
    }
}

/// What the gates did in the last `steps` steps of the key with most events, after the network has learned from all; in fewer where
/// it has fewer.
///
/// # Errors
/// When the settings are wrong, the network has no gates, there are no events, or the backend does not tell.
pub fn gates(subject: Subject<'_>, kind: ModelKind, steps: usize) -> Result<GateTrace, BoxError> {
    let mut config = subject.alone(kind);
    let network = kind.network().ok_or(ModelError::NoNetwork(kind))?;
    if config.model.cell_shape(network, 1).kind.gates() == 1 {
        let error = ConfigError::new("model.kind", format!("`{}` has no gates", kind.as_str()));
        return Err(error.help("set it to \"lstm\" or \"gru\"").into());
    }
    let every = config.model.bptt.every.max(1);
    config.model.measured_lags = Some(steps.max(every).next_multiple_of(every));
    forecast::watch(&config, subject, &Metrics::new(), |network, busiest| {
        let (slot, events) = busiest.unwrap_or((0, 0));
        Ok(last_steps(network.gates(slot, events)?, steps))
    })
}

/// A trace without what came before its last `steps` steps: a training window may be longer than what was asked for.
fn last_steps(mut trace: GateTrace, steps: usize) -> GateTrace {
    let keep = |values: &mut Vec<f32>, width: usize| drop(values.drain(..values.len().saturating_sub(steps * width)));
    trace.gates.iter_mut().for_each(|gates| keep(gates, trace.names.len() * trace.hidden));
    trace.cells.iter_mut().for_each(|cells| keep(cells, trace.hidden));
    trace
}

/// What a network of this kind costs on these events.
///
/// # Errors
/// When the settings are wrong.
pub fn cost(subject: Subject<'_>, kind: ModelKind) -> Result<Cost, BoxError> {
    let config = subject.alone(kind);
    let begun = Instant::now();
    let (shape, parameters, bytes_per_key) = forecast::watch(&config, subject, &Metrics::new(), |network, _| {
        Ok((network.shape(), network.parameter_count(), network.bytes_per_key()))
    })?;
    let time_per_event = begun.elapsed() / u32::try_from(subject.events()).unwrap_or(u32::MAX).max(1);
    let (every, window) = (config.model.bptt.every.max(1), config.model.bptt.window_or_default().longest());
    let multiply_adds = multiply_adds(&shape, window as f64 / every as f64);
    Ok(Cost { parameters, multiply_adds, bytes_per_key, time_per_event })
}

/// Multiplications with a weight of the cell for each event, where each is in so many training windows: one for each weight and step,
/// and in windows two more, for the gradients of the state and of the weight.
fn multiply_adds(shape: &CellShape, windows: f64) -> f64 {
    let of_layer = |inputs: usize| shape.kind.gates() * shape.hidden * (inputs + shape.hidden);
    let weights: usize = match shape.kind {
        CellKind::Mlp { lags } => shape.hidden * lags * shape.inputs,
        _ => (0..shape.layers).map(|layer| of_layer(if layer == 0 { shape.inputs } else { shape.hidden })).sum(),
    };
    weights as f64 * (1.0 + 3.0 * windows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_trace_the_last_steps_are_left() {
        let numbers = |count: u8| (0..count).map(f32::from).collect::<Vec<_>>();
        let trace = GateTrace { names: &["a", "b"], hidden: 3, gates: vec![numbers(30)], cells: vec![numbers(15)] };
        let last = last_steps(trace.clone(), 2);
        assert_eq!((&last.gates[0], &last.cells[0]), (&numbers(30)[18..].to_vec(), &numbers(15)[9..].to_vec()));
        assert_eq!(last_steps(trace.clone(), 6), trace);
    }
}
