//! A distribution of any family.

use crate::{Gaussian, Score, StudentT, TShape};

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
}

impl Distribution {
    /// The names of all families.
    pub const FAMILIES: [&'static str; 2] = ["student-t", "gaussian"];

    /// The distribution with the family, mean, scale and shape that another one gave, or `None` where there is none such.
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

    /// The family's name: `student-t` or `gaussian`.
    pub fn family(&self) -> &'static str {
        match self {
            Distribution::StudentT(_) => "student-t",
            Distribution::Gaussian(_) => "gaussian",
        }
    }

    /// The mean, which is also the median of these families.
    pub fn mean(&self) -> f64 {
        match self {
            Distribution::StudentT(t) => t.location(),
            Distribution::Gaussian(g) => g.mean(),
        }
    }

    /// The scale parameter: a Gaussian's standard deviation, a Student's t's scale.
    pub fn scale(&self) -> f64 {
        match self {
            Distribution::StudentT(t) => t.scale(),
            Distribution::Gaussian(g) => g.std_dev(),
        }
    }

    /// The degrees of freedom, or `None` for a family without.
    pub fn shape(&self) -> Option<f64> {
        match self {
            Distribution::StudentT(t) => Some(t.shape().df()),
            Distribution::Gaussian(_) => None,
        }
    }

    /// The standard deviation, or `None` where it is infinite.
    pub fn std_dev(&self) -> Option<f64> {
        match self {
            Distribution::StudentT(t) => t.std_dev(),
            Distribution::Gaussian(g) => Some(g.std_dev()),
        }
    }

    /// The logarithm of the density at `y`.
    pub fn ln_pdf(&self, y: f64) -> f64 {
        match self {
            Distribution::StudentT(t) => t.ln_pdf(y),
            Distribution::Gaussian(g) => g.ln_pdf(y),
        }
    }

    /// The negative log-likelihood of `y`, in nats.
    pub fn nll(&self, y: f64) -> f64 {
        match self {
            Distribution::StudentT(t) => t.nll(y),
            Distribution::Gaussian(g) => g.nll(y),
        }
    }

    /// Half the mean absolute difference of two independent values, `½ E|X − X′|`: the part of the CRPS that does not
    /// depend on the observation.
    pub fn half_mean_difference(&self) -> f64 {
        match self {
            Distribution::StudentT(t) => t.half_mean_difference(),
            Distribution::Gaussian(g) => g.half_mean_difference(),
        }
    }

    /// The continuous ranked probability score of `y`, in the units of `y`.
    pub fn crps(&self, y: f64) -> f64 {
        match self {
            Distribution::StudentT(t) => t.crps(y),
            Distribution::Gaussian(g) => g.crps(y),
        }
    }

    /// The probability of a value of at most `y`: of an observation, its probability integral transform (PIT).
    pub fn cdf(&self, y: f64) -> f64 {
        match self {
            Distribution::StudentT(t) => t.cdf(y),
            Distribution::Gaussian(g) => g.cdf(y),
        }
    }

    /// All scores of `y`.
    pub fn score(&self, y: f64) -> Score {
        match self {
            Distribution::StudentT(t) => t.score(y),
            Distribution::Gaussian(g) => g.score(y),
        }
    }

    /// The value that is not exceeded with probability `p`: `−∞` at 0, `∞` at 1, NaN outside.
    pub fn quantile(&self, p: f64) -> f64 {
        match self {
            Distribution::StudentT(t) => t.quantile(p),
            Distribution::Gaussian(g) => g.quantile(p),
        }
    }

    /// The quantiles at [`LEVELS`](crate::LEVELS), ascending.
    pub fn quantiles(&self) -> [f64; 7] {
        match self {
            Distribution::StudentT(t) => t.quantiles(),
            Distribution::Gaussian(g) => g.quantiles(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_made_again_from_its_parts() {
        let all = [Distribution::student_t(1.0, 2.0, TShape::new(4.5)), Distribution::gaussian(-1.0, 0.5)];
        for (distribution, family) in all.into_iter().flatten().zip(Distribution::FAMILIES) {
            assert_eq!(distribution.family(), family);
            let (mean, scale, shape) = (distribution.mean(), distribution.scale(), distribution.shape());
            assert_eq!(Distribution::from_parts(family, mean, scale, shape), Some(distribution));
        }
        assert_eq!(Distribution::from_parts("student-t", 0.0, 1.0, None), None);
        assert_eq!(Distribution::from_parts("mixture", 0.0, 1.0, None), None);
    }
}
