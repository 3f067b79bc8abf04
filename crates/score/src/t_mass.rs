//! The probability mass of the standard Student's t on either side of a point: its distribution function, without the
//! loss of digits at zero and in the tail that `1 − F` would bring.

use crate::student_t::TShape;

/// What the density, the distribution function and the CRPS of the standard t share at `z ≥ 0`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TMass {
    /// `ln(1 + z² / df)`.
    pub(crate) log_growth: f64,
    /// `√(1 + z² / df)`.
    pub(crate) growth_root: f64,
    /// `z / √(df + z²)`.
    pub(crate) sine: f64,
    /// The density at zero times `(1 + z² / df)^(−df / 2)`: the density at `z` is this over `growth_root`.
    pub(crate) kernel: f64,
    /// `P(0 < T ≤ z)`.
    pub(crate) centre: f64,
    /// `P(T > z)`.
    pub(crate) tail: f64,
}

/// From here on `1 + w²` equals `w²` in `f64`, and `w²` may overflow.
const SQUARE_ALONE_FROM: f64 = 1e9;

/// `ln(1 + w²)` of a `w` that is not negative, without overflow.
pub(crate) fn log_growth(w: f64) -> f64 {
    if w < SQUARE_ALONE_FROM { (w * w).ln_1p() } else { 2.0 * w.ln() }
}

/// The bounds of the region in which the power series takes fewer steps than the continued fraction: `z` …
const SERIES_BELOW_Z: f64 = 2.0;
/// … and `z² / (df + z²)`.
const SERIES_BELOW_SINE_SQUARE: f64 = 0.25;

impl TMass {
    /// The masses at `z`, which must be neither negative nor NaN.
    pub(crate) fn new(shape: &TShape, z: f64) -> TMass {
        let w = z / shape.df_root();
        let log_growth = log_growth(w);
        let growth_root = if w < SQUARE_ALONE_FROM { (1.0 + w * w).sqrt() } else { w };
        let kernel = shape.peak() * (-shape.half_df() * log_growth).exp();
        let sine = w / growth_root;
        let (centre, tail) = if z < SERIES_BELOW_Z && sine * sine < SERIES_BELOW_SINE_SQUARE {
            let centre = shape.df_root() * kernel * sine * centre_series(shape.half_df(), sine * sine);
            (centre, 0.5 - centre)
        } else {
            let p = 0.5 / ((1.0 + sine) * growth_root * growth_root);
            let tail = kernel / shape.df_root() * tail_fraction(shape.half_df(), sine, p);
            (0.5 - tail, tail)
        };
        TMass { log_growth, growth_root, sine, kernel, centre, tail }
    }
}

/// Terms after which [`centre_series`] ends, whatever it has reached. In its region it needs at most 36.
const SERIES_TERMS_MAX: usize = 100;

/// `₂F₁(h + ½, 1; 3/2; y)`, all terms positive (DLMF 8.17.8 with `a = ½`, `b = h`).
fn centre_series(h: f64, y: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for inverse in &INVERSE_ODD {
        // (h + ½ + n) / (3/2 + n) = 1 + (h − 1) · 2 / (2n + 3)
        term *= y * (1.0 + (h - 1.0) * inverse);
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum
}

/// `2 / (2n + 3)`: a division less in every term.
const INVERSE_ODD: [f64; SERIES_TERMS_MAX] = {
    let mut inverse = [0.0; SERIES_TERMS_MAX];
    let mut n = 0;
    while n < SERIES_TERMS_MAX {
        inverse[n] = 2.0 / (2.0 * n as f64 + 3.0);
        n += 1;
    }
    inverse
};

/// Steps after which [`tail_fraction`] ends, whatever it has reached. In its region it needs at most 96, and that
/// only for a million degrees of freedom and more.
const FRACTION_STEPS_MAX: usize = 200;
/// Two convergents nearer to each other than this, relatively, end the fraction: the next differ by far less.
const FRACTION_TOLERANCE: f64 = 1e-15;
/// Denominators above this are scaled down, long before their product overflows.
const RESCALE_ABOVE: f64 = 1e100;

/// `₂F₁(2h, 1; h + 1; p)` with `p = (1 − sine) / 2`: the tail of the symmetric beta distribution that `sine` follows,
/// over its leading term.
///
/// The continued fraction of DiDonato & Morris (1992), "Algorithm 708", for equal parameters `h`.
/// Numerators and denominators of the convergents are carried forward: no division waits for the one before.
fn tail_fraction(h: f64, sine: f64, p: f64) -> f64 {
    let mut inverse_before = 1.0 / (h + 1.0);
    let first = h * (h * sine + 1.0) * inverse_before;
    // Numerators (a) and denominators (b) of two successive convergents of first + α₁/(β₁ + α₂/(β₂ + …)).
    let (mut a_before, mut b_before) = (1.0, 0.0);
    let (mut a, mut b) = (first, 1.0);
    let h_sine = h * sine + 1.0;
    let two_less_p = 2.0 - p;
    let mut m = 0.0;
    for _ in 0..FRACTION_STEPS_MAX {
        m += 1.0;
        let inverse = 1.0 / (h + 2.0 * m + 1.0);
        let cross = m * (h - m) * p * inverse_before;
        let alpha = (h + m - 1.0) * (2.0 * h + m - 1.0) * inverse_before * p * cross;
        let beta = m + cross + (h + m) * (h_sine + m * two_less_p) * inverse;
        let a_next = beta * a + alpha * a_before;
        let b_next = beta * b + alpha * b_before;
        let done = (a_next * b - a * b_next).abs() <= FRACTION_TOLERANCE * (a_next * b).abs();
        (a_before, b_before, a, b) = (a, b, a_next, b_next);
        if done {
            break;
        }
        if b.abs() > RESCALE_ABOVE {
            a_before /= RESCALE_ABOVE;
            b_before /= RESCALE_ABOVE;
            a /= RESCALE_ABOVE;
            b /= RESCALE_ABOVE;
        }
        inverse_before = inverse;
    }
    h * b / a
}
