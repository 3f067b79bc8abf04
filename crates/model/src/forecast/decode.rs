//! From the columns of a batch to the numbers of its events.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema, TimeUnit};
use sluicegate_core::config::nearest;
use sluicegate_core::{Batch, ConfigError, Counter, Offset, Roles};

use super::vocabulary::Vocabulary;
use crate::config::{BadValuesConfig, ForecastConfig, OnBadValue};
use crate::error::ModelError;
use crate::feature::Transform;
use crate::wave::MISSING;

/// What to do when a head for classes meets numbers.
const NUMBERS_NEED_NO_CLASSES: &str =
    "for numbers set model.head to \"student-t\", \"gaussian\" or \"quantiles\"; or name a column of classes";
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Which columns mean what, by name and place.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// Targets that are numbers.
    targets: Vec<NumberColumn>,
    /// Columns of classes: the targets where they are classes, then the categories among the input.
    classes: Vec<(String, usize)>,
    /// How many of those are targets.
    class_targets: usize,
    inputs: Vec<NumberColumn>,
    key: Option<(String, usize)>,
    time: Option<(String, usize)>,
}

/// A column of numbers, and the function that it is seen through.
#[derive(Debug, Clone)]
struct NumberColumn {
    column: (String, usize),
    transform: Option<Transform>,
}

impl NumberColumn {
    /// The number that a value of the column stands for.
    fn read(&self, value: Option<f64>, limit: f64) -> Result<f64, Bad> {
        let value = value.ok_or(Bad::Missing)?;
        if !value.is_finite() {
            return Err(Bad::Unusable("is not a finite number"));
        }
        if value.abs() > limit {
            return Err(Bad::Unusable("is beyond the limit of usable numbers"));
        }
        match &self.transform {
            Some(transform) => transform.apply(value).ok_or(Bad::Unusable(transform.refusal())),
            None => Ok(value),
        }
    }
}

/// Numbers of some columns, NaN where missing, and which of those are carried.
struct Numbers {
    values: Vec<f64>,
    carried: Vec<bool>,
}

