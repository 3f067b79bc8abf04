//! Event times of each key: when the next event is to be expected, and how long the last took to come.

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::EwMoments;

use super::parts;
use crate::error::ModelError;
use crate::slab::Slab;

/// Of the running mean of a key's gaps.
const GAP_ALPHA: f64 = 0.002;
/// A gap beyond e⁵ times the usual says no more than one of that.
const ELAPSED_CLIP: f64 = 5.0;
const MICROS_PER_SECOND: f64 = 1e6;

/// When a key was last seen, and how long before that.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    time: i64,
    gap: i64,
    known: bool,
}

/// The clocks of all keys.
pub(super) struct Clocks {
    /// Time from an event to the next, in microseconds, where the pipeline states it.
    interval: Option<i64>,
    clocks: Slab<Clock>,
    /// Seconds from an event to the next, where somebody looks at them.
    gaps: Slab<EwMoments>,
}

/// What an event's time says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    /// When the key's next event is to be expected: one interval on, or one of its last gap. Never its actual time. `None`
    /// for an event without a time.
    pub(super) next: Option<i64>,
    /// ln((1 + gap/mean)/2), the mean being that of the key's gaps up to this one: 0 where the gap is as long as usual, and
    /// where there is none or nobody looks.
    pub(super) elapsed: f64,
    /// The time lies before that of an earlier event. Such an event sets no gap.
    pub(super) went_back: bool,
}

impl Clocks {
    /// No keys yet. `elapsed` says whether anybody looks at the time since the last event.
    pub(super) fn new(interval: Option<i64>, elapsed: bool) -> Self {
        Self {
            interval,
            clocks: Slab::new(1, Clock::default()),
            gaps: Slab::new(usize::from(elapsed), EwMoments::default()),
        }
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        self.clocks.reserve(slots);
        self.gaps.reserve(slots);
    }

    pub(super) fn forget(&mut self, slot: usize) {
        self.clocks.clear(slot);
        self.gaps.clear(slot);
    }

    /// Takes in the time of an event.
    pub(super) fn observe(&mut self, slot: usize, time: Option<i64>) -> Reading {
        let clock = &mut self.clocks.row_mut(slot)[0];
        let Some(time) = time else { return Reading { next: None, elapsed: 0.0, went_back: false } };
        let went_back = clock.known && time < clock.time;
        let mut elapsed = 0.0;
        if !went_back {
            if clock.known {
                clock.gap = time.saturating_sub(clock.time);
                if let [mean] = self.gaps.row_mut(slot) {
                    elapsed = of_usual(mean, clock.gap as f64 / MICROS_PER_SECOND);
                }
            }
            clock.time = time;
            clock.known = true;
        }
        Reading { next: Some(time.saturating_add(self.interval.unwrap_or(clock.gap))), elapsed, went_back }
    }

    /// When the key's next event is to be expected; `None` where none of its events had a time.
    pub(super) fn next(&self, slot: usize) -> Option<i64> {
        let clock = self.clocks.row(slot)[0];
        clock.known.then(|| clock.time.saturating_add(self.interval.unwrap_or(clock.gap)))
    }

    pub(super) fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        let keys = slots.len();
        to.i64("clock.time", &[keys], &self.clocks.gather(slots, |clock| clock.time))?;
        to.i64("clock.gap", &[keys], &self.clocks.gather(slots, |clock| clock.gap))?;
        to.u8("clock.known", &[keys], &self.clocks.gather(slots, |clock| u8::from(clock.known)))?;
        parts::write_moments("gap", &self.gaps, slots, to)
    }

    pub(super) fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
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
        parts::read_moments("gap", &mut self.gaps, keys, from)
    }
}

/// Takes a gap into the running mean and says how it compares with it.
fn of_usual(mean: &mut EwMoments, gap: f64) -> f64 {
    mean.update(GAP_ALPHA, gap);
    let ratio = gap / mean.mean();
    // Events that all come at once have no usual gap.
    if ratio.is_finite() { (ratio.ln_1p() - std::f64::consts::LN_2).clamp(-ELAPSED_CLIP, ELAPSED_CLIP) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn clocks(interval: Option<i64>) -> Clocks {
        let mut clocks = Clocks::new(interval, true);
        clocks.reserve(1);
        clocks
    }

    #[test]
    fn the_next_time_is_one_gap_or_one_interval_on() {
        let mut by_gap = clocks(None);
        let mut by_interval = clocks(Some(60 * SECOND));
        for (time, expected) in [(10, 10), (13, 16), (20, 27)] {
            assert_eq!(by_gap.observe(0, Some(time * SECOND)).next, Some(expected * SECOND));
            assert_eq!(by_interval.observe(0, Some(time * SECOND)).next, Some((time + 60) * SECOND));
        }
        let back = by_gap.observe(0, Some(5 * SECOND));
        assert_eq!(back, Reading { next: Some(12 * SECOND), elapsed: 0.0, went_back: true });
        assert_eq!(by_gap.observe(0, None), Reading { next: None, elapsed: 0.0, went_back: false });
        assert_eq!(by_gap.observe(0, Some(21 * SECOND)).next, Some(22 * SECOND), "the gap is from the last in order");
    }

    #[test]
    fn elapsed_time_is_0_when_it_is_as_long_as_usual() {
        let mut clocks = clocks(None);
        assert_eq!(clocks.observe(0, Some(0)).elapsed, 0.0, "nothing is known of the first event");
        for event in 1..50 {
            assert!(clocks.observe(0, Some(event * SECOND)).elapsed.abs() < 1e-12);
        }
        // The mean of 49 gaps of one second and one of 9.
        let longer = clocks.observe(0, Some(58 * SECOND)).elapsed;
        assert!((longer - ((1.0f64 + 9.0 / 1.16) / 2.0).ln()).abs() < 1e-12, "{longer}");
        assert!(clocks.observe(0, Some(58 * SECOND)).elapsed < -0.6, "at once");
        // The mean moves with the gap itself, by 1/52 of it here.
        let ages = clocks.observe(0, Some(i64::MAX)).elapsed;
        assert!((ages - (53.0f64 / 2.0).ln()).abs() < 1e-6, "{ages}");
    }

    #[test]
    fn events_that_all_come_at_once_have_no_usual_gap() {
        let mut clocks = clocks(None);
        for _ in 0..3 {
            assert_eq!(clocks.observe(0, Some(7)).elapsed, 0.0);
        }
    }
}
