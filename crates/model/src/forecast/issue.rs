//! What one run of rows gave, before it becomes a table.

use super::Cell;

/// A contiguous run of events with what every model said of them.
pub(super) struct Issue {
    /// Offsets of the events.
    pub(super) offsets: Vec<i64>,
    /// Event times, microseconds since 1970 in UTC.
    pub(super) times: Vec<Option<i64>>,
    /// For each event the place of its key in `keys`.
    pub(super) key_of: Vec<i32>,
    /// The distinct keys.
    pub(super) keys: Vec<Option<String>>,
    /// `[events, targets]`: values observed at the events, NaN where missing.
    pub(super) observed: Vec<f64>,
    /// `[events, K, models]`.
    pub(super) cells: Vec<Cell>,
}
