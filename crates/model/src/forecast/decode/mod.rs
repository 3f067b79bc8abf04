//! From the columns of a batch to the numbers and classes of its events.

mod bad;
mod classes;
mod generated;
mod numbers;
mod take;

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::{DataType, Float64Type, Schema};
use sluicegate_core::{Batch, ConfigError, Offset, Roles};

use super::vocabulary::Vocabulary;
use crate::config::{BadValuesConfig, ForecastConfig, OnBadValue};
use crate::error::ModelError;
use crate::feature::Transform;
use crate::head::HeadKind;
pub(super) use bad::BadValueCounters;
use bad::{Bad, refuse, settle};
use classes::{ClassColumn, Holds, classes};
use numbers::{NumberColumn, numbers};
use take::{find, is_key, is_number, is_time, is_yes_or_no, take, take_time};

/// What to do when a head for classes meets numbers.
const NUMBERS_NEED_NO_CLASSES: &str =
    "for numbers set model.head to \"student-t\", \"gaussian\" or \"quantiles\"; or name a column of classes";

/// What to do when a head for yes and no meets something else.
const NEITHER_YES_NOR_NO: &str =
    "for other classes set model.head to \"categorical\", for numbers to \"student-t\", \"gaussian\" or \"quantiles\"";

/// Which columns mean what, by name and place.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// Targets that are numbers.
    targets: Vec<NumberColumn>,
    /// Columns of classes: the targets where they are classes, then the categories among the input.
    classes: Vec<ClassColumn>,
    /// How many of those are targets.
    class_targets: usize,
    inputs: Vec<NumberColumn>,
    key: Option<(String, usize)>,
    time: Option<(String, usize)>,
}

/// The numbers of a batch's events; NaN is missing.
pub(super) struct Events {
    pub(super) offsets: Vec<i64>,
    keys: Option<StringArray>,
    pub(super) times: Vec<Option<i64>>,
    /// `[rows, targets]`; none where they are classes.
    pub(super) targets: Vec<f64>,
    /// `[rows, columns of classes]`: what the models see, [`MISSING`] where missing.
    codes: Vec<u32>,
    /// `[rows, targets that are classes]`: what they count as for the forecasts that were made of them.
    pub(super) labels: Vec<u32>,
    /// `[rows, targets that are classes]`: which character each is.
    characters: Vec<u32>,
    /// `[rows, targets that are classes]`: how many classes were known, this row's included.
    pub(super) known: Vec<u32>,
    /// Per target that is a class: the classes as they came in.
    pub(super) texts: Vec<StringArray>,
    /// `[rows, extra inputs]`.
    pub(super) inputs: Vec<f64>,
    /// Which of the targets and inputs that are missing the key's last value stands for; empty where none does.
    carried_targets: Vec<bool>,
    pub(super) carried_inputs: Vec<bool>,
}

impl Events {
    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }

    /// The classes of a row that the models see.
    pub(super) fn codes(&self, row: usize) -> &[u32] {
        let width = self.codes.len() / self.len().max(1);
        &self.codes[row * width..(row + 1) * width]
    }

    /// The targets of a row that are classes, as they count for what was forecast of them.
    pub(super) fn labels(&self, row: usize) -> &[u32] {
        let width = self.texts.len();
        &self.labels[row * width..(row + 1) * width]
    }

    /// The targets of a row that are classes, as the characters that they are.
    pub(super) fn characters(&self, row: usize) -> &[u32] {
        let width = self.texts.len();
        &self.characters[row * width..(row + 1) * width]
    }

    /// The targets of a row that are missing and that the key's last value stands for.
    pub(super) fn carried_targets(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let width = self.carried_targets.len() / self.len().max(1);
        let of_row = &self.carried_targets[row * width..(row + 1) * width];
        of_row.iter().enumerate().filter(|(_, carried)| **carried).map(|(target, _)| target)
    }

    pub(super) fn key(&self, row: usize) -> Option<&str> {
        self.keys.as_ref().filter(|keys| keys.is_valid(row)).map(|keys| keys.value(row))
    }
}

