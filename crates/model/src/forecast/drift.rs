//! Whether the forecasts of a key get worse: a detector per key and target.

use sluicegate_core::{Counter, ShardContext, SnapshotReader, SnapshotWriter};
use sluicegate_score::PageHinkley;

use crate::config::DriftConfig;
use crate::error::ModelError;
use crate::slab::Slab;

/// The detectors of all keys, see [`DriftConfig`].
pub(super) struct Drift {
    /// One that has seen nothing, which knows the settings.
    fresh: PageHinkley,
    /// `[targets]`.
    detectors: Slab<PageHinkley>,
    /// Alarms of each target.
    alarms: Vec<Counter>,
}

impl Drift {
    /// No keys yet; `None` where nobody watches.
    pub(super) fn new(config: Option<&DriftConfig>, targets: &[String], shard: &ShardContext) -> Option<Self> {
        let fresh = config?.detector()?;
        let counter = |target: &String| {
            let (operator, partition) = (shard.component.as_str(), shard.partition.as_str());
            let labels = [("operator", operator), ("partition", partition), ("target", target.as_str())];
            shard.metrics.counter("forecast_drift_alarms", &labels)
        };
        let alarms = targets.iter().map(counter).collect();
        Some(Self { fresh, detectors: Slab::new(targets.len(), fresh), alarms })
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.detectors.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.detectors.clear(slot);
    }

    /// Takes in the loss of the product's forecast of each target of an event, NaN where there is none. `alarms` is told which
    /// raise an alarm, and `restart` is called for each of those.
    pub(super) fn observe(
        &mut self,
        slot: usize,
        losses: impl Iterator<Item = f64>,
        alarms: &mut [bool],
        mut restart: impl FnMut(usize),
    ) {
        let detectors = self.detectors.row_mut(slot).iter_mut();
        for (target, ((detector, alarm), loss)) in detectors.zip(alarms).zip(losses).enumerate() {
            *alarm = detector.update(loss);
            self.alarms[target].add(u64::from(*alarm));
            if *alarm {
                restart(target);
            }
        }
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let seen: Vec<f64> =
            self.detectors.gather(slots, |detector| detector.to_array()).into_iter().flatten().collect();
        Ok(to.f64("seen", &[slots.len(), self.detectors.width(), PageHinkley::WIDTH], &seen)?)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let seen = from.f64("seen", &[keys, self.detectors.width(), PageHinkley::WIDTH])?;
        let damaged = || ModelError::Restore("what a detector of drift has seen cannot be".into());
        let detectors = seen.as_chunks::<{ PageHinkley::WIDTH }>().0.iter();
        let detectors = detectors.map(|seen| self.fresh.with_array(*seen).ok_or_else(damaged));
        self.detectors.fill(&detectors.collect::<Result<Vec<_>, _>>()?, |detector| detector);
        Ok(())
    }
}
