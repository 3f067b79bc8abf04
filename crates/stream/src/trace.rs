//! What the commit protocol of a shard was told and said, written down as it happens.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use sluicegate_checkpoint::protocol::{Action, Event, Rules};
use sluicegate_core::PartitionId;

/// Writes one line of JSON for each event of a shard: `{"rules": …}` first, then `{"event": …, "actions": […]}`.
///
/// For finding out what went wrong, and for tests, which replay it through the protocol. A trace that cannot be written stops
/// nothing.
pub(crate) struct Trace(Option<BufWriter<File>>);

impl Trace {
    /// A trace of one attempt of a shard, `PARTITION-PROCESS-ATTEMPT.jsonl` in `folder`.
    pub(crate) fn begin(folder: &Path, partition: &PartitionId, attempt: u64, rules: Rules) -> Self {
        let name: String =
            partition.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let path = folder.join(format!("{name}-{}-{attempt}.jsonl", std::process::id()));
        let file = std::fs::create_dir_all(folder).and_then(|()| File::create(&path));
        let mut trace = match file {
            Ok(file) => Self(Some(BufWriter::new(file))),
            Err(error) => {
                tracing::warn!("no trace can be written to {}: {error}", path.display());
                Self(None)
            }
        };
        trace.line(&serde_json::json!({ "rules": rules }));
        trace
    }

    pub(crate) fn record(&mut self, event: &Event, actions: &[Action]) {
        self.line(&serde_json::json!({ "event": event, "actions": actions }));
    }

    fn line(&mut self, value: &serde_json::Value) {
        let Some(file) = &mut self.0 else { return };
        // Flushed at once: the next thing may be a crash.
        if writeln!(file, "{value}").and_then(|()| file.flush()).is_err() {
            self.0 = None;
        }
    }
}
