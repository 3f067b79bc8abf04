//! Count experts: what mostly follows, by many ways of looking back, pooled by logarithms.
//!
//! For each target there are fifteen experts. Each counts what followed its own kind of context: the last 0 to 6 and the last 8 classes; the
//! last 3, 4 and 5 with everything counted; the three before the last; and, where classes are characters or bytes, the word so far,
//! that with the word before it, and the last three under the last line that ended with a colon. Expert e's probabilities pₑ lie over
//! those of a shorter context (`counts.rs`). Together they say softmax(Σ βₑ ln pₑ + z), a logarithmic pool (Genest & Zidek 1986), where
//! z is what a network adds, or 0. The weight βₑ is a sum of three, chosen by what the orders know, by the last class and by the
//! letters of the word so far; each goes down its gradient at every class that comes, one step of plain gradient descent.
//!
//! Contexts of one key are its own; counts and weights are shared by all keys. They move at the ends of update spans, in the order of
//! the log, so that no forecast depends on which keys were worked on together. Contexts are told apart by 64-bit hashes.

mod context;
mod counts;
mod pool;
mod predictor;

pub(crate) use context::{NO_CHARACTER, PART_OF_CHARACTER};
pub use predictor::ExpertPredictor;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::{ConfigError, SnapshotReader, SnapshotWriter};

use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::{Dims, MISSING, Wave};
use context::{Context, EXPERTS, GATES, WORDS};
use pool::{Pool, Said, Sight};

/// How count experts learn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExpertsConfig {
    /// How far the experts' weights go down their gradient at a class.
    pub rate: f64,
    /// Most contexts that are remembered of a target, over all experts; some 60 bytes each. When there are as many, new ones are no
    /// longer begun.
    pub contexts_max: usize,
}

impl Default for ExpertsConfig {
    fn default() -> Self {
        Self { rate: 3e-4, contexts_max: 1 << 22 }
    }
}

impl ExpertsConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if !(self.rate.is_finite() && self.rate >= 0.0) {
            return Err(ConfigError::new("rate", format!("must be 0 or above, not {}", self.rate)));
        }
        if self.contexts_max < EXPERTS {
            let message = format!("must leave room for {EXPERTS} contexts at least, not {}", self.contexts_max);
            return Err(ConfigError::new("contexts_max", message));
        }
        Ok(())
    }
}

/// The experts of all targets; see the [module](self). They forecast the next event of a key, and none farther ahead.
pub(crate) struct Experts {
    config: ExpertsConfig,
    targets: usize,
    /// Per target.
    pools: Vec<Pool>,
    /// `[T, WORDS]`: what came last at each target of a key.
    contexts: Slab<u64>,
    /// Per target: what was said last, so that learning from the next event need not ask again.
    said: Vec<Said>,
    /// Row, target, and what is to be learned.
    waiting: Vec<(i64, usize, Sight)>,
}

impl Experts {
    pub(crate) fn new(config: ExpertsConfig, dims: &Dims) -> Self {
        Self {
            config,
            targets: dims.targets,
            pools: dims.classes.iter().map(|classes| Pool::new(*classes)).collect(),
            contexts: Slab::new(dims.targets * WORDS, 0),
            said: vec![Said::default(); dims.targets],
            waiting: Vec::new(),
        }
    }

    pub(crate) fn reserve(&mut self, slots: usize) {
        self.contexts.reserve(slots);
    }

    pub(crate) fn forget(&mut self, slot: usize) {
        self.contexts.clear(slot);
        self.forget_said();
    }

    /// Counts and weights have changed, or a slot is another key's.
    fn forget_said(&mut self) {
        self.said.iter_mut().for_each(|said| said.of = None);
    }

    /// How many contexts are remembered, with the name of the metric that says so.
    pub(crate) fn gauge(&self) -> (&'static str, f64) {
        ("forecast_contexts", self.pools.iter().map(Pool::contexts).sum::<usize>() as f64)
    }

    /// Takes in the classes of a row of a wave. One that is missing changes nothing.
    pub(crate) fn see(&mut self, wave: &Wave, index: usize) {
        let codes = wave.codes.len() / wave.len();
        let context = self.contexts.row_mut(wave.slots[index]);
        for (target, words) in context.chunks_exact_mut(WORDS).enumerate() {
            let class = wave.codes[index * codes + target];
            if class != MISSING {
                let character = wave.characters.get(index * self.targets + target).copied().unwrap_or(NO_CHARACTER);
                let mut context = Context::from_words(words);
                context.see(class, character);
                words.copy_from_slice(&context.to_words());
            }
        }
    }

    /// Adds Σ βₑ ln pₑ to the raw numbers of each target's classes, after the event of this index of a key.
    pub(crate) fn add(&mut self, slot: usize, event: u64, raw: &mut [f32]) {
        let mut raw = raw;
        let contexts = self.contexts.row(slot).chunks_exact(WORDS);
        for ((pool, said), words) in self.pools.iter().zip(&mut self.said).zip(contexts) {
            let (here, after) = raw.split_at_mut(pool.classes());
            raw = after;
            if said.of != Some((slot, event)) {
                pool.say(&Context::from_words(words), said);
                said.of = Some((slot, event));
            }
            pool.add(said, here);
        }
    }

