//! Sequences sampled forward from a learned state.
//!
//! What the operator forecasts of a key's next event is drawn from, and what was drawn is taken for that event, which gives a
//! forecast of the one after it, and so on: ancestral sampling. Targets of one event are drawn apart, since the forecast says nothing
//! of how they hang together.

mod chance;
mod sequences;

pub(super) use chance::Chance;
pub use sequences::{Generator, Sequences};

use std::ops::RangeInclusive;

use sluicegate_core::Operator;

use super::desk::Desk;
use super::operator::ForecastOperator;
use crate::error::ModelError;

/// One generated event.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its time, microseconds since 1970 in UTC: one interval after the event before it, or one of the key's last gap. `None`
    /// where events have none.
    pub time: Option<i64>,
    /// Of each target, in the order of the settings.
    pub values: Vec<Value>,
}

/// A generated target.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// In the units of the source: what `transform` does is undone.
    Number(f64),
    /// As the source writes it. Never the open class, which cannot be written.
    Class(String),
}

/// The target of an event that is to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next {
    /// The slot of its key.
    pub(super) slot: usize,
    /// Its index among the events of its key.
    pub(super) event: u64,
    pub(super) target: usize,
}

/// A target as models see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Drawn {
    Number(f64),
    Class(u32),
}

/// An operator whose state can be gone on with without events.
trait Sampler: Operator {
    /// The keys that are known, the missing one first, then by bytes.
    fn keys(&self) -> Vec<Option<String>>;

    /// Draws the next event of a key, its numbers clipped to a range, and takes it in.
    fn step(
        &mut self,
        key: Option<&str>,
        range: &RangeInclusive<f64>,
        chance: &mut Chance<'_>,
    ) -> Result<Step, ModelError>;
}

impl<D: Desk> Sampler for ForecastOperator<D> {
    fn keys(&self) -> Vec<Option<String>> {
        self.keys.canonical_order().into_iter().map(|slot| self.keys.name(slot).map(str::to_owned)).collect()
    }

    fn step(
        &mut self,
        key: Option<&str>,
        range: &RangeInclusive<f64>,
        chance: &mut Chance<'_>,
    ) -> Result<Step, ModelError> {
        let slot = self.keys.find(key).ok_or_else(|| ModelError::Generate("the key is not known".into()))?;
        let (event, time) = (self.keys.events(slot), self.features.next_time(slot));
        let mut drawn = Vec::with_capacity(self.columns.target_count());
        for target in 0..self.columns.target_count() {
            let classes = self.vocabularies.get(target);
            let one = self.desk.draw(Next { slot, event, target }, classes, chance).ok_or_else(|| {
                let message = "nothing was forecast of the key's next event yet, or no class is known; let it see more events first";
                ModelError::Generate(message.into())
            })?;
            drawn.push(one);
        }
        let (events, values) = self.columns.generated(key, time, &drawn, &self.vocabularies, range)?;
        // No table is made of it, so that no score counts what was drawn.
        self.run(&events, 0, 1)?;
        Ok(Step { time, values })
    }
}
