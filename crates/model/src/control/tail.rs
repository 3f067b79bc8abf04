//! How wide and how heavy-tailed a control's forecasts are: chosen online, by likelihood, among a few candidates.

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::{Distribution, StudentT, TShape};

use crate::error::ModelError;
use crate::slab::Slab;
use crate::wave::Dims;

/// Degrees of freedom to choose from. Each exceeds 2, so that there is a variance; the last is all but Gaussian.
pub(super) const DEGREES_OF_FREEDOM: [f64; 9] = [2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 12.0, 30.0];
/// How fast a candidate's past losses fade: over some 1,000 labels.
const FADE: f64 = 0.001;
/// Nats that a candidate must make good before the first one gives way to it: a choice by the first few labels is chance.
const HEAD_START: f64 = 4.0;

/// Student's t of a given deviation: how many degrees of freedom, and how many times that deviation is its own.
#[derive(Debug, Clone, Copy)]
struct Tail {
    shape: TShape,
    /// Scale per deviation.
    per_deviation: f64,
}

impl Tail {
    fn new(df: f64, widen: f64) -> Self {
        Self { shape: TShape::new(df), per_deviation: widen * ((df - 2.0) / df).sqrt() }
    }

    fn around(&self, location: f64, deviation: f64) -> Option<StudentT> {
        StudentT::new(location, self.per_deviation * deviation, self.shape)
    }
}

/// Student's t around points that come with a deviation, per key and output.
///
/// Each candidate is a pair of degrees of freedom ν and a factor c, and stands for Student's t with standard deviation c times
/// the deviation. When the label of a forecast arrives, every candidate's loss in nats is taken in (weights of the past
/// 0.999 per label); the candidate with the least is used. The first candidate leads by 4 nats at the start.
pub(super) struct Tails {
    outputs: usize,
    past: usize,
    first: Tail,
    others: Vec<Tail>,
    /// `[h_max, K]`: deviations at the last events, event i at i mod h_max; NaN where there was no forecast.
    deviations: Slab<f64>,
    /// `[K, others]`: faded sums of each one's losses less the first one's.
    losses: Slab<f64>,
}

impl Tails {
    /// Candidates are all pairs of the degrees of freedom and factors given; `first` is a pair to begin with.
    pub(super) fn new(dims: &Dims, first: (f64, f64), dfs: &[f64], factors: &[f64]) -> Self {
        let (outputs, past) = (dims.outputs(), dims.horizon_max());
        let pairs = dfs.iter().flat_map(|df| factors.iter().map(move |factor| (*df, *factor)));
        let others: Vec<Tail> = pairs.filter(|pair| *pair != first).map(|(df, factor)| Tail::new(df, factor)).collect();
        Self {
            outputs,
            past,
            first: Tail::new(first.0, first.1),
            deviations: Slab::new(past * outputs, f64::NAN),
            losses: Slab::new(outputs * others.len(), HEAD_START),
            others,
        }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.deviations.reserve(slots);
        self.losses.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.deviations.clear(slot);
        self.losses.clear(slot);
    }

    /// Takes in how far off the forecast for output `k` was that was issued `horizon` events before this one; NaN counts as
    /// not known.
    pub(super) fn observe(&mut self, slot: usize, event: u64, k: usize, horizon: usize, error: f64) {
        let Some(then) = event.checked_sub(horizon as u64) else { return };
        let deviation = self.deviations.row(slot)[(then % self.past as u64) as usize * self.outputs + k];
        let Some(first) = self.first.around(0.0, deviation).map(|t| t.nll(error)).filter(|nll| nll.is_finite()) else {
            return;
        };
        let losses = &mut self.losses.row_mut(slot)[k * self.others.len()..][..self.others.len()];
        for (loss, tail) in losses.iter_mut().zip(&self.others) {
            if let Some(t) = tail.around(0.0, deviation) {
                *loss = (1.0 - FADE) * *loss + (t.nll(error) - first);
            }
        }
    }

