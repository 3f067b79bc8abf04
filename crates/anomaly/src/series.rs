//! The series of a partition, each with its detector, and which of them has to go when there is no room.

use std::collections::BTreeMap;

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use crate::config::AnomalyConfig;
use crate::detector::Detector;
use crate::error::AnomalyError;
use crate::state;

/// A key, which may be missing, and a target. In order: the missing key first, then by bytes.
pub(crate) type Name = (Option<Box<str>>, Box<str>);

/// Series and their detectors.
///
/// Before a new one would be the `max_series + 1`-th, the least recently seen is forgotten; when it comes back, it starts afresh.
pub(crate) struct AllSeries {
    config: AnomalyConfig,
    /// Rows seen so far, of all series together.
    rows: i64,
    by_name: BTreeMap<Name, Seen>,
    /// Which series was last seen at which row.
    by_row: BTreeMap<i64, Name>,
}

struct Seen {
    detector: Detector,
    last_row: i64,
}

impl AllSeries {
    pub(crate) fn new(config: &AnomalyConfig) -> Self {
        Self { config: config.clone(), rows: 0, by_name: BTreeMap::new(), by_row: BTreeMap::new() }
    }

    /// The detector of a series that is seen now.
    pub(crate) fn see(&mut self, key: Option<&str>, target: &str) -> &mut Detector {
        let name: Name = (key.map(Box::from), Box::from(target));
        let row = self.rows;
        self.rows += 1;
        match self.by_name.get(&name) {
            Some(seen) => drop(self.by_row.remove(&seen.last_row)),
            None => self.make_room(),
        }
        self.by_row.insert(row, name.clone());
        let config = &self.config;
        let seen = self.by_name.entry(name).or_insert_with(|| Seen { detector: Detector::new(config), last_row: row });
        seen.last_row = row;
        &mut seen.detector
    }

    fn make_room(&mut self) {
        let max = self.config.max_series.unwrap_or(usize::MAX);
        while self.by_name.len() >= max {
            let Some((_, oldest)) = self.by_row.pop_first() else { return };
            self.by_name.remove(&oldest);
        }
    }

    /// Forgets every series whose key is not to stay.
    pub(crate) fn retain_keys(&mut self, keep: &dyn Fn(Option<&str>) -> bool) {
        self.by_name.retain(|(key, _), _| keep(key.as_deref()));
        self.by_row.retain(|_, (key, _)| keep(key.as_deref()));
    }

    pub(crate) fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), AnomalyError> {
        let count = [self.by_name.len()];
        to.i64("rows", &[1], &[self.rows])?;
        let has_key: Vec<u8> = self.by_name.keys().map(|(key, _)| u8::from(key.is_some())).collect();
        to.u8("has_key", &count, &has_key)?;
        to.strings("keys", self.by_name.keys().map(|(key, _)| key.as_deref().unwrap_or_default()))?;
        to.strings("targets", self.by_name.keys().map(|(_, target)| &**target))?;
        to.i64("last_row", &count, &self.by_name.values().map(|seen| seen.last_row).collect::<Vec<_>>())?;
        let states: Vec<_> = self.by_name.values().map(|seen| &seen.detector.state).collect();
        to.scope("detectors", |to| state::write(&states, to))
    }

    pub(crate) fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), AnomalyError> {
        let rows = from.i64("rows", &[1])?[0];
        let (keys, targets) = (from.strings("keys")?, from.strings("targets")?);
        let count = keys.len();
        let (has_key, last_rows) = (from.u8("has_key", &[count])?, from.i64("last_row", &[count])?);
        if targets.len() != count || rows < 0 || !last_rows.iter().all(|row| (0..rows).contains(row)) {
            return Err(AnomalyError::Restore("its series are not those of its rows"));
        }
        let states = from.scope("detectors");
        let states = state::read(count, self.config.history_max, &states)?;
        let mut restored = Self { rows, ..Self::new(&self.config) };
        for ((((key, has_key), target), last_row), state) in
            keys.iter().zip(has_key).zip(&targets).zip(last_rows).zip(states)
        {
            let name: Name = ((has_key != 0).then(|| Box::from(key.as_str())), Box::from(target.as_str()));
            restored.by_row.insert(last_row, name.clone());
            restored.by_name.insert(name, Seen { detector: Detector::with(&self.config, state), last_row });
        }
        if restored.by_name.len() != count || restored.by_row.len() != count {
            return Err(AnomalyError::Restore("a series occurs twice"));
        }
        *self = restored;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_seen_series_goes_first_and_starts_afresh() {
        let mut all = AllSeries::new(&AnomalyConfig { max_series: Some(2), ..AnomalyConfig::default() });
        for (key, rows) in [(Some("a"), 1), (None, 1), (Some("a"), 2), (Some("c"), 1), (Some("a"), 3), (None, 1)] {
            let detector = all.see(key, "y");
            detector.observe(Some(1.0), None);
            assert_eq!(detector.state.rows, rows, "{key:?}");
        }
        assert_eq!(all.by_name.len(), 2);
        assert_eq!(all.by_row.len(), 2);
    }

    #[test]
    fn targets_of_a_key_are_series_of_their_own() {
        let mut all = AllSeries::new(&AnomalyConfig::default());
        all.see(Some("a"), "y").observe(Some(1.0), None);
        assert_eq!(all.see(Some("a"), "z").state.rows, 0);
        assert_eq!(all.see(None, "y").state.rows, 0);
    }
}