/// Classes of some columns, as in [`Events`].
struct Classes {
    codes: Vec<u32>,
    labels: Vec<u32>,
    known: Vec<u32>,
    texts: Vec<StringArray>,
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bad {
    Missing,
    /// It is there, but nothing that can be worked with.
    Unusable(&'static str),
}

impl Bad {
    /// What is wrong with a class, if anything.
    fn of_class(text: Option<&str>, vocabulary: &Vocabulary) -> Option<Self> {
        match text {
            None => Some(Self::Missing),
            Some(text) if vocabulary.admits(text) => None,
            Some(_) => Some(Self::Unusable("is neither true nor false, neither 0 nor 1")),
        }
    }

    /// What is to be done about it.
    fn policy(self, is_target: bool, bad: BadValuesConfig) -> OnBadValue {
        match (is_target, self) {
            (true, Self::Missing) => bad.missing_target,
            (true, Self::Unusable(_)) => bad.target,
            (false, _) => bad.input,
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Missing => "is null",
            Self::Unusable(reason) => reason,
        }
    }
}

/// Counts of values that were not used as they are.
#[derive(Debug, Clone)]
pub(super) struct BadValueCounters {
    pub(super) target: Counter,
    pub(super) target_missing: Counter,
    pub(super) input: Counter,
    pub(super) time: Counter,
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
        let classes = |setting: &str, names: &[String]| -> Result<Vec<(String, usize)>, ConfigError> {
            names.iter().map(|name| find(schema, setting, name, "text, an integer or a boolean", is_key)).collect()
        };
        let of_classes = config.model.head.is_of_classes();
        let targets = if of_classes {
            (Vec::new(), classes("targets", &config.targets).map_err(|error| error.help(NUMBERS_NEED_NO_CLASSES))?)
        } else {
            let is_no_number = |name: &String| {
                let field = schema.column_with_name(name);
                field.is_some_and(|(_, field)| !is_number(field.data_type()) && is_key(field.data_type()))
            };
            let help = |error: ConfigError| match config.targets.iter().any(is_no_number) {
                true => error.help("for classes set model.head to \"categorical\""),
                false => error,
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
        let classes = self.classes(records, &offsets, bad, counters, vocabularies)?;
        Ok(Events {
            codes: classes.codes,
            labels: classes.labels,
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

    /// The classes of a batch. They are numbered in the order of the log.
    fn classes(
        &self,
        records: &RecordBatch,
        offsets: &[i64],
        bad: BadValuesConfig,
        counters: &BadValueCounters,
        vocabularies: &mut [Vocabulary],
    ) -> Result<Classes, ModelError> {
        let (width, targets, first) = (self.classes.len(), self.class_targets, offsets.first().copied().unwrap_or(0));
        let mut classes = Classes {
            codes: vec![MISSING; offsets.len() * width],
            labels: vec![MISSING; offsets.len() * targets],
            known: vec![0; offsets.len() * targets],
            texts: Vec::with_capacity(targets),
        };
        for (place, (column, vocabulary)) in self.classes.iter().zip(vocabularies).enumerate() {
            let is_target = place < targets;
            let texts = take(records, column, first, &DataType::Utf8)?.as_string::<i32>().clone();
            for (row, (text, offset)) in texts.iter().zip(offsets).enumerate() {
                match text.and_then(|text| vocabulary.meet(text)) {
                    Some(met) => {
                        classes.codes[row * width + place] = met.code;
                        if is_target {
                            classes.labels[row * targets + place] = met.label;
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
        for (place, (column, vocabulary)) in self.classes.iter().zip(vocabularies).enumerate() {
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

/// Counts a value, or makes an error of it. Returns whether the key's last value takes its place.
fn settle(
    what: OnBadValue,
    setting: &'static str,
    column: &(String, usize),
    at: Offset,
    bad: Bad,
    counter: &Counter,
) -> Result<bool, ModelError> {
    refuse(what, setting, column, at, bad.reason(), counter)?;
    Ok(what == OnBadValue::Carry)
}

/// Counts a value, or makes an error of it.
fn refuse(
    what: OnBadValue,
    setting: &'static str,
    column: &(String, usize),
    at: Offset,
    reason: &'static str,
    counter: &Counter,
) -> Result<(), ModelError> {
    if what == OnBadValue::Fail {
        return Err(ModelError::BadValue { offset: at.0, column: column.0.clone(), reason, setting });
    }
    counter.add(1);
    Ok(())
}

/// The numbers of some columns. `settle` is asked about each that is none, and says whether it is carried.
fn numbers(
    records: &RecordBatch,
    columns: &[NumberColumn],
    offsets: &[i64],
    limit: f64,
    settle: impl Fn(&(String, usize), Offset, Bad) -> Result<bool, ModelError>,
) -> Result<Numbers, ModelError> {
    let width = columns.len();
    let mut values = vec![f64::NAN; offsets.len() * width];
    let mut carried = Vec::new();
    for (index, number) in columns.iter().enumerate() {
        let array = take(records, &number.column, offsets.first().copied().unwrap_or(0), &DataType::Float64)?;
        for (row, (value, offset)) in array.as_primitive::<Float64Type>().iter().zip(offsets).enumerate() {
            let place = row * width + index;
            match number.read(value, limit) {
                Ok(value) => values[place] = value,
                Err(bad) => {
                    if settle(&number.column, Offset(*offset), bad)? {
                        carried.resize(values.len(), false);
                        carried[place] = true;
                    }
                }
            }
        }
    }
    Ok(Numbers { values, carried })
}

fn take(
    records: &RecordBatch,
    (name, place): &(String, usize),
    offset: i64,
    to: &DataType,
) -> Result<ArrayRef, ModelError> {
    let failed = |reason: String| ModelError::Column { column: name.clone(), offset, reason };
    // By place where the columns are those it was bound to, else by name.
    let is_it = records.schema_ref().fields().get(*place).is_some_and(|field| field.name() == name);
    let array = if is_it { Some(records.column(*place)) } else { records.column_by_name(name) };
    let array = array.ok_or_else(|| failed("is not in this batch".into()))?;
    cast(array, to).map_err(|error| failed(error.to_string()))
}

/// Microseconds since 1970 in UTC. A time without a zone is taken as UTC; one that does not fit is missing.
fn take_time(records: &RecordBatch, column: &(String, usize), offset: i64) -> Result<Vec<Option<i64>>, ModelError> {
    let ticks = take(records, column, offset, &DataType::Int64)?;
    let of = records.schema();
    let (per_micro, micros) = match of.field_with_name(&column.0)?.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => (1000, 1),
        DataType::Timestamp(TimeUnit::Microsecond, _) => (1, 1),
        DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date64 => (1, 1000),
        DataType::Timestamp(TimeUnit::Second, _) => (1, 1_000_000),
        _ => (1, MICROS_PER_DAY),
    };
    let ticks = ticks.as_primitive::<Int64Type>();
    Ok(ticks.iter().map(|tick| tick.and_then(|tick| tick.div_euclid(per_micro).checked_mul(micros))).collect())
}

fn find(
    schema: &Schema,
    setting: &str,
    name: &str,
    what: &str,
    fits: fn(&DataType) -> bool,
) -> Result<(String, usize), ConfigError> {
    match schema.column_with_name(name) {
        Some((place, field)) if fits(field.data_type()) => Ok((name.to_owned(), place)),
        Some((_, field)) => {
            let message = format!("column `{name}` has type {}, but must hold {what}", field.data_type());
            Err(ConfigError::new(setting, message))
        }
        None => {
            let names = || schema.fields().iter().map(|field| field.name().as_str());
            let error = ConfigError::new(setting, format!("there is no column `{name}`"));
            Err(match nearest(name, names()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help(format!("there are: {}", names().collect::<Vec<_>>().join(", "))),
            })
        }
    }
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

fn is_key(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_key(values),
        other => {
            matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean)
                || other.is_integer()
        }
    }
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;

    #[test]
    fn times_of_every_type_become_microseconds_in_utc() {
        use arrow::array::{Date32Array, Date64Array, TimestampNanosecondArray, TimestampSecondArray};
        let columns: [(ArrayRef, Option<i64>); 6] = [
            (std::sync::Arc::new(TimestampSecondArray::from(vec![-1])), Some(-1_000_000)),
            (std::sync::Arc::new(TimestampSecondArray::from(vec![7]).with_timezone("Europe/Berlin")), Some(7_000_000)),
            (std::sync::Arc::new(TimestampNanosecondArray::from(vec![-1])), Some(-1)),
            (std::sync::Arc::new(Date32Array::from(vec![2])), Some(2 * MICROS_PER_DAY)),
            (std::sync::Arc::new(Date64Array::from(vec![5])), Some(5000)),
            (std::sync::Arc::new(TimestampSecondArray::from(vec![i64::MAX])), None),
        ];
        for (column, micros) in columns {
            let data_type = column.data_type().clone();
            let records = RecordBatch::try_from_iter([("ts", column)]).unwrap();
            assert_eq!(take_time(&records, &("ts".into(), 0), 0).unwrap(), [micros], "{data_type}");
        }
    }

    #[test]
    fn a_misspelt_or_wrongly_typed_column_is_named() {
        let schema =
            Schema::new(vec![Field::new("load", DataType::Float32, true), Field::new("city", DataType::Utf8, true)]);
        let find = |target: &str| Columns::find(&ForecastConfig::new([target]), &schema).unwrap_err().to_string();
        assert_eq!(find("lode"), "`targets`: there is no column `lode`; did you mean `load`?");
        assert_eq!(
            find("city"),
            "`targets`: column `city` has type Utf8, but must hold a number; for classes set model.head to \"categorical\""
        );
    }
}
