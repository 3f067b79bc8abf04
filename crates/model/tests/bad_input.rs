//! Input that is of no use, or made to hurt: what happens is stated here, and nothing breaks.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use sluicegate_core::SnapshotWriter;
use sluicegate_core::{Batch, Metrics, Offset, Offsets, Operator, Output, PartitionId, Roles, SnapshotReader};
use sluicegate_model::head::HeadKind;
use sluicegate_model::optimizer::{OptimizerConfig, OptimizerKind};
use sluicegate_model::{ForecastConfig, MixtureSetting};

/// A row: key, microseconds since 1970, target, further column.
type Row = (String, Option<i64>, Option<f64>, Option<f64>);

fn schema() -> SchemaRef {
    let fields = vec![
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("key", DataType::Utf8, true),
        Field::new("y", DataType::Float64, true),
        Field::new("x", DataType::Float64, true),
    ];
    Roles { time: Some("ts".into()), key: Some("key".into()) }.mark(&Schema::new(fields))
}

fn log(rows: &[Row]) -> Batch {
    let times: TimestampMicrosecondArray = rows.iter().map(|row| row.1).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(times.with_timezone("UTC")),
        Arc::new(rows.iter().map(|row| Some(row.0.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| row.3).collect::<Float64Array>()),
    ];
    let records = RecordBatch::try_new(schema(), columns).unwrap();
    Batch::new(PartitionId::new("log"), Offsets::dense(Offset(0), rows.len()).unwrap(), records).unwrap()
}

/// Rows of one key with these values.
fn rows_of(key: &str, values: impl IntoIterator<Item = Option<f64>>) -> Vec<Row> {
    let row = |(row, value)| (key.to_owned(), Some(row as i64 * 60_000_000), value, None);
    values.into_iter().enumerate().map(row).collect()
}

fn config() -> ForecastConfig {
    let mut config = ForecastConfig::new(["y"]);
    config.mixture = MixtureSetting::Off;
    config.model.hidden = 4;
    config
}

fn build(config: &ForecastConfig) -> Box<dyn Operator> {
    common::operator(config, &schema(), Path::new("."), &Metrics::new())
}

/// What comes out, as one table per call of the operator.
fn run(operator: &mut dyn Operator, log: Batch) -> RecordBatch {
    let mut out = Output::new();
    operator.process(log, &mut out).unwrap();
    let tables: Vec<RecordBatch> = out.take().iter().map(|batch| batch.records().clone()).collect();
    arrow::compute::concat_batches(&tables[0].schema(), &tables).unwrap()
}

/// A column of one model's rows.
fn of_model(table: &RecordBatch, model: &str, column: &str) -> Vec<f64> {
    let models = arrow::compute::cast(table.column_by_name("model").unwrap(), &DataType::Utf8).unwrap();
    let models = arrow::array::AsArray::as_string::<i32>(models.as_ref()).clone();
    let values = common::numbers(table, column);
    values.into_iter().enumerate().filter(|(row, _)| models.value(*row) == model).map(|(_, value)| value).collect()
}

/// Every parameter of every network of a snapshot.
fn parameters(operator: &dyn Operator) -> Vec<f32> {
    let mut writer = SnapshotWriter::new();
    operator.snapshot(&mut writer).unwrap();
    let bytes = writer.finish().unwrap();
    let reader = SnapshotReader::parse(&bytes).unwrap();
    let mut values = Vec::new();
    for entry in reader.entries() {
        if entry.name.contains(".parameters.") {
            values.extend(reader.f32(&entry.name, &entry.shape).unwrap());
        }
    }
    assert!(!values.is_empty(), "a snapshot holds parameters");
    values
}

const CONSTANT: usize = 200;

/// A constant series is forecast as such: its values, as narrow as scales may be.
#[test]
fn a_constant_series_is_forecast_by_its_value() {
    for value in [0.0, 5.0, -1e30] {
        let mut operator = build(&config());
        let table = run(operator.as_mut(), log(&rows_of("a", vec![Some(value); CONSTANT])));
        for model in ["forecast", "persistence", "ar"] {
            let (means, scales) = (of_model(&table, model, "mean"), of_model(&table, model, "scale"));
            let scores = of_model(&table, model, "nll");
            assert!(means[0].is_nan(), "{model}: nothing is known of how it moves before the second value");
            for row in 1..CONSTANT {
                assert!(
                    (means[row] - value).abs() <= 1e-6 * value.abs().max(1.0),
                    "{model}, row {row}: {}",
                    means[row]
                );
                assert!(scales[row] > 0.0 && scales[row] < 1e-5, "{model}, row {row}: {}", scales[row]);
            }
            assert!(scores[2..].iter().all(|nll| nll.is_finite()), "{model}");
        }
        assert!(parameters(operator.as_ref()).iter().all(|value| value.is_finite()));
    }
}

