//! Which key has which slot of per-key memory, and which key has to go when there is no room.

use std::collections::HashMap;

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use crate::error::ModelError;

const NONE: usize = usize::MAX;

/// Keys and their slots. A missing key is a key of its own.
///
/// Keys are evicted least recently seen first: before a new one would be the `max_keys + 1`-th, and as soon as one has not
/// been seen during the last `ttl_rows` rows of the shard. A key that comes back starts afresh.
pub(crate) struct Keys {
    max_keys: usize,
    ttl_rows: i64,
    slots: HashMap<Box<str>, usize>,
    null_slot: usize,
    entries: Vec<Entry>,
    free: Vec<usize>,
    /// Ends of the list of keys by when they were last seen.
    newest: usize,
    oldest: usize,
    evicted: u64,
}

struct Entry {
    name: Option<Box<str>>,
    /// Events of this key so far.
    events: u64,
    last_row: i64,
    newer: usize,
    older: usize,
}

impl Keys {
    /// Without limits where they are `None`.
    pub(crate) fn new(max_keys: Option<usize>, ttl_rows: Option<u64>) -> Self {
        Self {
            max_keys: max_keys.unwrap_or(usize::MAX),
            ttl_rows: ttl_rows.and_then(|rows| i64::try_from(rows).ok()).unwrap_or(i64::MAX),
            slots: HashMap::new(),
            null_slot: NONE,
            entries: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            evicted: 0,
        }
    }

    /// Slots in use or free.
    pub(crate) fn slot_count(&self) -> usize {
        self.entries.len()
    }

    /// Keys that have a slot.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Keys evicted so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The key of a slot.
    pub(crate) fn name(&self, slot: usize) -> Option<&str> {
        self.entries[slot].name.as_deref()
    }

    /// The slot of the key with most events, and how many those are; the first of several.
    pub(crate) fn busiest(&self) -> Option<(usize, u64)> {
        let all = self.entries.iter().enumerate().rev().map(|(slot, entry)| (slot, entry.events));
        all.filter(|(_, events)| *events > 0).max_by_key(|(_, events)| *events)
    }

    /// How many events the key of a slot had.
    pub(crate) fn events(&self, slot: usize) -> u64 {
        self.entries[slot].events
    }

    /// The slot of a key that is known.
    pub(crate) fn find(&self, key: Option<&str>) -> Option<usize> {
        let slot = match key {
            Some(key) => self.slots.get(key).copied().unwrap_or(NONE),
            None => self.null_slot,
        };
        (slot != NONE).then_some(slot)
    }

    /// The key that has to go before `row` is worked on, where the row's key is `key`; ask again until there is none.
    pub(crate) fn to_evict(&self, key: Option<&str>, row: i64) -> Option<usize> {
        if self.oldest == NONE {
            return None;
        }
        let expired = row - self.entries[self.oldest].last_row > self.ttl_rows;
        let full = self.len() >= self.max_keys && self.find(key).is_none();
        (expired || full).then_some(self.oldest)
    }

    /// Frees a slot for want of room or by age.
    pub(crate) fn evict(&mut self, slot: usize) {
        self.remove(slot);
        self.evicted += 1;
    }

    /// Frees a slot.
    pub(crate) fn remove(&mut self, slot: usize) {
        self.unlink(slot);
        match self.entries[slot].name.take() {
            Some(name) => {
                self.slots.remove(&name);
            }
            None => self.null_slot = NONE,
        }
        self.entries[slot].events = 0;
        self.free.push(slot);
    }

    /// Sees a key at a row: its slot, and how many events it had before.
    pub(crate) fn see(&mut self, key: Option<&str>, row: i64) -> (usize, u64) {
        let slot = match self.find(key) {
            Some(slot) => {
                self.unlink(slot);
                slot
            }
            None => self.add(key),
        };
        self.link_newest(slot, row);
        let entry = &mut self.entries[slot];
        entry.events += 1;
        (slot, entry.events - 1)
    }

