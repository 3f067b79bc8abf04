//! JSON payloads as rows.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::AsArray as _;
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use proptest::prelude::*;
use sluicegate_formats::{BadRecord, DecodeError, Decoder, FieldType, Format, FormatConfig};

fn decoder(fields: &[(&str, FieldType)]) -> Box<dyn Decoder> {
    let schema: BTreeMap<String, FieldType> = fields.iter().map(|(name, field)| ((*name).to_owned(), *field)).collect();
    let config = FormatConfig::new(Format::Json, Some(schema));
    config.prepare(Path::new(""), None).unwrap().decoder()
}

fn bad(pushed: Result<(), DecodeError>) -> BadRecord {
    match pushed {
        Err(DecodeError::Bad(bad)) => bad,
        other => panic!("{other:?}"),
    }
}

fn all() -> Box<dyn Decoder> {
    decoder(&[
        ("a", FieldType::String),
        ("b", FieldType::Int64),
        ("c", FieldType::Int32),
        ("d", FieldType::Float64),
        ("e", FieldType::Boolean),
        ("t", FieldType::Timestamp),
        ("u", FieldType::TimestampMs),
    ])
}

#[test]
fn members_become_columns_whatever_their_order() {
    let mut decoder = all();
    let payload =
        br#" {"t":"2017-01-01T01:00:00+01:00","d":2,"b":-7,"x":[{"y":1}],"a":"s\u00fcd","e":true,"c":3,"u":5} "#;
    decoder.push(Some(payload)).unwrap();
    decoder.push(Some(b"{}")).unwrap();
    let rows = decoder.take().unwrap().rows;
    assert_eq!(rows.column(0).as_string::<i32>().value(0), "süd");
    assert_eq!(rows.column(1).as_primitive::<Int64Type>().value(0), -7);
    assert_eq!(rows.column(2).as_primitive::<Int32Type>().value(0), 3);
    assert_eq!(rows.column(3).as_primitive::<Float64Type>().value(0), 2.0);
    assert!(rows.column(4).as_boolean().value(0));
    assert_eq!(rows.column(5).as_primitive::<TimestampMicrosecondType>().value(0), 1_483_228_800_000_000);
    assert_eq!(rows.column(6).as_primitive::<TimestampMicrosecondType>().value(0), 5_000);
    assert!(rows.columns().iter().all(|column| column.is_null(1)));
}

#[test]
fn what_does_not_fit_is_named_with_its_column() {
    let cases = [
        (r#"{"d":"much"}"#, "wrong-type", "`d` has to be a number, but is the text \"much\""),
        (r#"{"c":3000000000}"#, "wrong-type", "`c` has to be a whole number of 32 bits, but is 3000000000"),
        (r#"{"b":1.5}"#, "wrong-type", "`b` has to be a whole number of 64 bits, but is 1.5"),
        (
            r#"{"t":"soon"}"#,
            "wrong-type",
            "`t` has to be a time such as 2017-01-01T00:00:00Z, but is the text \"soon\"",
        ),
        (
            r#"{"u":9223372036854775807}"#,
            "wrong-type",
            "`u` has to be a time within 290,000 years of 1970, but is 9223372036854775807",
        ),
        (r#"[1]"#, "undecodable", "it is no JSON object"),
        (r#"{"a":"x""#, "undecodable", "it is no JSON object"),
        (r#"{"a":["x"]}"#, "undecodable", "a column cannot hold a list"),
        (r#"{} {}"#, "undecodable", "trailing characters"),
    ];
    let mut decoder = all();
    for (payload, reason, message) in cases {
        let bad = bad(decoder.push(Some(payload.as_bytes())));
        assert_eq!(bad.reason, reason, "{payload}");
        assert!(bad.message.contains(message), "{payload}: {}", bad.message);
    }
    assert!(decoder.is_empty());
    assert_eq!(bad(decoder.push(None)).reason, "empty");
}

#[test]
fn json_without_columns_is_refused_with_an_example() {
    let error = FormatConfig::default().prepare(Path::new(""), None).err().unwrap().to_string();
    assert!(error.contains("schema = {"), "{error}");
}

proptest! {
    #[test]
    fn numbers_and_texts_come_through_bit_by_bit(
        rows in prop::collection::vec((any::<String>(), any::<i64>(), any::<f64>()), 1..40), cut in 0usize..64,
    ) {
        let mut decoder = decoder(&[("n", FieldType::Float64), ("i", FieldType::Int64), ("s", FieldType::String)]);
        let finite = |value: f64| if value.is_finite() { value } else { 0.5 };
        for (s, i, n) in &rows {
            let payload = serde_json::json!({ "s": s, "i": i, "n": finite(*n) }).to_string();
            // A payload that was cut short before it is bad, and leaves no trace.
            let short = &payload.as_bytes()[..cut.min(payload.len() - 1)];
            prop_assert!(decoder.push(Some(short)).is_err());
            decoder.push(Some(payload.as_bytes())).unwrap();
        }
        let table = decoder.take().unwrap().rows;
        prop_assert_eq!(table.num_rows(), rows.len());
        for (row, (s, i, n)) in rows.iter().enumerate() {
            prop_assert_eq!(table.column_by_name("s").unwrap().as_string::<i32>().value(row), s);
            prop_assert_eq!(table.column_by_name("i").unwrap().as_primitive::<Int64Type>().value(row), *i);
            let read = table.column_by_name("n").unwrap().as_primitive::<Float64Type>().value(row);
            prop_assert_eq!(read.to_bits(), finite(*n).to_bits());
        }
    }

    #[test]
    fn any_bytes_are_a_row_or_a_bad_record(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut decoder = all();
        let rows = usize::from(decoder.push(Some(&payload)).is_ok());
        prop_assert_eq!(decoder.take().unwrap().rows.num_rows(), rows);
    }
}
