//! How new one statistic is.

use sluicegate_score::EwMeanSquare;

use crate::history::History;

/// At a distance of so many times its usual size, a part is one half.
const HALF_AT: f64 = 5.0;

/// How far a statistic is from everything it has been before, measured by how far it used to be.
///
/// With u(t) the statistic, D(t) = min over i ≤ t − 2 of |u(t) − u(i)|. The scale s is the root mean square of all earlier D, but
/// not less than `floor`; r = D / s, and the part of the score is r / (r + 5), computed as D / (D + 5 s): 0 where D is 0, 1 where
/// s alone is.
#[derive(Debug, Clone)]
pub(crate) struct Novelty {
    pub(crate) history: History,
    /// u(t − 1), which joins the history one row later.
    pub(crate) waiting: Option<f64>,
    pub(crate) distances: EwMeanSquare,
}

impl Novelty {
    pub(crate) fn new(history_max: usize) -> Self {
        Self { history: History::new(history_max), waiting: None, distances: EwMeanSquare::default() }
    }

    /// The part of the score that the next value makes, which is then taken in; `None` while there is nothing to compare with.
    pub(crate) fn part(&mut self, value: f64, floor: f64) -> Option<f64> {
        let distance = self.history.distance(value);
        let part = distance.map(|distance| {
            let scale = self.distances.rms().max(floor);
            if distance == 0.0 { 0.0 } else { distance / (distance + HALF_AT * scale) }
        });
        if let Some(distance) = distance {
            // A weight of at least nothing is the plain mean.
            self.distances.update(0.0, distance);
        }
        if let Some(earlier) = self.waiting.replace(value) {
            self.history.insert(earlier);
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_worked_by_hand() {
        let mut novelty = Novelty::new(16);
        // Nothing two rows back.
        assert_eq!(novelty.part(1.0, 0.0), None);
        assert_eq!(novelty.part(3.0, 0.0), None);
        // Against {1}: D = 1, no scale yet.
        assert_eq!(novelty.part(2.0, 0.0), Some(1.0));
        // Against {1, 3}: D = 2, scale 1: r = 2, 2 / 7.
        assert_eq!(novelty.part(5.0, 0.0), Some(2.0 / 7.0));
        // Against {1, 2, 3}: the row before does not count, so D = 2 again; scale sqrt((1 + 4) / 2).
        assert_eq!(novelty.part(5.0, 0.0), Some(2.0 / (2.0 + 5.0 * 2.5_f64.sqrt())));
        // Against {1, 2, 3, 5}: seen before.
        assert_eq!(novelty.part(5.0, 0.0), Some(0.0));
        // The floor, where it is above sqrt((1 + 4 + 4 + 0) / 4) = 1.5: D = 3, 3 / (3 + 5 · 2).
        assert_eq!(novelty.part(8.0, 2.0), Some(3.0 / 13.0));
    }

    #[test]
    fn a_constant_is_never_new_and_a_first_change_wholly() {
        let mut novelty = Novelty::new(16);
        for _ in 0..10 {
            assert!(novelty.part(7.0, 0.0).unwrap_or(0.0) == 0.0);
        }
        assert_eq!(novelty.part(7.5, 0.0), Some(1.0));
    }
}