impl Columns {
    /// Finds the columns that the settings name and makes sure of their types.
    pub(super) fn find(config: &ForecastConfig, schema: &Schema) -> Result<Self, ConfigError> {
        let roles = Roles::of(schema);
        let numeric = |setting: &str, names: &[String], transform: &dyn Fn(&str) -> Option<Transform>| {
            let number = |name: &String| {
                let column = find(schema, setting, name, "a number", is_number)?;
                Ok(NumberColumn { column, transform: transform(name) })
            };
            names.iter().map(number).collect::<Result<Vec<_>, ConfigError>>()
        };
        let transform = |name: &str| config.transform.as_ref().and_then(|transform| transform.of(name));
        let optional =
            |setting: &str, own: &Option<String>, role: Option<String>, what: &str, fits: fn(&DataType) -> bool| {
                own.clone().or(role).map(|name| find(schema, setting, &name, what, fits)).transpose()
            };
        let classes = |setting: &str, names: &[String]| -> Result<Vec<ClassColumn>, ConfigError> {
            let class = |name: &String| {
                let column = if setting == "targets" && config.model.head == HeadKind::Bernoulli {
                    find(schema, setting, name, "booleans, or the integers 0 and 1", is_yes_or_no)?
                } else {
                    find(schema, setting, name, "text, an integer or a boolean", is_key)?
                };
                let holds = match schema.field(column.1).data_type() {
                    DataType::UInt8 => Holds::Bytes,
                    DataType::UInt16 => Holds::BytesAndMore,
                    _ => Holds::Text,
                };
                Ok(ClassColumn { column, holds })
            };
            names.iter().map(class).collect()
        };
        let of_classes = config.model.head.is_of_classes();
        let targets = if of_classes {
            let yes_or_no = config.model.head == HeadKind::Bernoulli;
            let help = if yes_or_no { NEITHER_YES_NOR_NO } else { NUMBERS_NEED_NO_CLASSES };
            (Vec::new(), classes("targets", &config.targets).map_err(|error| error.help(help))?)
        } else {
            let types = config.targets.iter().filter_map(|name| Some(schema.column_with_name(name)?.1.data_type()));
            let of_classes: Vec<&DataType> = types.filter(|of| !is_number(of) && is_key(of)).collect();
            let help = |error: ConfigError| {
                if of_classes.is_empty() {
                    error
                } else if of_classes.iter().all(|of| **of == DataType::Boolean) {
                    error.help("for yes or no set model.head to \"bernoulli\"")
                } else {
                    error.help("for classes set model.head to \"categorical\"")
                }
            };
            (numeric("targets", &config.targets, &transform).map_err(help)?, Vec::new())
        };
        let class_targets = targets.1.len();
        let columns = Self {
            targets: targets.0,
            class_targets,
            classes: [targets.1, classes("features.categories", &config.features.categories)?].concat(),
            inputs: numeric("features.inputs", &config.features.inputs, &|_| None)?,
            key: optional("key", &config.key, roles.key, "text, an integer or a boolean", is_key)?,
            time: optional("time", &config.time, roles.time, "a timestamp or a date", is_time)?,
        };
        let timed = [
            ("features.calendar", !config.features.calendar.is_empty()),
            ("features.elapsed", config.features.elapsed),
        ];
        if let Some((setting, _)) = timed.iter().find(|(_, asked)| *asked && columns.time.is_none()) {
            return Err(ConfigError::new(*setting, "needs the event time, and no column is named for it")
                .help("name it by `time` in the source or here"));
        }
        Ok(columns)
    }

    /// Reads a batch. Values that cannot be used become NaN and are counted, or are an error where the settings say so.
    pub(super) fn decode(
        &self,
        batch: &Batch,
        bad: BadValuesConfig,
        counters: &BadValueCounters,
        vocabularies: &mut [Vocabulary],
    ) -> Result<Events, ModelError> {
        let offsets: Vec<i64> = batch.offsets().iter().map(|offset| offset.0).collect();
        let first = offsets.first().copied().unwrap_or(0);
        let records = batch.records();
        let keys = match &self.key {
            Some(column) => Some(take(records, column, first, &DataType::Utf8)?.as_string::<i32>().clone()),
            None => None,
        };
        let times = match &self.time {
            Some(column) => take_time(records, column, first)?,
            None => vec![None; offsets.len()],
        };
        let targets = numbers(records, &self.targets, &offsets, bad.limit, |column, at, what| match what {
            Bad::Missing => settle(bad.missing_target, "missing_target", column, at, what, &counters.target_missing),
            Bad::Unusable(_) => settle(bad.target, "target", column, at, what, &counters.target),
        })?;
        let inputs = numbers(records, &self.inputs, &offsets, bad.limit, |column, at, what| {
            settle(bad.input, "input", column, at, what, &counters.input)
        })?;
        let classes = classes(&self.classes, self.class_targets, records, &offsets, bad, counters, vocabularies)?;
        Ok(Events {
            codes: classes.codes,
            labels: classes.labels,
            characters: classes.characters,
            known: classes.known,
            texts: classes.texts,
            offsets,
            keys,
            times,
            targets: targets.values,
            inputs: inputs.values,
            carried_targets: targets.carried,
            carried_inputs: inputs.carried,
        })
    }

