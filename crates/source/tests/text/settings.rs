//! What the settings may be, and what is said of those that cannot.

use sluicegate_core::Roles;

use crate::support::Folder;

fn fault(settings: &str) -> String {
    let folder = Folder::new();
    folder.write("a.txt", "x");
    std::fs::create_dir(folder.path("empty")).unwrap();
    folder.connect(settings).err().unwrap()
}

#[test]
fn the_file_is_the_key_where_that_is_asked_for() {
    let folder = Folder::new();
    folder.write("a.txt", "x");
    let roles = |settings: &str| Roles::of(&folder.connect(settings).unwrap().schema());
    assert_eq!(roles("path = 'a.txt'"), Roles::default());
    assert_eq!(roles("path = 'a.txt'\nkey = 'file'"), Roles { key: Some("file".into()), time: None });
}

#[test]
fn settings_that_cannot_work_are_named() {
    for (settings, said) in [
        ("path = 'b.txt'", "there is no file or directory"),
        ("path = '*.csv'", "no file matches"),
        ("path = []", "the list is empty"),
        ("path = 'empty'", "holds no readable file"),
        ("path = 'a.txt'\npiece_bytes_max = 3", "3 is no length for a piece\n  help: give 4 to 1048576 bytes"),
        ("path = 'a.txt'\nbatch_rows = 0", "0 is no number of rows for a batch"),
        ("path = 'a.txt'\nkey = 'fil'", "unknown variant `fil`"),
        ("path = 'a.txt'\nstop = { time = '2020-01-01' }", "it is a time, but plain files tell none"),
        ("path = 'a.txt'\nstart = { offset = 2 }\nstop = { offset = 2 }", "it is not after `start`"),
        ("path = 'a.txt'\nschema = { a = 'string' }", "schema"),
    ] {
        let fault = fault(settings);
        assert!(fault.contains(said), "{settings}: {fault}");
    }
}
