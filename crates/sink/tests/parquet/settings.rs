//! Settings that cannot work are refused, with their place in the pipeline file.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, TimeUnit};
use schemars::schema_for;
use sluicegate_core::PipelineContext;
use sluicegate_sink::ParquetConfig;

use crate::support::{Folder, bind, bind_in, rows};

#[test]
fn settings_that_cannot_work_are_refused_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let cases = [
        ("", 1, "missing field `path`", ""),
        ("pat = 'x'", 2, "unknown field `pat`", "did you mean `path`?"),
        ("path = ''", 2, "it is empty", "name a directory"),
        ("path = 'file'", 2, "is a file", "name a directory"),
        ("path = 'x'\nexisting = 'keep'", 3, "unknown variant `keep`", "`append`"),
        ("path = 'x'\nrow_group_rows = 0", 3, "0 is no number of rows", "131072 is the default"),
        ("path = 'x'\nrow_group_rows = 16777217", 3, "16777217 is no number of rows", "1 to 16777216"),
        ("path = 'x'\nfile_rows_max = 0", 3, "no row would fit", "leave it out"),
        ("path = 'x'\nfile_bytes_max = 0", 3, "no row would fit", "1073741824 is the default"),
        ("path = 'x'\nfile_bytes_max = '1 GiB'", 3, "1 GiB", ""),
        ("path = 'x'\ncompression = 'gzip'", 3, "unknown variant `gzip`", "`snappy`"),
        ("path = 'x'\ncompression_level = 23", 3, "zstd has no level 23", "1 to 22"),
        ("path = 'x'\ncompression_level = 0", 3, "zstd has no level 0", "1 to 22"),
        ("path = 'x'\ncompression = 'snappy'\ncompression_level = 1", 4, "only `zstd` has levels", "leave it out"),
    ];
    for (settings, line, message, help) in cases {
        let error = bind(folder.path(), settings, &rows(0, 0).schema());
        let error = error.err().unwrap_or_else(|| panic!("accepted: {settings}"));
        assert!(error.starts_with(&format!("p.toml:{line}:")), "{settings}\n{error}");
        assert!(error.contains(message) && error.contains(help), "{settings}\n{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "binding writes nothing");
}

#[test]
fn a_directory_that_a_source_reads_from_or_another_sink_writes_to_is_refused() {
    let folder = Folder::new();
    let pipeline = PipelineContext::new("my pipeline", folder.out());
    let schema = rows(0, 0).schema();
    pipeline.for_component("meters").claim_read(&folder.out().join("data/part-p-00000.parquet"));
    let bind = |sink: &str, path: &str| bind_in(&pipeline.for_component(sink), &format!("path = '{path}'"), &schema);
    let refused = bind("a", "data").err().unwrap();
    assert!(refused.starts_with("p.toml:2:1: ") && refused.contains("`meters` reads"), "{refused}");
    assert!(bind("a", "out").is_ok());
    let refused = bind("b", "./out/").err().unwrap();
    assert!(refused.starts_with("p.toml:2:1: ") && refused.contains("`a` writes"), "{refused}");
    assert!(bind("b", "data/deeper").is_ok());
}

#[test]
fn a_column_that_parquet_cannot_hold_is_refused_by_name() {
    let folder = Folder::new();
    let good = Field::new("a", DataType::Int64, true);
    let bad = Field::new("gap", DataType::Interval(IntervalUnit::MonthDayNano), true);
    let schema = Arc::new(Schema::new(vec![good, bad]));
    let error = bind(&folder.out(), "path = 'x'", &schema).err().unwrap();
    assert!(error.contains("column `gap` of type Interval(MonthDayNano)"), "{error}");
    let error = bind(&folder.out(), "path = 'x'", &Arc::new(Schema::empty())).err().unwrap();
    assert!(error.contains("no columns"), "{error}");
}

#[test]
fn every_type_that_parquet_holds_can_be_bound() {
    let dir = tempfile::tempdir().unwrap();
    let required = |name: &str, data_type| Arc::new(Field::new(name, data_type, false));
    let entries = DataType::Struct(vec![required("key", DataType::Utf8), required("value", DataType::Int64)].into());
    let dictionary = |key, value| DataType::Dictionary(Box::new(key), Box::new(value));
    let types = [
        DataType::Null,
        DataType::Boolean,
        DataType::Int8,
        DataType::UInt64,
        DataType::Float16,
        DataType::Float32,
        DataType::Decimal128(38, 9),
        DataType::Decimal256(70, 9),
        DataType::Date32,
        DataType::Date64,
        DataType::Time32(TimeUnit::Second),
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Timestamp(TimeUnit::Nanosecond, Some("Europe/Berlin".into())),
        DataType::Duration(TimeUnit::Second),
        DataType::Binary,
        DataType::BinaryView,
        DataType::FixedSizeBinary(3),
        DataType::LargeUtf8,
        DataType::Utf8View,
        dictionary(DataType::Int8, DataType::Utf8),
        dictionary(DataType::UInt32, DataType::Int64),
        DataType::List(required("item", DataType::Int64)),
        DataType::FixedSizeList(required("item", DataType::Float64), 2),
        DataType::Struct(vec![required("x", DataType::Int64), required("y", DataType::Utf8)].into()),
        DataType::Map(required("entries", entries), false),
    ];
    for data_type in types {
        for nullable in [true, false] {
            let schema = Arc::new(Schema::new(vec![Field::new("x", data_type.clone(), nullable)]));
            let bound = bind(dir.path(), "path = 'out'", &schema);
            assert!(bound.is_ok(), "{data_type} {nullable}: {}", bound.err().unwrap());
        }
    }
}

#[test]
fn every_setting_is_documented() {
    let schema = schema_for!(ParquetConfig);
    let properties = schema.get("properties").and_then(|properties| properties.as_object()).unwrap();
    assert_eq!(properties.len(), 7);
    for (name, property) in properties {
        assert!(property.get("description").is_some(), "{name}");
    }
}
