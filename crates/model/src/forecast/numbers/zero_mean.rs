//! A forecast whose direction is taken back.

use sluicegate_score::Distribution;

/// The distribution with its location put to `level`: as wide and as heavy-tailed as before. `None` where that is no
/// distribution.
pub(super) fn around(forecast: &Distribution, level: f64) -> Option<Distribution> {
    match forecast {
        Distribution::StudentT(t) => Distribution::student_t(level, t.scale(), t.shape()),
        Distribution::Gaussian(gaussian) => Distribution::gaussian(level, gaussian.std_dev()),
        // Of any other family everything moves with the mean.
        other => Distribution::from_quantiles(other.quantiles().map(|quantile| quantile - other.mean() + level)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_score::TShape;

    #[test]
    fn only_the_location_changes() {
        let all = [
            Distribution::student_t(7.0, 2.0, TShape::new(5.0)),
            Distribution::gaussian(7.0, 2.0),
            Distribution::from_quantiles([1.0, 2.0, 4.0, 6.0, 9.0, 12.0, 20.0]),
        ];
        for forecast in all.into_iter().flatten() {
            let moved = around(&forecast, -1.5).unwrap();
            assert_eq!(moved.family(), forecast.family());
            assert!((moved.mean() + 1.5).abs() < 1e-12, "{moved:?}");
            assert!((moved.std_dev().unwrap() - forecast.std_dev().unwrap()).abs() < 1e-12);
            assert!((moved.cdf(-1.0) - forecast.cdf(forecast.mean() + 0.5)).abs() < 1e-12);
        }
    }
}
