//! Targets that are classes, through the operator.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Float32Type, Int32Type, Schema};
use sluicegate_core::{Batch, Metrics, Offset, Offsets, OperatorConfig, Output, PartitionId, PipelineContext, Roles};
use sluicegate_model::feature::{CalendarFeature, TransformConfig, TransformKind};
use sluicegate_model::head::HeadKind;
use sluicegate_model::{
    BadValuesConfig, BpttConfig, ClassesConfig, Column, DriftConfig, ForecastConfig, LayoutKind, MixtureConfig,
    MixtureSetting, ModelKind, OnBadValue,
};
use sluicegate_testkit::logs::LogSpec;
use sluicegate_testkit::operator::Suite;

/// A log of keys with the column `light`: red, green and amber in a cycle that now and then skips a step.
fn lights(rows: usize, keys: usize) -> Batch {
    let base = LogSpec { rows, keys, inputs: 1, ..LogSpec::default() }.build();
    let names = base.records().column(1).as_string::<i32>().clone();
    let noise = base.records().column_by_name("y0").unwrap().clone();
    let noise = noise.as_primitive::<arrow::datatypes::Float64Type>();
    let mut steps: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lights = Vec::new();
    for (row, key) in names.iter().enumerate() {
        let step = steps.entry(key.unwrap()).or_default();
        *step += if (noise.value(row) * 1e6) as i64 % 10 == 0 { 2 } else { 1 };
        let missing = (noise.value(row) * 1e5) as i64 % 50 == 7;
        lights.push((!missing).then(|| ["red", "green", "amber", "green"][*step % 4]));
    }
    let light = Arc::new(StringArray::from(lights)) as ArrayRef;
    let day = Arc::new(Int64Array::from_iter_values((0..rows as i64).map(|row| row / 7 % 3))) as ArrayRef;
    with_columns(&base, [("light", light), ("day", day)])
}

fn with_columns<const N: usize>(base: &Batch, columns: [(&str, ArrayRef); N]) -> Batch {
    let mut fields: Vec<Arc<Field>> = base.records().schema_ref().fields().iter().cloned().collect();
    let mut arrays = base.records().columns().to_vec();
    for (name, array) in columns {
        fields.push(Arc::new(Field::new(name, array.data_type().clone(), true)));
        arrays.push(array);
    }
    let schema = Roles { time: Some("ts".into()), key: Some("key".into()) }.mark(&Schema::new(fields));
    let records = RecordBatch::try_new(schema, arrays).unwrap();
    Batch::new(base.partition().clone(), base.offsets().clone(), records).unwrap()
}

/// A log of one key with one column of classes.
fn log(column: &str, array: ArrayRef) -> Batch {
    let rows = array.len();
    let records = RecordBatch::try_from_iter_with_nullable([(column, array, true)]).unwrap();
    Batch::new(PartitionId::new("log"), Offsets::dense(Offset(0), rows).unwrap(), records).unwrap()
}

fn texts(classes: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(classes.to_vec()))
}

fn config(target: &str) -> ForecastConfig {
    let mut config = ForecastConfig::new([target]);
    config.model.head = HeadKind::Categorical;
    config.model.hidden = 6;
    config.classes.max = 4;
    config.mixture = MixtureSetting::Off;
    config
}

fn suite(config: &ForecastConfig, log: Batch) -> Suite {
    let (config, schema) = (config.clone(), log.records().schema());
    Suite::new(move || common::operator(&config, &schema, Path::new("."), &Metrics::new()), log)
}

fn run(config: &ForecastConfig, log: &Batch) -> RecordBatch {
    suite(config, log.clone()).run(64).table.unwrap()
}

/// The rows of one model.
fn of_model(table: &RecordBatch, model: &str) -> RecordBatch {
    let models = table.column_by_name("model").unwrap().as_dictionary::<Int32Type>();
    let models = models.downcast_dict::<StringArray>().unwrap();
    let wanted: BooleanArray = models.into_iter().map(|name| Some(name == Some(model))).collect();
    arrow::compute::filter_record_batch(table, &wanted).unwrap()
}

