//! The laws of the anomaly operator.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use arrow::array::AsArray;
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, Int64Type};
use common::{build, events, long};
use sluicegate_anomaly::{AnomalyConfig, Detector, Emit};
use sluicegate_core::{Batch, Metrics, Operator, Output, SnapshotReader, SnapshotWriter};
use sluicegate_testkit::operator::Suite;

fn config(emit: Emit) -> AnomalyConfig {
    AnomalyConfig { probation: 30, emit, ..AnomalyConfig::default() }
}

fn suite(config: AnomalyConfig) -> Suite {
    Suite::new(move || build(&config, Metrics::new()), long(&events(700, 4, 2)))
}

fn run(operator: &mut dyn Operator, log: Batch) -> Option<Batch> {
    let mut out = Output::new();
    operator.process(log, &mut out).unwrap();
    let batches = out.take();
    assert!(batches.len() <= 1);
    batches.into_iter().next()
}

fn snapshot(operator: &dyn Operator) -> Vec<u8> {
    let mut writer = SnapshotWriter::new();
    operator.snapshot(&mut writer).unwrap();
    writer.finish().unwrap()
}

#[test]
fn cutting_the_log_anywhere_changes_nothing_even_between_the_rows_of_an_event() {
    for emit in [Emit::All, Emit::Alerts] {
        let suite = suite(config(emit));
        assert!(suite.run(64).table.unwrap().num_rows() > 5);
        suite.assert_rechunking(&[1, 2, 3, 7, 64, 1000]);
    }
}

#[test]
fn a_snapshot_anywhere_goes_on_as_if_nothing_had_happened() {
    let suite = suite(config(Emit::All));
    for rows in [0, 1, 8, 333, 2000, 5600] {
        suite.assert_snapshot_is_prefix(rows, 97);
    }
}

#[test]
fn thinned_histories_and_forgotten_series_keep_the_laws() {
    let suite = suite(AnomalyConfig { history_max: 16, max_series: Some(5), ..config(Emit::All) });
    suite.assert_rechunking(&[1, 13, 500]);
    suite.assert_snapshot_is_prefix(2111, 40);
    let bytes = suite.snapshot_after(5600);
    let reader = SnapshotReader::parse(&bytes).unwrap();
    assert_eq!(reader.shape("series.last_row").unwrap(), [5]);
    let history = reader.scope("series.detectors.novelty.value").i64("history.len", &[5]).unwrap();
    assert!(history.iter().all(|values| *values <= 16));
}

#[test]
fn rows_say_what_a_detector_of_their_series_says() {
    let events = events(500, 3, 2);
    let config = config(Emit::All);
    let table = run(build(&config, Metrics::new()).as_mut(), long(&events)).unwrap();
    assert_eq!(table.len(), 1000, "a row per event and target");
    let records = table.records();
    let column = |name: &str| records.column_by_name(name).unwrap();
    let (scores, alarms) = (column("score").as_primitive::<Float64Type>(), column("alarm").as_boolean());
    let offsets = column("offset").as_primitive::<Int64Type>();
    let mut alarmed = 0;
    for key in [None, Some("k1".to_owned()), Some("k2".to_owned())] {
        for target in 0..2 {
            let mut detector = Detector::new(&config);
            for (event, (_, numbers)) in events.iter().enumerate().filter(|(_, (of, _))| *of == key) {
                let row = event * 2 + target;
                let verdict = detector.observe(numbers[target].0, numbers[target].1);
                assert_eq!(scores.iter().nth(row).unwrap(), verdict.and_then(|verdict| verdict.score));
                let alarm = verdict.is_some_and(|verdict| verdict.alarm);
                assert_eq!(alarms.value(row), alarm);
                assert_eq!(column("reason").is_null(row), !alarm);
                assert_eq!(offsets.value(row), event as i64);
                alarmed += usize::from(alarm);
            }
        }
    }
    assert!(alarmed > 5);
}

#[test]
fn alerts_are_the_alarms_among_all_rows() {
    let log = long(&events(700, 4, 2));
    let of = |emit| run(build(&config(emit), Metrics::new()).as_mut(), log.clone()).unwrap();
    let (all, alerts) = (of(Emit::All), of(Emit::Alerts));
    let alarms = all.records().column_by_name("alarm").unwrap().as_boolean();
    let filtered = arrow::compute::filter_record_batch(all.records(), alarms).unwrap();
    assert!(filtered.num_rows() > 5);
    for name in ["offset", "time", "score", "error_part"] {
        assert_eq!(filtered.column_by_name(name), alerts.records().column_by_name(name), "{name}");
    }
    let offsets: Vec<_> = all.offsets().iter().zip(alarms).filter(|(_, alarm)| *alarm == Some(true)).collect();
    assert!(offsets.into_iter().map(|(offset, _)| offset).eq(alerts.offsets().iter()));
}

#[test]
fn the_model_is_that_of_the_first_row_or_the_one_named() {
    let log = long(&events(400, 2, 1));
    let of = |model: Option<&str>| {
        let config = AnomalyConfig { model: model.map(str::to_owned), ..config(Emit::All) };
        run(build(&config, Metrics::new()).as_mut(), log.clone())
    };
    let forecasts = |batch: &Batch| {
        let sum: f64 =
            batch.records().column_by_name("forecast").unwrap().as_primitive::<Float64Type>().iter().flatten().sum();
        sum
    };
    let (first, named, other) = (of(None).unwrap(), of(Some("forecast")).unwrap(), of(Some("persistence")).unwrap());
    assert_eq!(first.records(), named.records());
    assert!(forecasts(&other) > forecasts(&first) + 100.0 * 300.0);
    assert!(of(Some("nobody")).is_none());
}

#[test]
fn a_snapshot_of_other_settings_is_refused_and_decisions_may_change() {
    let mut operator = build(&config(Emit::All), Metrics::new());
    run(operator.as_mut(), long(&events(100, 2, 1)));
    let bytes = snapshot(operator.as_ref());
    let restore = |config: AnomalyConfig| {
        let mut other = build(&config, Metrics::new());
        other.restore(&SnapshotReader::parse(&bytes).unwrap()).map_err(|error| error.to_string())
    };
    let refused = restore(AnomalyConfig { history_max: 99, ..config(Emit::All) }).unwrap_err();
    assert!(refused.contains("`history_max` = 16384, but here it is 99"), "{refused}");
    let refused = restore(AnomalyConfig { model: Some("ar".into()), ..config(Emit::All) }).unwrap_err();
    assert!(refused.contains("`model` = that of the first row, but here it is `ar`"), "{refused}");
    let decisions =
        AnomalyConfig { threshold: 1.0, probation: 0, mute_rows: 1, mute_share: 0.0, ..config(Emit::Alerts) };
    assert_eq!(restore(decisions), Ok(()));
}

#[test]
fn a_key_that_is_not_retained_is_as_if_it_had_never_come() {
    let all = events(600, 4, 2);
    let kept: Vec<_> = all.iter().filter(|(key, _)| key.as_deref() != Some("k2")).cloned().collect();
    let later = long(&events(300, 4, 2));
    let after = |events: &[common::Event]| {
        let mut operator = build(&config(Emit::All), Metrics::new());
        run(operator.as_mut(), long(events));
        operator.retain_keys(&|key| key != Some("k2")).unwrap();
        let table = run(operator.as_mut(), later.clone()).unwrap();
        concat_batches(&table.records().schema(), [table.records()]).unwrap()
    };
    assert_eq!(after(&all), after(&kept));
}
