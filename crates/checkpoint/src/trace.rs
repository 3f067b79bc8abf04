//! What a shard was told and did, read back and held against the protocol.

use std::io::{self, BufRead};

use serde::Deserialize;

use crate::protocol::{Action, Event, Protocol, Rules};

/// One line of a trace.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Begin { rules: Rules },
    Step { event: Event, actions: Vec<Action> },
}

/// Replays a trace that a run wrote (`--trace-protocol`) and returns how many events it holds.
///
/// # Errors
/// At the first line that cannot be read, that the protocol does not expect, or at which it decides otherwise. A last line that
/// was cut off by a crash is left out.
pub fn replay(lines: impl BufRead) -> io::Result<usize> {
    let wrong = |number: usize, what: String| io::Error::other(format!("line {}: {what}", number + 1));
    let lines: Vec<String> = lines.lines().collect::<io::Result<_>>()?;
    let mut protocol: Option<Protocol> = None;
    let mut events = 0;
    for (number, line) in lines.iter().enumerate() {
        let parsed: Line = match serde_json::from_str(line) {
            Ok(parsed) => parsed,
            Err(_) if number + 1 == lines.len() => break,
            Err(error) => return Err(wrong(number, error.to_string())),
        };
        match (parsed, &mut protocol) {
            (Line::Begin { rules }, _) => protocol = Some(Protocol::new(rules)),
            (Line::Step { .. }, None) => return Err(wrong(number, "an event comes before the rules".to_owned())),
            (Line::Step { event, actions }, Some(protocol)) => {
                let decided = protocol.on(event).map_err(|error| wrong(number, error.to_string()))?;
                if decided != actions {
                    return Err(wrong(number, format!("{actions:?} was done, but {decided:?} is to be done")));
                }
                events += 1;
            }
        }
    }
    Ok(events)
}
