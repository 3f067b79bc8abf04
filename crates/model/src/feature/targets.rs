//! The targets' own past: running level, scales, and the levels of the last events.

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::{EwMeanSquare, EwMoments};

use super::{Event, FeatureConfig, parts};
use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::{Dims, Wave};

const SLOW_ALPHA: f64 = 0.002;
const DIFFERENCE_CLIP: f64 = 8.0;
pub(super) const LEVEL_CLIP: f64 = 5.0;
const RATIO_CLIP: f64 = 5.0;
/// A scale is at least this share of the level's deviation, so that a flat stretch does not make the next move look endless.
const SCALE_MIN_SHARE: f64 = 0.01;
/// A scale is at least this, so that a constant series divides by something.
pub(super) const SCALE_MIN: f64 = 1e-8;

/// The running statistics of the targets of all keys.
pub(super) struct Targets {
    count: usize,
    horizons: Vec<usize>,
    lags: Vec<usize>,
    scale_ratio: bool,
    missing_indicator: bool,
    level_alpha: f64,
    scale_alpha: f64,
    /// Events whose levels are kept: as many as the farthest horizon or lag.
    past: usize,
    /// `[T]`: mean and deviation of the level.
    level: Slab<EwMoments>,
    /// `[T]`: slow scale.
    slow: Slab<EwMeanSquare>,
    /// `[K]`: running scales.
    scales: Slab<EwMeanSquare>,
    /// `[past, T]`: levels of the last events, event i at i mod past.
    levels: Slab<f64>,
}

impl Targets {
    /// No keys yet.
    pub(super) fn new(config: &FeatureConfig, dims: &Dims) -> Self {
        let past = dims.horizon_max().max(config.lag_max());
        Self {
            count: dims.targets,
            horizons: dims.horizons.clone(),
            lags: config.lags.clone(),
            scale_ratio: config.scale_ratio,
            missing_indicator: config.missing_indicator,
            level_alpha: config.level_alpha,
            scale_alpha: config.scale_alpha,
            past,
            level: Slab::new(dims.targets, EwMoments::default()),
            slow: Slab::new(dims.targets, EwMeanSquare::default()),
            scales: Slab::new(dims.outputs(), EwMeanSquare::default()),
            levels: Slab::new(past * dims.targets, f64::NAN),
        }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.level.reserve(slots);
        self.slow.reserve(slots);
        self.scales.reserve(slots);
        self.levels.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.level.clear(slot);
        self.slow.clear(slot);
        self.scales.clear(slot);
        self.levels.clear(slot);
    }

    /// The last value of a target that was seen before the event of this index; NaN where there is none.
    pub(super) fn last_level(&self, slot: usize, index: u64, target: usize) -> f64 {
        match index.checked_sub(1) {
            Some(last) => self.levels.row(slot)[(last % self.past as u64) as usize * self.count + target],
            None => f64::NAN,
        }
    }

    /// Takes in the values of an event and appends what they say to the wave.
    pub(super) fn observe(&mut self, event: &Event<'_>, wave: &mut Wave) {
        let Event { slot, index, .. } = *event;
        let (count, past) = (self.count, self.past as u64);
        let levels = self.levels.row_mut(slot);
        let place = |events_ago: u64| (index.wrapping_sub(events_ago) % past) as usize * count;
        // Asked before this event's level takes the place of the one `past` events ago.
        let ago = |levels: &[f64], events_ago: u64, target: usize| {
            if events_ago <= index { levels[place(events_ago) + target] } else { f64::NAN }
        };
        let scales = self.scales.row_mut(slot).chunks_exact_mut(self.horizons.len());
        let states = self.level.row_mut(slot).iter_mut().zip(self.slow.row_mut(slot)).zip(scales);
        for (target, (((level_state, slow_state), scales), y)) in states.zip(event.targets).enumerate() {
            let known_before = ago(levels, 1, target);
            let observed = !y.is_nan();
            let step = y - known_before;
            if observed {
                level_state.update(self.level_alpha, *y);
                slow_state.update(SLOW_ALPHA, step);
            }
            let level = if observed { *y } else { known_before };
            let deviation = level_state.deviation();
            let scale_min = (SCALE_MIN_SHARE * deviation).max(SCALE_MIN);
            for (scale, horizon) in scales.iter_mut().zip(&self.horizons) {
                let difference = y - ago(levels, *horizon as u64, target);
                scale.update(self.scale_alpha, difference);
                wave.difference.push(difference);
                wave.scale.push(if scale.n() == 0 { f64::NAN } else { scale.rms().max(scale_min) });
            }

            let normalised = |level: f64| {
                let distance = (level - level_state.mean()) / deviation.max(SCALE_MIN);
                if distance.is_nan() { 0.0 } else { distance.clamp(-LEVEL_CLIP, LEVEL_CLIP) }
            };
            let slow = slow_state.rms().max(scale_min);
            let difference = if step.is_nan() { 0.0 } else { (step / slow).clamp(-DIFFERENCE_CLIP, DIFFERENCE_CLIP) };
            let level_feature = normalised(level);
            wave.level.push(level);
            wave.level_feature.push(level_feature);
            wave.scale_min.push(scale_min);
            wave.inputs.extend([difference as f32, level_feature as f32]);
            if self.scale_ratio {
                let ratio = (scales[0].rms().max(scale_min) / slow).ln();
                wave.inputs.push(ratio.clamp(-RATIO_CLIP, RATIO_CLIP) as f32);
            }
            if self.missing_indicator {
                wave.inputs.push(f32::from(!observed));
            }
            wave.inputs.extend(self.lags.iter().map(|lag| normalised(ago(levels, *lag as u64, target)) as f32));
            levels[place(0) + target] = level;
        }
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        parts::write_moments("level", &self.level, slots, to)?;
        parts::write_squares("slow", &self.slow, slots, to)?;
        parts::write_squares("scale", &self.scales, slots, to)?;
        let shape = [slots.len(), self.levels.width()];
        Ok(to.f64("levels", &shape, &self.levels.gather(slots, |level| level))?)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        parts::read_moments("level", &mut self.level, keys, from)?;
        parts::read_squares("slow", &mut self.slow, keys, from)?;
        parts::read_squares("scale", &mut self.scales, keys, from)?;
        self.levels.fill(&from.f64("levels", &[keys, self.levels.width()])?, |level| level);
        Ok(())
    }
}