    /// Rows that are to be taken out, in order, each with its reason in full.
    pub(super) fn to_reject(
        &self,
        batch: &Batch,
        bad: BadValuesConfig,
        vocabularies: &[Vocabulary],
    ) -> Result<Vec<(usize, String)>, ModelError> {
        if !bad.rejects() {
            return Ok(Vec::new());
        }
        let records = batch.records();
        let first = batch.offsets().get(0).map_or(0, |offset| offset.0);
        let mut rows = std::collections::BTreeMap::new();
        let all =
            self.targets.iter().map(|column| (column, true)).chain(self.inputs.iter().map(|column| (column, false)));
        for (number, is_target) in all {
            let array = take(records, &number.column, first, &DataType::Float64)?;
            for (row, value) in array.as_primitive::<Float64Type>().iter().enumerate() {
                let Err(what) = number.read(value, bad.limit) else { continue };
                if what.policy(is_target, bad) == OnBadValue::DeadLetter {
                    rows.entry(row).or_insert_with(|| format!("column `{}` {}", number.column.0, what.reason()));
                }
            }
        }
        for (place, (ClassColumn { column, .. }, vocabulary)) in self.classes.iter().zip(vocabularies).enumerate() {
            let texts = take(records, column, first, &DataType::Utf8)?;
            for (row, text) in texts.as_string::<i32>().iter().enumerate() {
                let Some(what) = Bad::of_class(text, vocabulary) else { continue };
                if what.policy(place < self.class_targets, bad) == OnBadValue::DeadLetter {
                    rows.entry(row).or_insert_with(|| format!("column `{}` {}", column.0, what.reason()));
                }
            }
        }
        Ok(rows.into_iter().collect())
    }

    /// Key and time of each row, for the dead letters.
    pub(super) fn key_and_time(&self, batch: &Batch, row: usize) -> Result<(Option<String>, Option<i64>), ModelError> {
        let one = batch.slice(row, 1);
        let offset = one.offsets().get(0).map_or(0, |offset| offset.0);
        let key = match &self.key {
            Some(column) => {
                let keys = take(one.records(), column, offset, &DataType::Utf8)?;
                let keys = keys.as_string::<i32>();
                keys.is_valid(0).then(|| keys.value(0).to_owned())
            }
            None => None,
        };
        let time = match &self.time {
            Some(column) => take_time(one.records(), column, offset)?.first().copied().flatten(),
            None => None,
        };
        Ok((key, time))
    }

    /// Which of the columns of classes hold bytes.
    pub(super) fn bytes(&self) -> impl Iterator<Item = bool> + '_ {
        self.classes.iter().map(|class| class.holds == Holds::Bytes)
    }

    /// Whether events have keys.
    pub(super) fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// Whether events have times.
    pub(super) fn is_timed(&self) -> bool {
        self.time.is_some()
    }

    /// An event's time lies before that of an earlier event of its key.
    pub(super) fn time_went_back(
        &self,
        bad: BadValuesConfig,
        at: Offset,
        counters: &BadValueCounters,
    ) -> Result<(), ModelError> {
        let Some(column) = &self.time else { return Ok(()) };
        refuse(bad.time, "time", column, at, "lies before an earlier event of the same key", &counters.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;

    #[test]
    fn a_misspelt_or_wrongly_typed_column_is_named() {
        let schema = Schema::new(vec![
            Field::new("load", DataType::Float32, true),
            Field::new("city", DataType::Utf8, true),
            Field::new("open", DataType::Boolean, true),
        ]);
        let find = |target: &str| Columns::find(&ForecastConfig::new([target]), &schema).unwrap_err().to_string();
        assert_eq!(find("lode"), "`targets`: there is no column `lode`; did you mean `load`?");
        assert_eq!(
            find("city"),
            "`targets`: column `city` has type Utf8, but must hold a number; for classes set model.head to \"categorical\""
        );
        assert_eq!(
            find("open"),
            "`targets`: column `open` has type Boolean, but must hold a number; for yes or no set model.head to \"bernoulli\""
        );
    }
}
