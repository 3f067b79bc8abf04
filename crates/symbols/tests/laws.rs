//! The laws of the operator `symbols`, and what it says of hostile values.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BinaryArray, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Int64Type, TimestampMillisecondType, UInt16Type};
use proptest::prelude::*;
use sluicegate_core::{
    Batch, Metrics, Offsets, Operator, OperatorConfig as _, Output, PartitionId, PipelineContext, Rejected, Roles,
    ShardContext, SnapshotReader, SnapshotWriter,
};
use sluicegate_symbols::SymbolsConfig;
use sluicegate_testkit::operator::Suite;

type Value = Option<Vec<u8>>;

/// Values with a key and a time each, at every third offset.
fn log(values: &[Value]) -> Batch {
    let keys = (0..values.len()).map(|row| (row % 4 != 3).then(|| format!("k{}", row % 4)));
    let times = TimestampMillisecondArray::from_iter_values((0..values.len() as i64).map(|row| row * 10));
    let columns: [(&str, ArrayRef); 3] = [
        ("key", Arc::new(keys.collect::<StringArray>())),
        ("payload", Arc::new(values.iter().map(|value| value.as_deref()).collect::<BinaryArray>())),
        ("ts", Arc::new(times)),
    ];
    let records = RecordBatch::try_from_iter(columns).unwrap();
    let schema = Roles { key: Some("key".into()), time: Some("ts".into()) }.mark(records.schema_ref());
    let records = records.with_schema(schema).unwrap();
    let offsets = Offsets::sparse((0..values.len() as i64).map(|row| row * 3).collect::<Vec<_>>()).unwrap();
    Batch::new(PartitionId::new("log"), offsets, records).unwrap()
}

fn build(settings: &str, log: &Batch) -> Box<dyn Operator> {
    let config: SymbolsConfig = serde_json::from_str(settings).unwrap();
    let factory = config.bind(log.records().schema_ref(), &PipelineContext::new("p", "")).unwrap();
    factory.build(&ShardContext::new(PartitionId::new("log"), "symbols", Metrics::new())).unwrap()
}

fn suite(settings: &'static str, values: &[Value]) -> Suite {
    let log = log(values);
    let of = log.clone();
    Suite::new(move || build(settings, &of), log)
}

/// Everything that is emitted and rejected, and the number of batches it came in.
fn run(settings: &str, values: &[Value]) -> (RecordBatch, Vec<Rejected>, usize) {
    let log = log(values);
    let mut out = Output::new();
    let mut operator = build(settings, &log);
    operator.process(log, &mut out).unwrap();
    let batches = out.take();
    let schema = batches.first().unwrap().records().schema();
    (concat_batches(&schema, batches.iter().map(Batch::records)).unwrap(), out.take_rejected(), batches.len())
}

fn texts(values: &[&str]) -> Vec<Value> {
    values.iter().map(|text| Some(text.as_bytes().to_vec())).collect()
}

fn column<'a>(records: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    records.column_by_name(name).unwrap()
}

fn numbers(records: &RecordBatch, name: &str) -> Vec<i64> {
    column(records, name).as_primitive::<Int64Type>().values().to_vec()
}

fn strings(records: &RecordBatch) -> Vec<String> {
    column(records, "symbol").as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
}

const SETTINGS: [&str; 5] = [
    r#"{"column": "payload", "unit": "byte"}"#,
    r#"{"column": "payload", "unit": "byte", "end": true}"#,
    r#"{"column": "payload", "unit": "char", "bad_utf8": "replace", "end": "<eos>"}"#,
    r#"{"column": "payload", "unit": "token"}"#,
    r#"{"column": "payload", "unit": "token", "end": true, "keep": ["payload"]}"#,
];

/// Missing, empty, long, multi-byte and broken values.
fn hostile() -> Vec<Value> {
    let mut values = texts(&["to be, or not", "", "æøå 中文 🦀", "a\r\nb"]);
    values.extend([None, Some(vec![0xff, b'a', 0xc3]), Some(b"x ".repeat(3000)), Some(vec![0xf0, 0x9f, 0xa6]), None]);
    values.extend(texts(&["end", "(end)", "\0"]));
    values
}

#[test]
fn cutting_the_log_anywhere_changes_nothing() {
    for settings in SETTINGS {
        let suite = suite(settings, &hostile());
        assert!(suite.run(5).table.unwrap().num_rows() > 6000);
        suite.assert_rechunking(&[1, 2, 5, 100]);
    }
}

#[test]
fn a_snapshot_anywhere_goes_on_as_if_nothing_had_happened() {
    for settings in SETTINGS {
        let suite = suite(settings, &hostile());
        (0..=12).for_each(|rows| suite.assert_snapshot_is_prefix(rows, 2));
    }
}

#[test]
fn rows_are_numbered_densely_and_say_which_event_they_are_of() {
    let suite = suite(SETTINGS[1], &texts(&["ab", "", "c"]));
    let outcome = suite.run(100);
    assert_eq!(outcome.offsets, [0, 1, 2, 3, 4, 5]);
    let table = outcome.table.unwrap();
    assert_eq!(numbers(&table, "offset"), [0, 0, 0, 3, 6, 6]);
    assert_eq!(numbers(&table, "position"), [0, 1, 2, 0, 0, 1]);
    let symbols = column(&table, "symbol").as_primitive::<UInt16Type>().values().to_vec();
    assert_eq!(symbols, [97, 98, 256, 256, 99, 256]);
    let keys = column(&table, "key").as_string::<i32>();
    assert_eq!(keys.iter().flatten().collect::<Vec<_>>(), ["k0", "k0", "k0", "k1", "k2", "k2"]);
    let times = column(&table, "ts").as_primitive::<TimestampMillisecondType>().values().to_vec();
    assert_eq!(times, [0, 0, 0, 10, 20, 20]);
    assert_eq!(Roles::of(table.schema_ref()), Roles { key: Some("key".into()), time: Some("ts".into()) });
}