/// Keys that are seen once are never forecast and teach nothing; memory for them is bounded where the settings say so.
#[test]
fn keys_of_one_event_have_no_forecast_and_teach_nothing() {
    let mut config = config();
    config.max_keys = Some(10);
    let rows: Vec<Row> = (0..300).map(|row| (format!("key-{row}"), Some(row), Some(row as f64), None)).collect();
    let before = parameters(build(&config).as_ref());
    let mut operator = build(&config);
    let table = run(operator.as_mut(), log(&rows));
    for column in ["mean", "scale", "forecast", "nll"] {
        assert!(common::numbers(&table, column).iter().all(|value| value.is_nan()), "{column}");
    }
    assert_eq!(parameters(operator.as_ref()), before);
}

/// A target without a single value has no forecast; one beside it is forecast and learned as ever. A further column without
/// values counts as its mean.
#[test]
fn columns_without_values_do_no_harm() {
    let values: Vec<Option<f64>> = (0..150).map(|row| Some((row as f64 * 0.4).sin())).collect();
    let mut config = config();
    config.targets = vec!["y".into(), "x".into()];
    let mut operator = build(&config);
    let before = parameters(operator.as_ref());
    let table = run(operator.as_mut(), log(&rows_of("a", values.clone())));
    let targets = arrow::compute::cast(table.column_by_name("target").unwrap(), &DataType::Utf8).unwrap();
    let targets = arrow::array::AsArray::as_string::<i32>(targets.as_ref()).clone();
    let offsets = table.column_by_name("offset").unwrap();
    let offsets = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(offsets.as_ref()).clone();
    for (row, mean) in common::numbers(&table, "mean").into_iter().enumerate() {
        let is_known = targets.value(row) == "y" && offsets.value(row) > 0;
        assert_eq!(mean.is_finite(), is_known, "row {row}");
    }
    assert!(parameters(operator.as_ref()) != before, "the other target was learned");

    let mut config = self::config();
    config.features.inputs = vec!["x".into()];
    let mut with = build(&config);
    let table = run(with.as_mut(), log(&rows_of("a", values)));
    assert!(of_model(&table, "forecast", "mean")[1..].iter().all(|mean| mean.is_finite()));
    assert!(parameters(with.as_ref()).iter().all(|value| value.is_finite()));
}

/// Nothing is said of a horizon that no event of the key has reached yet; nearer ones are forecast meanwhile.
#[test]
fn a_horizon_beyond_the_history_has_no_forecast() {
    let mut config = config();
    config.horizons = vec![1, 100];
    let values = (0..80).map(|row| Some((row as f64 * 0.4).sin()));
    let mut operator = build(&config);
    let table = run(operator.as_mut(), log(&rows_of("a", values)));
    let horizons = table.column_by_name("horizon").unwrap();
    let horizons = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int32Type>(horizons.as_ref()).clone();
    let (means, scores) = (common::numbers(&table, "mean"), common::numbers(&table, "nll"));
    let per_event = table.num_rows() / 80;
    for row in 0..table.num_rows() {
        let is_known = horizons.value(row) == 1 && row >= per_event;
        assert_eq!(means[row].is_finite(), is_known, "row {row}");
        assert!(horizons.value(row) == 1 || scores[row].is_nan());
    }
    assert!(parameters(operator.as_ref()).iter().all(|value| value.is_finite()));
}

/// After a value of 1e30 everything stays finite, and with a limit it is as if the value had been missing.
#[test]
fn an_outlier_of_1e30_leaves_everything_finite_and_can_be_kept_out() {
    let wave = |row: usize| (row as f64 * 0.4).sin();
    let with = |outlier: Option<f64>| {
        rows_of("a", (0..300).map(move |row| if row == 150 { outlier } else { Some(wave(row)) }))
    };
    let mut operator = build(&config());
    let table = run(operator.as_mut(), log(&with(Some(1e30))));
    for model in ["forecast", "persistence", "ar"] {
        assert!(of_model(&table, model, "mean")[1..].iter().all(|mean| mean.is_finite()), "{model}");
        assert!(of_model(&table, model, "nll")[2..].iter().all(|nll| nll.is_finite()), "{model}");
        assert!(of_model(&table, model, "scale")[299] > 1e20, "{model}: running scales remember it");
    }
    assert!(parameters(operator.as_ref()).iter().all(|value| value.is_finite()));

    let mut limited = config();
    limited.bad_values.limit = 1e6;
    let (mut kept_out, mut missing) = (build(&limited), build(&config()));
    let table = run(kept_out.as_mut(), log(&with(Some(1e30))));
    let expected = run(missing.as_mut(), log(&with(None)));
    for column in ["mean", "scale"] {
        let (found, expected) = (of_model(&table, "forecast", column), of_model(&expected, "forecast", column));
        assert_eq!(
            found.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            expected.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        );
        assert!(found[1..].iter().all(|value| value.abs() < 10.0));
    }
}

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A stream in which calm values, jumps over many powers of ten and values that are none follow each other.
    fn stream(&mut self, rows: usize) -> Vec<Row> {
        let hostile = [
            Some(f64::NAN),
            Some(f64::INFINITY),
            Some(f64::NEG_INFINITY),
            Some(1e30),
            Some(-1e30),
            Some(1e100),
            Some(-1e100),
            Some(f64::MAX),
            Some(f64::MIN_POSITIVE),
            Some(5e-324),
            Some(0.0),
            Some(-0.0),
            None,
        ];
        let times = [Some(0), Some(i64::MAX), Some(i64::MIN), None, Some(-1), Some(1_700_000_000_000_000)];
        let (mut level, mut calm) = (0.0, true);
        (0..rows)
            .map(|row| {
                if self.below(8) == 0 {
                    calm = !calm;
                }
                level = match self.below(12) {
                    0 => level * -1e3,
                    1 => 0.0,
                    2..6 => level,
                    _ => level + self.below(1000) as f64 / 500.0 - 1.0,
                };
                let value = if calm { Some(level) } else { self.pick(&hostile) };
                let further = self.pick(&hostile);
                let time = if calm { Some(row as i64 * 1_000_000) } else { self.pick(&times) };
                (format!("key-{}", self.below(2)), time, value, further)
            })
            .collect()
    }
}

