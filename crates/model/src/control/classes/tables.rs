//! Counts of what followed which context.

use std::collections::BTreeMap;

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use crate::error::ModelError;

/// What is taken from every count and given to shorter contexts (Ney, Essen & Kneser 1994).
const DISCOUNT: f64 = 0.75;
/// Contexts that are remembered, over all lengths. When there are as many, new ones are no longer begun.
const CONTEXTS_MAX: usize = 1 << 18;

/// What followed one context.
#[derive(Debug, Clone, Default, PartialEq)]
struct Followers {
    total: u32,
    /// Class and how often, by class.
    counts: Vec<(u32, u32)>,
}

impl Followers {
    fn add(&mut self, class: u32) {
        // So that a count never overflows: what follows is a ratio, and halving keeps it.
        if self.total == u32::MAX {
            self.counts.iter_mut().for_each(|(_, count)| *count = count.div_ceil(2));
            self.total = self.counts.iter().map(|(_, count)| count).sum();
        }
        self.total += 1;
        match self.counts.binary_search_by_key(&class, |(class, _)| *class) {
            Ok(place) => self.counts[place].1 += 1,
            Err(place) => self.counts.insert(place, (class, 1)),
        }
    }
}

/// Counts of what followed contexts of every length; the rule is that of [`Counts`](super::Counts).
#[derive(Debug, Clone)]
pub(super) struct Tables {
    classes: usize,
    /// By context, the newest class first.
    followers: BTreeMap<Vec<u32>, Followers>,
}

impl Tables {
    pub(super) fn new(classes: usize) -> Self {
        Self { classes, followers: BTreeMap::new() }
    }

    /// Counts that `class` followed a context and all shorter ones.
    pub(super) fn add(&mut self, context: &[u32], class: u32) {
        let mut room = CONTEXTS_MAX.saturating_sub(self.followers.len());
        for length in 0..=context.len() {
            if let Some(followers) = self.followers.get_mut(&context[..length]) {
                followers.add(class);
            } else if room > 0 {
                room -= 1;
                self.followers.entry(context[..length].to_vec()).or_default().add(class);
            }
        }
    }

    /// The probability of every class after a context, newest class first: overwrites `[classes]`.
    pub(super) fn probabilities(&self, context: &[u32], out: &mut [f32]) {
        let mut p = vec![1.0 / self.classes as f64; self.classes];
        for length in 0..=context.len() {
            let Some(followers) = self.followers.get(&context[..length]) else { break };
            let total = f64::from(followers.total);
            let shorter = DISCOUNT * followers.counts.len() as f64 / total;
            p.iter_mut().for_each(|p| *p *= shorter);
            for (class, count) in &followers.counts {
                p[*class as usize] += (f64::from(*count) - DISCOUNT) / total;
            }
        }
        out.iter_mut().zip(p).for_each(|(out, p)| *out = p as f32);
    }

    pub(super) fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let (mut lengths, mut contexts) = (Vec::new(), Vec::new());
        let (mut widths, mut classes, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for (context, followers) in &self.followers {
            lengths.push(context.len() as i64);
            contexts.extend(context.iter().map(|class| i64::from(*class)));
            widths.push(followers.counts.len() as i64);
            classes.extend(followers.counts.iter().map(|(class, _)| i64::from(*class)));
            counts.extend(followers.counts.iter().map(|(_, count)| i64::from(*count)));
        }
        let parts = [
            ("lengths", &lengths),
            ("contexts", &contexts),
            ("widths", &widths),
            ("classes", &classes),
            ("counts", &counts),
        ];
        for (name, values) in parts {
            to.i64(name, &[values.len()], values)?;
        }
        Ok(())
    }

