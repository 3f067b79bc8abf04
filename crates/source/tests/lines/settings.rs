//! Settings that cannot work are refused, with their place in the pipeline file.

use schemars::schema_for;
use sluicegate_source::{CsvConfig, JsonlConfig};

use crate::support::Folder;

#[test]
fn settings_that_cannot_work_are_refused_with_their_place() {
    let folder = Folder::new();
    folder.write("a.csv", "ts,meter,load\n").write("twice.csv", "load,load\n");
    let with = |settings: &str| {
        format!("path = 'a.csv'\nschema = {{ ts = 'timestamp', load = 'float64', meter = 'string' }}\n{settings}")
    };
    let cases = [
        ("path = 'a.csv'".to_owned(), "missing field `schema`", ""),
        ("path = 'a.csv'\nschema = {}".to_owned(), "no column is declared", "schema = { ts"),
        ("path = 'a.csv'\nschema = { load = 'double' }".to_owned(), "unknown variant `double`", ""),
        (
            "path = 'a.csv'\nschema = { lod = 'float64' }".to_owned(),
            "a.csv has no column `lod`",
            "did you mean `load`?",
        ),
        ("path = 'a.csv'\nschema = { zzz = 'float64' }".to_owned(), "its header is `ts`, `meter`, `load`", ""),
        ("path = 'twice.csv'\nschema = { load = 'float64' }".to_owned(), "twice.csv names `load` twice", ""),
        ("path = 'b.csv'\nschema = { load = 'float64' }".to_owned(), "there is no file or directory", ""),
        ("path = 's3://me:hunter2@b/x'\nschema = { load = 'float64' }".to_owned(), "credentials", "environment"),
        (with("time = 'load'"), "`load` holds no times", "timestamp-ms"),
        (with("time = 'tss'"), "no column `tss` in `schema`", "did you mean `ts`?"),
        (with("key = 'load'"), "cannot be a key", ""),
        (with("delimiter = ',,'"), "not one ASCII character", "\"\\t\""),
        (with("delimiter = 'é'"), "not one ASCII character", ""),
        (with("quote = ','"), "the delimiter, too", ""),
        (with("header = false"), "which columns there are", "header = ["),
        (with("header = ['ts', 'load']"), "it lacks `meter`", ""),
        (with("header = 3"), "expected true, or a list", ""),
        (with("batch_rows = 0"), "no number of rows", ""),
        (with("start = { time = '2017-01-01' }"), "no column with the event time", ""),
        (with("on_error = 'skip'"), "unknown variant `skip`", "`dead-letter`"),
    ];
    for (settings, message, help) in cases {
        let error = folder.connect("csv", &settings).err().unwrap_or_else(|| panic!("accepted: {settings}"));
        assert!(error.starts_with("p.toml:"), "{settings}\n{error}");
        assert!(error.contains(message) && error.contains(help) && !error.contains("hunter2"), "{settings}\n{error}");
    }
}

#[test]
fn every_setting_is_documented() {
    for (schema, settings) in [(schema_for!(CsvConfig), 13), (schema_for!(JsonlConfig), 9)] {
        let properties = schema.get("properties").and_then(|properties| properties.as_object()).unwrap();
        assert_eq!(properties.len(), settings);
        for (name, property) in properties {
            assert!(property.get("description").is_some(), "{name}");
        }
    }
}
