//! Student's t with location and scale.

use crate::gamma_ratio::gamma_ratio;
use crate::gaussian;
use crate::location_scale::{is_location_scale, quantiles_around, standardise};
use crate::t_mass::{TMass, log_growth};
use crate::t_quantile::upper_point;
use crate::{LEVELS, Score};
use std::f64::consts::PI;

/// All of a Student's t that depends on its degrees of freedom alone, computed once.
///
/// Forecasts that share their degrees of freedom share one of these: making it costs about a microsecond, using it
/// nothing.
///
/// ```
/// use sluicegate_score::{StudentT, TShape};
///
/// let shape = TShape::new(8.0);
/// let calm = StudentT::new(20.0, 0.5, shape).ok_or("not a distribution")?;
/// let wild = StudentT::new(20.0, 4.0, shape).ok_or("not a distribution")?;
/// assert!(calm.nll(20.1) < wild.nll(20.1));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TShape {
    df: f64,
    df_root: f64,
    half_df: f64,
    peak: f64,
    ln_peak: f64,
    crps_constant: f64,
    upper_points: [f64; 3],
}

impl TShape {
    /// Degrees of freedom must exceed this: from here down neither the mean nor the CRPS exists.
    pub const DF_ABOVE: f64 = 1.0;
    /// Degrees of freedom above this are taken as this. Here the log-likelihood differs from the Gaussian's by
    /// no more than about `z⁴ / 4e12`.
    pub const DF_MAX: f64 = 1e12;

    /// The shape with `df` degrees of freedom.
    ///
    /// With a `df` that is NaN or not above [`TShape::DF_ABOVE`] it is not [valid](TShape::is_valid), and
    /// [`StudentT::new`] refuses it.
    pub fn new(df: f64) -> TShape {
        let df = if df > Self::DF_ABOVE { df.min(Self::DF_MAX) } else { f64::NAN };
        let df_root = df.sqrt();
        let half_df = 0.5 * df;
        let ratio = gamma_ratio(half_df);
        let peak = ratio / (df * PI).sqrt();
        // Jordan, Krüger & Lerch (2019), appendix A: 2√df / (df − 1) · B(½, df − ½) / B(½, df / 2)², its beta
        // functions written as gamma ratios.
        let crps_constant = 2.0 * df_root / (df - 1.0) * ratio * ratio / (PI.sqrt() * gamma_ratio(df - 0.5));
        let mut shape =
            TShape { df, df_root, half_df, peak, ln_peak: peak.ln(), crps_constant, upper_points: [f64::NAN; 3] };
        if shape.is_valid() {
            shape.upper_points = [0, 1, 2].map(|i| upper_point(&shape, LEVELS[i], gaussian::UPPER_POINTS[i]));
        }
        shape
    }

    /// The degrees of freedom; NaN if the shape is not valid.
    pub fn df(&self) -> f64 {
        self.df
    }

    /// Whether this is the shape of a distribution.
    pub fn is_valid(&self) -> bool {
        !self.df.is_nan()
    }

    pub(crate) fn df_root(&self) -> f64 {
        self.df_root
    }

    pub(crate) fn half_df(&self) -> f64 {
        self.half_df
    }

    /// The standard density at zero.
    pub(crate) fn peak(&self) -> f64 {
        self.peak
    }

    fn masses(&self, z: f64) -> TMass {
        TMass::new(self, z.abs())
    }
}

/// Student's t with a location, a scale and a [shape](TShape).
///
/// With `z = (y − location) / scale` its density at `y` is
/// `Γ((df + 1) / 2) / (Γ(df / 2) √(df π) scale) · (1 + z² / df)^(−(df + 1) / 2)`. For every finite `y` no result is
/// NaN.
///
/// ```
/// use sluicegate_score::{StudentT, TShape};
///
/// let forecast = StudentT::new(1.0, 2.0, TShape::new(5.0)).ok_or("not a distribution")?;
/// assert_eq!(forecast.cdf(1.0), 0.5);
/// assert!((forecast.cdf(forecast.quantile(0.9)) - 0.9).abs() < 1e-12);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StudentT {
    location: f64,
    scale: f64,
    shape: TShape,
}

impl StudentT {
    /// The distribution, or `None` unless `location` is finite, `scale` finite and positive, and `shape` valid.
    pub fn new(location: f64, scale: f64, shape: TShape) -> Option<StudentT> {
        (is_location_scale(location, scale) && shape.is_valid()).then_some(StudentT { location, scale, shape })
    }

    /// The location: mean, median and mode.
    pub fn location(&self) -> f64 {
        self.location
    }

