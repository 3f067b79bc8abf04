//! The one product that everything is made of.

/// `sum[n] += Σ_k factor(k) · rows[k · stride + n]` for k = 0 … `count` − 1, in this order, for each n on its own. So a sum does
/// not depend on how many others are done at once.
#[inline(always)]
pub(crate) fn add(sum: &mut [f32], count: usize, factor: impl Fn(usize) -> f32, rows: &[f32], stride: usize) {
    let mut at = 0;
    at = blocks::<64>(sum, at, count, &factor, rows, stride);
    at = blocks::<16>(sum, at, count, &factor, rows, stride);
    at = blocks::<4>(sum, at, count, &factor, rows, stride);
    blocks::<1>(sum, at, count, &factor, rows, stride);
}

/// As many blocks of `N` sums as there are from `at` on, each kept in registers; returns where they end.
#[inline(always)]
fn blocks<const N: usize>(
    sum: &mut [f32],
    mut at: usize,
    count: usize,
    factor: &impl Fn(usize) -> f32,
    rows: &[f32],
    stride: usize,
) -> usize {
    while let Some(block) = sum[at..].first_chunk_mut::<N>() {
        let mut acc = *block;
        let mut place = at;
        for k in 0..count {
            let factor = factor(k);
            let Some(row) = rows.get(place..place + N).and_then(|row| row.first_chunk::<N>()) else { break };
            for (acc, value) in acc.iter_mut().zip(row) {
                *acc += factor * value;
            }
            place += stride;
        }
        *block = acc;
        at += N;
    }
    at
}

/// The transpose of a matrix of rows of the given width.
pub(crate) fn transposed(matrix: &[f32], width: usize) -> Vec<f32> {
    let height = matrix.len() / width.max(1);
    let mut turned = vec![0.0; matrix.len()];
    // Small squares, so that both sides stay in the cache.
    const SQUARE: usize = 16;
    for rows in (0..height).step_by(SQUARE) {
        for columns in (0..width).step_by(SQUARE) {
            for row in rows..(rows + SQUARE).min(height) {
                for column in columns..(columns + SQUARE).min(width) {
                    turned[column * height + row] = matrix[row * width + column];
                }
            }
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_the_same_alone_and_among_others() {
        let (width, count) = (64 + 16 + 4 + 3, 37);
        let rows: Vec<f32> = (0..width * count).map(|i| ((i * 7919) % 1000) as f32 / 371.0 - 1.3).collect();
        let factors: Vec<f32> = (0..count).map(|k| ((k * 31) % 17) as f32 / 9.0 - 0.9).collect();
        let mut together = vec![0.25; width];
        add(&mut together, count, |k| factors[k], &rows, width);
        for n in 0..width {
            let mut alone = 0.25f32;
            for k in 0..count {
                alone += factors[k] * rows[k * width + n];
            }
            assert_eq!(together[n].to_bits(), alone.to_bits(), "sum {n}");
        }
    }

    #[test]
    fn a_transpose_is_one() {
        assert_eq!(transposed(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let matrix: Vec<f32> = (0..19 * 37).map(|i| i as f32).collect();
        assert_eq!(transposed(&transposed(&matrix, 37), 19), matrix);
    }
}
