//! Does a row's result depend on the rows beside it? libtorch promises nothing, so it is checked before the first event.

use super::{Batching, TorchCell};
use crate::cell::{Cell, CellShape};
use crate::error::ModelError;
use crate::random::Random;

/// Batch sizes that take different paths through libtorch's kernels.
const BATCH_ROWS: [usize; 8] = [1, 2, 7, 8, 9, 64, 100, ROWS_MAX];
/// More rows than were checked are never done at once.
pub(super) const ROWS_MAX: usize = 256;

/// Steps random rows in batches of several sizes, and compares every row bit by bit with the same row stepped alone.
///
/// # Errors
/// [`ModelError::NotBatchInvariant`] names the first row that differs.
pub(super) fn check(shape: CellShape, batching: Batching) -> Result<(), ModelError> {
    let CellShape { inputs, hidden, .. } = shape;
    let state_len = shape.state_len();
    let mut random = Random::new(7);
    let mut parameters = vec![0.0; shape.parameters().iter().map(|spec| spec.len()).sum()];
    random.fill_uniform(0.5, &mut parameters);
    let mut cell = TorchCell::with_batching(shape, batching);
    cell.load(&parameters)?;

    let (mut x, mut before) = (vec![0.0; ROWS_MAX * inputs], vec![0.0; ROWS_MAX * state_len]);
    random.fill_uniform(2.0, &mut x);
    random.fill_uniform(1.0, &mut before);
    let mut alone = before.clone();
    for row in 0..ROWS_MAX {
        let state = &mut alone[row * state_len..][..state_len];
        cell.step(&x[row * inputs..][..inputs], state)?;
    }
    for rows in BATCH_ROWS {
        let mut together = before[..rows * state_len].to_vec();
        cell.step(&x[..rows * inputs], &mut together)?;
        let differs = |row: &usize| {
            let range = row * state_len..(row + 1) * state_len;
            together[range.clone()].iter().zip(&alone[range]).any(|(a, b)| a.to_bits() != b.to_bits())
        };
        if let Some(row) = (0..rows).find(differs) {
            return Err(ModelError::NotBatchInvariant { kind: shape.kind.as_str(), inputs, hidden, rows, row });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::CellKind;

    #[test]
    fn the_shapes_that_pipelines_use_are_done_all_rows_at_once() {
        for kind in [CellKind::Lstm, CellKind::Gru] {
            for hidden in [8, 16, 32, 64] {
                for layers in [1, 2] {
                    let shape = CellShape { layers, ..CellShape::new(kind, 8, hidden) };
                    let cell = TorchCell::new(shape).unwrap();
                    assert_eq!(cell.batching(), Batching::Padded, "{shape:?}");
                }
            }
        }
    }

    #[test]
    fn few_batch_sizes_occur() {
        let cell = TorchCell::with_batching(CellShape::new(CellKind::Lstm, 1, 1), Batching::Padded);
        let sizes: Vec<usize> = [1, 2, 3, 5, 8, 9, 17].into_iter().map(|count| cell.padded(count)).collect();
        assert_eq!(sizes, [1, 2, 4, 8, 8, 16, 24]);
    }

    #[test]
    fn many_shapes_are_batch_invariant_one_way_or_the_other() {
        let recurrent = [CellKind::Lstm, CellKind::Gru, CellKind::GruResetBefore, CellKind::Rnn];
        let stacked = recurrent.into_iter().flat_map(|kind| [(kind, 1), (kind, 3)]);
        let feed_forward = [1, 2, 8].map(|lags| (CellKind::Mlp { lags }, 1));
        for (kind, layers) in stacked.chain(feed_forward) {
            for inputs in [1, 3, 8, 20] {
                for hidden in [1, 5, 16, 32, 64] {
                    TorchCell::new(CellShape { layers, ..CellShape::new(kind, inputs, hidden) }).unwrap();
                }
            }
        }
    }
}
