//! Sequences sampled forward from the state of a forecast operator.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Schema, SchemaRef};
use common::{numbers, operator, set_kind, texts};
use sluicegate_core::{Batch, Metrics, Offset, Offsets, Output, PartitionId, Roles, SnapshotReader, SnapshotWriter};
use sluicegate_model::feature::{TransformConfig, TransformKind};
use sluicegate_model::head::HeadKind;
use sluicegate_model::score::LEVELS;
use sluicegate_model::{
    ForecastConfig, Generator, MixtureConfig, MixtureSetting, ModelError, ModelKind, Random, Sequences, Step, Value,
};

const HOUR: i64 = 3_600_000_000;

/// Hourly events of keys in turn, with these further columns.
fn log(keys: &[&str], columns: &[(&str, ArrayRef)]) -> Batch {
    let rows = columns[0].1.len();
    let times = (0..rows).map(|row| (row / keys.len()) as i64 * HOUR);
    let mut all: Vec<(&str, ArrayRef)> = vec![
        ("ts", Arc::new(TimestampMicrosecondArray::from_iter_values(times))),
        ("key", Arc::new(StringArray::from_iter_values((0..rows).map(|row| keys[row % keys.len()])))),
    ];
    all.extend(columns.iter().cloned());
    let records = RecordBatch::try_from_iter(all).unwrap();
    let roles = Roles { time: Some("ts".into()), key: Some("key".into()) };
    let schema = roles.mark(&Schema::clone(&records.schema()));
    let records = RecordBatch::try_new(schema, records.columns().to_vec()).unwrap();
    Batch::new(PartitionId::new("log"), Offsets::dense(Offset(0), rows).unwrap(), records).unwrap()
}

fn schema(log: &Batch) -> SchemaRef {
    log.records().schema()
}

/// The state of an operator that saw the log, and what it said.
fn learned(config: &ForecastConfig, log: &Batch) -> (Vec<u8>, RecordBatch) {
    let mut operator = operator(config, &schema(log), Path::new(""), &Metrics::new());
    let mut out = Output::new();
    operator.process(log.clone(), &mut out).unwrap();
    let mut writer = SnapshotWriter::new();
    operator.snapshot(&mut writer).unwrap();
    (writer.finish().unwrap(), out.take().remove(0).records().clone())
}

fn sequences(config: &ForecastConfig, log: &Batch, key: &str) -> Sequences {
    let (state, _) = learned(config, log);
    Generator::restore(config.clone(), &schema(log), &state).unwrap().of_key(Some(key)).unwrap()
}

fn path(sequences: &mut Sequences, length: usize, random: &mut Random) -> Vec<Step> {
    (0..length).map(|_| sequences.step(random).unwrap()).collect()
}

fn number(step: &Step) -> f64 {
    match &step.values[0] {
        Value::Number(number) => *number,
        Value::Class(class) => panic!("{class} is no number"),
    }
}

fn class(step: &Step) -> &str {
    match &step.values[0] {
        Value::Number(number) => panic!("{number} is no class"),
        Value::Class(class) => class,
    }
}

fn refused(config: &ForecastConfig, log: &Batch, state: &[u8]) -> String {
    Generator::restore(config.clone(), &schema(log), state).err().unwrap().to_string()
}

/// A walk, so that its distribution says something of scales too.
fn walk(rows: usize) -> ArrayRef {
    let mut random = Random::new(3);
    let mut level = 100.0;
    Arc::new(Float64Array::from_iter_values((0..rows).map(|_| {
        level += f64::from(random.unit()) - 0.5;
        level
    })))
}

fn of_numbers(kind: ModelKind, mixture: MixtureSetting) -> ForecastConfig {
    let mut config = ForecastConfig::new(["y"]);
    config.model.hidden = 4;
    config.mixture = mixture;
    set_kind(&mut config, kind);
    config
}

fn of_classes(target: &str) -> ForecastConfig {
    let mut config = ForecastConfig::new([target]);
    (config.model.head, config.model.kind) = (HeadKind::Categorical, ModelKind::Ar);
    config.controls = vec![ModelKind::Persistence];
    config.mixture = MixtureSetting::Off;
    config.classes.max = 6;
    config
}

