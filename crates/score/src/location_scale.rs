//! What all families with a location and a scale share.

/// The distance from the location in scales, `(y − location) / scale`, of a finite `y`.
///
/// Never infinite: a quotient past the largest `f64` is taken as the largest, so that no score of a finite `y` is NaN.
pub(crate) fn standardise(y: f64, location: f64, scale: f64) -> f64 {
    ((y - location) / scale).clamp(-f64::MAX, f64::MAX)
}

/// Whether these can be the location and the scale of a distribution.
pub(crate) fn is_location_scale(location: f64, scale: f64) -> bool {
    location.is_finite() && scale.is_finite() && scale > 0.0
}

/// The quantiles at [`LEVELS`](crate::LEVELS) of a symmetric distribution, from the three that its standard
/// form has above the median, the farthest first.
pub(crate) fn quantiles_around(location: f64, scale: f64, upper_points: [f64; 3]) -> [f64; 7] {
    let [far, middle, near] = upper_points.map(|point| scale * point);
    [location - far, location - middle, location - near, location, location + near, location + middle, location + far]
}
