//! Events as predictors see them: made from logs, each with what the features say of it.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use sluicegate_model::feature::{Event, FeatureConfig, Features};
use sluicegate_model::{Dims, MISSING, Wave};

use crate::logs::LogSpec;

/// An event of a key, before anything was made of it. NaN is missing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Raw {
    pub(super) key: usize,
    pub(super) time: Option<i64>,
    pub(super) values: Vec<f64>,
    pub(super) inputs: Vec<f64>,
}

/// An event as a predictor gets it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) key: usize,
    /// Its index among all rows, and among those of its key.
    pub(super) index: i64,
    pub(super) event: u64,
    /// What is seen of it: a wave of this event alone, of any slot.
    wave: Wave,
}

/// The events of a log.
pub(super) fn events(spec: &LogSpec) -> Vec<Raw> {
    let log = spec.build();
    let records = log.records();
    let numbers = |names: &[String], row: usize| -> Vec<f64> {
        let value = |name: &String| {
            let column = records.column_by_name(name).expect("a column of the log").as_primitive::<Float64Type>();
            if column.is_valid(row) { column.value(row) } else { f64::NAN }
        };
        names.iter().map(value).collect()
    };
    let times = records.column(0).as_primitive::<TimestampMicrosecondType>();
    let keys = records.column(1).as_string::<i32>();
    let number = |key: &str| key.trim_start_matches("key-").parse().expect("a key of the log");
    let raw = |row: usize| Raw {
        key: number(keys.value(row)),
        time: times.is_valid(row).then(|| times.value(row)),
        values: numbers(&spec.target_names(), row),
        inputs: numbers(&spec.input_names(), row),
    };
    (0..log.len()).map(raw).collect()
}

/// What predictors of these widths get of the events.
///
/// # Panics
/// When the features do not have the widths.
pub(super) fn rows(events: &[Raw], dims: &Dims, config: &FeatureConfig) -> Vec<Row> {
    let numbers = if dims.classes.is_empty() { dims.targets } else { 0 };
    let dims_of_numbers = Dims { targets: numbers, classes: Vec::new(), codes: Vec::new(), ..dims.clone() };
    let widths = (config.width(numbers), config.calendar_width());
    assert_eq!((dims.inputs, dims.calendar), widths, "inputs and calendar of the dims against those of the features");
    let keys = events.iter().map(|event| event.key + 1).max().unwrap_or(0);
    let mut features = Features::new(config, &dims_of_numbers, None);
    features.reserve(keys);
    let mut counts = vec![0u64; keys];
    let row = |(index, raw): (usize, &Raw)| {
        let mut wave = Wave::default();
        let event = counts[raw.key];
        counts[raw.key] += 1;
        let seen = Event {
            slot: raw.key,
            row: index as i64,
            index: event,
            time: raw.time,
            targets: &raw.values[..numbers],
            inputs: &raw.inputs,
            carried_inputs: &[],
        };
        features.observe(&seen, &mut wave);
        let class = |place: usize, classes: usize| {
            let value = raw.values[place % dims.targets];
            if value.is_nan() { MISSING } else { (value * 2.0).floor().rem_euclid(classes as f64) as u32 }
        };
        wave.classes = dims.classes.iter().enumerate().map(|(target, classes)| class(target, *classes)).collect();
        wave.codes = dims.codes.iter().enumerate().map(|(place, code)| class(place, code.classes)).collect();
        Row { key: raw.key, index: index as i64, event, wave }
    };
    events.iter().enumerate().map(row).collect()
}

/// Puts the row of a key with this slot into a wave.
pub(super) fn append(row: &Row, slot: usize, to: &mut Wave) {
    to.slots.push(slot);
    to.rows.push(row.index);
    to.events.push(row.event);
    let from = &row.wave;
    to.level.extend(&from.level);
    to.level_feature.extend(&from.level_feature);
    to.scale_min.extend(&from.scale_min);
    to.scale.extend(&from.scale);
    to.difference.extend(&from.difference);
    to.calendar.extend(&from.calendar);
    to.inputs.extend(&from.inputs);
    to.codes.extend(&from.codes);
    to.classes.extend(&from.classes);
}
