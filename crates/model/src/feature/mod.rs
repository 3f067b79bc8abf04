//! Features: what the models see of an event, all of it running, none of it from the future.
//!
//! Per target, with y the value observed now (definitions as in `sluicegate-score`'s running statistics, whose weight is
//! max(α, 1/n) at the n-th value):
//! - *level*: mean and deviation of y, α = 0.002;
//! - *slow scale*: rms of y less the last observed value, α = 0.002;
//! - *scale* of a horizon h: rms of y less the level h events ago, α = 0.03, never below 1 % of the level's deviation.
//!
//! The network's input is, per target, the last difference over the slow scale (clipped to ±8) and the level's distance from
//! its mean in deviations (clipped to ±5); then the extra input columns standardised the same way; then the calendar of the
//! next event's time. A missing value moves no statistic: its difference is 0 and its level the last observed one.

mod calendar;

pub use calendar::CalendarFeature;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::{EwMeanSquare, EwMoments};

use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::{Dims, Wave};

const LEVEL_ALPHA: f64 = 0.002;
const SLOW_ALPHA: f64 = 0.002;
const SCALE_ALPHA: f64 = 0.03;
const DIFFERENCE_CLIP: f64 = 8.0;
const LEVEL_CLIP: f64 = 5.0;
const RATIO_CLIP: f64 = 5.0;
/// A scale is at least this share of the level's deviation, so that a flat stretch does not make the next move look endless.
const SCALE_MIN_SHARE: f64 = 0.01;
/// A scale is at least this, so that a constant series divides by something.
const SCALE_MIN: f64 = 1e-8;
/// Values beyond this are taken as infinite: their squares must stay finite.
pub const VALUE_MAX: f64 = 1e100;

/// What the network sees beside the targets' own past.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureConfig {
    /// Cycles of the next event's time.
    pub calendar: Vec<CalendarFeature>,
    /// Further numeric columns to look at. A missing or infinite value counts as the column's running mean.
    pub inputs: Vec<String>,
    /// Further columns of classes to look at: text, integers or booleans. See `classes`.
    pub categories: Vec<String>,
    /// Adds, per target, the logarithm of its fast scale over its slow scale: is it calmer or wilder than usual?
    pub scale_ratio: bool,
    /// Adds, per target and input column, a 1 where the value is missing.
    pub missing_indicator: bool,
}

impl FeatureConfig {
    /// Width of the network's input for so many targets.
    pub fn width(&self, targets: usize) -> usize {
        let indicators = if self.missing_indicator { targets + self.inputs.len() } else { 0 };
        let ratios = if self.scale_ratio { targets } else { 0 };
        2 * targets + ratios + self.inputs.len() + indicators + self.calendar_width()
    }

    /// Width of the calendar.
    pub fn calendar_width(&self) -> usize {
        self.calendar.iter().map(|feature| feature.width()).sum()
    }
}

/// One event as it came in, values that are missing or beyond [`VALUE_MAX`] already NaN.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Place of its key in per-key memory.
    pub slot: usize,
    /// Its index among all rows of the shard.
    pub row: i64,
    /// Its index among the events of its key.
    pub index: u64,
    /// Event time, microseconds since 1970 in UTC.
    pub time: Option<i64>,
    /// `[targets]`.
    pub targets: &'a [f64],
    /// `[extra inputs]`.
    pub inputs: &'a [f64],
    /// Which of the inputs the key's last value stands for; empty where none does.
    pub carried_inputs: &'a [bool],
}

/// The running statistics of one target of one key.
#[derive(Debug, Clone, Copy, Default)]
struct TargetState {
    level: EwMoments,
    slow: EwMeanSquare,
}

/// When a key was last seen, and how long before that.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    time: i64,
    gap: i64,
    known: bool,
}

/// The running statistics of all keys of a shard.
pub struct Features {
    config: FeatureConfig,
    dims: Dims,
    /// Time from an event to the next, in microseconds, where the pipeline states it.
    interval: Option<i64>,
    targets: Slab<TargetState>,
    /// `[K]`: running scales.
    scales: Slab<EwMeanSquare>,
    /// `[h_max, T]`: levels of the last events, event i at i mod h_max.
    levels: Slab<f64>,
    /// `[extra inputs]`.
    inputs: Slab<EwMoments>,
    /// The last value of each extra input.
    last_inputs: Slab<f64>,
    clocks: Slab<Clock>,
}

impl Features {
    /// No keys yet.
    pub fn new(config: FeatureConfig, dims: Dims, interval: Option<i64>) -> Self {
        let (targets, outputs, past) = (dims.targets, dims.outputs(), dims.horizon_max());
        Self {
            targets: Slab::new(targets, TargetState::default()),
            scales: Slab::new(outputs, EwMeanSquare::default()),
            levels: Slab::new(past * targets, f64::NAN),
            inputs: Slab::new(config.inputs.len(), EwMoments::default()),
            last_inputs: Slab::new(config.inputs.len(), f64::NAN),
            clocks: Slab::new(1, Clock::default()),
            config,
            dims,
            interval,
        }
    }

