//! Settings that cannot work are refused, with their place in the pipeline file.

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, StringArray};
use schemars::schema_for;
use sluicegate_core::config::Document;
use sluicegate_core::{PipelineContext, SourceConfig};
use sluicegate_source::{ParquetConfig, Position};

use crate::support::{Folder, batch, log};

#[test]
fn settings_that_cannot_work_are_refused_with_their_place() {
    let folder = Folder::new();
    folder.write("a.parquet", &log(0, 4), 4);
    let cases = [
        ("pth = 'a.parquet'", 2, "unknown field `pth`", "did you mean `path`?"),
        ("path = 3", 2, "expected a path or a list of paths", ""),
        ("path = []", 2, "the list is empty", "name a file"),
        ("path = ''", 2, "it is empty", "name a file"),
        ("path = 'a.parquet'\nbatch_rows = 0", 3, "0 is no number of rows", "8192 is the default"),
        ("path = 'a.parquet'\nbatch_rows = 1048577", 3, "1048577 is no number of rows", "1 to 1048576"),
        ("path = 'a.parquet'\nbatch_rows = -1", 3, "-1", ""),
        ("path = 'a.parquet'\npartitions = 'each'", 3, "unknown variant `each`", "`per-file`"),
        ("path = 'a.parquet'\ntime = 'tss'", 3, "has no column `tss`", "did you mean `ts`?"),
        ("path = 'a.parquet'\ntime = 'zzz'", 3, "it has `ts`, `meter`, `load`, `id`", ""),
        ("path = 'a.parquet'\ntime = 'load'", 3, "has the type Float64", "a timestamp, a date, or an Int64"),
        ("path = 'a.parquet'\ntime = 'id'", 3, "has the type Int64", "time_unit = \"s\""),
        ("path = 'a.parquet'\ntime = 'ts'\ntime_unit = 'ms'", 4, "a unit of its own", "leave it out"),
        ("path = 'a.parquet'\ntime_unit = 'ms'", 3, "there is no `time` column", ""),
        ("path = 'a.parquet'\ntime = 'id'\ntime_unit = 'h'", 4, "unknown variant `h`", ""),
        ("path = 'a.parquet'\nkey = 'mter'", 3, "has no column `mter`", "did you mean `meter`?"),
        ("path = 'a.parquet'\nkey = 'load'", 3, "has the type Float64", "text, a dictionary of text"),
        ("path = 'a.parquet'\ntime = 'ts'\nkey = 'ts'", 4, "is the `time` column already", "leave `key` out"),
        ("path = 'a.parquet'\ncolumns = ['lod']", 3, "has no column `lod`", "did you mean `load`?"),
        ("path = 'a.parquet'\ncolumns = []", 3, "the list is empty", "leave `columns` out"),
        ("path = 'a.parquet'\nstart = 3", 3, "expected either { offset = N } or { time = \"…\" }", ""),
        ("path = 'a.parquet'\nstart = { offset = -1 }", 3, "-1", ""),
        ("path = 'a.parquet'\nstart = { ofset = 1 }", 3, "unknown field `ofset`", "did you mean `offset`?"),
        ("path = 'a.parquet'\nstart = {}", 3, "write either { offset = N } or { time = \"…\" }", ""),
        ("path = 'a.parquet'\nstop = { offset = 1, time = 2017-01-01 }", 3, "write either { offset = N } or", ""),
        ("path = 'a.parquet'\nstart = { time = 3 }", 3, "expected a time such as 2017-01-01T", ""),
        ("path = 'a.parquet'\nstart = { time = { a = 1 } }", 3, "", ""),
        ("path = 'a.parquet'\ntime = 'ts'\nstart = { time = 05:00:00 }", 4, "`05:00:00` is not a time", "2017-01-01T"),
        ("path = 'a.parquet'\nstart = { time = '2017-01-01' }", 3, "no column with the event time", "time = "),
        ("path = 'a.parquet'\ntime = 'ts'\nstop = { time = 'soon' }", 4, "`soon` is not a time", "2017-01-01T"),
        ("path = 'a.parquet'\nstart = { offset = 2 }\nstop = { offset = 2 }", 4, "not after `start`", ""),
        (
            "path = 'a.parquet'\ntime = 'ts'\nstart = { time = '2018-01-01' }\nstop = { time = '2017-01-01' }",
            5,
            "not after `start`",
            "",
        ),
    ];
    for (settings, line, message, help) in cases {
        let error = folder.connect(settings).err().unwrap_or_else(|| panic!("accepted: {settings}"));
        assert!(error.starts_with(&format!("p.toml:{line}:")), "{settings}\n{error}");
        assert!(error.contains(message) && error.contains(help), "{settings}\n{error}");
    }
}

#[test]
fn files_that_do_not_belong_together_are_refused_with_both_names_the_column_and_the_types() {
    let ids = || Arc::new(Int64Array::from(vec![1]));
    let base = || batch([("id", ids()), ("load", Arc::new(Float64Array::from(vec![1.0])))]);
    let cases = [
        (
            batch([("id", ids()), ("load", Arc::new(StringArray::from(vec!["1"])))]),
            "`load` is Float64 in",
            "but Utf8 in",
        ),
        (batch([("id", ids())]), "`load` is Float64 in", "but missing in"),
        (
            batch([("id", ids()), ("load", Arc::new(Float64Array::from(vec![1.0]))), ("more", ids())]),
            "`more` is missing in",
            "but Int64 in",
        ),
    ];
    for (other, expected, found) in cases {
        let folder = Folder::new();
        folder.write("d/a.parquet", &base(), 1);
        folder.write("d/b.parquet", &other, 1);
        let error = folder.connect("path = 'd'").err().unwrap();
        for part in ["`source.s.path`", "a.parquet", "b.parquet", expected, found] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(folder.connect("path = 'd'\ncolumns = ['id']").is_ok(), "what is not read may differ");
    }
}

fn config(path: &str) -> ParquetConfig {
    Document::parse("p.toml", format!("path = '{path}'"), Vec::new()).unwrap().root().read().unwrap()
}

#[test]
fn a_sink_cannot_write_where_files_are_read() {
    let folder = Folder::new();
    folder.write("d/a.parquet", &log(0, 4), 4);
    for path in ["d", "d/a.parquet", "*/a.parquet"] {
        let pipeline = PipelineContext::new("p", folder.path(""));
        config(path).connect(&pipeline.for_component("meters")).unwrap();
        let refused = pipeline.for_component("out").claim_written(&folder.path("d")).unwrap_err().to_string();
        assert!(refused.contains("`meters` reads") && refused.contains("a.parquet"), "{path}: {refused}");
        assert!(pipeline.for_component("out").claim_written(&folder.path("e")).is_ok());
    }
}

#[test]
fn every_setting_is_documented() {
    let schema = schema_for!(ParquetConfig);
    let properties = schema.get("properties").and_then(|properties| properties.as_object()).unwrap();
    assert_eq!(properties.len(), 9);
    for (name, property) in properties {
        assert!(property.get("description").is_some(), "{name}");
    }
}

#[test]
fn the_schema_of_a_time_is_a_string() {
    let schema = schema_for!(Position);
    let text = schema.as_value().to_string();
    assert!(text.contains(r#""time":{"type":"string"}"#), "{text}");
}
