//! What decides the last bits of a network's numbers on this machine, in one line.

use crate::cell::{CellShape, Windows};
use crate::config::BackendKind;
use crate::error::ModelError;
use crate::random::Random;

/// Steps and windows of the probe: enough to go through the kernels that a pipeline goes through.
const ROWS: usize = 16;
const STEPS: usize = 4;

/// Backend, its version, how its rows are batched, and a hash of what a cell of this shape makes of fixed numbers, forwards and
/// backwards. Equal lines mean equal results, as far as a probe can tell.
///
/// # Errors
/// When the backend fails.
pub(crate) fn of(backend: BackendKind, shape: CellShape) -> Result<String, ModelError> {
    let mut cell = backend.cell(shape)?;
    let mut random = Random::new(11);
    let mut numbers = |count: usize, range: f32| {
        let mut values = vec![0.0; count];
        random.fill_uniform(range, &mut values);
        values
    };
    let parameters = numbers(shape.parameters().iter().map(|spec| spec.len()).sum(), 0.5);
    let inputs = numbers(ROWS * shape.inputs, 2.0);
    let mut states = numbers(ROWS * shape.state_len(), 1.0);
    let windows = Windows {
        count: ROWS,
        steps: STEPS,
        inputs: numbers(STEPS * ROWS * shape.inputs, 2.0),
        states: numbers(ROWS * shape.state_len(), 1.0),
        outputs: 1,
    };
    let d_hidden = numbers(ROWS * shape.output().len(), 1.0);
    let mut gradient = vec![0.0; parameters.len()];
    cell.load(&parameters)?;
    cell.step(&inputs, &mut states)?;
    let hidden = cell.unroll(&windows)?;
    cell.backward(&d_hidden, &mut gradient, None)?;
    let mut hash = blake3::Hasher::new();
    for value in [&states, &hidden, &gradient].into_iter().flatten() {
        hash.update(&value.to_le_bytes());
    }
    let digest = hash.finalize().to_hex();
    Ok(format!("{}, probe {}", cell.arithmetic(), &digest[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::CellKind;

    /// LSTM, both GRUs, plain cell.
    const LITERALS: [&str; 4] = [
        "native 1, probe 44295cc1e14546f7",
        "native 1, probe 897be8a21260aa7b",
        "native 1, probe 0ac2fee8277feced",
        "native 1, probe 56937e498612064c",
    ];

    #[test]
    fn it_is_the_same_each_time_and_another_for_another_shape() {
        let shape = CellShape::new(CellKind::Lstm, 3, 8);
        for (backend, name) in [(BackendKind::Libtorch, "libtorch 2."), (BackendKind::Auto, "native 1, probe ")] {
            let first = of(backend, shape).unwrap();
            assert!(first.starts_with(name), "{first}");
            assert_eq!(of(backend, shape).unwrap(), first);
            assert_ne!(of(backend, CellShape { kind: CellKind::Gru, ..shape }).unwrap(), first);
        }
    }

    #[test]
    fn native_cells_compute_what_they_computed_on_other_processors() {
        let shape = |kind: CellKind| CellShape { layers: 2, ..CellShape::new(kind, 3, 20) };
        let kinds = [CellKind::Lstm, CellKind::Gru, CellKind::GruResetBefore, CellKind::Rnn];
        let found = kinds.map(|kind| of(BackendKind::Native, shape(kind)).unwrap());
        // When the arithmetic is changed on purpose, its number is counted up.
        assert_eq!(found, LITERALS);
    }
}
