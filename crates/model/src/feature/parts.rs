//! Running statistics in snapshots: as their parts, so that a damaged one is found.

use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_score::{EwMeanSquare, EwMoments};

use crate::error::ModelError;
use crate::slab::Slab;

/// Writes running means and variances of the given slots under `name`.
pub(super) fn write_moments(
    name: &str,
    from: &Slab<EwMoments>,
    slots: &[usize],
    to: &mut SnapshotWriter,
) -> Result<(), ModelError> {
    let shape = [slots.len(), from.width()];
    to.i64(&format!("{name}.n"), &shape, &from.gather(slots, |state| state.n() as i64))?;
    to.f64(&format!("{name}.mean"), &shape, &from.gather(slots, |state| state.mean()))?;
    Ok(to.f64(&format!("{name}.variance"), &shape, &from.gather(slots, |state| state.variance()))?)
}

/// Reads what [`write_moments`] wrote, for slots `0 .. keys`.
pub(super) fn read_moments(
    name: &str,
    to: &mut Slab<EwMoments>,
    keys: usize,
    from: &SnapshotReader<'_>,
) -> Result<(), ModelError> {
    let shape = [keys, to.width()];
    let n = from.i64(&format!("{name}.n"), &shape)?;
    let means = from.f64(&format!("{name}.mean"), &shape)?;
    let variances = from.f64(&format!("{name}.variance"), &shape)?;
    let damaged = || ModelError::Restore(format!("`{name}`: a running mean and variance are not ones"));
    let moments = n.iter().zip(&means).zip(&variances).map(|((n, mean), variance)| {
        u64::try_from(*n).ok().and_then(|n| EwMoments::from_parts(n, *mean, *variance)).ok_or_else(damaged)
    });
    to.fill(&moments.collect::<Result<Vec<_>, _>>()?, |state| state);
    Ok(())
}

/// Writes running mean squares of the given slots under `name`.
pub(super) fn write_squares(
    name: &str,
    from: &Slab<EwMeanSquare>,
    slots: &[usize],
    to: &mut SnapshotWriter,
) -> Result<(), ModelError> {
    let shape = [slots.len(), from.width()];
    to.i64(&format!("{name}.n"), &shape, &from.gather(slots, |state| state.n() as i64))?;
    Ok(to.f64(&format!("{name}.square"), &shape, &from.gather(slots, |state| state.value()))?)
}

/// Reads what [`write_squares`] wrote, for slots `0 .. keys`.
pub(super) fn read_squares(
    name: &str,
    to: &mut Slab<EwMeanSquare>,
    keys: usize,
    from: &SnapshotReader<'_>,
) -> Result<(), ModelError> {
    let shape = [keys, to.width()];
    let states = squares(&from.i64(&format!("{name}.n"), &shape)?, &from.f64(&format!("{name}.square"), &shape)?)?;
    to.fill(&states, |state| state);
    Ok(())
}

/// Running mean squares from their written parts.
pub(crate) fn squares(n: &[i64], values: &[f64]) -> Result<Vec<EwMeanSquare>, ModelError> {
    let damaged = || ModelError::Restore("a running mean square is not one".into());
    n.iter()
        .zip(values)
        .map(|(n, value)| u64::try_from(*n).ok().and_then(|n| EwMeanSquare::from_parts(n, *value)).ok_or_else(damaged))
        .collect()
}
