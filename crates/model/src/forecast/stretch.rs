//! Which events a table is of.

/// A contiguous run of events.
pub(super) struct Stretch {
    /// Offsets of the events.
    pub(super) offsets: Vec<i64>,
    /// Event times, microseconds since 1970 in UTC.
    pub(super) times: Vec<Option<i64>>,
    /// For each event the place of its key in `keys`.
    pub(super) key_of: Vec<i32>,
    /// The distinct keys.
    pub(super) keys: Vec<Option<String>>,
}
