//! What is left to chance.

use std::ops::Range;

use sluicegate_score::choose;

use crate::random::Random;

/// Draws, by the numbers of a seeded generator.
pub(in crate::forecast) struct Chance<'a> {
    random: &'a mut Random,
    temperature: f64,
}

impl<'a> Chance<'a> {
    /// Probabilities p of classes count as p^(1/temperature).
    pub(super) fn new(random: &'a mut Random, temperature: f64) -> Self {
        Self { random, temperature }
    }

    /// A number from (0, 1).
    pub(in crate::forecast) fn unit(&mut self) -> f64 {
        self.random.open_unit()
    }

    /// One of the classes with these numbers; `None` where none of them is possible.
    pub(in crate::forecast) fn class(&mut self, probabilities: &[f32], among: Range<u32>) -> Option<u32> {
        let of_known = probabilities.get(among.start as usize..among.end as usize)?;
        // By the largest first, so that no power of all of them is 0.
        let largest = of_known.iter().copied().fold(0.0, f32::max);
        let power = self.temperature.recip();
        let weights = of_known.iter().map(|probability| f64::from(probability / largest).powf(power));
        let place = choose(weights, self.random.open_unit())?;
        Some(among.start + place as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(probabilities: &[f32], among: Range<u32>, temperature: f64) -> Vec<f64> {
        let (mut random, mut counts) = (Random::new(7), vec![0.0; probabilities.len()]);
        for _ in 0..20_000 {
            counts[Chance::new(&mut random, temperature).class(probabilities, among.clone()).unwrap() as usize] += 5e-5;
        }
        counts
    }

    fn assert_near(found: &[f64], expected: &[f64]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 0.012, "{found} against {expected}");
        }
    }

    #[test]
    fn known_classes_come_as_often_as_they_are_probable_among_themselves() {
        let found = shares(&[0.5, 0.3, 0.2, 0.0], 1..4, 1.0);
        assert_near(&found, &[0.0, 0.6, 0.4, 0.0]);
        assert_eq!((found[0], found[3]), (0.0, 0.0), "neither the open class nor one that was held impossible");
    }

    #[test]
    fn temperature_sharpens_and_flattens() {
        assert_near(&shares(&[0.8, 0.2], 0..2, 0.5), &[16.0 / 17.0, 1.0 / 17.0]);
        assert_near(&shares(&[0.8, 0.2], 0..2, 2.0), &[2.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(shares(&[0.49, 0.51], 0..2, 1e-4)[0], 0.0);
    }

    #[test]
    fn nothing_known_is_no_choice() {
        let mut random = Random::new(0);
        let mut chance = Chance::new(&mut random, 1.0);
        assert_eq!(chance.class(&[1.0, 0.0], 1..1), None);
        assert_eq!(chance.class(&[1.0, 0.0], 1..2), None);
        assert_eq!(chance.class(&[1.0], 1..3), None);
    }
}
