//! What a statistic has been before: a sorted set of values, of bounded size.

use std::collections::BTreeSet;
use std::ops::Bound;

/// Numbers in their order, for a set: the bits of an `f64`, turned so that they compare as the numbers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ordered(u64);

const SIGN: u64 = 1 << 63;

impl Ordered {
    fn of(value: f64) -> Self {
        // Adding zero makes the two zeros one.
        let bits = (value + 0.0).to_bits();
        Self(if bits & SIGN == 0 { bits | SIGN } else { !bits })
    }

    fn value(self) -> f64 {
        f64::from_bits(if self.0 & SIGN == 0 { !self.0 } else { self.0 & !SIGN })
    }
}

/// A sorted set of at most `max` finite numbers, which knows the nearest one to any other in O(log n).
///
/// When it is full, it is thinned before the next number comes in: let g be the median of the gaps between neighbours; from the
/// smallest number up, each stays that lies more than g above the last one that stayed. So no number is dropped that is farther
/// than g from one that stays, what stands alone stays, and at least about a quarter is dropped, so that thinning costs O(log n)
/// per number on average. It is a function of the numbers alone.
#[derive(Debug, Clone)]
pub(crate) struct History {
    max: usize,
    values: BTreeSet<Ordered>,
}

impl History {
    /// An empty one; `max` is at least 4.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, values: BTreeSet::new() }
    }

    /// Distance to the nearest number; `None` when there is none.
    pub(crate) fn distance(&self, value: f64) -> Option<f64> {
        let at = Ordered::of(value);
        let below = self.values.range(..=at).next_back();
        let above = self.values.range((Bound::Excluded(at), Bound::Unbounded)).next();
        let far = |neighbour: &Ordered| (value - neighbour.value()).abs();
        match (below.map(far), above.map(far)) {
            (Some(below), Some(above)) => Some(below.min(above)),
            (below, above) => below.or(above),
        }
    }

    /// Takes in a finite number. One that is there already changes nothing.
    pub(crate) fn insert(&mut self, value: f64) {
        let value = Ordered::of(value);
        if self.values.contains(&value) {
            return;
        }
        if self.values.len() >= self.max {
            self.thin();
        }
        self.values.insert(value);
    }

    fn thin(&mut self) {
        let sorted = self.sorted();
        let mut gaps: Vec<f64> = sorted.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if gaps.is_empty() {
            return;
        }
        let middle = (gaps.len() - 1) / 2;
        let (_, median, _) = gaps.select_nth_unstable_by(middle, f64::total_cmp);
        let median = *median;
        let mut kept = f64::NEG_INFINITY;
        self.values.clear();
        for value in sorted {
            if value - kept > median {
                self.values.insert(Ordered::of(value));
                kept = value;
            }
        }
    }

    /// Its numbers, ascending.
    pub(crate) fn sorted(&self) -> Vec<f64> {
        self.values.iter().map(|value| value.value()).collect()
    }

    /// One with these numbers; `None` when [`History::sorted`] cannot have given them: too many, not finite or not ascending.
    pub(crate) fn from_sorted(max: usize, sorted: &[f64]) -> Option<Self> {
        let ascending = sorted.windows(2).all(|pair| pair[0] < pair[1]);
        let fits = sorted.len() <= max && ascending && sorted.iter().all(|value| value.is_finite());
        fits.then(|| Self { max, values: sorted.iter().map(|value| Ordered::of(*value)).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(max: usize, values: &[f64]) -> History {
        let mut history = History::new(max);
        values.iter().for_each(|value| history.insert(*value));
        history
    }

    #[test]
    fn the_nearest_is_found_on_either_side() {
        assert_eq!(History::new(8).distance(1.0), None);
        let history = of(8, &[4.0, -1.0, 4.0, 10.0]);
        assert_eq!(history.sorted(), [-1.0, 4.0, 10.0]);
        let distances = [-5.0, -1.0, 0.0, 4.5, 7.0, 9.0, 1e30].map(|value| history.distance(value));
        assert_eq!(distances, [4.0, 0.0, 1.0, 0.5, 3.0, 1.0, 1e30].map(Some));
    }

    #[test]
    fn negative_zero_is_zero() {
        let history = of(8, &[0.0, -0.0]);
        assert_eq!(history.sorted().len(), 1);
        assert_eq!(history.sorted()[0].to_bits(), 0);
        assert_eq!(history.distance(-0.0), Some(0.0));
    }

    #[test]
    fn a_full_one_drops_what_has_a_near_neighbour_and_keeps_what_stands_alone() {
        // Gaps 1, 1, 1, 97: the median is 1. Of 0, 1, 2, 3 every second stays, and so does 100.
        let history = of(5, &[3.0, 100.0, 0.0, 2.0, 1.0]);
        assert_eq!(history.sorted(), [0.0, 1.0, 2.0, 3.0, 100.0]);
        let history = of(5, &[3.0, 100.0, 0.0, 2.0, 1.0, 50.0]);
        assert_eq!(history.sorted(), [0.0, 2.0, 50.0, 100.0]);
    }

    #[test]
    fn a_number_that_is_there_thins_nothing() {
        let history = of(4, &[1.0, 2.0, 3.0, 4.0, 2.0]);
        assert_eq!(history.sorted(), [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn every_thinning_makes_room_and_never_moves_the_nearest_farther_than_the_median_gap() {
        let mut state = 1_u64;
        let mut history = History::new(64);
        for _ in 0..5000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = ((state >> 40) as f64 / 1000.0).powi(3);
            let before = history.sorted();
            history.insert(value);
            let after = history.sorted();
            assert!(after.len() <= 64);
            if after.len() < before.len() {
                assert!(after.len() <= 50, "{} stayed", after.len());
                let mut gaps: Vec<f64> = before.windows(2).map(|pair| pair[1] - pair[0]).collect();
                gaps.sort_by(f64::total_cmp);
                let median = gaps[(gaps.len() - 1) / 2];
                assert!(before.iter().all(|value| history.distance(*value).unwrap() <= median));
            }
        }
    }

    #[test]
    fn numbers_far_apart_and_of_either_sign_are_thinned_too() {
        let history = of(4, &[-1e100, 1e100, -1e-300, 1e-300, 5.0]);
        assert!(history.sorted().len() <= 4);
        assert!(history.distance(5.0) == Some(0.0));
    }

    #[test]
    fn only_what_was_written_is_restored() {
        let history = of(8, &[3.0, -2.0]);
        assert_eq!(History::from_sorted(8, &history.sorted()).unwrap().sorted(), [-2.0, 3.0]);
        for bad in [vec![1.0, 1.0], vec![2.0, 1.0], vec![f64::NAN], vec![f64::INFINITY], vec![0.0; 9]] {
            assert!(History::from_sorted(8, &bad).is_none(), "{bad:?}");
        }
    }
}
