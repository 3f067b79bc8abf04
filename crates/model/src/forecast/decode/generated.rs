//! An event that was not read but drawn.

use std::ops::RangeInclusive;

use arrow::array::StringArray;

use super::classes::ClassColumn;
use super::numbers::NumberColumn;
use super::{Columns, Events};
use crate::error::ModelError;
use crate::forecast::generate::{Drawn, Value};
use crate::forecast::vocabulary::Vocabulary;

impl NumberColumn {
    /// The value that is seen as `seen`, and as what it is seen, once it is clipped to a range.
    fn clipped(&self, seen: f64, range: &RangeInclusive<f64>) -> (f64, f64) {
        let invert = |seen| self.transform.map_or(seen, |transform| transform.invert(seen));
        let value = invert(seen);
        let clipped = value.clamp(*range.start(), *range.end());
        if clipped == value {
            return (value, seen);
        }
        (clipped, self.transform.map_or(Some(clipped), |transform| transform.apply(clipped)).unwrap_or(f64::NAN))
    }
}

impl Columns {
    /// How many targets there are.
    pub(in crate::forecast) fn target_count(&self) -> usize {
        self.targets.len() + self.class_targets
    }

    /// The event of a key whose targets were drawn, as if it had been read, and the targets as a source would have given them. The
    /// key's last values stand for the further inputs. Numbers are clipped to `range`.
    pub(in crate::forecast) fn generated(
        &self,
        key: Option<&str>,
        time: Option<i64>,
        drawn: &[Drawn],
        vocabularies: &[Vocabulary],
        range: &RangeInclusive<f64>,
    ) -> Result<(Events, Vec<Value>), ModelError> {
        let mut events = Events {
            offsets: vec![0],
            keys: self.key.as_ref().map(|_| StringArray::from(vec![key])),
            times: vec![time],
            targets: Vec::new(),
            codes: Vec::new(),
            labels: Vec::new(),
            characters: Vec::new(),
            known: Vec::new(),
            texts: Vec::new(),
            inputs: vec![f64::NAN; self.inputs.len()],
            carried_targets: Vec::new(),
            carried_inputs: vec![true; self.inputs.len()],
        };
        let mut values = Vec::with_capacity(drawn.len());
        for (place, drawn) in drawn.iter().enumerate() {
            match drawn {
                Drawn::Number(seen) => {
                    let column = &self.targets[place];
                    let (value, seen) = column.clipped(*seen, range);
                    if !(seen.is_finite() && value.is_finite()) {
                        let name = &column.column.0;
                        let message = format!(
                            "the path of `{name}` left the numbers that can be worked with, at {value:e}; \
                             generate fewer steps, or go on from a state that has learned more"
                        );
                        return Err(ModelError::Generate(message));
                    }
                    events.targets.push(seen);
                    values.push(Value::Number(value));
                }
                Drawn::Class(code) => {
                    let (class, vocabulary): (&ClassColumn, _) = (&self.classes[place], &vocabularies[place]);
                    let name = vocabulary.name_among(*code, vocabulary.known());
                    events.codes.push(*code);
                    events.labels.push(*code);
                    events.characters.push(class.character(name));
                    events.known.push(vocabulary.known());
                    events.texts.push(StringArray::from(vec![name]));
                    values.push(Value::Class(name.to_owned()));
                }
            }
        }
        Ok((events, values))
    }
}