    fn add(&mut self, key: Option<&str>) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { name: None, events: 0, last_row: 0, newer: NONE, older: NONE });
            self.entries.len() - 1
        });
        self.entries[slot].name = key.map(Box::from);
        match key {
            Some(key) => {
                self.slots.insert(Box::from(key), slot);
            }
            None => self.null_slot = slot,
        }
        slot
    }

    fn unlink(&mut self, slot: usize) {
        let Entry { newer, older, .. } = self.entries[slot];
        match newer {
            NONE => self.newest = older,
            newer => self.entries[newer].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.entries[older].newer = newer,
        }
    }

    fn link_newest(&mut self, slot: usize, row: i64) {
        let older = self.newest;
        let entry = &mut self.entries[slot];
        (entry.last_row, entry.newer, entry.older) = (row, NONE, older);
        match older {
            NONE => self.oldest = slot,
            older => self.entries[older].newer = slot,
        }
        self.newest = slot;
    }

    /// Slots in the order of their keys: the missing key first, then by bytes. No memory order shows in a snapshot.
    pub(crate) fn canonical_order(&self) -> Vec<usize> {
        let mut slots: Vec<usize> = self.slots.values().copied().collect();
        if self.null_slot != NONE {
            slots.push(self.null_slot);
        }
        slots.sort_unstable_by(|a, b| self.name(*a).cmp(&self.name(*b)));
        slots
    }

    pub(crate) fn snapshot(&self, order: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let entries = || order.iter().map(|slot| &self.entries[*slot]);
        to.u8("has_null", &[1], &[u8::from(self.null_slot != NONE)])?;
        to.strings("names", entries().filter_map(|entry| entry.name.as_deref()))?;
        let count = [order.len()];
        to.i64("events", &count, &entries().map(|entry| entry.events as i64).collect::<Vec<_>>())?;
        to.i64("last_row", &count, &entries().map(|entry| entry.last_row).collect::<Vec<_>>())?;
        Ok(to.i64("evicted", &[1], &[self.evicted as i64])?)
    }

    /// Gives the keys of a snapshot the slots `0 ..` in their order; returns how many there are.
    ///
    /// # Errors
    /// When they contradict each other or the `rows` that the shard has seen.
    pub(crate) fn restore(&mut self, rows: i64, from: &SnapshotReader<'_>) -> Result<usize, ModelError> {
        let has_null = from.u8("has_null", &[1])?[0] != 0;
        let names = from.strings("names")?;
        let count = names.len() + usize::from(has_null);
        let events = from.i64("events", &[count])?;
        let last_rows = from.i64("last_row", &[count])?;
        let evicted = u64::try_from(from.i64("evicted", &[1])?[0]);
        let seen = events.iter().all(|events| (1..=rows).contains(events));
        let (true, true, Ok(evicted)) = (seen, last_rows.iter().all(|row| (0..rows).contains(row)), evicted) else {
            return Err(ModelError::Restore("a key has other counts than the rows allow".into()));
        };
        *self = Self { max_keys: self.max_keys, ttl_rows: self.ttl_rows, ..Self::new(None, None) };
        let all = has_null.then_some(None).into_iter().chain(names.iter().map(|name| Some(name.as_str())));
        for (key, events) in all.zip(events) {
            let slot = self.add(key);
            self.entries[slot].events = events as u64;
        }
        if self.len() != count || self.slots.len() != names.len() {
            return Err(ModelError::Restore("a key occurs twice".into()));
        }
        let mut by_age: Vec<usize> = (0..count).collect();
        by_age.sort_by_key(|slot| last_rows[*slot]);
        by_age.into_iter().for_each(|slot| self.link_newest(slot, last_rows[slot]));
        self.evicted = evicted;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_seen_key_goes_first() {
        let mut keys = Keys::new(Some(2), None);
        keys.see(Some("a"), 0);
        keys.see(Some("b"), 1);
        keys.see(Some("a"), 2);
        assert_eq!(keys.to_evict(Some("a"), 3), None);
        let slot = keys.to_evict(Some("c"), 3).unwrap();
        assert_eq!(keys.name(slot), Some("b"));
        keys.evict(slot);
        assert_eq!(keys.see(Some("c"), 3), (slot, 0));
        assert_eq!(keys.to_evict(None, 4).map(|slot| keys.name(slot)), Some(Some("a")));
    }

    #[test]
    fn a_key_not_seen_during_its_time_to_live_goes() {
        let mut keys = Keys::new(None, Some(3));
        keys.see(None, 0);
        keys.see(Some("b"), 1);
        assert_eq!(keys.to_evict(Some("b"), 3), None);
        let slot = keys.to_evict(Some("b"), 4).unwrap();
        assert_eq!(keys.name(slot), None);
        keys.evict(slot);
        assert_eq!(keys.to_evict(Some("b"), 4), None);
        assert_eq!(keys.see(None, 5).1, 0);
    }

    #[test]
    fn restored_keys_are_evicted_in_the_same_order() {
        let mut keys = Keys::new(Some(3), None);
        for (row, key) in [Some("z"), None, Some("a"), Some("z")].into_iter().enumerate() {
            keys.see(key, row as i64);
        }
        let mut writer = SnapshotWriter::new();
        keys.snapshot(&keys.canonical_order(), &mut writer).unwrap();
        let bytes = writer.finish().unwrap();
        let mut restored = Keys::new(Some(3), None);
        assert_eq!(restored.restore(4, &SnapshotReader::parse(&bytes).unwrap()).unwrap(), 3);
        assert!(restored.restore(3, &SnapshotReader::parse(&bytes).unwrap()).is_err(), "row 3 was not seen yet");
        assert_eq!(restored.restore(4, &SnapshotReader::parse(&bytes).unwrap()).unwrap(), 3);
        let slot = restored.to_evict(Some("new"), 9).unwrap();
        assert_eq!(restored.name(slot), None);
        assert_eq!(restored.see(Some("z"), 9), (2, 2));
    }
}