/// The share of samples below each quantile that the operator's last row gives.
fn assert_samples_agree(config: &ForecastConfig) {
    let log = log(&["a"], &[("y", walk(300))]);
    let (state, said) = learned(config, &log);
    let product = texts(&said, "model").iter().rposition(|model| model == "forecast").unwrap();
    let mut sequences = Generator::restore(config.clone(), &schema(&log), &state).unwrap().of_key(Some("a")).unwrap();
    let mut random = Random::new(11);
    let mut values = Vec::new();
    for _ in 0..4000 {
        values.push(number(&sequences.step(&mut random).unwrap()));
        sequences.start_over().unwrap();
    }
    for level in LEVELS {
        let name = format!("q{:03.0}", level * 1000.0);
        let quantile = numbers(&said, &name)[product];
        let below = values.iter().filter(|value| **value <= quantile).count() as f64 / values.len() as f64;
        assert!((below - level).abs() < 0.03, "{below} of the samples are below {name} = {quantile}");
    }
}

#[test]
fn samples_of_every_family_agree_with_the_quantiles_that_were_issued() {
    for head in [HeadKind::StudentT, HeadKind::Gaussian, HeadKind::Quantiles] {
        let mut config = of_numbers(ModelKind::Gru, MixtureSetting::Off);
        config.model.head = head;
        assert_samples_agree(&config);
    }
    assert_samples_agree(&of_numbers(ModelKind::Ar, MixtureSetting::Off));
}

#[test]
fn a_mixture_is_sampled_as_one() {
    assert_samples_agree(&of_numbers(ModelKind::Gru, MixtureSetting::On(MixtureConfig::default())));
}

#[test]
fn one_seed_is_one_sequence_and_each_begins_at_the_last_event() {
    let log = log(&["a", "b"], &[("y", walk(200))]);
    for config in [
        of_numbers(ModelKind::Gru, MixtureSetting::ByModel),
        of_numbers(ModelKind::Ar, MixtureSetting::Off),
        of_numbers(ModelKind::Garch, MixtureSetting::Off),
    ] {
        let mut one = sequences(&config, &log, "b");
        let first = path(&mut one, 20, &mut Random::new(5));
        one.start_over().unwrap();
        let other = path(&mut one, 20, &mut Random::new(6));
        one.start_over().unwrap();
        assert_eq!(path(&mut one, 20, &mut Random::new(5)), first);
        assert_ne!(other, first);
        assert_eq!(path(&mut sequences(&config, &log, "b"), 20, &mut Random::new(5)), first, "restored anew");
        let times: Vec<_> = first.iter().map(|step| step.time.unwrap()).collect();
        assert_eq!(times, (100..120).map(|hour| hour * HOUR).collect::<Vec<_>>(), "an hour after the last, as ever");
    }
}

/// What is drawn must count as what is read: the sequence of draws, read, leads to the same forecasts as drawing does.
#[test]
fn a_generated_event_counts_as_one_that_was_read() {
    let begun = log(&["a"], &[("y", walk(120))]);
    let mut config = of_numbers(ModelKind::Gru, MixtureSetting::ByModel);
    config.model.learn = false;
    let (state, _) = learned(&config, &begun);
    let mut drawing = Generator::restore(config.clone(), &schema(&begun), &state).unwrap().of_key(Some("a")).unwrap();
    let drawn = path(&mut drawing, 8, &mut Random::new(2));

    let values: ArrayRef = Arc::new(Float64Array::from_iter_values(drawn[..7].iter().map(number)));
    let times: ArrayRef =
        Arc::new(TimestampMicrosecondArray::from_iter_values(drawn[..7].iter().map(|s| s.time.unwrap())));
    let mut columns = log(&["a"], &[("y", values)]).records().columns().to_vec();
    columns[0] = times;
    let records = RecordBatch::try_new(schema(&begun), columns).unwrap();
    let read = Batch::new(PartitionId::new("log"), Offsets::dense(Offset(120), 7).unwrap(), records).unwrap();
    let mut reading = operator(&config, &schema(&begun), Path::new(""), &Metrics::new());
    reading.restore(&SnapshotReader::parse(&state).unwrap()).unwrap();
    reading.process(read, &mut Output::new()).unwrap();
    let mut writer = SnapshotWriter::new();
    reading.snapshot(&mut writer).unwrap();
    let state = writer.finish().unwrap();
    let mut after = Generator::restore(config, &schema(&begun), &state).unwrap().of_key(Some("a")).unwrap();

    // The generator of the last draw has to be where it was after seven.
    let mut random = Random::new(2);
    drawing.start_over().unwrap();
    path(&mut drawing, 7, &mut random);
    assert_eq!(after.step(&mut random).unwrap(), drawn[7]);
}

