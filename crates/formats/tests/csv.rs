//! Records of separated values: where they end, what is in them, and what is told of bad ones.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use proptest::prelude::*;
use sluicegate_formats::{BadRecord, CsvDecoder, DecodeError, Decoder, Dialect, FieldType};

fn fields(record: &str) -> Result<Vec<String>, BadRecord> {
    let fields = Dialect::default().fields(record.as_bytes())?;
    Ok(fields.into_iter().map(|field| String::from_utf8(field.bytes.into_owned()).unwrap()).collect())
}

fn decoder(nulls: &[&str]) -> CsvDecoder {
    let schema = BTreeMap::from(
        [
            ("n", FieldType::Int64),
            ("name", FieldType::String),
            ("ok", FieldType::Boolean),
            ("ts", FieldType::Timestamp),
            ("x", FieldType::Float64),
        ]
        .map(|(name, field)| (name.to_owned(), field)),
    );
    let names = ["ts", "unit", "x", "n", "ok", "name"].map(str::to_owned);
    let nulls: Vec<String> = nulls.iter().map(|null| (*null).to_owned()).collect();
    CsvDecoder::new(Dialect::default(), &schema, &names, &nulls).unwrap()
}

fn rows(records: &[&str]) -> RecordBatch {
    let mut decoder = decoder(&[""]);
    for record in records {
        decoder.push(Some(record.as_bytes())).unwrap();
    }
    decoder.take().unwrap().rows
}

#[test]
fn fields_are_what_stands_between_delimiters_and_quotes() {
    assert_eq!(fields("a,b").unwrap(), ["a", "b"]);
    assert_eq!(fields("").unwrap(), [""]);
    assert_eq!(fields(",\"\",").unwrap(), ["", "", ""]);
    assert_eq!(fields("\"a,\n\"\"b\"\"\",\"\"\"\",c\"d").unwrap(), ["a,\n\"b\"", "\"", "c\"d"]);
    assert!(fields("a,\"b").unwrap_err().message.contains("field 2 is not closed"));
    assert!(fields("\"a\"b,c").unwrap_err().message.contains("field 1 goes on after its closing quote"));
}

#[test]
fn a_record_ends_at_a_line_feed_outside_quotes() {
    let end = |bytes: &str| Dialect::default().end_of_record(bytes.as_bytes());
    assert_eq!(end("a,b\nc"), Some(3));
    assert_eq!(end("a,\"\n\"\"\n\",b\n"), Some(10));
    assert_eq!(end("a\"b\nc\"\n"), Some(3));
    for open in ["", "a,b", "a,\"b\n", "\"a\"", "\"a\"\"\n"] {
        assert_eq!(end(open), None, "{open}");
    }
    let plain = Dialect { quote: None, ..Dialect::default() };
    assert_eq!(plain.end_of_record(b"\"a\nb\"\n"), Some(2));
}

#[test]
fn columns_are_found_by_their_names_and_undeclared_ones_left_out() {
    let rows = rows(&["2017-01-01T00:00:00Z,kW, 0.5 ,7,TRUE,north", "2017-01-01,kW,-1e3,-7,false,\"a,b\""]);
    let names: Vec<String> = rows.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["n", "name", "ok", "ts", "x"]);
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().values(), &[7, -7]);
    assert_eq!(rows.column(1).as_string::<i32>().value(1), "a,b");
    assert!(rows.column(2).as_boolean().value(0));
    assert_eq!(rows.column(3).as_primitive::<TimestampMicrosecondType>().value(1), 1_483_228_800_000_000);
    assert_eq!(rows.column(4).as_primitive::<Float64Type>().values(), &[0.5, -1e3]);
}

#[test]
fn an_empty_field_is_missing_and_an_empty_text_in_quotes_is_not() {
    let rows = rows(&[",,,,,", ",,,,,\"\""]);
    assert!(rows.columns().iter().all(|column| column.is_null(0)));
    assert!(rows.column(0).is_null(1) && rows.column(1).is_valid(1));
    let mut other = decoder(&["NA", "-"]);
    other.push(Some(b"NA,,-,NA,NA,")).unwrap();
    assert!(other.push(Some(b",,-,NA,NA,x")).is_err(), "nothing is no time");
    assert!(other.take().unwrap().rows.column(1).is_valid(0), "nothing is a text");
}

#[test]
fn a_bad_record_is_told_and_leaves_nothing_behind() {
    let mut decoder = decoder(&[""]);
    let cases: [(&[u8], &str, &str); 7] = [
        (b"2017-01-01,kW,much,7,true,a", "wrong-type", "`x` has to be a number, but is the text \"much\""),
        (b"2017-01-01,kW,1,7.5,true,a", "wrong-type", "`n` has to be a whole number"),
        (b"soon,kW,1,7,true,a", "wrong-type", "`ts` has to be a time"),
        (b"2017-01-01,kW,1,7,yes,a", "wrong-type", "`ok` has to be true or false"),
        (b"2017-01-01,kW,1,7,true", "undecodable", "it has 5 fields, but there are 6 columns"),
        (b"2017-01-01,kW,1,7,true,a,b", "undecodable", "it has 7 fields"),
        (b"2017-01-01,kW,1,7,true,\xff", "not-utf8", "`name` is not valid UTF-8"),
    ];
    for (record, reason, message) in cases {
        let Err(DecodeError::Bad(bad)) = decoder.push(Some(record)) else { panic!("{record:?} is a row") };
        assert_eq!(bad.reason, reason, "{}", bad.message);
        assert!(bad.message.contains(message), "{}", bad.message);
    }
    decoder.push(Some(b",,,,,last")).unwrap();
    let rows = decoder.take().unwrap().rows;
    assert_eq!(rows.num_rows(), 1);
    assert!(rows.column(4).is_null(0), "nothing of a bad record is left");
}

proptest! {
    #[test]
    fn what_is_quoted_comes_back(texts in prop::collection::vec("[a,\"\n\r ;]{0,6}", 1..6)) {
        let quoted: Vec<String> = texts.iter().map(|text| format!("\"{}\"", text.replace('"', "\"\""))).collect();
        let record = quoted.join(",");
        prop_assert_eq!(fields(&record).unwrap(), texts);
        prop_assert_eq!(Dialect::default().end_of_record(format!("{record}\nx").as_bytes()), Some(record.len()));
        prop_assert_eq!(Dialect::default().end_of_record(record.as_bytes()), None);
    }

    #[test]
    fn no_bytes_make_a_panic(bytes in prop::collection::vec(prop::sample::select(b"a,\"\n\r\xff0".to_vec()), 0..40)) {
        let mut decoder = decoder(&[""]);
        let _ = decoder.push(Some(&bytes));
        if let Some(end) = Dialect::default().end_of_record(&bytes) {
            prop_assert_eq!(bytes[end], b'\n');
            prop_assert!(Dialect::default().end_of_record(&bytes[..end]).is_none());
        }
    }
}