fn names(table: &RecordBatch, column: &str) -> Vec<String> {
    let column = table.column_by_name(column).unwrap().as_string::<i32>();
    column.iter().map(|name| name.unwrap_or("-").to_owned()).collect()
}

fn mean(values: &[f64]) -> f64 {
    let known: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    known.iter().sum::<f64>() / known.len() as f64
}

/// Every kind of model, of mixture and of input that classes have.
fn all_configs() -> Vec<ForecastConfig> {
    let mut all = Vec::new();
    for kind in [ModelKind::Lstm, ModelKind::Gru, ModelKind::Rnn, ModelKind::Ar, ModelKind::Persistence] {
        let mut config = config("light");
        common::set_kind(&mut config, kind);
        all.push(config);
    }
    let [first, second, ..] = &mut all[..] else { unreachable!() };
    first.features.categories = vec!["day".into()];
    first.classes.embedding = Some(3);
    first.features.calendar = vec![CalendarFeature::Hour];
    first.features.inputs = vec!["x0".into()];
    first.mixture = MixtureSetting::On(MixtureConfig { emit_members: true, ..MixtureConfig::default() });
    // So that there are alarms within some rows.
    first.drift = Some(DriftConfig { threshold: 3.0, events_min: 5, ..DriftConfig::default() });
    first.columns = Some(Column::OF_CLASSES.to_vec());
    second.horizons = vec![1, 3];
    second.layout = LayoutKind::Wide;
    second.model.bptt = BpttConfig { every: 2, window: Some(4.into()) };
    second.model.update_every = Some(7);
    all
}

#[test]
fn cutting_the_log_anywhere_changes_nothing() {
    for config in all_configs() {
        suite(&config, lights(400, 5)).assert_rechunking(&[1, 3, 8, 100]);
    }
}

#[test]
fn a_snapshot_stands_for_the_rows_before_it() {
    for config in all_configs() {
        let suite = suite(&config, lights(400, 5));
        for rows in [0, 1, 37, 203] {
            suite.assert_snapshot_is_prefix(rows, 41);
        }
    }
}

#[test]
fn a_class_reaches_neither_earlier_rows_nor_the_forecast_of_its_own_row() {
    let log = lights(200, 3);
    for config in all_configs().into_iter().filter(|config| config.layout == LayoutKind::Long) {
        let before = run(&config, &log);
        let per_event = before.num_rows() / log.len();
        for row in [1, 60, 150] {
            let mut lights: Vec<Option<String>> = log
                .records()
                .column_by_name("light")
                .unwrap()
                .as_string::<i32>()
                .iter()
                .map(|c| c.map(Into::into))
                .collect();
            lights[row] = Some(if lights[row].as_deref() == Some("amber") { "red" } else { "amber" }.to_owned());
            let base = LogSpec { rows: 200, keys: 3, inputs: 1, ..LogSpec::default() }.build();
            let day = log.records().column_by_name("day").unwrap().clone();
            let changed =
                with_columns(&base, [("light", Arc::new(StringArray::from(lights)) as ArrayRef), ("day", day)]);
            let after = run(&config, &changed);
            let earlier = row * per_event;
            assert_eq!(before.slice(0, earlier), after.slice(0, earlier), "rows before {row}");
            let forecast = |table: &RecordBatch| names(&table.slice(earlier, per_event), "forecast_class");
            assert_eq!(forecast(&before), forecast(&after));
            assert_ne!(
                before.slice(earlier, per_event),
                after.slice(earlier, per_event),
                "the change is seen at {row}"
            );
        }
    }
}