/// Whatever comes, parameters stay finite, and what is forecast is a distribution.
#[test]
fn parameters_stay_finite_through_a_thousand_adversarial_streams() {
    const STREAMS: u64 = 1000;
    const ROWS: usize = 16;
    for stream in 0..STREAMS {
        let mut random = Random(stream);
        let mut config = config();
        config.model.hidden = 2;
        random.pick(&common::network::networks()).apply(&mut config, 4);
        config.model.head = random.pick(&[HeadKind::StudentT, HeadKind::Gaussian, HeadKind::Quantiles]);
        config.model.bptt.every = random.pick(&[1, 2]);
        config.model.optimizer = OptimizerConfig {
            kind: random.pick(&[OptimizerKind::Adam, OptimizerKind::Sgd]),
            rate: random.pick(&[3e-3, 0.1, 10.0]),
            clip_norm: random.pick(&[0.0, 10.0]),
            ..OptimizerConfig::default()
        };
        config.horizons = random.pick(&[&[1][..], &[1, 3]]).to_vec();
        config.features.inputs = vec!["x".into()];
        config.features.lags = vec![2];
        (config.features.elapsed, config.features.scale_ratio, config.features.missing_indicator) = (true, true, true);
        let mut operator = build(&config);
        let table = run(operator.as_mut(), log(&random.stream(ROWS)));
        assert!(parameters(operator.as_ref()).iter().all(|value| value.is_finite()), "stream {stream}");
        for (row, (mean, scale)) in
            common::numbers(&table, "mean").into_iter().zip(common::numbers(&table, "scale")).enumerate()
        {
            let is_distribution = mean.is_finite() && scale.is_finite() && scale > 0.0;
            assert!(
                is_distribution || (mean.is_nan() && scale.is_nan()),
                "stream {stream}, row {row}: {mean} ± {scale}"
            );
        }
    }
}

/// One key whose every value is hostile does not keep the network from learning the others.
#[test]
fn a_poisoned_key_does_not_stop_the_others_from_learning() {
    const ROWS: usize = 1500;
    let rows = |poison: bool, random: &mut Random| -> Vec<Row> {
        let mut hostile = random.stream(ROWS);
        (0..ROWS)
            .map(|row| {
                let time = Some(row as i64 * 60_000_000);
                if row % 3 == 0 && poison {
                    let (_, time, value, further) = std::mem::replace(&mut hostile[row], ("".into(), None, None, None));
                    return ("poison".to_owned(), time, value, further);
                }
                let key = if row % 3 == 0 {
                    "poison"
                } else if row % 3 == 1 {
                    "a"
                } else {
                    "b"
                };
                let value = (row as f64 / 3.0 * 0.7).sin() + (row as f64 / 3.0 * 0.31).cos();
                (key.to_owned(), time, Some(value), Some(0.0))
            })
            .collect()
    };
    // The network's mean score on the second half of the healthy keys.
    let score = |learn: bool, poison: bool| {
        let mut config = config();
        config.model.hidden = 8;
        config.model.learn = learn;
        config.features.inputs = vec!["x".into()];
        let mut operator = build(&config);
        let table = run(operator.as_mut(), log(&rows(poison, &mut Random(7))));
        let nll = of_model(&table, "forecast", "nll");
        let healthy: Vec<f64> = (ROWS / 2..ROWS).filter(|row| row % 3 != 0).map(|row| nll[row]).collect();
        assert!(healthy.iter().all(|nll| nll.is_finite()));
        healthy.iter().sum::<f64>() / healthy.len() as f64
    };
    let (frozen, alone, poisoned) = (score(false, false), score(true, false), score(true, true));
    assert!(alone < frozen - 0.5, "there is something to learn: {alone} against {frozen}");
    assert!(poisoned < frozen - 0.5, "it is learned beside a poisoned key: {poisoned} against {frozen}");
}
