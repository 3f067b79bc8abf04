//! A distribution of any family.

use crate::mixture_nodes::Core;
use crate::{Gaussian, LEVELS, Quantiles, Score, StudentT, TShape, pinball};

/// A forecast: the distribution of a value that is still to come.
///
/// ```
/// use sluicegate_score::{Distribution, TShape};
///
/// let forecast = Distribution::student_t(21.0, 0.5, TShape::new(8.0)).ok_or("not a distribution")?;
/// assert_eq!(forecast.family(), "student-t");
/// assert_eq!(forecast.mean(), 21.0);
/// assert_eq!(forecast.shape(), Some(8.0));
/// let [low, .., high] = forecast.quantiles();
/// assert!((forecast.cdf(high) - forecast.cdf(low) - 0.95).abs() < 1e-12);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Distribution {
    /// Student's t with location and scale.
    StudentT(StudentT),
    /// The Gaussian.
    Gaussian(Gaussian),
    /// Stated by its quantiles.
    Quantiles(Quantiles),
}

impl Distribution {
    /// The names of all families.
    pub const FAMILIES: [&'static str; 3] = ["student-t", "gaussian", "quantiles"];

    /// The most numbers that [`parameters`](Distribution::parameters) gives.
    pub const PARAMETERS_MAX: usize = 7;

    /// The distribution with the family, mean, scale and shape that another one gave, or `None` where there is none
    /// such. Of `quantiles` there never is: see [`from_parameters`](Distribution::from_parameters).
    pub fn from_parts(family: &str, mean: f64, scale: f64, shape: Option<f64>) -> Option<Distribution> {
        match (family, shape) {
            ("student-t", Some(df)) => Distribution::student_t(mean, scale, TShape::new(df)),
            ("gaussian", None) => Distribution::gaussian(mean, scale),
            _ => None,
        }
    }

    /// A Student's t, or `None` where [`StudentT::new`] gives none.
    pub fn student_t(location: f64, scale: f64, shape: TShape) -> Option<Distribution> {
        StudentT::new(location, scale, shape).map(Distribution::StudentT)
    }

    /// A Gaussian, or `None` where [`Gaussian::new`] gives none.
    pub fn gaussian(mean: f64, std_dev: f64) -> Option<Distribution> {
        Gaussian::new(mean, std_dev).map(Distribution::Gaussian)
    }

    /// The distribution with these quantiles at [`LEVELS`], or `None` where [`Quantiles::new`] gives none.
    pub fn from_quantiles(at: [f64; 7]) -> Option<Distribution> {
        Quantiles::new(at).map(Distribution::Quantiles)
    }

    /// How many parameters a family has; `None` of an unknown one.
    pub fn parameter_count(family: &str) -> Option<usize> {
        match family {
            "student-t" => Some(3),
            "gaussian" => Some(2),
            "quantiles" => Some(7),
            _ => None,
        }
    }

    /// All that says which one of its family this is: location, scale and degrees of freedom, mean and standard
    /// deviation, or the quantiles. The first [`parameter_count`](Distribution::parameter_count) numbers hold it, the
    /// rest are NaN.
    ///
    /// ```
    /// use sluicegate_score::Distribution;
    ///
    /// let forecast = Distribution::gaussian(21.0, 0.5).ok_or("not a distribution")?;
    /// let [mean, deviation, ..] = forecast.parameters();
    /// assert_eq!((mean, deviation), (21.0, 0.5));
    /// assert_eq!(Distribution::from_parameters("gaussian", &[mean, deviation]), Some(forecast));
    /// # Ok::<(), &str>(())
    /// ```
    pub fn parameters(&self) -> [f64; Self::PARAMETERS_MAX] {
        const NONE: f64 = f64::NAN;
        match self {
            Distribution::StudentT(t) => [t.location(), t.scale(), t.shape().df(), NONE, NONE, NONE, NONE],
            Distribution::Gaussian(g) => [g.mean(), g.std_dev(), NONE, NONE, NONE, NONE, NONE],
            Distribution::Quantiles(q) => q.quantiles(),
        }
    }

    /// The distribution whose [`parameters`](Distribution::parameters) begin with these, or `None` where there is none
    /// such.
    pub fn from_parameters(family: &str, parameters: &[f64]) -> Option<Distribution> {
        match (family, parameters) {
            ("student-t", [location, scale, df, ..]) => Distribution::student_t(*location, *scale, TShape::new(*df)),
            ("gaussian", [mean, std_dev, ..]) => Distribution::gaussian(*mean, *std_dev),
            ("quantiles", at) => Distribution::from_quantiles(*at.first_chunk()?),
            _ => None,
        }
    }

    /// The family's name: `student-t`, `gaussian` or `quantiles`.
    pub fn family(&self) -> &'static str {
        match self {
            Distribution::StudentT(_) => "student-t",
            Distribution::Gaussian(_) => "gaussian",
            Distribution::Quantiles(_) => "quantiles",
        }
    }

