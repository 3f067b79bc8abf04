//! Which text is which class.

use std::collections::HashMap;

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use crate::error::ModelError;

/// The class of everything that has no number of its own.
pub(super) const OTHER: u32 = 0;
/// How the open class is written where a class is named.
pub(super) const OTHER_NAME: &str = "(other)";

/// The classes of one column, numbered in the order in which the log first shows them.
///
/// Class 0 is open: it stands for a class that was never seen before, and for all that come when every number is taken. So a
/// new class is scored as the open one, which is what it was when the forecast was made, and counts as itself from then on.
#[derive(Debug, Clone)]
pub(super) struct Vocabulary {
    /// Whether there is an open class and room for more.
    open: bool,
    max: usize,
    /// By number, less 1 where there is an open class.
    names: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

/// A class as it was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Met {
    /// What it counts as for the forecasts that were made of it.
    pub(super) label: u32,
    /// What it counts as from here on.
    pub(super) code: u32,
}

impl Vocabulary {
    /// At most `max` classes beside the open one; these are known beforehand.
    pub(super) fn open<'a>(max: usize, known: impl IntoIterator<Item = &'a str>) -> Self {
        let mut vocabulary = Self { open: true, max, names: Vec::new(), numbers: HashMap::new() };
        for name in known {
            vocabulary.add(name);
        }
        vocabulary
    }

    /// As [`Vocabulary::open`]; known are the numbers from 0 to 255.
    pub(super) fn of_bytes(max: usize) -> Self {
        let names: Vec<String> = (0..=u8::MAX).map(|byte| byte.to_string()).collect();
        Self::open(max, names.iter().map(String::as_str))
    }

    /// No and yes, numbered 0 and 1. There are no others.
    pub(super) fn binary() -> Self {
        let mut vocabulary = Self { open: false, max: 2, names: Vec::new(), numbers: HashMap::new() };
        for name in ["false", "true"] {
            vocabulary.add(name);
        }
        vocabulary
    }

    fn add(&mut self, name: &str) -> Option<u32> {
        if self.names.len() >= self.max {
            return None;
        }
        let number = self.names.len() as u32 + u32::from(self.open);
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        Some(number)
    }

    /// How many numbers there are, taken or not.
    pub(super) fn len(&self) -> usize {
        self.max + usize::from(self.open)
    }

    /// Meets a class; `None` where it can be none.
    pub(super) fn meet(&mut self, name: &str) -> Option<Met> {
        if let Some(number) = self.numbers.get(name) {
            return Some(Met { label: *number, code: *number });
        }
        match name {
            _ if self.open => Some(Met { label: OTHER, code: self.add(name).unwrap_or(OTHER) }),
            "0" => Some(Met { label: 0, code: 0 }),
            "1" => Some(Met { label: 1, code: 1 }),
            _ => None,
        }
    }

    /// Whether something can be a class at all.
    pub(super) fn admits(&self, name: &str) -> bool {
        self.open || self.numbers.contains_key(name) || matches!(name, "0" | "1")
    }

    /// The numbers of the classes that are known, the open one not among them.
    pub(super) fn numbers(&self) -> std::ops::Range<u32> {
        let first = u32::from(self.open);
        first..first + self.known()
    }

    /// How many classes are known.
    pub(super) fn known(&self) -> u32 {
        self.names.len() as u32
    }

    /// The name of a class when only the first `known` were. A number that is not taken stands, like the open class, for what was
    /// not seen yet.
    pub(super) fn name_among(&self, number: u32, known: u32) -> &str {
        let place = (number as usize).checked_sub(usize::from(self.open)).filter(|place| *place < known as usize);
        place.and_then(|place| self.names.get(place)).map_or(OTHER_NAME, |name| name)
    }

    pub(super) fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), ModelError> {
        Ok(to.strings("names", self.names.iter().map(|name| &**name))?)
    }

    /// # Errors
    /// When the snapshot knows more classes than there is room for, or one twice.
    pub(super) fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let names = from.strings("names")?;
        if names.len() > self.max {
            let (found, max) = (names.len(), self.max);
            return Err(ModelError::Restore(format!("it tells {found} classes apart, and there is room for {max}")));
        }
        (self.names, self.numbers) = (Vec::new(), HashMap::new());
        for name in &names {
            if self.numbers.contains_key(name.as_str()) {
                return Err(ModelError::Restore(format!("class `{name}` has two numbers")));
            }
            self.add(name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(vocabulary: &mut Vocabulary, name: &str) -> (u32, u32) {
        let Met { label, code } = vocabulary.meet(name).unwrap();
        (label, code)
    }

    #[test]
    fn a_new_class_was_the_open_one_and_is_itself_from_then_on() {
        let mut vocabulary = Vocabulary::open(3, ["known"]);
        assert_eq!(vocabulary.len(), 4);
        assert_eq!(met(&mut vocabulary, "known"), (1, 1));
        assert_eq!(met(&mut vocabulary, "a"), (OTHER, 2));
        assert_eq!(met(&mut vocabulary, "a"), (2, 2));
        assert_eq!(met(&mut vocabulary, "b"), (OTHER, 3));
        assert_eq!(met(&mut vocabulary, "c"), (OTHER, OTHER), "every number is taken");
        assert_eq!(met(&mut vocabulary, "c"), (OTHER, OTHER));
        let names = |known| [0, 1, 3, 9].map(|number| vocabulary.name_among(number, known).to_owned());
        assert_eq!(names(vocabulary.known()), ["(other)", "known", "b", "(other)"]);
        assert_eq!(names(2), ["(other)", "known", "(other)", "(other)"], "b came later");
    }

    #[test]
    fn no_and_yes_are_written_in_two_ways_and_nothing_else_is_either() {
        let mut vocabulary = Vocabulary::binary();
        assert_eq!((met(&mut vocabulary, "false"), met(&mut vocabulary, "0")), ((0, 0), (0, 0)));
        assert_eq!((met(&mut vocabulary, "true"), met(&mut vocabulary, "1")), ((1, 1), (1, 1)));
        assert_eq!(vocabulary.meet("2"), None);
        assert_eq!((vocabulary.len(), vocabulary.name_among(1, 2)), (2, "true"));
    }

    #[test]
    fn restored_classes_keep_their_numbers() {
        let mut vocabulary = Vocabulary::open(3, []);
        ["x", "y"].iter().for_each(|name| {
            vocabulary.meet(name);
        });
        let mut writer = SnapshotWriter::new();
        vocabulary.snapshot(&mut writer).unwrap();
        let bytes = writer.finish().unwrap();
        let mut restored = Vocabulary::open(3, ["other", "ones"]);
        restored.restore(&SnapshotReader::parse(&bytes).unwrap()).unwrap();
        assert_eq!((met(&mut restored, "y"), met(&mut restored, "z")), ((2, 2), (OTHER, 3)));
        let mut small = Vocabulary::open(1, []);
        assert!(small.restore(&SnapshotReader::parse(&bytes).unwrap()).is_err());
    }
}
