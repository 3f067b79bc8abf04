//! The natural logarithm, as the functions of `activation.rs` are: the same on every machine.

/// √½, the middle of the range that a mantissa is brought to.
const SQRT_HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;
/// ln 2 in two parts, as for `exp`.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// ln x within 2 units in the last place, for normal numbers above 0. The polynomial is that of Moshier's Cephes library (`logf`).
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    // x = m · 2^e with m from √½ to √2.
    let shifted = x.to_bits().wrapping_sub(SQRT_HALF.to_bits());
    let exponent = (shifted as i32) >> 23;
    let m = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(SQRT_HALF.to_bits()));
    let (e, r) = (exponent as f32, m - 1.0);
    let z = r * r;
    let p = (7.037_683_6e-2 * r - 1.151_461e-1) * r + 1.167_699_9e-1;
    let p = ((p * r - 1.242_014_1e-1) * r + 1.424_932_3e-1) * r - 1.666_805_8e-1;
    let p = ((p * r + 2.000_071_5e-1) * r - 2.499_999_4e-1) * r + 3.333_333e-1;
    let tail = p * r * z + e * LN_2_LOW - 0.5 * z;
    r + tail + e * LN_2_HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_double_precision_says() {
        let mut off = 0.0f64;
        for x in (f32::MIN_POSITIVE.to_bits()..f32::MAX.to_bits()).step_by(9973).map(f32::from_bits) {
            let exact = f64::from(x).ln();
            // Near 1 the unit is that of x - 1.
            let unit = f64::from(f32::EPSILON) * exact.abs().max(f64::from(f32::MIN_POSITIVE));
            off = off.max((f64::from(ln(x)) - exact).abs() / unit);
        }
        assert!(off < 2.0, "{off} units");
        assert_eq!(ln(1.0), 0.0);
    }
}