    /// The mean, which is also the median of the symmetric families: of all but `quantiles`.
    pub fn mean(&self) -> f64 {
        match self {
            Distribution::StudentT(t) => t.location(),
            Distribution::Gaussian(g) => g.mean(),
            Distribution::Quantiles(q) => q.mean(),
        }
    }

    /// The scale parameter: a Student's t's scale, else the standard deviation.
    pub fn scale(&self) -> f64 {
        match self {
            Distribution::StudentT(t) => t.scale(),
            Distribution::Gaussian(g) => g.std_dev(),
            Distribution::Quantiles(q) => q.std_dev(),
        }
    }

    /// The degrees of freedom, or `None` for a family without.
    pub fn shape(&self) -> Option<f64> {
        match self {
            Distribution::StudentT(t) => Some(t.shape().df()),
            Distribution::Gaussian(_) | Distribution::Quantiles(_) => None,
        }
    }

    /// Where most of it lies.
    pub(crate) fn core(&self) -> Core {
        match self {
            Distribution::StudentT(t) => Core { centre: t.location(), scale: t.scale() },
            Distribution::Gaussian(g) => Core { centre: g.mean(), scale: g.std_dev() },
            Distribution::Quantiles(q) => q.core(),
        }
    }

    /// The standard deviation, or `None` where it is infinite.
    pub fn std_dev(&self) -> Option<f64> {
        match self {
            Distribution::StudentT(t) => t.std_dev(),
            Distribution::Gaussian(g) => Some(g.std_dev()),
            Distribution::Quantiles(q) => Some(q.std_dev()),
        }
    }

    /// The logarithm of the density at `y`.
    pub fn ln_pdf(&self, y: f64) -> f64 {
        match self {
            Distribution::StudentT(t) => t.ln_pdf(y),
            Distribution::Gaussian(g) => g.ln_pdf(y),
            Distribution::Quantiles(q) => q.ln_pdf(y),
        }
    }

    /// The negative log-likelihood of `y`, in nats.
    pub fn nll(&self, y: f64) -> f64 {
        match self {
            Distribution::StudentT(t) => t.nll(y),
            Distribution::Gaussian(g) => g.nll(y),
            Distribution::Quantiles(q) => q.nll(y),
        }
    }

    /// Half the mean absolute difference of two independent values, `½ E|X − X′|`: the part of the CRPS that does not
    /// depend on the observation.
    pub fn half_mean_difference(&self) -> f64 {
        match self {
            Distribution::StudentT(t) => t.half_mean_difference(),
            Distribution::Gaussian(g) => g.half_mean_difference(),
            Distribution::Quantiles(q) => q.half_mean_difference(),
        }
    }

    /// The continuous ranked probability score of `y`, in the units of `y`.
    pub fn crps(&self, y: f64) -> f64 {
        match self {
            Distribution::StudentT(t) => t.crps(y),
            Distribution::Gaussian(g) => g.crps(y),
            Distribution::Quantiles(q) => q.crps(y),
        }
    }