    pub(super) fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let read = |name: &str| -> Result<Vec<u32>, ModelError> {
            let values = from.i64(name, &[from.shape(name)?.iter().product()])?;
            values.iter().map(|value| u32::try_from(*value).map_err(|_| damaged())).collect()
        };
        let (lengths, contexts) = (read("lengths")?, read("contexts")?);
        let (widths, classes, counts) = (read("widths")?, read("classes")?, read("counts")?);
        if lengths.len() != widths.len() || classes.len() != counts.len() {
            return Err(damaged());
        }
        let (mut contexts, mut pairs) = (contexts.into_iter(), classes.into_iter().zip(counts));
        self.followers.clear();
        for (length, width) in lengths.into_iter().zip(widths) {
            let context: Vec<u32> = contexts.by_ref().take(length as usize).collect();
            let counts: Vec<(u32, u32)> = pairs.by_ref().take(width as usize).collect();
            let total = counts.iter().try_fold(0u32, |total, (_, count)| total.checked_add(*count));
            let known = counts.iter().all(|(class, count)| (*class as usize) < self.classes && *count > 0);
            let (Some(total @ 1..), true, true) = (total, known, counts.is_sorted_by(|a, b| a.0 < b.0)) else {
                return Err(damaged());
            };
            self.followers.insert(context, Followers { total, counts });
        }
        Ok(())
    }
}

fn damaged() -> ModelError {
    ModelError::Restore("counts of what followed which classes contradict each other".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(tables: &Tables, context: &[u32]) -> Vec<f32> {
        let mut p = vec![f32::NAN; tables.classes];
        tables.probabilities(context, &mut p);
        p
    }

    /// By hand: with nothing counted 1/3 each. After "0 then 1" twice and "0 then 2" once, the empty context was followed by
    /// 1, 1, 2: P = (2 − .75)/3, (1 − .75)/3 and the rest .75·2/3 · 1/3 to each. Context 0 was followed by the same.
    #[test]
    fn probabilities_are_those_worked_out_by_hand() {
        let mut tables = Tables::new(3);
        assert_eq!(after(&tables, &[0]), [1.0 / 3.0; 3]);
        for class in [1, 1, 2] {
            tables.add(&[0], class);
        }
        let once: Vec<f64> = [0.0, 1.25, 0.25].iter().map(|count| count / 3.0 + 0.5 / 3.0).collect();
        let twice: Vec<f64> = [0.0, 1.25, 0.25].iter().zip(&once).map(|(count, p)| count / 3.0 + 0.5 * p).collect();
        let close = |found: Vec<f32>, expected: &[f64]| {
            found.iter().zip(expected).all(|(found, expected)| (f64::from(*found) - expected).abs() < 1e-6)
        };
        assert!(close(after(&tables, &[]), &once), "{:?}", after(&tables, &[]));
        assert!(close(after(&tables, &[0]), &twice), "{:?}", after(&tables, &[0]));
        assert!(close(after(&tables, &[2]), &once), "an unknown context falls back to the empty one");
    }

    #[test]
    fn probabilities_always_sum_to_one() {
        let mut tables = Tables::new(5);
        let log: Vec<u32> = (0..200u32).map(|i| (i * i + i / 7) % 5).collect();
        for window in log.windows(4) {
            let context = [window[2], window[1], window[0]];
            let sum: f32 = after(&tables, &context).iter().sum();
            assert!((sum - 1.0).abs() < 1e-6, "{sum}");
            tables.add(&context, window[3]);
        }
    }

    #[test]
    fn counts_survive_a_snapshot() {
        let mut tables = Tables::new(4);
        (0..50u32).for_each(|i| tables.add(&[i % 4, i % 3], (i * 7) % 4));
        let mut writer = SnapshotWriter::new();
        tables.snapshot(&mut writer).unwrap();
        let bytes = writer.finish().unwrap();
        let mut restored = Tables::new(4);
        restored.restore(&SnapshotReader::parse(&bytes).unwrap()).unwrap();
        assert_eq!(restored.followers, tables.followers);
        assert!(Tables::new(3).restore(&SnapshotReader::parse(&bytes).unwrap()).is_err(), "class 3 is none of three");
    }
}
