//! What is shown, and what happens when nobody looks.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
    Int8Array, Int64Array, LargeStringArray, ListArray, MapBuilder, NullArray, RecordBatch, StringArray, StringBuilder,
    StringViewArray, StructArray, Time32SecondArray, TimestampMicrosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use sluicegate_core::{Batch, ConfigError, Offset, Offsets, PartitionId, PipelineContext, Sink, SinkConfig};

use super::config::{ConsoleConfig, Format};
use super::sink::{Choice, ConsoleSink};

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn table<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

fn batch(first: usize, records: RecordBatch) -> Batch {
    let offsets = Offsets::dense(Offset(first as i64), records.num_rows()).unwrap();
    Batch::new(PartitionId::new("p"), offsets, records).unwrap()
}

fn all_of(records: &RecordBatch) -> Choice {
    Choice { columns: (0..records.num_columns()).collect(), every: 1, limit: None }
}

/// What is shown of rows that come in batches of `batch_rows`.
fn shown(format: Format, choice: Choice, records: &RecordBatch, batch_rows: usize) -> String {
    let screen = Screen::default();
    let mut sink = ConsoleSink::new(format, choice, screen.clone());
    for first in (0..records.num_rows()).step_by(batch_rows) {
        let rows = batch_rows.min(records.num_rows() - first);
        sink.write(&batch(first, records.slice(first, rows))).unwrap();
    }
    sink.finish().unwrap();
    let text = screen.0.lock().unwrap().clone();
    String::from_utf8(text).unwrap()
}