    /// The [`pinball`] loss of `y`, in its units: the mean over the quantiles at [`LEVELS`].
    ///
    /// The CRPS is twice the integral of the pinball loss over all levels (Gneiting & Ranjan 2011, "Comparing density
    /// forecasts using threshold- and quantile-weighted scoring rules", JBES 29), so twice this is an estimate of it
    /// that gives the tails more weight, the levels being denser there.
    pub fn pinball(&self, y: f64) -> f64 {
        let losses = self.quantiles().into_iter().zip(LEVELS).map(|(quantile, level)| pinball(level, quantile, y));
        losses.sum::<f64>() / LEVELS.len() as f64
    }

    /// The probability of a value of at most `y`: of an observation, its probability integral transform (PIT).
    pub fn cdf(&self, y: f64) -> f64 {
        match self {
            Distribution::StudentT(t) => t.cdf(y),
            Distribution::Gaussian(g) => g.cdf(y),
            Distribution::Quantiles(q) => q.cdf(y),
        }
    }

    /// All scores of `y`.
    pub fn score(&self, y: f64) -> Score {
        match self {
            Distribution::StudentT(t) => t.score(y),
            Distribution::Gaussian(g) => g.score(y),
            Distribution::Quantiles(q) => q.score(y),
        }
    }

    /// The value that is not exceeded with probability `p`: `−∞` at 0, `∞` at 1, NaN outside.
    pub fn quantile(&self, p: f64) -> f64 {
        match self {
            Distribution::StudentT(t) => t.quantile(p),
            Distribution::Gaussian(g) => g.quantile(p),
            Distribution::Quantiles(q) => q.quantile(p),
        }
    }

    /// The quantiles at [`LEVELS`], ascending.
    pub fn quantiles(&self) -> [f64; 7] {
        match self {
            Distribution::StudentT(t) => t.quantiles(),
            Distribution::Gaussian(g) => g.quantiles(),
            Distribution::Quantiles(q) => q.quantiles(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_made_again_from_its_parts() {
        let symmetric = [Distribution::student_t(1.0, 2.0, TShape::new(4.5)), Distribution::gaussian(-1.0, 0.5)];
        for (distribution, family) in symmetric.into_iter().flatten().zip(Distribution::FAMILIES) {
            assert_eq!(distribution.family(), family);
            let (mean, scale, shape) = (distribution.mean(), distribution.scale(), distribution.shape());
            assert_eq!(Distribution::from_parts(family, mean, scale, shape), Some(distribution));
        }
        for family in ["student-t", "quantiles", "mixture"] {
            assert_eq!(Distribution::from_parts(family, 0.0, 1.0, None), None);
        }
    }

    #[test]
    fn every_family_is_made_again_from_its_parameters() {
        let all = [
            Distribution::student_t(1.0, 2.0, TShape::new(4.5)),
            Distribution::gaussian(-1.0, 0.5),
            Distribution::from_quantiles([-3.0, -1.0, 0.0, 0.5, 0.75, 2.0, 9.0]),
        ];
        assert_eq!(all.iter().flatten().count(), Distribution::FAMILIES.len());
        for (distribution, family) in all.into_iter().flatten().zip(Distribution::FAMILIES) {
            assert_eq!(distribution.family(), family);
            let count = Distribution::parameter_count(family).unwrap();
            let parameters = distribution.parameters();
            assert!(parameters.iter().enumerate().all(|(i, parameter)| parameter.is_nan() == (i >= count)));
            assert_eq!(Distribution::from_parameters(family, &parameters), Some(distribution));
            assert_eq!(Distribution::from_parameters(family, &parameters[..count]), Some(distribution));
            assert_eq!(Distribution::from_parameters(family, &parameters[..count - 1]), None);
        }
        assert_eq!(Distribution::parameter_count("mixture"), None);
        assert_eq!(Distribution::from_parameters("mixture", &[0.0; 7]), None);
    }
}