    /// The forecast for output `k` at this event; `None` where location or deviation is none.
    pub(super) fn issue(
        &mut self,
        slot: usize,
        event: u64,
        k: usize,
        location: f64,
        deviation: f64,
    ) -> Option<Distribution> {
        let losses = &self.losses.row(slot)[k * self.others.len()..][..self.others.len()];
        let (mut best, mut least) = (&self.first, 0.0);
        for (loss, tail) in losses.iter().zip(&self.others) {
            if *loss < least {
                (best, least) = (tail, *loss);
            }
        }
        let forecast = best.around(location, deviation);
        let place = (event % self.past as u64) as usize * self.outputs + k;
        self.deviations.row_mut(slot)[place] = if forecast.is_some() { deviation } else { f64::NAN };
        forecast.map(Distribution::StudentT)
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        to.f64("tail.deviations", &[slots.len(), self.deviations.width()], &self.deviations.gather(slots, |d| d))?;
        Ok(to.f64("tail.losses", &[slots.len(), self.losses.width()], &self.losses.gather(slots, |loss| loss))?)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.deviations.fill(&from.f64("tail.deviations", &[keys, self.deviations.width()])?, |d| d);
        self.losses.fill(&from.f64("tail.losses", &[keys, self.losses.width()])?, |loss| loss);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::dims;
    use crate::random::Random;

    /// The forecast of deviation 2 after so many errors.
    fn forecast_after(labels: usize, error: impl Fn(&mut Random) -> f64) -> StudentT {
        let mut tails = Tails::new(&dims(&[2]), (3.0, 1.0), &DEGREES_OF_FREEDOM, &[0.7, 1.0, 1.4]);
        tails.reserve(1);
        let mut random = Random::new(1);
        let mut last = None;
        for event in 0..labels as u64 {
            tails.observe(0, event, 0, 2, error(&mut random));
            last = tails.issue(0, event, 0, 5.0, 2.0);
        }
        match last {
            Some(Distribution::StudentT(t)) => t,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_candidate_stands_until_others_have_proved_better() {
        let forecast = forecast_after(3, |_| 0.1);
        assert_eq!((forecast.location(), forecast.shape().df()), (5.0, 3.0));
        assert!((forecast.std_dev().unwrap() - 2.0).abs() < 1e-12);
    }

    #[test]
    fn light_tails_and_narrow_errors_are_found() {
        let uniform = |random: &mut Random| (2.0 * f64::from(random.unit()) - 1.0) * 2.0 * 1.4 * 3f64.sqrt();
        let forecast = forecast_after(3000, uniform);
        assert_eq!(forecast.shape().df(), 30.0);
        assert!((forecast.std_dev().unwrap() - 2.0 * 1.4).abs() < 1e-9, "{forecast:?}");
    }

    #[test]
    fn heavy_tails_are_found() {
        let mostly_small = |random: &mut Random| {
            let size = 2.0 * f64::from(random.unit()) - 1.0;
            if size.abs() < 0.03 { 400.0 * size } else { size }
        };
        assert!(forecast_after(3000, mostly_small).shape().df() <= 3.0);
    }

    #[test]
    fn no_error_however_large_leaves_a_loss_that_is_not_finite() {
        let mut tails = Tails::new(&dims(&[2]), (3.0, 1.0), &DEGREES_OF_FREEDOM, &[1.0]);
        tails.reserve(1);
        for (event, error) in [0.0, 1e100, -1e100, f64::NAN, f64::INFINITY, 0.0].into_iter().enumerate() {
            tails.observe(0, event as u64, 0, 2, error);
            assert!(tails.issue(0, event as u64, 0, 0.0, 1e-8).is_some());
            assert!(tails.issue(0, event as u64, 0, f64::NAN, 1e-8).is_none());
            assert!(tails.issue(0, event as u64, 0, 0.0, 1e-8).is_some());
            assert!(tails.losses.row(0).iter().all(|loss| loss.is_finite()));
        }
    }
}
