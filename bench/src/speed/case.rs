//! One setting that is measured: a stream with so many keys, and the pipeline that forecasts it.

use std::fs;
use std::path::{Path, PathBuf};

use super::stream;
use crate::running::Done;

pub(super) const HIDDEN: usize = 32;
/// k1 and k2.
pub(super) const WINDOW: usize = 16;

/// A stream on disk and its pipeline.
pub(super) struct Case {
    pub(super) keys: usize,
    pub(super) events: usize,
    /// The pipeline file.
    pub(super) pipeline: PathBuf,
    /// Where it writes.
    pub(super) out: PathBuf,
}

impl Case {
    /// Makes up the stream and writes the pipeline beside it.
    pub(super) fn prepare(folder: &Path, keys: usize, events: usize) -> Done<Self> {
        let name = format!("{keys}-keys-{events}-events");
        let events = events.next_multiple_of(keys);
        let file = format!("{name}.parquet");
        stream::write(folder, &file, keys, events)?;
        let pipeline = folder.join(format!("{name}.toml"));
        let update_every = WINDOW * keys;
        let text = format!(
            r#"
            name = "bench"
            [source.events]
            type = "parquet"
            path = "{file}"
            time = "ts"
            key = "key"
            [operator.forecast]
            type = "forecast"
            input = "events"
            targets = ["y"]
            controls = []
            mixture = false
            [operator.forecast.model]
            kind = "lstm"
            hidden = {HIDDEN}
            head = "student-t"
            bptt = {{ every = {WINDOW}, window = {WINDOW} }}
            update_every = {update_every}
            [sink.forecasts]
            type = "parquet"
            input = "forecast"
            path = "{name}"
            "#
        );
        fs::write(&pipeline, text).map_err(|error| format!("cannot write {}: {error}", pipeline.display()))?;
        Ok(Self { keys, events, pipeline, out: folder.join(name) })
    }
}
