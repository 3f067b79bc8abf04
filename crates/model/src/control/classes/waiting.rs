//! What was seen and waits to be counted.

use sluicegate_core::{SnapshotReader, SnapshotWriter};

use crate::error::ModelError;
use crate::wave::MISSING;

/// A class with the classes before it, at one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sight {
    /// The row of the shard's log that showed the class.
    pub(super) row: i64,
    /// The output that it was forecast for.
    pub(super) k: usize,
    pub(super) class: u32,
    /// The newest first.
    pub(super) context: Vec<u32>,
}

/// Sights since the last update span ended.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    sights: Vec<Sight>,
}

impl Waiting {
    pub(super) fn push(&mut self, sight: Sight) {
        self.sights.push(sight);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sights.is_empty()
    }

    fn sort(sights: &mut [Sight]) {
        sights.sort_unstable_by_key(|sight| (sight.row, sight.k));
    }

    /// Takes all out, in the order of the log whatever order keys were worked on in.
    pub(super) fn take(&mut self) -> Vec<Sight> {
        let mut sights = std::mem::take(&mut self.sights);
        Self::sort(&mut sights);
        sights
    }

    pub(super) fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let mut sights = self.sights.clone();
        Self::sort(&mut sights);
        let count = [sights.len()];
        to.i64("row", &count, &sights.iter().map(|sight| sight.row).collect::<Vec<_>>())?;
        to.i64("output", &count, &sights.iter().map(|sight| sight.k as i64).collect::<Vec<_>>())?;
        to.i64("class", &count, &sights.iter().map(|sight| i64::from(sight.class)).collect::<Vec<_>>())?;
        to.i64("length", &count, &sights.iter().map(|sight| sight.context.len() as i64).collect::<Vec<_>>())?;
        let contexts: Vec<i64> =
            sights.iter().flat_map(|sight| &sight.context).map(|class| i64::from(*class)).collect();
        Ok(to.i64("contexts", &[contexts.len()], &contexts)?)
    }

    /// Classes of output k must be below `classes[k]`.
    pub(super) fn restore(&mut self, classes: &[usize], from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let damaged = || ModelError::Restore("what waits to be counted contradicts itself".into());
        let count = [from.shape("row")?.iter().product()];
        let (rows, outputs) = (from.i64("row", &count)?, from.i64("output", &count)?);
        let (seen, lengths) = (from.i64("class", &count)?, from.i64("length", &count)?);
        let mut contexts = from.i64("contexts", &[from.shape("contexts")?.iter().product()])?.into_iter();
        self.sights.clear();
        for (((row, k), class), length) in rows.into_iter().zip(outputs).zip(seen).zip(lengths) {
            let k = usize::try_from(k).ok().filter(|k| *k < classes.len()).ok_or_else(damaged)?;
            let known = |class: i64| u32::try_from(class).ok().filter(|class| (*class as usize) < classes[k]);
            let context: Option<Vec<u32>> =
                contexts.by_ref().take(usize::try_from(length).map_err(|_| damaged())?).map(known).collect();
            let (Some(class), Some(context)) = (known(class), context) else { return Err(damaged()) };
            self.sights.push(Sight { row, k, class, context });
        }
        Ok(())
    }
}

/// The classes up to the first that is missing.
pub(super) fn known(classes: impl Iterator<Item = u32>) -> Vec<u32> {
    classes.take_while(|class| *class != MISSING).collect()
}