    /// The scale, which is not the [standard deviation](StudentT::std_dev).
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The shape.
    pub fn shape(&self) -> TShape {
        self.shape
    }

    /// The standard deviation `scale · √(df / (df − 2))`, or `None` where it is infinite: for `df ≤ 2`.
    pub fn std_dev(&self) -> Option<f64> {
        let df = self.shape.df;
        (df > 2.0).then(|| self.scale * (df / (df - 2.0)).sqrt())
    }

    /// The logarithm of the density at `y`.
    pub fn ln_pdf(&self, y: f64) -> f64 {
        self.ln_density(log_growth(self.standardised(y).abs() / self.shape.df_root))
    }

    /// The negative log-likelihood of `y`, in nats.
    pub fn nll(&self, y: f64) -> f64 {
        -self.ln_pdf(y)
    }

    /// The probability of a value of at most `y`, absolutely within 1e-14.
    ///
    /// Below the location its relative error stays under 1e-12 too, down to 1e-300. By the power series (DLMF 8.17.8)
    /// near the location and the continued fraction of DiDonato & Morris (1992) away from it.
    pub fn cdf(&self, y: f64) -> f64 {
        let z = self.standardised(y);
        if z.is_nan() {
            return f64::NAN;
        }
        cumulative(z, &self.shape.masses(z))
    }

    /// The continuous ranked probability score of `y`, in the units of `y`.
    ///
    /// Closed form of Jordan, Krüger & Lerch (2019), appendix A.
    pub fn crps(&self, y: f64) -> f64 {
        let z = self.standardised(y);
        if z.is_nan() {
            return f64::NAN;
        }
        self.scale * self.standard_crps(z, &self.shape.masses(z))
    }

    /// `½ E|X − X′|` of two independent values.
    pub fn half_mean_difference(&self) -> f64 {
        self.scale * self.shape.crps_constant
    }

    /// All scores of `y`, for little more than the price of the distribution function.
    ///
    /// ```
    /// use sluicegate_score::{StudentT, TShape};
    ///
    /// let forecast = StudentT::new(1.0, 2.0, TShape::new(5.0)).ok_or("not a distribution")?;
    /// let score = forecast.score(4.0);
    /// assert_eq!(score.error, 3.0);
    /// assert_eq!(score.nll, forecast.nll(4.0));
    /// assert_eq!(score.crps, forecast.crps(4.0));
    /// assert_eq!(score.pit, forecast.cdf(4.0));
    /// # Ok::<(), &str>(())
    /// ```
    pub fn score(&self, y: f64) -> Score {
        let z = self.standardised(y);
        if z.is_nan() {
            return Score::NAN;
        }
        let mass = self.shape.masses(z);
        Score {
            error: y - self.location,
            nll: -self.ln_density(mass.log_growth),
            crps: self.scale * self.standard_crps(z, &mass),
            pit: cumulative(z, &mass),
        }
    }

    /// The value that is not exceeded with probability `p`, to a relative 1e-12 of its distance from the
    /// location for `p` from 1e-300.
    ///
    /// `−∞` at 0, `∞` at 1, NaN outside.
    pub fn quantile(&self, p: f64) -> f64 {
        let upper = p.min(1.0 - p);
        if p.is_nan() || upper < 0.0 {
            return f64::NAN;
        }
        let point = upper_point(&self.shape, upper, gaussian::upper_point(upper));
        self.location + self.scale * if p < 0.5 { -point } else { point }
    }

    /// The quantiles at [`LEVELS`], ascending. Costs nothing: the shape holds them.
    pub fn quantiles(&self) -> [f64; 7] {
        quantiles_around(self.location, self.scale, self.shape.upper_points)
    }

    fn standardised(&self, y: f64) -> f64 {
        standardise(y, self.location, self.scale)
    }

    fn ln_density(&self, log_growth: f64) -> f64 {
        self.shape.ln_peak - (self.shape.half_df + 0.5) * log_growth - self.scale.ln()
    }

    fn standard_crps(&self, z: f64, mass: &TMass) -> f64 {
        let TShape { df, crps_constant, .. } = self.shape;
        // 2 f(z) (df + z²) / (df − 1), with f(z) = kernel / growth_root and df + z² = df · growth_root².
        let spread = 2.0 * mass.kernel * mass.growth_root * (df / (df - 1.0));
        z.abs() * (2.0 * mass.centre) + spread - crps_constant
    }
}

fn cumulative(z: f64, mass: &TMass) -> f64 {
    if z < 0.0 { mass.tail } else { 0.5 + mass.centre }
}
