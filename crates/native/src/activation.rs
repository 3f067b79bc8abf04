//! The logistic function and the hyperbolic tangent, from additions, multiplications and divisions alone, so that they are the same
//! on every machine and can be done many at once. Polynomials are those of Moshier's Cephes library (`expf`, `tanhf`).

/// Beyond this, e^x leaves the range of `f32`.
const EXP_MAX: f32 = 88.0;
/// Below this, e^x is subnormal.
const EXP_MIN: f32 = -87.0;
/// Adding it rounds to the nearest whole number, which then stands in the lowest bits.
const ROUNDER: f32 = 12_582_912.0;
/// ln 2 in two parts: the product of the first with a small whole number is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// From here on tanh comes from e^x; below, that would cancel.
const TANH_SMALL: f32 = 0.625;

/// e^x within 2 units in the last place, for x from −87 to 88; x beyond counts as the nearer of the two. NaN stays NaN.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Not `clamp` or `min`, which may turn NaN into a number.
    let x = if x > EXP_MAX { EXP_MAX } else { x };
    let x = if x < EXP_MIN { EXP_MIN } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUNDER;
    let whole = rounded - ROUNDER;
    let r = (x - whole * LN_2_HIGH) - whole * LN_2_LOW;
    let p =
        ((((1.987_569_1e-4 * r + 1.398_2e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_5e-1) * r + 0.5;
    let two_to_whole = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    ((p * r) * r + r + 1.0) * two_to_whole
}

/// 1/(1 + e^−x), within 1.2e-7. NaN stays NaN.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// tanh x, within 2 units in the last place. NaN stays NaN.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let z = x * x;
    let small = (((-5.704_988_7e-3 * z + 2.063_909e-2) * z - 5.373_971_6e-2) * z + 1.333_144_2e-1) * z - 3.333_328e-1;
    let small = (small * z) * x + x;
    let large = (1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0)).copysign(x);
    if x.abs() < TANH_SMALL { small } else { large }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 97th float within ±100, the largest ones and the smallest.
    fn floats() -> impl Iterator<Item = f32> {
        let positive = (0..=100f32.to_bits()).step_by(97).map(f32::from_bits);
        positive.flat_map(|x| [x, -x]).chain([f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY])
    }

    #[test]
    fn they_are_what_double_precision_says() {
        let (mut sigmoid_off, mut tanh_off) = (0.0f64, 0.0f64);
        for x in floats() {
            let exact = f64::from(x);
            sigmoid_off = sigmoid_off.max((f64::from(sigmoid(x)) - 1.0 / (1.0 + (-exact).exp())).abs());
            let tanh_exact = exact.tanh();
            let unit = f64::from(f32::EPSILON) * tanh_exact.abs() + f64::from(f32::from_bits(1));
            tanh_off = tanh_off.max((f64::from(tanh(x)) - tanh_exact).abs() / unit);
        }
        assert!(sigmoid_off < 1.2e-7, "{sigmoid_off}");
        assert!(tanh_off < 2.0, "{tanh_off} units");
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        assert!(exp(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
        assert_eq!((sigmoid(0.0), tanh(0.0)), (0.5, 0.0));
    }
}