#[test]
fn targets_come_out_in_their_own_units() {
    let mut config = of_numbers(ModelKind::Ar, MixtureSetting::Off);
    config.transform = Some(TransformConfig { kind: TransformKind::Log, unit: 1e-4, targets: None });
    let mut sequences = sequences(&config, &log(&["a"], &[("y", walk(200))]), "a");
    for step in path(&mut sequences, 50, &mut Random::new(0)) {
        assert!((50.0..200.0).contains(&number(&step)), "a price near 100, not the 46,000 of its logarithm: {step:?}");
    }
}

#[test]
fn numbers_stay_within_what_the_source_can_hold() {
    let log = log(&["a"], &[("y", walk(200))]);
    let mut config = of_numbers(ModelKind::Ar, MixtureSetting::Off);
    for unit in [None, Some(1e-4)] {
        config.transform = unit.map(|unit| TransformConfig { kind: TransformKind::Log, unit, targets: None });
        let mut sequences = sequences(&config, &log, "a").within(150.0..=150.5).unwrap();
        let steps = path(&mut sequences, 20, &mut Random::new(0));
        assert!(steps.iter().all(|step| (150.0..=150.5).contains(&number(step))), "{steps:?}");
        assert!(sequences.within(1.0..=0.0).is_err());
    }
}

#[test]
fn further_inputs_hold_their_last_values() {
    let temperature: ArrayRef = Arc::new(Float64Array::from_iter_values((0..100).map(|row| f64::from(row % 9))));
    let log = log(&["a"], &[("y", walk(100)), ("temperature", temperature)]);
    let mut config = of_numbers(ModelKind::Gru, MixtureSetting::Off);
    config.features.inputs = vec!["temperature".into()];
    let held = path(&mut sequences(&config, &log, "a"), 6, &mut Random::new(1));
    assert!(held.iter().all(|step| number(step).is_finite()));
    config.features.categories = vec!["key".into()];
    let (state, _) = learned(&config, &log);
    assert!(refused(&config, &log, &state).contains("which class `key` would have"));
}

#[test]
fn a_cycle_of_classes_goes_on() {
    let cycle = ["do", "re", "mi", "fa", "mi", "re"];
    let notes: ArrayRef = Arc::new(StringArray::from_iter_values((0..600).map(|row| cycle[row % 6])));
    let log = log(&["a"], &[("note", notes)]);
    let mut config = of_classes("note");
    config.classes.order = 3;
    let sequences = sequences(&config, &log, "a");
    let steps = path(&mut sequences.temperature(0.2).unwrap(), 30, &mut Random::new(9));
    let expected: Vec<&str> = (0..30).map(|row| cycle[row % 6]).collect();
    assert_eq!(steps.iter().map(class).collect::<Vec<_>>(), expected);
}

#[test]
fn the_open_class_is_never_drawn() {
    // More classes than there are numbers, so that the open one is the most probable by far.
    let words: ArrayRef = Arc::new(StringArray::from_iter_values((0..400).map(|row| format!("w{}", row * 7919 % 101))));
    let config = of_classes("word");
    let steps = path(&mut sequences(&config, &log(&["a"], &[("word", words)]), "a"), 200, &mut Random::new(4));
    assert!(steps.iter().all(|step| class(step).starts_with('w')), "{steps:?}");
}

#[test]
fn what_cannot_be_gone_on_from_is_refused() {
    let log = log(&["a", "b"], &[("y", walk(60))]);
    let config = of_numbers(ModelKind::Ar, MixtureSetting::Off);
    let (state, _) = learned(&config, &log);
    let generator = || Generator::restore(config.clone(), &schema(&log), &state).unwrap();
    assert_eq!(generator().keys(), [Some("a".to_owned()), Some("b".to_owned())]);
    let unknown = generator().of_key(Some("c")).err().unwrap();
    assert!(matches!(&unknown, ModelError::Generate(why) if why.contains("`c`")), "{unknown}");
    assert!(generator().of_key(Some("a")).unwrap().temperature(0.0).is_err());

    let mut other = config.clone();
    other.ar.lags = vec![1, 2];
    assert!(refused(&other, &log, &state).contains("`ar.lags` = "));
    other = config.clone();
    other.horizons = vec![2, 4];
    assert!(refused(&other, &log, &state).contains("put 1 among them"));
    assert!(Generator::restore(config.clone(), &schema(&log), &state[..40]).is_err());

    let before = operator(&config, &schema(&log), Path::new(""), &Metrics::new());
    let mut writer = SnapshotWriter::new();
    before.snapshot(&mut writer).unwrap();
    let empty = writer.finish().unwrap();
    let generator = Generator::restore(config, &schema(&log), &empty).unwrap();
    assert!(generator.keys().is_empty() && generator.of_key(None).is_err());
}