#[test]
fn networks_learn_an_order_that_the_last_class_alone_does_not_tell() {
    // After "green" comes amber or red, depending on what was before it.
    let mut config = config("light");
    config.controls = vec![ModelKind::Persistence, ModelKind::Ar];
    config.classes.order = 2;
    config.model.hidden = 16;
    config.model.optimizer.rate = 1e-2;
    let cycle: Vec<&str> = (0..6000).map(|i| ["red", "green", "amber", "green"][i % 4]).collect();
    let table = run(&config, &log("light", texts(&cycle)));
    let late = |model: &str| {
        let bits = common::numbers(&of_model(&table, model), "nll_bits");
        mean(&bits[5500..])
    };
    assert!(late("forecast") < 0.1, "{}", late("forecast"));
    assert!(late("ar") < 0.1, "{}", late("ar"));
    assert!(late("persistence") > 0.7, "the last class alone does not tell: {}", late("persistence"));
    let of_network = of_model(&table, "forecast");
    assert_eq!(names(&of_network, "class")[5600..5604], ["green", "amber", "green", "red"]);
}

#[test]
fn a_class_never_seen_before_is_scored_as_the_open_one_and_learned_from_then_on() {
    let mut config = config("light");
    config.classes.max = 2;
    common::set_kind(&mut config, ModelKind::Persistence);
    config.controls.clear();
    let is_there = |column: &Column| !matches!(column, Column::Weight | Column::Drift);
    config.columns = Some(Column::OF_CLASSES.into_iter().filter(is_there).collect());
    let table = run(&config, &log("light", texts(&["a", "a", "b", "c", "c", "b"])));
    assert_eq!(names(&table, "observed_class"), ["a", "a", "b", "c", "c", "b"], "as it came in");
    assert_eq!(names(&table, "forecast_class")[3..], ["b", "(other)", "(other)"], "there is no number left for c");
    let maps = table.column_by_name("probabilities").unwrap().as_map();
    let classes = |row: usize| {
        let entries = maps.value(row);
        let names = entries.column(0).as_string::<i32>().iter().map(|name| name.unwrap().to_owned());
        let sum: f32 = entries.column(1).as_primitive::<Float32Type>().iter().flatten().sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        names.collect::<Vec<_>>()
    };
    assert_eq!(classes(0), ["a", "(other)"]);
    assert_eq!(classes(2), ["a", "b", "(other)"]);
    let bits = common::numbers(&table, "nll_bits");
    assert!(bits[0].is_nan() && bits[1..].iter().all(|bits| bits.is_finite()), "{bits:?}");
}

#[test]
fn yes_and_no_come_as_booleans_or_as_0_and_1_and_mean_the_same() {
    let mut config = config("on");
    config.model.head = HeadKind::Bernoulli;
    (config.model.hidden, config.model.optimizer.rate) = (16, 1e-2);
    let yes = |i: &i64| i % 3 == 0;
    let booleans: BooleanArray = (0..1500).map(|i| Some(yes(&i))).collect();
    let numbers: Int64Array = (0..1500).map(|i| Some(i64::from(yes(&i)))).collect();
    let (first, second) = (run(&config, &log("on", Arc::new(booleans))), run(&config, &log("on", Arc::new(numbers))));
    assert_eq!(first.column_by_name("nll_bits"), second.column_by_name("nll_bits"));
    assert_eq!(names(&second, "class")[0], "false");
    let late = mean(&common::numbers(&of_model(&first, "forecast"), "nll_bits")[1400..]);
    assert!(late < 0.2, "every third is a yes, so it can be known: {late}");
}

#[test]
fn what_is_neither_yes_nor_no_is_a_bad_value() {
    let mut config = config("on");
    config.model.head = HeadKind::Bernoulli;
    let log = log("on", Arc::new(Int64Array::from(vec![Some(0), Some(7), None, Some(1)])));
    let table = run(&config, &log);
    assert!(common::numbers(&of_model(&table, "forecast"), "nll_bits")[1..3].iter().all(|bits| bits.is_nan()));
    config.bad_values = BadValuesConfig { target: OnBadValue::DeadLetter, ..BadValuesConfig::default() };
    let mut operator = common::operator(&config, &log.records().schema(), Path::new("."), &Metrics::new());
    let mut out = Output::new();
    operator.process(log.clone(), &mut out).unwrap();
    let letters = out.take_rejected();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].offset, letters[0].message.as_str()),
        (Offset(1), "column `on` is neither true nor false, neither 0 nor 1")
    );
    config.bad_values.target = OnBadValue::Fail;
    let mut operator = common::operator(&config, &log.records().schema(), Path::new("."), &Metrics::new());
    let error = operator.process(log, &mut Output::new()).unwrap_err().to_string();
    assert!(error.contains("offset 1: column `on` is neither true nor false"), "{error}");
}

