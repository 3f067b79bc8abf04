//! Where to look at the distribution functions of a mixture's members.

use std::f64::consts::FRAC_PI_2;

/// Nodes on each side of the centre: the last lie some 2,700 scales away, where the square of the tail of a Student's t
/// with two degrees of freedom is 10⁻¹⁵.
const NODES: i32 = 30;
/// Their distance.
const STEP: f64 = 0.08;
/// A node is found when the map is off its value by at most this: a hundred-thousandth of the way to the next.
const TOLERANCE: f64 = 1e-6;
/// Steps of the search for a node; a step that Newton's rule does not take halves the bracket.
const SEARCH_MAX: usize = 100;

/// No node, and no distance in scales, is farther out: sums of two still are numbers.
const REACH: f64 = f64::MAX / 4.0;
/// From here on `1 + z²` equals `z²` in `f64`, and `z²` may overflow.
const SQUARE_ALONE_FROM: f64 = 1e9;

/// Where a distribution lies: a centre, and the scale of what is around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Core {
    pub(crate) centre: f64,
    pub(crate) scale: f64,
}

/// `∫ f(x) dx` over all `x`, for an `f` that is smooth where the members are and falls off beyond them.
///
/// The double exponential rule (Takahasi & Mori 1974): trapezoids in `u`, where `asinh((x − c) / s) = π/2 sinh u` around
/// a single centre `c` with scale `s`. For several, the left side is the mean over all members of what each alone would
/// have there: near every member nodes are as dense as its own scale asks for, divided by the number of members.
pub(crate) fn integrate(cores: &[Core], f: impl Fn(f64) -> f64) -> f64 {
    let mut sum = 0.0;
    let mut guess = f64::NAN;
    let mut before = None;
    for node in -NODES..=NODES {
        let u = f64::from(node) * STEP;
        let value = FRAC_PI_2 * u.sinh();
        let (x, slope) = solve(cores, value, guess);
        let step = STEP * FRAC_PI_2 * u.cosh() / slope;
        sum += f(x) * step;
        // The next one by the rule of Adams and Bashforth of second order.
        guess = x + 1.5 * step - 0.5 * before.unwrap_or(step);
        before = Some(step);
    }
    sum
}

/// The point where the map has this value, and its slope there.
fn solve(cores: &[Core], value: f64, guess: f64) -> (f64, f64) {
    let sinh = value.sinh();
    // Each member alone would have the value here; the mean has it in between.
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for core in cores {
        let alone = (core.centre + core.scale * sinh).clamp(-REACH, REACH);
        (low, high) = (low.min(alone), high.max(alone));
    }
    let mut x = if guess > low && guess < high { guess } else { 0.5 * (low + high) };
    let mut slope = f64::NAN;
    for _ in 0..SEARCH_MAX {
        let excess;
        (excess, slope) = map(cores, x, value);
        if excess.abs() <= TOLERANCE {
            break;
        }
        if excess > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let newton = x - excess / slope;
        x = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
    }
    (x, slope)
}

/// By how much the map is above `value` at `x`, and its slope.
fn map(cores: &[Core], x: f64, value: f64) -> (f64, f64) {
    let (mut sum, mut slope) = (0.0, 0.0);
    for Core { centre, scale } in cores {
        let z = ((x - centre) / scale).clamp(-REACH, REACH);
        let root = if z.abs() < SQUARE_ALONE_FROM { (1.0 + z * z).sqrt() } else { z.abs() };
        // asinh z by its absolute value, which keeps the digits that the other sign would lose.
        sum += (z.abs() + root).ln().copysign(z);
        slope += 1.0 / (scale * root);
    }
    let share = 1.0 / cores.len() as f64;
    (share * sum - value, share * slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_integral_of_a_bell_at_every_centre_is_its_area() {
        let cores = [(0.0, 1.0), (5.0, 0.1), (-8.0, 3.0)].map(|(centre, scale)| Core { centre, scale });
        for Core { centre, scale } in cores {
            let area = integrate(&cores, |x| (-0.5 * ((x - centre) / scale).powi(2)).exp() / scale);
            assert!((area - std::f64::consts::TAU.sqrt()).abs() < 1e-3, "{centre}: {area}");
        }
    }

    #[test]
    fn nodes_are_found_however_unlike_the_members_are() {
        let cores = [(0.0, 1e-12), (1e9, 1.0), (-1e-3, 1e6)].map(|(centre, scale)| Core { centre, scale });
        for node in -NODES..=NODES {
            let value = FRAC_PI_2 * (f64::from(node) * STEP).sinh();
            let (x, slope) = solve(&cores, value, f64::NAN);
            let off = map(&cores, x, value).0.abs();
            // Near 1e9 neighbouring numbers are 1e-7 apart, where the map still rises by a third of that.
            assert!(off <= 1e-6 && slope > 0.0, "{node}: {off}");
        }
    }
}