    /// Lets the classes of a row of a wave wait to be learned from, given the gradients with respect to what was last
    /// [added](Self::add) for the event before; NaN where there is nothing to learn.
    pub(crate) fn wait(&mut self, wave: &Wave, index: usize, d_raw: &[f32]) {
        let mut d_raw = d_raw;
        for (target, (pool, said)) in self.pools.iter().zip(&self.said).enumerate() {
            let (here, after) = d_raw.split_at(pool.classes());
            d_raw = after;
            let class = wave.classes[index * self.targets + target];
            if class != MISSING && here.iter().all(|d| d.is_finite()) {
                self.waiting.push((wave.rows[index], target, pool.sight(said, class, here)));
            }
        }
    }

    /// Whether there is something to learn.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Learns from everything that waits, in the order of the log.
    pub(crate) fn learn(&mut self) {
        self.waiting.sort_by_key(|(row, target, _)| (*row, *target));
        for (_, target, sight) in self.waiting.drain(..) {
            self.pools[target].learn(&sight, self.config.rate as f32, self.config.contexts_max);
        }
        self.forget_said();
    }

    pub(crate) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        to.i64("context", &[slots.len(), self.contexts.width()], &self.contexts.gather(slots, |word| word as i64))?;
        for (target, pool) in self.pools.iter().enumerate() {
            to.scope(&format!("target.{target}"), |to| pool.snapshot(to))?;
        }
        let mut waiting: Vec<_> = self.waiting.iter().collect();
        waiting.sort_by_key(|(row, target, _)| (*row, *target));
        let count = waiting.len();
        let numbers =
            |of: &dyn Fn(&(i64, usize, Sight)) -> i64| waiting.iter().map(|sight| of(sight)).collect::<Vec<_>>();
        to.i64("waiting.row", &[count], &numbers(&|(row, _, _)| *row))?;
        to.i64("waiting.target", &[count], &numbers(&|(_, target, _)| *target as i64))?;
        to.i64("waiting.class", &[count], &numbers(&|(_, _, sight)| i64::from(sight.class)))?;
        let places: Vec<i64> =
            waiting.iter().flat_map(|(_, _, sight)| sight.places.map(|place| place as i64)).collect();
        let gates: Vec<i64> = waiting.iter().flat_map(|(_, _, sight)| sight.gates.map(|gate| gate as i64)).collect();
        let d_weights: Vec<f32> = waiting.iter().flat_map(|(_, _, sight)| sight.d_weights).collect();
        to.i64("waiting.contexts", &[count, EXPERTS], &places)?;
        to.i64("waiting.gates", &[count, GATES], &gates)?;
        Ok(to.f32("waiting.gradients", &[count, EXPERTS], &d_weights)?)
    }

    pub(crate) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let contexts = from.i64("context", &[keys, self.contexts.width()])?;
        let is_class = |(place, word): (usize, &i64)| {
            let (target, word_of) = (place % self.contexts.width() / WORDS, place % WORDS);
            word_of >= context::RECENT || (0..=self.pools[target].classes() as i64).contains(word)
        };
        if !contexts.iter().enumerate().all(is_class) {
            return Err(ModelError::Restore("a past class of the experts is none of its target's".into()));
        }
        self.contexts.fill(&contexts, |word| word as u64);
        for (target, pool) in self.pools.iter_mut().enumerate() {
            pool.restore(&from.scope(&format!("target.{target}")))?;
        }
        let count = from.shape("waiting.row")?.iter().product();
        let (rows, targets) = (from.i64("waiting.row", &[count])?, from.i64("waiting.target", &[count])?);
        let classes = from.i64("waiting.class", &[count])?;
        let (places, gates) =
            (from.i64("waiting.contexts", &[count, EXPERTS])?, from.i64("waiting.gates", &[count, GATES])?);
        let d_weights = from.f32("waiting.gradients", &[count, EXPERTS])?;
        self.waiting.clear();
        for (index, row) in rows.into_iter().enumerate() {
            let damaged = || ModelError::Restore("what waits for the experts contradicts itself".into());
            let target = usize::try_from(targets[index]).ok().filter(|target| *target < self.targets);
            let target = target.ok_or_else(damaged)?;
            let class = u32::try_from(classes[index]).map_err(|_| damaged())?;
            let mut sight = Sight { class, places: [0; EXPERTS], gates: [0; GATES], d_weights: [0.0; EXPERTS] };
            sight.d_weights.copy_from_slice(&d_weights[index * EXPERTS..][..EXPERTS]);
            sight.places.iter_mut().zip(&places[index * EXPERTS..]).for_each(|(place, read)| *place = *read as u64);
            for (gate, read) in sight.gates.iter_mut().zip(&gates[index * GATES..]) {
                *gate = usize::try_from(*read).map_err(|_| damaged())?;
            }
            if !self.pools[target].has(&sight) {
                return Err(damaged());
            }
            self.waiting.push((row, target, sight));
        }
        self.forget_said();
        Ok(())
    }
}