fn json(column: ArrayRef) -> Vec<String> {
    let records = table([("x", column)]);
    let text = shown(Format::Json, all_of(&records), &records, 100);
    for line in text.lines() {
        let parsed: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(parsed.is_object(), "{line}");
    }
    let value = |line: &str| line.strip_prefix(r#"{"x":"#).and_then(|line| line.strip_suffix('}')).unwrap().to_owned();
    text.lines().map(value).collect()
}

#[test]
fn every_type_has_its_place_in_json() {
    let words: DictionaryArray<Int32Type> = [Some("a"), None].into_iter().collect();
    let zoned = TimestampMicrosecondArray::from(vec![1_483_228_800_000_000, 1_483_228_800_500_000]);
    let inner: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None]));
    let pair = StructArray::from(vec![(Arc::new(Field::new("y", DataType::Float64, true)), inner)]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    map.keys().append_value("k");
    map.values().append_value("v");
    map.append(true).unwrap();
    map.append(false).unwrap();
    let decimal = Decimal128Array::from(vec![12345, -1]).with_precision_and_scale(38, 2).unwrap();
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None]);
    let cases: Vec<(ArrayRef, [&str; 2])> = vec![
        (Arc::new(NullArray::new(2)), ["null", "null"]),
        (Arc::new(BooleanArray::from(vec![Some(true), None])), ["true", "null"]),
        (Arc::new(Int8Array::from(vec![-128, 127])), ["-128", "127"]),
        (Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX])), ["-9223372036854775808", "9223372036854775807"]),
        (Arc::new(UInt64Array::from(vec![0, u64::MAX])), ["0", "18446744073709551615"]),
        (Arc::new(Float32Array::from(vec![0.1, f32::INFINITY])), ["0.1", "null"]),
        (Arc::new(Float64Array::from(vec![1e300, f64::NAN])), ["1e+300", "null"]),
        (Arc::new(StringArray::from(vec!["a\"\n\u{1}é", ""])), [r#""a\"\n\u0001é""#, r#""""#]),
        (Arc::new(LargeStringArray::from(vec!["a", "b"])), [r#""a""#, r#""b""#]),
        (
            Arc::new(StringViewArray::from(vec!["a", "a text that is not short"])),
            [r#""a""#, r#""a text that is not short""#],
        ),
        (Arc::new(words), [r#""a""#, "null"]),
        (Arc::new(BinaryArray::from(vec![&[0u8, 255][..], &[]])), [r#""00ff""#, r#""""#]),
        (Arc::new(zoned.clone().with_timezone("UTC")), [r#""2017-01-01T00:00:00Z""#, r#""2017-01-01T00:00:00.500Z""#]),
        (
            Arc::new(zoned.clone().with_timezone("Europe/Berlin")),
            [r#""2017-01-01T00:00:00Z""#, r#""2017-01-01T00:00:00.500Z""#],
        ),
        (Arc::new(zoned), [r#""2017-01-01T00:00:00""#, r#""2017-01-01T00:00:00.500""#]),
        (Arc::new(TimestampSecondArray::from(vec![i64::MAX, -1])), ["9223372036854775807", r#""1969-12-31T23:59:59""#]),
        (Arc::new(Date32Array::from(vec![0, -1])), [r#""1970-01-01""#, r#""1969-12-31""#]),
        (Arc::new(Time32SecondArray::from(vec![0, 86399])), [r#""00:00:00""#, r#""23:59:59""#]),
        (Arc::new(decimal), [r#""123.45""#, r#""-0.01""#]),
        (Arc::new(list), ["[1,null]", "null"]),
        (Arc::new(pair), [r#"{"y":1.0}"#, r#"{"y":null}"#]),
        (Arc::new(map.finish()), [r#"[{"key":"k","value":"v"}]"#, "null"]),
    ];
    for (column, expected) in cases {
        let data_type = column.data_type().clone();
        assert_eq!(json(column), expected, "{data_type}");
    }
}

#[test]
fn members_come_in_the_order_of_the_columns_and_names_are_escaped() {
    let one: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let records = table([("b", one.clone()), ("a \"b\"", one.clone()), ("c", one)]);
    let choice = Choice { columns: vec![2, 1], every: 1, limit: None };
    assert_eq!(shown(Format::Json, choice, &records, 1), "{\"c\":1,\"a \\\"b\\\"\":1}\n");
}

fn forecasts(len: i64) -> RecordBatch {
    let models: DictionaryArray<Int32Type> = (0..len).map(|row| Some(["forecast", "ar"][row as usize % 2])).collect();
    let time = TimestampMicrosecondArray::from_iter_values((0..len).map(|row| row * 3_600_000_000));
    table([
        ("offset", Arc::new(Int64Array::from_iter_values(0..len))),
        ("time", Arc::new(time.with_timezone("UTC"))),
        ("model", Arc::new(models)),
        ("mean", Arc::new(Float64Array::from_iter((0..len).map(|row| (row != 1).then_some(row as f64 * 12.5))))),
    ])
}

#[test]
fn a_table_is_aligned_with_numbers_to_the_right() {
    let records = forecasts(3);
    let expected = [
        "  offset  time                  model         mean",
        "       0  1970-01-01T00:00:00Z  forecast         0",
        "       1  1970-01-01T01:00:00Z  ar               -",
        "       2  1970-01-01T02:00:00Z  forecast   25.0000",
    ];
    let text = shown(Format::Table, all_of(&records), &records, 2);
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn the_header_comes_again_on_every_page() {
    let records = forecasts(81);
    let text = shown(Format::Table, all_of(&records), &records, 81);
    let headers: Vec<usize> =
        text.lines().enumerate().filter(|(_, line)| line.contains("offset")).map(|(line, _)| line).collect();
    assert_eq!(headers, [0, 42, 84]);
}

#[test]
fn columns_grow_and_never_shrink() {
    let words = StringArray::from(vec!["a", "something longer", "b"]);
    let numbers = Int64Array::from(vec![1, 2, 3]);
    let records = table([("word", Arc::new(words)), ("n", Arc::new(numbers))]);
    let text = shown(Format::Table, all_of(&records), &records, 1);
    let at: Vec<usize> = text.lines().map(|line| line.trim_end().len()).collect();
    assert_eq!(at, [14, 14, 26, 26]);
}

#[test]
fn what_is_shown_does_not_depend_on_how_rows_come_in_batches() {
    let records = forecasts(100);
    for format in [Format::Table, Format::Json] {
        for (every, limit) in [(1, None), (7, None), (3, Some(11)), (1, Some(0))] {
            let choice = Choice { columns: vec![0, 3], every, limit };
            let whole = shown(format, choice.clone(), &records, 100);
            for batch_rows in [1, 3, 10, 64] {
                assert_eq!(shown(format, choice.clone(), &records, batch_rows), whole);
            }
        }
    }
}

#[test]
fn every_and_limit_count_rows_of_the_partition() {
    let records = forecasts(20);
    let choice = Choice { columns: vec![0], every: 6, limit: Some(3) };
    let text = shown(Format::Json, choice, &records, 4);
    assert_eq!(text, "{\"offset\":0}\n{\"offset\":6}\n{\"offset\":12}\n");
}

struct Failing(io::ErrorKind);

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_goes_away_is_a_clean_end_and_any_other_failure_is_told() {
    let records = forecasts(3);
    let mut sink = ConsoleSink::new(Format::Json, all_of(&records), Failing(io::ErrorKind::BrokenPipe));
    sink.write(&batch(0, records.clone())).unwrap();
    sink.write(&batch(3, records.clone())).unwrap();
    sink.finish().unwrap();
    let mut sink = ConsoleSink::new(Format::Json, all_of(&records), Failing(io::ErrorKind::StorageFull));
    let error = sink.write(&batch(0, records)).unwrap_err().to_string();
    assert!(error.contains("cannot write to standard output"), "{error}");
}

fn refusal(settings: &str) -> ConfigError {
    let config: ConsoleConfig = toml::from_str(settings).unwrap();
    config.bind(&forecasts(0).schema(), &PipelineContext::default()).err().unwrap()
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert_eq!(
        refusal("columns = ['mode']").to_string(),
        "`columns`: the input has no column `mode`; did you mean `model`?"
    );
    assert!(refusal("columns = ['zzz']").to_string().contains("it has offset, time, model, mean"));
    assert!(refusal("columns = []").to_string().contains("leave it out"));
    for settings in ["every = 0", "limit = -1", "format = 'csv'", "colums = ['mean']"] {
        assert!(toml::from_str::<ConsoleConfig>(settings).is_err(), "{settings}");
    }
}

#[test]
fn every_setting_is_documented() {
    let schema = schemars::schema_for!(ConsoleConfig);
    let properties = schema.get("properties").and_then(|properties| properties.as_object()).unwrap();
    assert_eq!(properties.len(), 4);
    for (name, property) in properties {
        assert!(property.get("description").is_some(), "{name}");
    }
}
