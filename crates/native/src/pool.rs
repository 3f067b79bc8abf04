//! Pooling distributions by their logarithms.

use pulp::{Simd, WithSimd};

use crate::instructions::InstructionSet;
use crate::logarithm::ln;
use crate::product;

/// Sums that run side by side in a dot product, added up in a fixed order.
const LANES: usize = 16;

/// The arithmetic of a logarithmic pool (Genest & Zidek 1986): Σ wₑ ln pₑ over distributions p₁ … p_E of the same classes, and what
/// a gradient of that sum says of the weights. The same bits by all instructions, as for [`Stack`](crate::Stack).
#[derive(Debug, Clone, Copy)]
pub struct LogPool(InstructionSet);

impl Default for LogPool {
    fn default() -> Self {
        Self(InstructionSet::detect())
    }
}

impl LogPool {
    /// Done by the given instructions.
    pub fn with_instructions(instructions: InstructionSet) -> Self {
        Self(instructions)
    }

    /// Replaces probabilities by their natural logarithms, none below that of `floor`, which must be a normal number above 0.
    pub fn ln(&self, probabilities: &mut [f32], floor: f32) {
        self.0.run(Ln { probabilities, floor });
    }

    /// `sum[c] += Σₑ weights[e] · rows[e, c]`, for `rows: [E, C]`.
    ///
    /// # Panics
    /// When `rows` is not as long as the product of the other two.
    pub fn add(&self, rows: &[f32], weights: &[f32], sum: &mut [f32]) {
        assert_eq!(rows.len(), weights.len() * sum.len(), "rows of a pool");
        self.0.run(Add { rows, weights, sum });
    }

    /// `d_weights[e] = Σ_c rows[e, c] · d_sum[c]`: the gradient with respect to the weights.
    ///
    /// # Panics
    /// When `rows` is not as long as the product of the other two.
    pub fn gradient(&self, rows: &[f32], d_sum: &[f32], d_weights: &mut [f32]) {
        assert_eq!(rows.len(), d_weights.len() * d_sum.len(), "rows of a pool");
        self.0.run(Gradient { rows, d_sum, d_weights });
    }
}

struct Ln<'a> {
    probabilities: &'a mut [f32],
    floor: f32,
}

impl WithSimd for Ln<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let floor = self.floor;
        self.probabilities.iter_mut().for_each(|p| *p = ln(if *p < floor { floor } else { *p }));
    }
}

struct Add<'a> {
    rows: &'a [f32],
    weights: &'a [f32],
    sum: &'a mut [f32],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { rows, weights, sum } = self;
        let width = sum.len();
        product::add(sum, weights.len(), |e| weights[e], rows, width);
    }
}

struct Gradient<'a> {
    rows: &'a [f32],
    d_sum: &'a [f32],
    d_weights: &'a mut [f32],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { rows, d_sum, d_weights } = self;
        let (chunks, rest) = d_sum.as_chunks::<LANES>();
        for (row, d_weight) in rows.chunks_exact(d_sum.len().max(1)).zip(d_weights) {
            let (row_chunks, row_rest) = row.as_chunks::<LANES>();
            let mut lanes = [0.0f32; LANES];
            for (values, ds) in row_chunks.iter().zip(chunks) {
                for lane in 0..LANES {
                    lanes[lane] += values[lane] * ds[lane];
                }
            }
            let tail: f32 = row_rest.iter().zip(rest).map(|(value, d)| value * d).sum();
            let mut half = LANES / 2;
            while half > 0 {
                for lane in 0..half {
                    lanes[lane] += lanes[lane + half];
                }
                half /= 2;
            }
            *d_weight = lanes[0] + tail;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919) % 1009) as f32 / 1009.0 + 1e-4).collect()
    }

    #[test]
    fn all_instructions_give_the_same_bits() {
        let (experts, classes) = (5, 83);
        let all = InstructionSet::available().into_iter().map(|instructions| {
            let pool = LogPool::with_instructions(instructions);
            let (mut rows, weights, d_sum) = (numbers(experts * classes), numbers(experts), numbers(classes));
            pool.ln(&mut rows, 1e-3);
            let (mut sum, mut d_weights) = (vec![0.5; classes], vec![0.0; experts]);
            pool.add(&rows, &weights, &mut sum);
            pool.gradient(&rows, &d_sum, &mut d_weights);
            let bits = [rows, sum, d_weights].map(|values| values.into_iter().map(f32::to_bits).collect::<Vec<_>>());
            bits.concat()
        });
        let all: Vec<_> = all.collect();
        assert!(all.iter().all(|bits| *bits == all[0]));
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_sum() {
        let (pool, classes) = (LogPool::default(), 37);
        let (rows, d_sum) = (numbers(2 * classes), numbers(classes));
        let value = |weights: [f32; 2]| -> f64 {
            let mut sum = vec![0.0; classes];
            pool.add(&rows, &weights, &mut sum);
            sum.iter().zip(&d_sum).map(|(sum, d)| f64::from(*sum) * f64::from(*d)).sum()
        };
        let mut d_weights = [f32::NAN; 2];
        pool.gradient(&rows, &d_sum, &mut d_weights);
        let slope = value([1.0, 0.5]) - value([0.0, 0.5]);
        assert!((f64::from(d_weights[0]) - slope).abs() < 1e-4 * slope.abs(), "{d_weights:?} and {slope}");
    }

    #[test]
    fn logarithms_stop_at_the_floor() {
        let mut p = [0.0, 1e-9, 0.5, 1.0];
        LogPool::default().ln(&mut p, 1e-6);
        assert!((p[0] - 1e-6f32.ln()).abs() < 1e-5 && p[0] == p[1] && (p[2] - 0.5f32.ln()).abs() < 1e-6 && p[3] == 0.0);
    }
}
