//! Several horizons, each with its label only when it has come: direct outputs of the networks beside direct recursive least
//! squares and persistence.

use super::data_set::DataSet;
use super::seeds::{PERSISTENCE, Seeds};
use crate::bar::Bar;
use crate::running::Done;

/// How many events ahead.
const HORIZONS: [i64; 2] = [24, 48];

/// Prints scores by horizon and returns the bars: the mixture is behind neither control by more than its bound.
pub(super) fn run(of: &DataSet, seeds: u64) -> Done<Vec<Bar>> {
    let passes = Seeds::run(of, seeds, &[format!("operator.forecast.horizons={HORIZONS:?}")])?;
    let mut bars = Vec::new();
    for horizon in HORIZONS {
        passes.print(horizon)?;
        // The bound holds against every member, so against the better of the two.
        for control in [PERSISTENCE, "ar"] {
            bars.push(passes.bound(control, horizon)?);
        }
    }
    Ok(bars)
}
