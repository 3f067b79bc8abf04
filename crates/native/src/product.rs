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

/// Writes the transpose of a matrix of rows of the given width.
pub(crate) fn transpose(matrix: &[f32], width: usize, turned: &mut [f32]) {
    /// So many rows at once, of which what is written lies side by side.
    const ROWS: usize = 16;
    let height = matrix.len() / width;
    let mut groups = matrix.chunks_exact(ROWS * width);
    for (place, group) in groups.by_ref().enumerate() {
        let mut rows = group.chunks_exact(width);
        let rows: [&[f32]; ROWS] = std::array::from_fn(|_| rows.next().unwrap_or_default());
        for (k, column) in turned.chunks_exact_mut(height).enumerate() {
            for (value, row) in column[place * ROWS..].iter_mut().zip(&rows) {
                *value = row[k];
            }
        }
    }
    let done = height / ROWS * ROWS;
    for (place, row) in groups.remainder().chunks_exact(width).enumerate() {
        for (column, value) in turned.chunks_exact_mut(height).zip(row) {
            column[done + place] = *value;
        }
    }
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
        let transposed = |matrix: &[f32], width: usize| {
            let mut turned = vec![f32::NAN; matrix.len()];
            transpose(matrix, width, &mut turned);
            turned
        };
        assert_eq!(transposed(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let matrix: Vec<f32> = (0..19 * 37).map(|i| i as f32).collect();
        assert_eq!(transposed(&transposed(&matrix, 37), 19), matrix);
    }
}
