//! What is seen of networks from inside is what they do.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use sluicegate_core::{Batch, BoxError, Offset, Offsets, PartitionId};
use sluicegate_model::diagnose::{self, Subject};
use sluicegate_model::{BackendKind, ForecastConfig, MixtureSetting, ModelKind, Random};

/// Values of two keys in turns: each key's next value is `carry` times the last one and noise.
fn log(rows: usize, carry: f64) -> Vec<Batch> {
    let mut random = Random::new(3);
    let mut last = [0.0; 2];
    let values = (0..rows).map(|row| {
        let noise = f64::from(random.unit() + random.unit() + random.unit()) - 1.5;
        last[row % 2] = carry * last[row % 2] + noise;
        last[row % 2]
    });
    let value: ArrayRef = Arc::new(Float64Array::from_iter_values(values));
    let key: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|row| ["a", "b"][row % 2])));
    let records = RecordBatch::try_from_iter([("key", key), ("y", value)]).unwrap();
    let batch = |from: usize, to: usize| {
        let offsets = Offsets::dense(Offset(from as i64), to - from).unwrap();
        Batch::new(PartitionId::new("log"), offsets, records.slice(from, to - from)).unwrap()
    };
    vec![batch(0, rows / 3), batch(rows / 3, rows)]
}

fn config() -> ForecastConfig {
    let mut config = ForecastConfig::new(["y"]);
    (config.key, config.model.hidden) = (Some("key".into()), 6);
    config.model.bptt.every = 2;
    config
}

