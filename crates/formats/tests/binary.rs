//! Avro and Arrow payloads: what was written is read back, and whatever is not is a bad record that touches no other.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Float64Type, Int32Type, TimestampMicrosecondType};
use proptest::prelude::*;
use sluicegate_formats::{
    AvroConfig, AvroSinkConfig, BadRecord, DecodeError, Decoder, EncoderConfig, FieldType, Format, FormatConfig,
    Framing,
};
use tempfile::TempDir;

const SCHEMA: &str = r#"{
    "type": "record", "name": "Row", "namespace": "test", "fields": [
        {"name": "meter", "type": ["null", "string"], "default": null},
        {"name": "load", "type": ["null", "double"], "default": null},
        {"name": "count", "type": ["null", "int"], "default": null},
        {"name": "on", "type": ["null", "boolean"], "default": null},
        {"name": "ts", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": null}
    ]}"#;

fn bad(pushed: Result<(), DecodeError>) -> BadRecord {
    match pushed {
        Err(DecodeError::Bad(bad)) => bad,
        other => panic!("{other:?}"),
    }
}

fn avro(folder: &TempDir) -> Box<dyn Decoder> {
    std::fs::write(folder.path().join("row.avsc"), SCHEMA).unwrap();
    let avro = AvroConfig { schema_file: Some("row.avsc".to_owned()), framing: Framing::None, ..AvroConfig::default() };
    let config = FormatConfig { format: Format::Avro, schema: None, avro: Some(avro) };
    config.prepare(folder.path(), None).unwrap().decoder()
}

fn ipc() -> Box<dyn Decoder> {
    let fields = [
        ("count", FieldType::Int32),
        ("load", FieldType::Float64),
        ("meter", FieldType::String),
        ("on", FieldType::Boolean),
        ("ts", FieldType::Timestamp),
    ];
    let schema: BTreeMap<String, FieldType> =
        fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect();
    let config = FormatConfig { format: Format::ArrowIpc, schema: Some(schema), avro: None };
    config.prepare(Path::new(""), None).unwrap().decoder()
}

fn encoder(format: &EncoderConfig, rows: &RecordBatch) -> Vec<Vec<u8>> {
    let encoded = format.encoder(rows.schema_ref(), None).unwrap().encode(rows).unwrap();
    assert!(encoded.get(rows.num_rows()).is_none());
    (0..rows.num_rows()).map(|row| encoded.get(row).unwrap().to_vec()).collect()
}

fn unframed() -> EncoderConfig {
    EncoderConfig::Avro(AvroSinkConfig {
        framing: Framing::None,
        name: "test.Row".to_owned(),
        ..AvroSinkConfig::default()
    })
}

type Row = (Option<String>, Option<f64>, Option<i32>, Option<bool>, Option<i32>);

fn table(rows: &[Row]) -> RecordBatch {
    let meters: DictionaryArray<Int32Type> = rows.iter().map(|row| row.0.as_deref()).collect();
    let times = rows.iter().map(|row| row.4.map(i64::from));
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("meter", Arc::new(meters), true),
        ("load", Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>()), true),
        ("count", Arc::new(rows.iter().map(|row| row.2).collect::<Int32Array>()), true),
        ("on", Arc::new(rows.iter().map(|row| row.3).collect::<BooleanArray>()), true),
        ("ts", Arc::new(TimestampMillisecondArray::from_iter(times).with_timezone("UTC")), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn read(rows: &RecordBatch) -> Vec<Row> {
    let column = |name: &str| rows.column_by_name(name).unwrap();
    let (meters, loads) = (column("meter").as_string::<i32>(), column("load").as_primitive::<Float64Type>());
    let (counts, ons) = (column("count").as_primitive::<Int32Type>(), column("on").as_boolean());
    let times = column("ts").as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.data_type().to_string(), "Timestamp(µs, \"UTC\")");
    (0..rows.num_rows())
        .map(|row| {
            let is = |array: &dyn arrow::array::Array| array.is_valid(row);
            (
                is(meters).then(|| meters.value(row).to_owned()),
                is(loads).then(|| loads.value(row)),
                is(counts).then(|| counts.value(row)),
                is(ons).then(|| ons.value(row)),
                is(times).then(|| (times.value(row) / 1000) as i32),
            )
        })
        .collect()
}

/// Bits, so that NaN is equal to itself.
fn bits(rows: &[Row]) -> Vec<(&Row, Option<u64>)> {
    rows.iter().map(|row| (row, row.1.map(f64::to_bits))).collect()
}

