//! The pipelines that are measured.

use std::fs;
use std::path::{Path, PathBuf};

use super::Way;
use super::events::{KEYS, PARTITIONS, TOPIC, create};
use crate::running::Done;

pub(super) const HIDDEN: usize = 32;
/// k1 and k2.
pub(super) const WINDOW: usize = 16;
/// Between two commits.
pub(super) const COMMIT_MS: u64 = 500;

/// Writes the pipeline `name` into `folder`, and makes the topic that it writes to.
pub(super) fn write(folder: &Path, bootstrap: &str, name: &str, way: Way) -> Done<PathBuf> {
    let source = match way {
        Way::Files => {
            "type = \"parquet\"\npath = \"events\"\npartitions = \"per-file\"\ntime = \"ts\"\nkey = \"meter\""
                .to_owned()
        }
        _ => format!(
            "type = \"kafka\"\nbootstrap_servers = \"{bootstrap}\"\ntopics = \"{TOPIC}\"\nstop = \"end\"\n\
             schema = {{ meter = \"string\", load = \"float64\", ts = \"timestamp-ms\" }}\ntime = \"ts\"\nkey = \"meter\""
        ),
    };
    let operator = match way {
        Way::Empty | Way::Plain => String::new(),
        Way::Kafka | Way::Files => format!(
            "[operator.forecast]\ntype = \"forecast\"\ninput = \"events\"\ntargets = [\"load\"]\ncontrols = []\nmixture = false\nlayout = \"wide\"\n\
             columns = [\"scale\", \"nll\"]\n[operator.forecast.model]\nhidden = {HIDDEN}\nbptt = {{ every = {WINDOW}, window = {WINDOW} }}\n\
             update_every = {}\n",
            WINDOW * KEYS / PARTITIONS as usize
        ),
    };
    let input = if operator.is_empty() { "events" } else { "forecast" };
    let sink = match way {
        Way::Files => format!("type = \"parquet\"\npath = \"{name}\""),
        _ => {
            create(bootstrap, &[&format!("{name}-out")])?;
            let key = if operator.is_empty() { "meter" } else { "key" };
            format!("type = \"kafka\"\nbootstrap_servers = \"{bootstrap}\"\ntopic = \"{name}-out\"\nkey = \"{key}\"")
        }
    };
    let checkpoint = match way {
        Way::Files => String::new(),
        _ => format!("[checkpoint]\npath = \"checkpoints\"\ncommit_interval_ms = {COMMIT_MS}\n"),
    };
    let text = format!(
        "name = \"{name}\"\n{checkpoint}[source.events]\n{source}\n{operator}[sink.out]\ninput = \"{input}\"\n{sink}\n"
    );
    let file = folder.join(format!("{name}.toml"));
    fs::write(&file, text)?;
    Ok(file)
}