#[test]
fn settings_that_make_no_sense_of_classes_are_refused_with_what_to_do() {
    let numbers = Arc::new(Float64Array::from(vec![1.0])) as ArrayRef;
    let records = RecordBatch::try_from_iter([("y", numbers), ("light", texts(&["a"]))]).unwrap();
    type Change = fn(&mut ForecastConfig);
    let refused: [(Change, &str); 13] = [
        (
            |c| c.model.head = HeadKind::Bernoulli,
            "`targets`: column `light` has type Utf8, but must hold booleans, or the integers 0 and 1; for other classes set model.head to \"categorical\", for numbers to \"student-t\", \"gaussian\" or \"quantiles\"",
        ),
        (
            |c| c.targets = vec!["y".into()],
            "`targets`: column `y` has type Float64, but must hold text, an integer or a boolean; for numbers set model.head to \"student-t\", \"gaussian\" or \"quantiles\"; or name a column of classes",
        ),
        (
            |c| (c.model.head, c.classes) = (HeadKind::StudentT, ClassesConfig::default()),
            "`targets`: column `light` has type Utf8, but must hold a number; for classes set model.head to \"categorical\"",
        ),
        (
            |c| c.columns = Some(vec![Column::Crps]),
            "`columns`: `crps` is no column of forecasts of classes; there are: family, class, probability, probabilities, observed_class, forecast_class, nll_bits, brier, weight, drift",
        ),
        (|c| c.features.lags = vec![2], "`features.lags`: are of numbers, and the targets are classes"),
        (
            |c| c.transform = Some(TransformConfig { kind: TransformKind::Log, unit: 1.0, targets: None }),
            "`transform`: is of numbers, and the targets are classes",
        ),
        (
            |c| c.mixture = MixtureSetting::On(MixtureConfig { zero_mean: true, ..MixtureConfig::default() }),
            "`mixture.zero_mean`: is of numbers, and the targets are classes",
        ),
        (|c| c.features.scale_ratio = true, "`features.scale_ratio`: is of numbers, and the targets are classes"),
        (
            |c| c.scores.standardise_rows = Some(9),
            "`scores.standardise_rows`: is of numbers, and the targets are classes",
        ),
        (
            |c| c.bad_values.missing_target = OnBadValue::Carry,
            "`bad_values.missing_target`: carries numbers on, and the targets are classes; write \"mask\", \"dead-letter\" or \"fail\"",
        ),
        (
            |c| c.classes.known = BTreeMap::from([("hue".into(), vec![])]),
            "`classes.known.hue`: is neither a target that is a class nor one of features.categories",
        ),
        (
            |c| c.classes.known = BTreeMap::from([("light".into(), vec!["a".into(); 2])]),
            "`classes.known.light`: names `a` twice",
        ),
        (|c| c.classes.max = 0, "`classes.max`: must be from 1 to 65536, not 0"),
    ];
    for (change, expected) in refused {
        let mut config = config("light");
        change(&mut config);
        let error = config.bind(&records.schema(), &PipelineContext::default()).err().unwrap().to_string();
        assert_eq!(error, expected);
    }
}

#[test]
fn a_constant_class_a_key_with_one_event_and_a_column_without_any_are_harmless() {
    for kind in [ModelKind::Lstm, ModelKind::Ar, ModelKind::Persistence] {
        let mut config = config("light");
        common::set_kind(&mut config, kind);
        config.controls.clear();
        let constant = run(&config, &log("light", texts(&["a"; 300])));
        assert!(mean(&common::numbers(&constant, "nll_bits")[200..]) < 0.1);
        let none = run(&config, &log("light", Arc::new(StringArray::from(vec![None::<&str>; 50]))));
        assert!(common::numbers(&none, "nll_bits").iter().all(|bits| bits.is_nan()));
        assert_eq!(none.num_rows(), 50);
    }
}