#[test]
fn a_missing_value_has_no_rows_and_an_empty_one_only_its_end() {
    let values = [None, Some(Vec::new()), Some(b"a".to_vec())];
    let (table, rejected, _) = run(r#"{"column": "payload", "unit": "char", "end": true}"#, &values);
    assert_eq!(
        (strings(&table), numbers(&table, "offset")),
        (vec!["(end)".into(), "a".into(), "(end)".into()], vec![3, 6, 6])
    );
    assert_eq!(rejected, []);
}

#[test]
fn what_is_no_utf8_is_a_dead_letter_with_its_bytes_and_says_where() {
    let values =
        [Some(b"good".to_vec()), Some(b"ab\xffc".to_vec()), Some(b"ab\xe2\x82".to_vec()), Some(b"too".to_vec())];
    let (table, rejected, _) = run(SETTINGS[3], &values);
    assert_eq!(strings(&table), ["good", "too"]);
    let said: Vec<&str> = rejected.iter().map(|letter| letter.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "column `payload`: it is no UTF-8 at byte 2 of 4, which is 0xff",
            "column `payload`: it is cut short: the character that begins at byte 2 of 4 does not end",
        ]
    );
    let first = &rejected[0];
    assert_eq!((first.reason, first.offset.0, first.component.as_str()), ("not-utf8", 3, "symbols"));
    assert_eq!((first.payload.as_deref(), first.key.as_deref()), (Some(b"ab\xffc".as_slice()), Some(b"k1".as_slice())));
    assert_eq!(first.time_us, Some(10_000));
}

#[test]
fn what_is_no_utf8_is_replaced_or_stops_the_run_where_that_is_asked_for() {
    let values = [Some(b"a\xff\xe2\x82b".to_vec())];
    let (table, rejected, _) = run(r#"{"column": "payload", "unit": "char", "bad_utf8": "replace"}"#, &values);
    assert_eq!((strings(&table).concat(), rejected.len()), ("a\u{fffd}\u{fffd}b".to_owned(), 0));
    let log = log(&values);
    let mut operator = build(r#"{"column": "payload", "unit": "char", "bad_utf8": "fail"}"#, &log);
    let error = operator.process(log, &mut Output::new()).unwrap_err().to_string();
    assert!(error.starts_with("column `payload` at offset 0: it is no UTF-8 at byte 1 of 5"), "{error}");
    // Bytes are bytes.
    let (table, rejected, _) = run(SETTINGS[0], &values);
    assert_eq!((table.num_rows(), rejected.len()), (5, 0));
}

#[test]
fn a_large_value_comes_out_in_batches_of_bounded_size() {
    let large = || Some(vec![b'x'; 1_000_000]);
    let (table, _, batches) = run(SETTINGS[0], &[large(), large()]);
    assert_eq!((table.num_rows(), batches), (2_000_000, 489));
    // Each is one token: text is bounded where rows are not.
    let (table, _, batches) = run(SETTINGS[3], &vec![large(); 8]);
    assert_eq!((table.num_rows(), batches), (8, 4));
}

#[test]
fn a_snapshot_of_other_symbols_is_refused_with_both_sides() {
    let log = log(&hostile());
    let mut writer = SnapshotWriter::new();
    build(SETTINGS[0], &log).snapshot(&mut writer).unwrap();
    let bytes = writer.finish().unwrap();
    let refused = |settings| {
        let reader = SnapshotReader::parse(&bytes).unwrap();
        build(settings, &log).restore(&reader).map_err(|error| error.to_string())
    };
    let fault = refused(SETTINGS[3]).unwrap_err();
    assert!(fault.starts_with("the snapshot was made with `unit` = `byte`, but here it is `token`"), "{fault}");
    let fault = refused(SETTINGS[1]).unwrap_err();
    assert!(fault.contains("`end` = false, but here it is 256"), "{fault}");
    assert_eq!(refused(r#"{"column": "payload", "unit": "byte", "keep": ["payload"], "bad_utf8": "fail"}"#), Ok(()));
}

#[test]
fn the_columns_are_those_that_were_promised() {
    let log = log(&hostile());
    for settings in SETTINGS {
        let config: SymbolsConfig = serde_json::from_str(settings).unwrap();
        let promised = config.bind(log.records().schema_ref(), &PipelineContext::new("p", "")).unwrap().output_schema();
        let (table, ..) = run(settings, &hostile());
        assert_eq!(table.schema(), promised);
    }
    let (table, ..) = run(SETTINGS[4], &hostile());
    let names: Vec<_> = table.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["key", "payload", "ts", "offset", "position", "symbol"]);
    assert_eq!(column(&table, "symbol").data_type(), &DataType::Utf8);
    assert_eq!(column(&table, "payload").null_count(), 0);
}

proptest! {
    #[test]
    fn symbols_of_a_row_put_together_are_its_value(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..8)) {
        let some: Vec<Value> = values.iter().cloned().map(Some).collect();
        let (table, ..) = run(SETTINGS[1], &some);
        let symbols = column(&table, "symbol").as_primitive::<UInt16Type>().values().to_vec();
        let rebuilt: Vec<Vec<u8>> = symbols
            .split_inclusive(|symbol| *symbol == 256)
            .map(|row| row.iter().filter_map(|symbol| u8::try_from(*symbol).ok()).collect())
            .collect();
        prop_assert_eq!(rebuilt, values);
    }
}