fn same(a: &[Row], b: &[Row]) -> bool {
    let plain = |rows: &[Row]| rows.iter().map(|row| (row.0.clone(), row.2, row.3, row.4)).collect::<Vec<_>>();
    plain(a) == plain(b) && bits(a).iter().map(|row| row.1).eq(bits(b).iter().map(|row| row.1))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Rows come back as they were, whatever stands between them, and every payload that is cut is a bad record.
    #[test]
    fn what_was_written_is_read_back_past_what_is_broken(
        rows in prop::collection::vec(any::<Row>(), 1..20), cuts in prop::collection::vec(1usize..8, 1..20), taken in 1usize..9,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let table = table(&rows);
        for (mut decoder, payloads) in [
            (avro(&folder), encoder(&unframed(), &table)),
            (ipc(), encoder(&EncoderConfig::ArrowIpc, &table)),
        ] {
            let (mut found, mut late) = (Vec::new(), 0);
            for (place, payload) in payloads.iter().enumerate() {
                let cut = cuts[place % cuts.len()].min(payload.len());
                bad(decoder.push(Some(&payload[..payload.len() - cut])));
                let mut long = payload.clone();
                long.push(7);
                bad(decoder.push(Some(&long)));
                decoder.push(Some(payload)).unwrap();
                if place % taken == 0 {
                    let taken = decoder.take().unwrap();
                    late += taken.bad.len();
                    found.extend(read(&taken.rows));
                }
            }
            found.extend(read(&decoder.take().unwrap().rows));
            prop_assert_eq!(late, 0);
            prop_assert!(same(&found, &rows), "{:?}", found);
        }
    }

    #[test]
    fn any_bytes_are_a_row_or_a_bad_record(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        for mut decoder in [avro(&folder), ipc()] {
            let pushed = usize::from(decoder.push(Some(&payload)).is_ok());
            let taken = decoder.take().unwrap();
            prop_assert_eq!(taken.rows.num_rows() + taken.bad.len(), pushed);
        }
    }

    /// A payload in which a byte was changed is a row or a bad record, and its neighbours stay.
    #[test]
    fn a_changed_byte_harms_nobody_else(place in 0usize..2000, byte in any::<u8>()) {
        let folder = tempfile::tempdir().unwrap();
        let rows: Vec<Row> = vec![(Some("north".to_owned()), Some(0.5), Some(7), Some(true), Some(-1))];
        let table = table(&rows);
        for (mut decoder, mut payload) in [
            (avro(&folder), encoder(&unframed(), &table).remove(0)),
            (ipc(), encoder(&EncoderConfig::ArrowIpc, &table).remove(0)),
        ] {
            let good = payload.clone();
            let place = place % payload.len();
            payload[place] = byte;
            decoder.push(Some(&good)).unwrap();
            let _ = decoder.push(Some(&payload));
            decoder.push(Some(&good)).unwrap();
            let found = read(&decoder.take().unwrap().rows);
            prop_assert!(found.len() >= 2);
            prop_assert!(same(&found[..1], &rows) && same(&found[found.len() - 1..], &rows));
        }
    }
}

#[test]
fn text_that_is_no_utf8_is_a_bad_record_found_when_rows_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut decoder = avro(&folder);
    let rows: Vec<Row> = (0..3).map(|n| (Some(format!("m{n}")), Some(f64::from(n)), None, None, None)).collect();
    let mut payloads = encoder(&unframed(), &table(&rows));
    // Branch 1 of the union, the length 2, then the text.
    assert_eq!(payloads[1][..4], [2, 4, b'm', b'1']);
    payloads[1][2] = 0xff;
    for payload in &payloads {
        decoder.push(Some(payload)).unwrap();
    }
    let taken = decoder.take().unwrap();
    assert_eq!(taken.bad.iter().map(|(place, bad)| (*place, bad.reason)).collect::<Vec<_>>(), [(1, "undecodable")]);
    assert!(same(&read(&taken.rows), &[rows[0].clone(), rows[2].clone()]));
}

#[test]
fn settings_that_cannot_work_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |avro: AvroConfig, schema: Option<BTreeMap<String, FieldType>>| {
        let config = FormatConfig { format: Format::Avro, schema, avro: Some(avro) };
        config.prepare(folder.path(), None).err().unwrap().to_string()
    };
    assert!(refused(AvroConfig::default(), None).contains("no schema is named"));
    let file = |name: &str| AvroConfig { schema_file: Some(name.to_owned()), ..AvroConfig::default() };
    assert!(refused(file("none.avsc"), None).contains("none.avsc cannot be read"));
    std::fs::write(folder.path().join("list.avsc"), r#"{"type":"array","items":"long"}"#).unwrap();
    assert!(refused(file("list.avsc"), None).contains("`avro.schema_file`"));
    assert!(refused(file("list.avsc"), Some(BTreeMap::new())).contains("those of their schema"));
    let rows = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap();
    let framed = EncoderConfig::Avro(AvroSinkConfig::default());
    assert!(framed.check(rows.schema_ref(), Some("t")).unwrap_err().to_string().contains("no registry is named"));
}

#[test]
fn a_record_of_several_rows_or_of_another_type_is_refused_by_name() {
    let mut decoder = ipc();
    let mut bytes = Vec::new();
    let rows: Vec<Row> = vec![(None, Some(1.0), None, None, None), (None, Some(2.0), None, None, None)];
    let two = table(&rows);
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut bytes, two.schema_ref()).unwrap();
    writer.write(&two).unwrap();
    writer.finish().unwrap();
    drop(writer);
    assert!(bad(decoder.push(Some(&bytes))).message.contains("2 more rows"));
    let text = RecordBatch::try_from_iter([("load", Arc::new(StringArray::from(vec!["1.5"])) as ArrayRef)]).unwrap();
    let wrong = bad(decoder.push(Some(&encoder(&EncoderConfig::ArrowIpc, &text)[0])));
    assert_eq!(wrong.reason, "wrong-type");
    assert!(wrong.message.contains("`load` holds Utf8") && DataType::Utf8 == DataType::Utf8, "{wrong}");
}