    /// Makes room for slots `0 .. slots`.
    pub fn reserve(&mut self, slots: usize) {
        self.targets.reserve(slots);
        self.scales.reserve(slots);
        self.levels.reserve(slots);
        self.inputs.reserve(slots);
        self.last_inputs.reserve(slots);
        self.clocks.reserve(slots);
    }

    /// Forgets the key of a slot.
    pub fn forget(&mut self, slot: usize) {
        self.targets.clear(slot);
        self.scales.clear(slot);
        self.levels.clear(slot);
        self.inputs.clear(slot);
        self.last_inputs.clear(slot);
        self.clocks.clear(slot);
    }

    /// The last value of a target that was seen of a key before the event of this index; NaN where there is none.
    pub fn last_level(&self, slot: usize, index: u64, target: usize) -> f64 {
        let past = self.dims.horizon_max() as u64;
        match index.checked_sub(1) {
            Some(last) => self.levels.row(slot)[(last % past) as usize * self.dims.targets + target],
            None => f64::NAN,
        }
    }

    /// Takes an event into the statistics of its key and appends what they say to the wave. Returns whether its time lies
    /// before that of an earlier event of the key.
    pub fn observe(&mut self, event: &Event<'_>, wave: &mut Wave) -> bool {
        let Event { slot, index, .. } = *event;
        let (target_count, past) = (self.dims.targets, self.dims.horizon_max());
        wave.slots.push(slot);
        wave.rows.push(event.row);
        wave.events.push(index);
        let states = self.targets.row_mut(slot);
        let scales = self.scales.row_mut(slot);
        let levels = self.levels.row_mut(slot);
        let place = |events_ago: u64| (index.wrapping_sub(events_ago) % past as u64) as usize * target_count;
        let (now, last) = (place(0), place(1));
        let horizons = self.dims.horizons.as_slice();

        for (target, (state, y)) in states.iter_mut().zip(event.targets).enumerate() {
            let known_before = if index == 0 { f64::NAN } else { levels[last + target] };
            let observed = !y.is_nan();
            let step = y - known_before;
            if observed {
                state.level.update(LEVEL_ALPHA, *y);
                state.slow.update(SLOW_ALPHA, step);
            }
            let level = if observed { *y } else { known_before };
            let deviation = state.level.deviation();
            let scale_min = (SCALE_MIN_SHARE * deviation).max(SCALE_MIN);
            let scales = &mut scales[target * horizons.len()..][..horizons.len()];
            for (scale, horizon) in scales.iter_mut().zip(horizons) {
                let horizon = *horizon as u64;
                // Read before this event's level takes the place of the one h_max events ago.
                let before = if horizon <= index { levels[place(horizon) + target] } else { f64::NAN };
                let difference = y - before;
                scale.update(SCALE_ALPHA, difference);
                wave.difference.push(difference);
                wave.scale.push(if scale.n() == 0 { f64::NAN } else { scale.rms().max(scale_min) });
            }
            levels[now + target] = level;

            let slow = state.slow.rms().max(scale_min);
            let difference = if step.is_nan() { 0.0 } else { (step / slow).clamp(-DIFFERENCE_CLIP, DIFFERENCE_CLIP) };
            let distance = (level - state.level.mean()) / deviation.max(SCALE_MIN);
            let level_feature = if distance.is_nan() { 0.0 } else { distance.clamp(-LEVEL_CLIP, LEVEL_CLIP) };
            wave.level.push(level);
            wave.level_feature.push(level_feature);
            wave.scale_min.push(scale_min);
            wave.inputs.extend([difference as f32, level_feature as f32]);
            if self.config.scale_ratio {
                let ratio = (scales[0].rms().max(scale_min) / slow).ln();
                wave.inputs.push(ratio.clamp(-RATIO_CLIP, RATIO_CLIP) as f32);
            }
            if self.config.missing_indicator {
                wave.inputs.push(f32::from(!observed));
            }
        }

        let lasts = self.last_inputs.row_mut(slot);
        for (place, (state, x)) in self.inputs.row_mut(slot).iter_mut().zip(event.inputs).enumerate() {
            let carried = event.carried_inputs.get(place).is_some_and(|carried| *carried);
            let x = if carried { lasts[place] } else { *x };
            let observed = !x.is_nan();
            if observed {
                state.update(LEVEL_ALPHA, x);
                lasts[place] = x;
            }
            let distance = if observed { (x - state.mean()) / state.deviation().max(SCALE_MIN) } else { 0.0 };
            wave.inputs.push(distance.clamp(-LEVEL_CLIP, LEVEL_CLIP) as f32);
            if self.config.missing_indicator {
                wave.inputs.push(f32::from(!observed));
            }
        }

        let first = wave.calendar.len();
        let (next, went_back) = self.next_time(slot, event.time);
        for feature in &self.config.calendar {
            match next {
                Some(next) => feature.push(next, &mut wave.calendar),
                None => wave.calendar.extend(std::iter::repeat_n(0.0, feature.width())),
            }
        }
        wave.inputs.extend(wave.calendar[first..].iter().map(|value| *value as f32));
        went_back
    }

