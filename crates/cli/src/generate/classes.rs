//! Generated classes: text where they are symbols, else one event per line.

use std::io::{BufWriter, Write as _};

use serde::Deserialize;
use sluicegate::ComponentKind;
use sluicegate::arrow::datatypes::DataType;
use sluicegate::model::{Sequences, Step, Value};

use super::out::{create, unwritable};
use super::{Work, walk};
use crate::console::Console;
use crate::failure::{Ending, Failure};

/// The type of the operators that take texts apart.
const SYMBOLS: &str = "symbols";

/// How classes are written.
pub(super) enum Alphabet {
    /// The numbers of bytes. One above 255 is an end.
    Bytes,
    /// Characters or tokens.
    Texts {
        /// What stands for the end of a text.
        end: Option<String>,
    },
    /// Something else.
    Lines,
}

/// The setting `end` of the operator `symbols`.
#[derive(Deserialize)]
#[serde(untagged)]
enum End {
    Usual(bool),
    Text(String),
}

impl Alphabet {
    /// # Errors
    /// When the sequence is to stop at an end that there is not.
    pub(super) fn of(work: &Work<'_>) -> Result<Self, Failure> {
        let symbols = work.inputs.iter().rev().find(|node| node.type_name == SYMBOLS);
        let symbols = symbols.filter(|node| node.kind == ComponentKind::Operator);
        let (Some(symbols), [target]) = (symbols, work.config.targets.as_slice()) else {
            return Self::Lines.checked(work, false);
        };
        let Ok(column) = symbols.columns.field_with_name(target) else { return Self::Lines.checked(work, false) };
        if target != "symbol" {
            return Self::Lines.checked(work, false);
        }
        let end: Option<End> = symbols.settings.clone().take("end").map_err(|error| Failure::wrong(&error))?;
        match (column.data_type(), end) {
            (DataType::UInt8, _) => Self::Bytes.checked(work, false),
            (DataType::UInt16, _) => Self::Bytes.checked(work, true),
            (_, Some(End::Text(end))) => Self::Texts { end: Some(end) }.checked(work, true),
            (_, Some(End::Usual(true))) => Self::Texts { end: Some("(end)".to_owned()) }.checked(work, true),
            (_, Some(End::Usual(false)) | None) => Self::Texts { end: None }.checked(work, false),
        }
    }

    fn checked(self, work: &Work<'_>, has_end: bool) -> Result<Self, Failure> {
        if work.args.stop_at_end && !has_end {
            let help = "the operator `symbols` puts one after each value where `end = true`";
            return Err(Failure::wrong_argument(format!(
                "--stop-at-end: no symbol here stands for an end\n  help: {help}"
            )));
        }
        Ok(self)
    }

    /// Appends what an event is written as, and says whether it is an end, which is written as a line feed.
    fn write(&self, step: &Step, to: &mut Vec<u8>) -> bool {
        let classes = step.values.iter().map(|value| match value {
            Value::Class(class) => class.clone(),
            Value::Number(number) => number.to_string(),
        });
        let classes = classes.collect::<Vec<_>>().join("\t");
        let is_end = match self {
            Self::Bytes => match classes.parse::<u8>() {
                Ok(byte) => {
                    to.push(byte);
                    false
                }
                Err(_) => true,
            },
            Self::Texts { end } if end.as_ref() == Some(&classes) => true,
            Self::Texts { .. } => {
                to.extend_from_slice(classes.as_bytes());
                false
            }
            Self::Lines => {
                to.extend_from_slice(classes.as_bytes());
                to.push(b'\n');
                false
            }
        };
        if is_end {
            to.push(b'\n');
        }
        is_end
    }
}

pub(super) fn generate(
    work: &Work<'_>,
    alphabet: &Alphabet,
    mut sequences: Sequences,
    console: &mut Console<'_>,
) -> Result<Ending, Failure> {
    let args = work.args;
    let mut file = match &args.out {
        Some(path) => Some((BufWriter::new(create(path)?), path)),
        None => None,
    };
    let mut text = Vec::new();
    walk(&mut sequences, args.length, &mut work.random(), |step| {
        text.clear();
        let is_end = alphabet.write(&step, &mut text);
        match &mut file {
            Some((file, path)) => file.write_all(&text).map_err(|error| unwritable(path, &error))?,
            None => console.out_bytes(&text)?,
        }
        Ok(!(is_end && args.stop_at_end))
    })?;
    if let Some((mut file, path)) = file {
        file.flush().map_err(|error| unwritable(path, &error))?;
    }
    Ok(Ending::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(alphabet: &Alphabet, classes: &[&str]) -> (String, Vec<bool>) {
        let mut text = Vec::new();
        let mut write = |class: &&str| {
            let step = Step { time: None, values: vec![Value::Class((*class).to_owned())] };
            alphabet.write(&step, &mut text)
        };
        let ends = classes.iter().map(&mut write).collect();
        (String::from_utf8(text).unwrap(), ends)
    }

    #[test]
    fn symbols_are_text_and_an_end_is_a_line_feed() {
        let bytes = written(&Alphabet::Bytes, &["104", "105", "256", "33"]);
        assert_eq!(bytes, ("hi\n!".to_owned(), vec![false, false, true, false]));
        let texts = written(&Alphabet::Texts { end: Some("(end)".to_owned()) }, &["so", " ", "ä", "(end)"]);
        assert_eq!(texts, ("so ä\n".to_owned(), vec![false, false, false, true]));
        assert_eq!(written(&Alphabet::Texts { end: None }, &["(end)"]).0, "(end)");
        assert_eq!(written(&Alphabet::Lines, &["red", "green"]).0, "red\ngreen\n");
    }
}
