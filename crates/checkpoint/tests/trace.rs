//! What a run wrote down of itself, held against the protocol: what the protocol would not have done is found.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use serde_json::json;
use sluicegate_checkpoint::protocol::{Event, Protocol, Rules};
use sluicegate_checkpoint::trace::replay;
use sluicegate_core::Offset;

const RULES: Rules = Rules { commits_apart: true, keeps_checkpoints: true, has_staged: false };

/// The lines of a shard that begins for the first time.
fn trace() -> Vec<String> {
    let mut protocol = Protocol::new(RULES);
    let mut lines = vec![json!({ "rules": RULES }).to_string()];
    for event in [Event::Started, Event::TookOver { committed: None, checkpoints: false }, Event::Opened(Offset(0))] {
        let actions = protocol.on(event.clone()).unwrap();
        lines.push(json!({ "event": event, "actions": actions }).to_string());
    }
    lines
}

fn replayed(lines: &[String]) -> Result<usize, String> {
    replay(lines.join("\n").as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn a_trace_of_the_protocol_holds_also_where_a_crash_tore_its_last_line() {
    let mut lines = trace();
    assert_eq!(replayed(&lines), Ok(3));
    let last = lines.last_mut().unwrap();
    last.truncate(last.len() / 2);
    assert_eq!(replayed(&lines), Ok(2));
}

#[test]
fn what_the_protocol_would_not_have_done_is_found_with_its_line() {
    let changed = |number: usize, change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = trace();
        change(&mut lines);
        let refused = replayed(&lines).unwrap_err();
        assert!(refused.starts_with(&format!("line {number}: ")), "{refused}");
    };
    changed(1, &|lines| drop(lines.remove(0)));
    changed(2, &|lines| drop(lines.remove(1)));
    changed(2, &|lines| lines[1].truncate(5));
    changed(3, &|lines| lines[2] = json!({ "event": Event::Committed, "actions": [] }).to_string());
    changed(3, &|lines| {
        let event = Event::TookOver { committed: None, checkpoints: false };
        lines[2] = json!({ "event": event, "actions": [] }).to_string();
    });
}
