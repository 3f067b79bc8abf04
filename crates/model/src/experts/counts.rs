//! What followed a context, and how often.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use crate::error::ModelError;

/// What is taken from a count of 1, of 2 and of more, and given to the distribution below.
const DISCOUNTS: [f32; 3] = [0.6, 0.8, 0.95];
/// Counts of a context are halved when one of them is so large: what came lately counts for more, and `f32` holds them exactly.
const COUNT_MAX: u32 = 1 << 20;

/// Contexts are hashes already.
#[derive(Default)]
struct Unchanged(u64);

impl Hasher for Unchanged {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// Classes that followed one context, each with how often.
#[derive(Debug, Clone, Default, PartialEq)]
struct Followers(smallvec::SmallVec<[(u32, u32); 2]>);

/// What a context knows of what follows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Known {
    /// How many classes followed it.
    pub(super) classes: usize,
    /// How often, in all.
    pub(super) total: u64,
}

/// Counts of what followed each of many contexts.
#[derive(Default)]
pub(super) struct Counts {
    followers: HashMap<u64, Followers, BuildHasherDefault<Unchanged>>,
}

impl Counts {
    /// How many contexts there are.
    pub(super) fn len(&self) -> usize {
        self.followers.len()
    }

    /// Counts that `class` followed a context, which is begun only where there is room. Returns whether it had followed it before.
    pub(super) fn add(&mut self, place: u64, class: u32, has_room: bool) -> bool {
        if !has_room && !self.followers.contains_key(&place) {
            return false;
        }
        let Followers(all) = self.followers.entry(place).or_default();
        let Some((_, count)) = all.iter_mut().find(|(known, _)| *known == class) else {
            all.push((class, 1));
            return false;
        };
        *count += 1;
        if *count >= COUNT_MAX {
            all.iter_mut().for_each(|(_, count)| *count = count.div_ceil(2));
        }
        true
    }

    /// Lays the counts of a context over the distribution `below`: interpolated absolute discounting (Ney, Essen & Kneser 1994; Chen
    /// & Goodman 1999), p(c) = max(n(c) − d, 0)/n + (Σ d)/n · below(c), where d depends on n(c). A context that was never seen says
    /// what is below.
    pub(super) fn lay_over(&self, place: u64, below: &[f32], p: &mut [f32]) -> Option<Known> {
        let Some(Followers(all)) = self.followers.get(&place) else {
            p.copy_from_slice(below);
            return None;
        };
        let discount = |count: u32| DISCOUNTS[(count.clamp(1, 3) - 1) as usize];
        let total: u64 = all.iter().map(|(_, count)| u64::from(*count)).sum();
        let given: f32 = all.iter().map(|(_, count)| discount(*count)).sum();
        let (share, each) = (given / total as f32, 1.0 / total as f32);
        p.iter_mut().zip(below).for_each(|(p, below)| *p = below * share);
        for (class, count) in all {
            p[*class as usize] += (*count as f32 - discount(*count)) * each;
        }
        Some(Known { classes: all.len(), total })
    }

    pub(super) fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let mut places: Vec<u64> = self.followers.keys().copied().collect();
        places.sort_unstable();
        let all = || places.iter().filter_map(|place| self.followers.get(place));
        let widths: Vec<i64> = all().map(|Followers(all)| all.len() as i64).collect();
        let pairs = || all().flat_map(|Followers(all)| all);
        let classes: Vec<i64> = pairs().map(|(class, _)| i64::from(*class)).collect();
        let counts: Vec<i64> = pairs().map(|(_, count)| i64::from(*count)).collect();
        let places: Vec<i64> = places.into_iter().map(|place| place as i64).collect();
        for (name, values) in [("contexts", places), ("widths", widths), ("classes", classes), ("counts", counts)] {
            to.i64(name, &[values.len()], &values)?;
        }
        Ok(())
    }

    pub(super) fn restore(&mut self, classes: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let damaged = || ModelError::Restore("counts of experts contradict each other".into());
        let read = |name: &str| from.i64(name, &[from.shape(name)?.iter().product()]);
        let (places, widths) = (read("contexts")?, read("widths")?);
        let (known, counts) = (read("classes")?, read("counts")?);
        if places.len() != widths.len() || known.len() != counts.len() {
            return Err(damaged());
        }
        let mut pairs = known.into_iter().zip(counts);
        self.followers.clear();
        for (place, width) in places.into_iter().zip(widths) {
            let pair = |(class, count): (i64, i64)| -> Option<(u32, u32)> {
                let class = u32::try_from(class).ok().filter(|class| (*class as usize) < classes)?;
                let count = u32::try_from(count).ok().filter(|count| (1..COUNT_MAX).contains(count))?;
                Some((class, count))
            };
            let width =
                usize::try_from(width).ok().filter(|width| (1..=classes).contains(width)).ok_or_else(damaged)?;
            let all: Option<_> = pairs.by_ref().take(width).map(pair).collect();
            let all: smallvec::SmallVec<[(u32, u32); 2]> = all.ok_or_else(damaged)?;
            let is_new = self.followers.insert(place as u64, Followers(all)).is_none();
            let is_whole = self.followers.get(&(place as u64)).is_some_and(|Followers(all)| all.len() == width);
            if !(is_new && is_whole) {
                return Err(damaged());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(counts: &Counts, place: u64, below: &[f32]) -> Vec<f32> {
        let mut p = vec![f32::NAN; below.len()];
        counts.lay_over(place, below, &mut p);
        p
    }

    /// By hand: classes 0, 0, 0, 1 followed. n = 4; taken are .95 of the count 3 and .6 of the count 1, in all 1.55. So
    /// p(0) = 2.05/4 + 1.55/4 · ¼ = .609375, p(1) = .4/4 + .096875, and the others .096875 each.
    #[test]
    fn probabilities_are_those_worked_out_by_hand() {
        let (mut counts, below) = (Counts::default(), [0.25; 4]);
        assert_eq!(said(&counts, 7, &below), below);
        for class in [0, 0, 0, 1] {
            counts.add(7, class, true);
        }
        let expected = [0.609_375, 0.196_875, 0.096_875, 0.096_875];
        let found = said(&counts, 7, &below);
        assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6), "{found:?}");
        assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(counts.lay_over(7, &below, &mut [0.0; 4]), Some(Known { classes: 2, total: 4 }));
    }

    #[test]
    fn no_context_is_begun_without_room() {
        let mut counts = Counts::default();
        assert!(!counts.add(1, 0, true));
        assert!(!counts.add(2, 0, false));
        assert!(counts.add(1, 0, false), "one that is there goes on");
        assert_eq!(counts.len(), 1);
    }

    #[test]
    fn counts_survive_a_snapshot_and_damage_is_told() {
        let mut counts = Counts::default();
        (0..200u64).for_each(|i| {
            counts.add(i * i % 17, (i % 5) as u32, true);
        });
        let bytes = |counts: &Counts| {
            let mut to = SnapshotWriter::new();
            counts.snapshot(&mut to).unwrap();
            to.finish().unwrap()
        };
        let written = bytes(&counts);
        let mut restored = Counts::default();
        restored.restore(5, &SnapshotReader::parse(&written).unwrap()).unwrap();
        assert_eq!(restored.followers, counts.followers);
        assert_eq!(bytes(&restored), written);
        assert!(restored.restore(4, &SnapshotReader::parse(&written).unwrap()).is_err(), "class 4 is none of four");
    }
}
