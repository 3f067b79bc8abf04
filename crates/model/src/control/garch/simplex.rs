//! The downhill simplex: a minimum without gradients, the same at every run.

/// Where a search ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Minimum<const N: usize> {
    pub(super) at: [f64; N],
    pub(super) value: f64,
}

impl<const N: usize> Minimum<N> {
    fn of(f: &impl Fn(&[f64; N]) -> f64, at: [f64; N]) -> Self {
        let value = f(&at);
        // A value that is none is worse than all.
        Self { at, value: if value.is_nan() { f64::INFINITY } else { value } }
    }
}

/// Looks for a minimum of `f` from `start`, by steps of the size of `step` at first.
///
/// Ends when the values at all corners lie within `tolerance`, or after `evaluations_max` evaluations and the few that a last
/// step takes. Nelder & Mead (1965), "A simplex method for function minimization", The Computer Journal 7, with their
/// coefficients; what is kept of a tie is the older corner.
pub(super) fn minimise<const N: usize>(
    f: impl Fn(&[f64; N]) -> f64,
    start: [f64; N],
    step: f64,
    tolerance: f64,
    evaluations_max: usize,
) -> Minimum<N> {
    let mut corners: Vec<Minimum<N>> = vec![Minimum::of(&f, start)];
    for i in 0..N {
        let mut at = start;
        at[i] += step;
        corners.push(Minimum::of(&f, at));
    }
    let mut evaluations = corners.len();
    loop {
        // Stable, so that ties keep their order.
        corners.sort_by(|a, b| a.value.total_cmp(&b.value));
        let (best, second_worst, worst) = (corners[0], corners[N - 1], corners[N]);
        if worst.value - best.value <= tolerance || evaluations >= evaluations_max || best.value == f64::INFINITY {
            return best;
        }
        let centre: [f64; N] = std::array::from_fn(|i| corners[..N].iter().map(|c| c.at[i]).sum::<f64>() / N as f64);
        let along = |t: f64| Minimum::of(&f, std::array::from_fn(|i| centre[i] + t * (worst.at[i] - centre[i])));
        let reflected = along(-1.0);
        evaluations += 1;
        if reflected.value < best.value {
            let expanded = along(-2.0);
            evaluations += 1;
            corners[N] = if expanded.value < reflected.value { expanded } else { reflected };
        } else if reflected.value < second_worst.value {
            corners[N] = reflected;
        } else {
            let contracted = if reflected.value < worst.value { along(-0.5) } else { along(0.5) };
            evaluations += 1;
            if contracted.value < reflected.value.min(worst.value) {
                corners[N] = contracted;
            } else {
                for corner in &mut corners[1..] {
                    let at = std::array::from_fn(|i| best.at[i] + 0.5 * (corner.at[i] - best.at[i]));
                    *corner = Minimum::of(&f, at);
                }
                evaluations += N;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curved_valley_is_followed_to_its_end() {
        let rosenbrock = |x: &[f64; 2]| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2);
        let found = minimise(rosenbrock, [-1.2, 1.0], 0.5, 1e-16, 1000);
        assert!((found.at[0] - 1.0).abs() < 1e-6 && (found.at[1] - 1.0).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn a_search_ends_where_there_is_no_value_and_where_there_is_no_minimum() {
        assert_eq!(minimise(|_: &[f64; 3]| f64::NAN, [1.0; 3], 0.5, 1e-9, 1000).value, f64::INFINITY);
        let count = std::cell::Cell::new(0);
        let downhill = |x: &[f64; 2]| {
            count.set(count.get() + 1);
            x[0] + x[1]
        };
        assert!(minimise(downhill, [0.0; 2], 0.5, 1e-9, 100).value < -100.0);
        assert!(count.get() <= 103, "{count:?}");
    }

    #[test]
    fn a_region_without_values_is_left_alone() {
        let root = |x: &[f64; 1]| x[0].sqrt() - 0.5 * x[0];
        let found = minimise(root, [2.0], -0.5, 1e-12, 1000);
        assert!(found.value <= 1e-6 && found.at[0] >= 0.0, "{found:?}");
    }
}
