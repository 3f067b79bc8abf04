//! Which rows belong together.

use sluicegate_core::Roles;

use crate::support::Folder;

fn folder() -> Folder {
    let folder = Folder::new();
    for name in ["0_jackson_1", "0_theo_1", "1_jackson_0"] {
        folder.write_sound(&format!("d/{name}.wav"), [1]);
    }
    folder
}

#[test]
fn by_default_each_file_is_a_key() {
    let rows = folder().read("path = 'd'");
    assert_eq!(rows.text("file"), ["0_jackson_1", "0_theo_1", "1_jackson_0"]);
    let roles = Roles { time: Some("time".into()), key: Some("file".into()) };
    assert_eq!(Roles::of(&rows.records.schema()), roles);
}

#[test]
fn a_named_group_of_the_files_name_is_a_key_that_files_share() {
    let folder = folder();
    let settings = "path = 'd/*.wav'\nkey_pattern = '_(?<speaker>[a-z]+)_'";
    let rows = folder.read(settings);
    assert_eq!(rows.text("speaker"), ["jackson", "theo", "jackson"]);
    assert_eq!(Roles::of(&rows.records.schema()).key.as_deref(), Some("speaker"));
    folder.write_sound("d/noise.wav", [1]);
    let error = folder.connect(settings).err().unwrap();
    assert!(error.contains("source.s.key_pattern") && error.contains("noise.wav"), "{error}");
}

#[test]
fn files_of_the_same_name_are_told_apart_by_their_folders() {
    let folder = Folder::new();
    folder.write_sound("x/a.wav", [1]).write_sound("y/a.wav", [2]);
    assert_eq!(folder.read("path = ['y', 'x']").text("file"), ["y/a", "x/a"]);
    let mut source = folder.connect("path = ['y', 'x']\npartitions = 'per-file'").unwrap();
    let names: Vec<String> = source.partitions().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["y/a", "x/a"]);
}
