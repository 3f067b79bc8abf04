//! Settings that cannot work are refused, with their place in the pipeline file.

use schemars::schema_for;
use sluicegate_source::WavConfig;

use crate::support::Folder;

#[test]
fn settings_that_cannot_work_are_refused_with_their_place() {
    let folder = Folder::new();
    folder.write_sound("a.wav", [1, 2, 3]);
    for (settings, place) in [
        ("path = []", "source.s.path"),
        ("path = 'b.wav'", "source.s.path"),
        ("path = 'a.wav'\nunit = 'second'", "source.s.unit"),
        ("path = 'a.wav'\nunit = 'frame'", "source.s.unit"),
        ("path = 'a.wav'\nframe = { length = 2 }", "source.s.frame"),
        ("path = 'a.wav'\nunit = 'frame'\nframe = { length = 1 }", "source.s.frame.length"),
        ("path = 'a.wav'\nunit = 'frame'\nframe = { length = 2, hop = 0 }", "source.s.frame.hop"),
        ("path = 'a.wav'\norigin = 'once'", "source.s.origin"),
        ("path = 'a.wav'\nkey_pattern = '('", "source.s.key_pattern"),
        ("path = 'a.wav'\nkey_pattern = '(?<value>a)'", "source.s.key_pattern"),
        ("path = 'a.wav'\nchannel = 2", "source.s.channel"),
        ("path = 'a.wav'\nbatch_rows = 0", "source.s.batch_rows"),
        ("path = 'a.wav'\nstart = { offset = 2 }\nstop = { offset = 2 }", "source.s.stop"),
        ("path = 'a.wav'\nrate = 8000", "unknown field `rate`"),
    ] {
        let error = folder.connect(settings).err().unwrap();
        assert!(error.contains(place), "{settings}: {error}");
    }
}

#[test]
fn every_setting_is_explained() {
    let schema = schema_for!(WavConfig);
    let properties = schema.get("properties").and_then(|properties| properties.as_object()).unwrap();
    assert_eq!(properties.len(), 10);
    for (name, property) in properties {
        assert!(property.get("description").is_some(), "{name}");
    }
}
