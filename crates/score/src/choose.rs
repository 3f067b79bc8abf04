//! Choices by weight.

/// The place that `at` falls on, from 0 to below 1, where the weights are laid end to end and stretched to a length of 1. So a place is
/// chosen as often as its weight says where `at` is drawn evenly, and one without weight never is.
///
/// `None` where the weights have no sum above 0, one is negative, or one is not finite.
///
/// ```
/// use sluicegate_score::choose;
///
/// let weights = [1.0, 0.0, 3.0];
/// let chosen = [0.0, 0.24, 0.26, 0.99].map(|at| choose(weights, at));
/// assert_eq!(chosen, [Some(0), Some(0), Some(2), Some(2)]);
/// ```
pub fn choose<I>(weights: I, at: f64) -> Option<usize>
where
    I: IntoIterator<Item = f64>,
    I::IntoIter: Clone,
{
    let weights = weights.into_iter();
    if weights.clone().any(|weight| !(weight >= 0.0 && weight.is_finite())) {
        return None;
    }
    let target = at * weights.clone().sum::<f64>();
    let (mut end, mut last) = (0.0, None);
    for (place, weight) in weights.enumerate().filter(|(_, weight)| *weight > 0.0) {
        end += weight;
        last = Some(place);
        if end > target {
            break;
        }
    }
    // Where rounding has left no place above `at`, it is the last one.
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_chosen_as_often_as_their_weights_say() {
        let weights = [2.0f64, 0.0, 1.0, 5.0];
        let mut counts = [0; 4];
        for i in 0..8000 {
            counts[choose(weights, (f64::from(i) + 0.5) / 8000.0).unwrap()] += 1;
        }
        assert_eq!(counts, [2000, 0, 1000, 5000]);
    }

    #[test]
    fn what_is_no_weight_is_no_choice() {
        assert_eq!(choose([], 0.5), None);
        assert_eq!(choose([0.0, 0.0], 0.5), None);
        assert_eq!(choose([1.0, -1.0], 0.5), None);
        assert_eq!(choose([1.0, f64::NAN], 0.5), None);
        assert_eq!(choose([0.1, 0.2, 0.0], 1.0), Some(1), "at the end of all");
    }
}
