//! What rows come out of JSON Lines.

use sluicegate_core::Roles;

use crate::support::Folder;

const SCHEMA: &str = "schema = { ts = 'timestamp-ms', meter = 'string', load = 'float64' }\n";
const FILE: &str = "{\"ts\": 0, \"meter\": \"a\", \"load\": 1, \"more\": [1]}\n{\"meter\": \"b\", \"load\": null}\n";

#[test]
fn each_line_is_a_row_whatever_its_end() {
    let folder = Folder::new();
    let settings = format!("path = 'a.jsonl'\n{SCHEMA}time = 'ts'\nkey = 'meter'");
    let rows = folder.write("a.jsonl", FILE).read("jsonl", &settings);
    assert_eq!((rows.offsets.as_slice(), rows.column("meter")), (&[0, 1][..], vec!["a".into(), "b".into()]));
    assert_eq!(
        (rows.column("load"), rows.column("ts")),
        (vec!["1.0".into(), "".into()], vec!["1970-01-01T00:00:00".into(), "".into()])
    );
    assert_eq!(Roles::of(&rows.records.schema()), Roles { time: Some("ts".into()), key: Some("meter".into()) });
    for bytes in
        [format!("\u{feff}{FILE}"), FILE.replace('\n', "\r\n"), FILE.replace('\n', "\n \n"), FILE.trim_end().to_owned()]
    {
        folder.write("a.jsonl", &bytes);
        assert_eq!(folder.read("jsonl", &settings), rows, "{bytes:?}");
    }
    folder.write("a.jsonl", "");
    assert_eq!(folder.read("jsonl", &settings).offsets, [] as [i64; 0]);
}

#[test]
fn a_folder_means_its_jsonl_and_ndjson_files() {
    let folder = Folder::new();
    folder.write("d/b.jsonl", FILE).write("d/a.ndjson", FILE).write("d/c.json", "no").write("d/_d.jsonl", "no");
    assert_eq!(folder.read("jsonl", &format!("path = 'd'\n{SCHEMA}")).offsets, [0, 1, 2, 3]);
}
