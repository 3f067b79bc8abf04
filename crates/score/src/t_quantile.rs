//! Quantiles of the standard Student's t: a closed approximation, then steps of fifth order.

use crate::student_t::TShape;
use crate::t_mass::TMass;
use std::f64::consts::FRAC_PI_2;

/// Steps after which the search ends, whatever it has reached. Two are the rule.
const STEPS_MAX: usize = 30;
/// A step that moves the point by less than this, relatively, was the last: the error left is its fifth power.
const LAST_STEP: f64 = 1e-4;
/// A step longer than this, relatively, is no place for a Taylor series.
const LONG_STEP: f64 = 0.1;
/// Above this mass the search looks at the mass between the median and the point, which keeps its digits there.
const CENTRE_ABOVE: f64 = 0.25;

/// The point above which a mass `p` lies: `P(T > z) = p`, for `0 ≤ p ≤ ½`, given the normal's such point.
pub(crate) fn upper_point(shape: &TShape, p: f64, normal: f64) -> f64 {
    if p == 0.0 || p == 0.5 {
        return normal;
    }
    let mut z = hill(shape.df(), p, normal);
    for _ in 0..STEPS_MAX {
        if !z.is_finite() {
            // Past the largest f64, as only tails near df = 1 go.
            return f64::INFINITY;
        }
        let mass = TMass::new(shape, z);
        let excess = if p > CENTRE_ABOVE { (0.5 - p) - mass.centre } else { mass.tail - p };
        // z times the density. The density alone would underflow long before the tail does.
        let density_z = shape.df_root() * mass.kernel * mass.sine;
        let step = excess / density_z;
        if step.abs() <= LONG_STEP {
            let step = taylor_step(shape.df(), mass.sine * mass.sine, step);
            z += z * step;
            if step.abs() <= LAST_STEP {
                break;
            }
        } else if p > CENTRE_ABOVE {
            z += z * step.clamp(-0.5, 1.0);
        } else {
            // Newton's method for the logarithm of the tail over that of the point: nearly a line far out.
            z *= ((mass.tail / p).ln() * mass.tail / density_z).clamp(-2.0, 2.0).exp();
        }
    }
    z
}

/// Newton's `step` carried to fourth order, both relative to the point.
///
/// The Taylor series of the quantile function `q`, all derivatives from `q' = 1 / f` and `ψ = −(ln f)'`:
/// `q'' / q'² = ψ`, `q⁽³⁾ / q'³ = 2ψ² + ψ'`, `q⁽⁴⁾ / q'⁴ = 6ψ³ + 7ψψ' + ψ''`. Below, `psi` is `ψ z`, `psi_1` is
/// `ψ' z²` and `psi_2` is `ψ'' z³`, in terms of `sine_square = z² / (df + z²)`.
fn taylor_step(df: f64, sine_square: f64, step: f64) -> f64 {
    let psi = (df + 1.0) * sine_square;
    let psi_1 = psi * (1.0 - 2.0 * sine_square);
    let psi_2 = 2.0 * psi * sine_square * (4.0 * sine_square - 3.0);
    let third = (2.0 * psi * psi + psi_1) / 6.0;
    let fourth = (psi * (6.0 * psi * psi + 7.0 * psi_1) + psi_2) / 24.0;
    step * (1.0 + step * (0.5 * psi + step * (third + step * fourth)))
}

/// Below this the approximation for small masses is its leading term, and its own formula would overflow.
const LEADING_TERM_BELOW: f64 = 1e-30;

/// The first guess: Hill (1970), "Algorithm 396: Student's t-quantiles", with the amendments of Hill (1981).
fn hill(df: f64, p: f64, normal: f64) -> f64 {
    let a = 1.0 / (df - 0.5);
    let b = 48.0 / (a * a);
    let c = ((20_700.0 * a / b - 98.0) * a - 16.0) * a + 96.36;
    let d = ((94.5 / (b + c) - 3.0) / b + 1.0) * (a * FRAC_PI_2).sqrt() * df;
    let root = (2.0 * p * d).powf(1.0 / df);
    let y = root * root;
    if root < LEADING_TERM_BELOW {
        return df.sqrt() / root;
    }
    let square = if (df < 2.1 && p > 0.25) || y > 0.05 + a {
        let x = -normal;
        let c = if df < 5.0 { c + 0.3 * (df - 4.5) * (x + 0.6) } else { c };
        let c = (((0.05 * d * x - 5.0) * x - 7.0) * x - 2.0) * x + b + c;
        let x2 = x * x;
        let y = (((((0.4 * x2 + 6.3) * x2 + 36.0) * x2 + 94.5) / c - x2 - 3.0) / b + 1.0) * x;
        (a * y * y).exp_m1()
    } else {
        ((1.0 / (((df + 6.0) / (df * y) - 0.089 * d - 0.822) * (df + 2.0) * 3.0) + 0.5 / (df + 4.0)) * y - 1.0)
            * (df + 1.0)
            / (df + 2.0)
            + 1.0 / y
    };
    (df * square).sqrt()
}
