//! Streams that break what is not careful.

use sluicegate_model::Dims;

use super::stream::Raw;

/// One key goes wild, the other does not.
pub(super) const KEYS: usize = 2;
/// Events of each key while one is wild, and after that.
const WILD: usize = 50;
const QUIET: usize = 25;
const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// The value of the wild key at its event of this index.
type Value = fn(usize) -> f64;

/// What is wild, and how.
const ALL: [(&str, Value); 10] = [
    ("one constant", |_| 7.0),
    ("zeros", |_| 0.0),
    ("missing values", |_| f64::NAN),
    ("missing values with one among them", |event| if event == 20 { 3.0 } else { f64::NAN }),
    ("constants with a step", |event| if event < 25 { 1.0 } else { 2.0 }),
    ("1e30", |_| 1e30),
    ("1e30 now and then", |event| if event % 11 == 7 { 1e30 } else { wave(event) }),
    ("1e30 of either sign", |event| if event % 2 == 0 { 1e30 } else { -1e30 }),
    ("1e-30 and 1e30, and values that are missing", |event| [1e-30, 1e30, f64::NAN, -1e-30, 0.0][event % 5]),
    ("the largest that the features let through", |event| if event % 3 == 0 { 1e100 } else { -1e100 }),
];

fn wave(event: usize) -> f64 {
    (event as f64 * 0.7).sin() + 0.1 * (event as f64 * 2.3).cos()
}

/// Streams with what they hold. Each becomes quiet in the end.
pub(super) fn streams(dims: &Dims, inputs: usize) -> impl Iterator<Item = (&'static str, Vec<Raw>)> + '_ {
    ALL.into_iter().map(move |(name, value)| {
        let raw = |row: usize| {
            let (key, event) = (row % KEYS, row / KEYS);
            let is_wild = key == 0 && event < WILD;
            let value = if is_wild { value(event) } else { wave(event) };
            let time = Some(row as i64 * MICROS_PER_HOUR);
            Raw { key, time, values: vec![value; dims.targets], inputs: vec![value; inputs] }
        };
        (name, (0..KEYS * (WILD + QUIET)).map(raw).collect())
    })
}
