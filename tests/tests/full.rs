//! `sluice run` where there is no room for what it writes: it says which file, shows nothing half-written, and goes on exactly once
//! there is room again.

use sluicegate_tests::full::visible;
use sluicegate_tests::small_disk::limited;
use sluicegate_tests::{Ended, Workplace};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");
const ROWS: usize = 12_000;
const CHECKPOINT: &str = "[checkpoint]\npath = \"checkpoints\"\ninterval_ms = 20\n";
const PIPELINE: &str = r#"
[source.readings]
type = "parquet"
path = "events.parquet"
batch_rows = 100
[sink.files]
type = "parquet"
input = "readings"
path = "out"
file_rows_max = 4000
row_group_rows = 1000
"#;

fn place(checkpoint: &str) -> Workplace {
    let place = Workplace::new(SLUICE);
    place.write_events("events.parquet", ROWS);
    place.write("copy.toml", &format!("name = \"copy\"\n{checkpoint}{PIPELINE}"));
    place
}

#[test]
fn a_parquet_sink_without_room_names_the_file_and_goes_on_once_there_is_some() {
    for checkpoint in ["", CHECKPOINT] {
        let reference = place(checkpoint);
        assert_eq!(reference.run(&["run", "copy.toml", "--quiet"]).code, Some(0));
        let expected = visible(&reference.path("out"));
        assert_eq!(expected.len(), 3);
        // Files of 4 KiB: not even the first rows fit. Files of 24 KiB: some do.
        for blocks in [8, 48] {
            let place = place(checkpoint);
            let run = place.command(&["run", "copy.toml", "--quiet"]);
            let ended: Ended = limited(&run, blocks).output().unwrap().into();
            assert_eq!(ended.code, Some(1), "{blocks}: {ended:?}");
            let said = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains("File too large") && said.contains("out/"), "{blocks}: {said}");
            for (name, rows) in visible(&place.path("out")) {
                assert!(expected.get(&name) == Some(&rows), "{blocks}: {name} is not what it should be");
            }
            let ended = place.run(&["run", "copy.toml", "--quiet"]);
            assert_eq!(ended.code, Some(0), "{blocks}: {ended:?}");
            assert!(visible(&place.path("out")) == expected, "{blocks}: the files differ");
        }
    }
}