    /// When the key's next event is to be expected: one interval on, or one of its last gap. Never its actual time. And
    /// whether this event's time lies before an earlier one; such an event sets no gap.
    fn next_time(&mut self, slot: usize, time: Option<i64>) -> (Option<i64>, bool) {
        let clock = &mut self.clocks.row_mut(slot)[0];
        let Some(time) = time else { return (None, false) };
        let went_back = clock.known && time < clock.time;
        if !went_back {
            if clock.known {
                clock.gap = time.saturating_sub(clock.time);
            }
            clock.time = time;
            clock.known = true;
        }
        (Some(time.saturating_add(self.interval.unwrap_or(clock.gap))), went_back)
    }

    /// Writes the statistics of the given slots in their order.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let keys = slots.len();
        let shape = [keys, self.dims.targets];
        to.i64("level.n", &shape, &self.targets.gather(slots, |state| state.level.n() as i64))?;
        to.f64("level.mean", &shape, &self.targets.gather(slots, |state| state.level.mean()))?;
        to.f64("level.variance", &shape, &self.targets.gather(slots, |state| state.level.variance()))?;
        to.i64("slow.n", &shape, &self.targets.gather(slots, |state| state.slow.n() as i64))?;
        to.f64("slow.square", &shape, &self.targets.gather(slots, |state| state.slow.value()))?;
        let shape = [keys, self.scales.width()];
        to.i64("scale.n", &shape, &self.scales.gather(slots, |scale| scale.n() as i64))?;
        to.f64("scale.square", &shape, &self.scales.gather(slots, |scale| scale.value()))?;
        to.f64("levels", &[keys, self.levels.width()], &self.levels.gather(slots, |level| level))?;
        let shape = [keys, self.inputs.width()];
        to.i64("input.n", &shape, &self.inputs.gather(slots, |state| state.n() as i64))?;
        to.f64("input.mean", &shape, &self.inputs.gather(slots, |state| state.mean()))?;
        to.f64("input.variance", &shape, &self.inputs.gather(slots, |state| state.variance()))?;
        to.f64("input.last", &shape, &self.last_inputs.gather(slots, |last| last))?;
        to.i64("clock.time", &[keys], &self.clocks.gather(slots, |clock| clock.time))?;
        to.i64("clock.gap", &[keys], &self.clocks.gather(slots, |clock| clock.gap))?;
        to.u8("clock.known", &[keys], &self.clocks.gather(slots, |clock| u8::from(clock.known)))?;
        Ok(())
    }

    /// Reads what [`Features::snapshot`] wrote, for slots `0 .. keys`.
    ///
    /// # Errors
    /// When it was written with other settings, or is damaged.
    pub fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        let shape = [keys, self.dims.targets];
        let levels = moments(
            &from.i64("level.n", &shape)?,
            &from.f64("level.mean", &shape)?,
            &from.f64("level.variance", &shape)?,
        )?;
        let slows = squares(&from.i64("slow.n", &shape)?, &from.f64("slow.square", &shape)?)?;
        let states: Vec<TargetState> =
            levels.into_iter().zip(slows).map(|(level, slow)| TargetState { level, slow }).collect();
        self.targets.fill(&states, |state| state);
        let shape = [keys, self.scales.width()];
        self.scales.fill(&squares(&from.i64("scale.n", &shape)?, &from.f64("scale.square", &shape)?)?, |scale| scale);
        self.levels.fill(&from.f64("levels", &[keys, self.levels.width()])?, |level| level);
        let shape = [keys, self.inputs.width()];
        let inputs = moments(
            &from.i64("input.n", &shape)?,
            &from.f64("input.mean", &shape)?,
            &from.f64("input.variance", &shape)?,
        )?;
        self.inputs.fill(&inputs, |state| state);
        self.last_inputs.fill(&from.f64("input.last", &shape)?, |last| last);
        let times = from.i64("clock.time", &[keys])?;
        let gaps = from.i64("clock.gap", &[keys])?;
        let known = from.u8("clock.known", &[keys])?;
        let clocks: Vec<Clock> = times
            .into_iter()
            .zip(gaps)
            .zip(known)
            .map(|((time, gap), known)| Clock { time, gap, known: known != 0 })
            .collect();
        self.clocks.fill(&clocks, |clock| clock);
        Ok(())
    }
}

/// Running mean squares from their written parts.
pub(crate) fn squares(n: &[i64], values: &[f64]) -> Result<Vec<EwMeanSquare>, ModelError> {
    let damaged = || ModelError::Restore("a running mean square is not one".into());
    n.iter()
        .zip(values)
        .map(|(n, value)| u64::try_from(*n).ok().and_then(|n| EwMeanSquare::from_parts(n, *value)).ok_or_else(damaged))
        .collect()
}

fn moments(n: &[i64], means: &[f64], variances: &[f64]) -> Result<Vec<EwMoments>, ModelError> {
    let damaged = || ModelError::Restore("a running mean and variance are not ones".into());
    n.iter()
        .zip(means)
        .zip(variances)
        .map(|((n, mean), variance)| {
            u64::try_from(*n).ok().and_then(|n| EwMoments::from_parts(n, *mean, *variance)).ok_or_else(damaged)
        })
        .collect()
}