fn on<T>(
    config: &ForecastConfig,
    log: &[Batch],
    diagnose: impl Fn(Subject<'_>) -> Result<T, BoxError>,
) -> Result<T, BoxError> {
    diagnose(Subject { config, log, base_dir: Path::new(".") })
}

#[test]
fn gradients_of_a_plain_network_fade_and_those_of_gates_that_hold_do_not() {
    let (mut config, log) = (config(), log(600, 0.5));
    config.model.memory_events = Some(60);
    let [rnn, gru] = [ModelKind::Rnn, ModelKind::Gru].map(|kind| {
        let decay = on(&config, &log, |subject| diagnose::gradients(subject, kind, 30)).unwrap();
        let norms = decay.relative();
        assert!(norms.len() >= 29 && norms[0] == 1.0, "{kind:?}: {norms:?}");
        norms
    });
    assert!(rnn[20] < 1e-2 && gru[20] > 10.0 * rnn[20], "{} and {}", rnn[20], gru[20]);
}

#[test]
fn looking_changes_nothing_and_both_backends_see_the_same() {
    let log = log(400, 0.5);
    let [native, torch] = [BackendKind::Native, BackendKind::Libtorch].map(|backend| {
        let mut config = config();
        config.model.backend = backend;
        on(&config, &log, |subject| diagnose::gradients(subject, ModelKind::Lstm, 12)).unwrap().relative()
    });
    for (native, torch) in native.iter().zip(&torch) {
        assert!((native - torch).abs() < 1e-3 * torch.max(0.01), "{native} against {torch}");
    }
}

#[test]
fn gates_are_shares_and_there_are_as_many_steps_as_were_asked_for() {
    let (config, log) = (config(), log(400, 0.5));
    let trace = on(&config, &log, |subject| diagnose::gates(subject, ModelKind::Lstm, 24)).unwrap();
    assert_eq!((trace.names, trace.hidden, trace.gates[0].len()), (&["i", "f", "g", "o"][..], 6, 24 * 4 * 6));
    assert_eq!(trace.cells[0].len(), 24 * 6);
    for gates in trace.gates[0].chunks_exact(4 * 6) {
        let shares = gates[..12].iter().chain(&gates[18..]);
        assert!(shares.into_iter().all(|share| *share > 0.0 && *share < 1.0));
    }
    let short = on(&config, &log, |subject| diagnose::gates(subject, ModelKind::Lstm, 3)).unwrap();
    assert_eq!((short.gates[0].len(), short.cells[0].len()), (3 * 4 * 6, 3 * 6), "fewer than a window has");
    for kind in [ModelKind::Rnn, ModelKind::Mlp] {
        let error = on(&config, &log, |subject| diagnose::gates(subject, kind, 24)).unwrap_err().to_string();
        assert!(error.contains(&format!("`{}` has no gates", kind.as_str())), "{error}");
    }
    let mut torch = config.clone();
    torch.model.backend = BackendKind::Libtorch;
    let error = on(&torch, &log, |subject| diagnose::gates(subject, ModelKind::Lstm, 24)).unwrap_err();
    assert!(error.to_string().contains("set `model.backend` to \"native\""), "{error}");
}

#[test]
fn costs_are_what_the_shapes_say() {
    let (config, log) = (config(), log(200, 0.5));
    let [rnn, lstm] = [ModelKind::Rnn, ModelKind::Lstm]
        .map(|kind| on(&config, &log, |subject| diagnose::cost(subject, kind)).unwrap());
    // Two inputs, six units, k1 = 2 and k2 = 8: each event is in four windows. The head of a Student's t has two rows and a number.
    let weights = 6 * (2 + 6);
    assert_eq!(rnn.multiply_adds, weights as f64 * 13.0);
    assert_eq!(rnn.parameters, weights + 2 * 6 + 2 * 6 + 2 + 1);
    assert_eq!(lstm.multiply_adds, 4.0 * rnn.multiply_adds);
    assert_eq!(lstm.parameters, 4 * (weights + 2 * 6) + 2 * 6 + 2 + 1);
    // Nine inputs and labels are kept, a scale, the state, and those before five starts and one more.
    assert_eq!(rnn.bytes_per_key, 4 * (9 * (2 + 1) + 6 * (1 + 6)) + 8);
    assert_eq!(lstm.bytes_per_key, rnn.bytes_per_key + 4 * 6 * 7);
    assert!(!rnn.time_per_event.is_zero());
}

#[test]
fn order_matters_where_the_next_value_follows_from_the_last_and_not_where_it_does_not() {
    let mut config = config();
    (config.model.kind, config.mixture) = (ModelKind::Gru, MixtureSetting::Off);
    let [bound, free] =
        [0.95, 0.0].map(|carry| on(&config, &log(3000, carry), |subject| diagnose::order(subject, 4)).unwrap().lost());
    assert!(bound.0 > 0.3 && bound.0 > 5.0 * bound.1, "{bound:?}");
    assert!(free.0.abs() < 0.05, "{free:?}");
}

#[test]
fn what_cannot_be_diagnosed_is_told() {
    let config = config();
    let too_few = on(&config, &log(30, 0.5), |subject| diagnose::gradients(subject, ModelKind::Gru, 40)).unwrap_err();
    assert!(too_few.to_string().contains("a key needs at least 41"), "{too_few}");
    let nothing = on(&config, &[], |subject| diagnose::cost(subject, ModelKind::Gru)).unwrap_err();
    assert!(nothing.to_string().contains("too few events"), "{nothing}");
    let mut late = config.clone();
    late.scores.from = 30;
    let unscored = on(&late, &log(30, 0.5), |subject| diagnose::order(subject, 1)).unwrap_err().to_string();
    assert!(unscored.contains("there are 30, and scores begin at row 30, by `scores.from`"), "{unscored}");
    let unscored = on(&config, &log(2, 0.5), |subject| diagnose::order(subject, 1)).unwrap_err().to_string();
    assert!(unscored.contains("too few events"), "{unscored}");
    let mut control = config.clone();
    control.model = Default::default();
    control.model.kind = ModelKind::Persistence;
    let control = on(&control, &log(30, 0.5), |subject| diagnose::order(subject, 1)).unwrap_err();
    assert_eq!(control.to_string(), "`persistence` is no network");
}
