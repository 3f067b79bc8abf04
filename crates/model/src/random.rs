//! The one source of randomness of a model: a seeded generator, the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of numbers that depends on the seed only.
#[derive(Debug, Clone)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from [0, 1), a multiple of 2⁻²⁴.
    pub fn unit(&mut self) -> f32 {
        const STEP: f32 = 1.0 / (1 << 24) as f32;
        (self.0.next_u32() >> 8) as f32 * STEP
    }

    /// A number from (0, 1), an odd multiple of 2⁻⁵³: neither end, where a quantile may be infinite.
    pub fn open_unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (2 * (self.0.next_u64() >> 12) + 1) as f64 * STEP
    }

    /// Fills `values` from (−bound, bound).
    pub fn fill_uniform(&mut self, bound: f32, values: &mut [f32]) {
        values.iter_mut().for_each(|value| *value = (2.0 * self.unit() - 1.0) * bound);
    }
}
