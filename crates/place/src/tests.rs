//! What is promised of every place, on a local folder and on a store in memory.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;

use self::server::Put;
use crate::{Place, PlaceError};

mod server;

/// The same for each kind of place that needs no server; a server is talked to by the end-to-end tests.
fn everywhere(check: impl Fn(&Place)) {
    let folder = tempfile::tempdir().unwrap();
    check(&Place::open("deep/er", folder.path()).unwrap());
    check(&Place::of(Arc::new(InMemory::new()), Path::from("pre/fix"), "s3://b/pre/fix".into()).unwrap());
}

#[test]
fn a_file_is_created_once() {
    everywhere(|place| {
        assert!(place.create("a/x%20y.json", b"one".to_vec()).unwrap());
        assert!(!place.create("a/x%20y.json", b"two".to_vec()).unwrap());
        assert_eq!(place.read("a/x%20y.json").unwrap(), "one");
        assert_eq!(place.list("a").unwrap(), (vec![], vec!["x%20y.json".to_owned()]));
        assert!(
            matches!(place.read("a/z"), Err(PlaceError::Missing { file }) if file.ends_with("fix/a/z") || file.ends_with("er/a/z"))
        );
    });
}

#[test]
fn a_file_is_written_where_answers_are_lost() {
    for lost in [
        &[Put::DoneAndCutOff][..],
        &[Put::DoneAndSilent],
        &[Put::Silent],
        &[Put::Silent, Put::DoneAndSilent],
        &[Put::Silent, Put::DoneAndCutOff],
    ] {
        let place = server::place(lost);
        assert!(place.create("x", b"ours".to_vec()).unwrap(), "{lost:?}");
        assert_eq!(place.read("x").unwrap(), "ours");
        assert!(!place.create("x", b"theirs".to_vec()).unwrap(), "{lost:?}");
    }
    let refused = server::place(&[Put::Silent; 3]).create("x", b"ours".to_vec()).unwrap_err();
    assert!(refused.to_string().contains("cannot write s3://b/x"), "{refused}");
}

#[test]
fn files_are_found_by_the_names_they_have_below_the_place() {
    everywhere(|place| {
        for file in ["b", "a/c", "a/b/d"] {
            place.create(file, file.as_bytes().to_vec()).unwrap();
        }
        let names: Vec<String> = place.find().unwrap().into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["a/b/d", "a/c", "b"]);
        assert_eq!(place.look("a/c").unwrap().unwrap().size, 3);
        assert_eq!(place.look("a/x").unwrap(), None);
        place.remove_all("a", "c").unwrap();
        assert_eq!(place.find().unwrap().len(), 1);
        place.remove("b").unwrap();
        place.remove("b").unwrap();
        assert_eq!(place.find().unwrap(), []);
    });
}

#[test]
fn a_name_is_given_once_and_the_old_one_is_gone() {
    everywhere(|place| {
        place.create(".staged", b"rows".to_vec()).unwrap();
        assert!(place.move_new(".staged", "part-0").unwrap());
        assert_eq!((place.look(".staged").unwrap(), place.read("part-0").unwrap().as_ref()), (None, &b"rows"[..]));
        place.create(".staged", b"other".to_vec()).unwrap();
        assert!(!place.move_new(".staged", "part-0").unwrap());
        assert_eq!(place.read("part-0").unwrap(), "rows");
        assert!(matches!(place.move_new("nothing", "part-1"), Err(PlaceError::Missing { .. })));
    });
}

#[test]
fn what_is_uploaded_is_there_whole_or_not_at_all() {
    // Larger than one part, and no multiple of it.
    let bytes: Vec<u8> = (0..20_000_000u32).map(|number| (number % 251) as u8).collect();
    everywhere(|place| {
        for len in [0, 10, bytes.len()] {
            let mut upload = place.upload("part-0");
            upload.write_all(&bytes[..len]).unwrap();
            upload.finish().unwrap();
            assert!(place.read("part-0").unwrap() == bytes[..len], "{len} bytes");
        }
        let mut given_up = place.upload("part-1");
        given_up.write_all(&bytes).unwrap();
        drop(given_up);
        assert_eq!(place.look("part-1").unwrap(), None);
    });
}

#[test]
fn ranges_and_streams_give_what_the_file_holds() {
    let bytes: Vec<u8> = (0..9_000_001u32).map(|number| (number * 7 % 253) as u8).collect();
    everywhere(|place| {
        place.create("x", bytes.clone()).unwrap();
        let file = place.object(&place.look("x").unwrap().unwrap());
        for (start, len) in [(0, 4), (1_048_570, 12), (3, 5_000_000), (9_000_000, 1), (9_000_000, 50), (9_000_001, 1)] {
            let end = (start + len).min(bytes.len());
            assert!(file.read_at(start as u64, len).unwrap() == bytes[start.min(end)..end], "{start} {len}");
        }
        let mut rest = Vec::new();
        file.reader(4_000_000).read_to_end(&mut rest).unwrap();
        assert!(rest == bytes[4_000_000..]);
    });
}

#[test]
fn a_file_that_changed_meanwhile_is_refused() {
    everywhere(|place| {
        place.create("x", b"before".to_vec()).unwrap();
        let file = place.object(&place.look("x").unwrap().unwrap());
        place.remove("x").unwrap();
        place.create("x", b"after it".to_vec()).unwrap();
        let refused = file.read_at(0, 3).unwrap_err();
        assert!(matches!(refused, PlaceError::Changed { .. }), "{refused}");
    });
}

#[test]
fn it_may_be_called_where_a_runtime_is_at_work() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    everywhere(|place| runtime.block_on(async { assert!(place.create("x", Vec::new()).unwrap()) }));
}
