//! The pinball loss, the score of a single quantile.

/// The pinball loss of a `quantile` stated for `level` when `y` comes: `(level − [y < quantile]) · (y − quantile)`.
///
/// In the units of `y`, not negative, and zero for `y` at the quantile. It is proper: its mean is least for the
/// quantile that `y` does not exceed with probability `level` (Koenker & Bassett 1978, "Regression quantiles",
/// Econometrica 46).
///
/// ```
/// use sluicegate_score::pinball;
///
/// assert_eq!(pinball(0.75, 10.0, 12.0), 1.5); // too low weighs three times
/// assert_eq!(pinball(0.75, 10.0, 8.0), 0.5); // as much as too high
/// ```
pub fn pinball(level: f64, quantile: f64, y: f64) -> f64 {
    let excess = y - quantile;
    if excess < 0.0 { (level - 1.0) * excess } else { level * excess }
}
