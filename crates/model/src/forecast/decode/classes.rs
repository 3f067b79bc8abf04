//! Columns of classes.

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use sluicegate_core::Offset;

use super::bad::{Bad, BadValueCounters, settle};
use super::take::take;
use crate::config::BadValuesConfig;
use crate::error::ModelError;
use crate::experts::{NO_CHARACTER, PART_OF_CHARACTER};
use crate::forecast::vocabulary::Vocabulary;
use crate::wave::MISSING;

/// A column of classes.
#[derive(Debug, Clone)]
pub(super) struct ClassColumn {
    /// Name and place.
    pub(super) column: (String, usize),
    pub(super) holds: Holds,
}

/// What the classes of a column stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// What they say.
    Text,
    /// A byte of a text.
    Bytes,
    /// A byte of a text, or beyond 255 something else, such as its end.
    BytesAndMore,
}

impl ClassColumn {
    /// The character that a class is; of a byte beyond ASCII a part of one.
    pub(super) fn character(&self, text: &str) -> u32 {
        if self.holds != Holds::Text {
            let of = |byte: u8| if byte.is_ascii() { byte.into() } else { PART_OF_CHARACTER };
            return text.parse().map_or(NO_CHARACTER, of);
        }
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => character.into(),
            _ => NO_CHARACTER,
        }
    }
}

/// Classes of some columns, as in [`Events`](super::Events).
pub(super) struct Classes {
    pub(super) codes: Vec<u32>,
    pub(super) labels: Vec<u32>,
    pub(super) characters: Vec<u32>,
    pub(super) known: Vec<u32>,
    pub(super) texts: Vec<StringArray>,
}

/// The classes of some columns, the first `targets` of which are targets. They are numbered in the order of the log.
pub(super) fn classes(
    columns: &[ClassColumn],
    targets: usize,
    records: &RecordBatch,
    offsets: &[i64],
    bad: BadValuesConfig,
    counters: &BadValueCounters,
    vocabularies: &mut [Vocabulary],
) -> Result<Classes, ModelError> {
    let (width, first) = (columns.len(), offsets.first().copied().unwrap_or(0));
    let mut classes = Classes {
        codes: vec![MISSING; offsets.len() * width],
        labels: vec![MISSING; offsets.len() * targets],
        characters: vec![NO_CHARACTER; offsets.len() * targets],
        known: vec![0; offsets.len() * targets],
        texts: Vec::with_capacity(targets),
    };
    for (place, (class, vocabulary)) in columns.iter().zip(vocabularies).enumerate() {
        let column = &class.column;
        let is_target = place < targets;
        let texts = take(records, column, first, &DataType::Utf8)?.as_string::<i32>().clone();
        for (row, (text, offset)) in texts.iter().zip(offsets).enumerate() {
            match text.and_then(|text| vocabulary.meet(text)) {
                Some(met) => {
                    classes.codes[row * width + place] = met.code;
                    if is_target {
                        classes.labels[row * targets + place] = met.label;
                        classes.characters[row * targets + place] = class.character(text.unwrap_or_default());
                    }
                }
                None => {
                    let at = Offset(*offset);
                    match (is_target, Bad::of_class(text, vocabulary)) {
                        (true, Some(what @ Bad::Unusable(_))) => {
                            settle(bad.target, "target", column, at, what, &counters.target)?
                        }
                        (true, _) => {
                            let counter = &counters.target_missing;
                            settle(bad.missing_target, "missing_target", column, at, Bad::Missing, counter)?
                        }
                        (false, _) => settle(bad.input, "input", column, at, Bad::Missing, &counters.input)?,
                    };
                }
            }
            if is_target {
                classes.known[row * targets + place] = vocabulary.known();
            }
        }
        if is_target {
            classes.texts.push(texts);
        }
    }
    Ok(classes)
}
