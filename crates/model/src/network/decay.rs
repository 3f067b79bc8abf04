//! How gradients decay with the lag, and what a window that ends them leaves out.

/// Averages of ‖d loss_t / d h_{t−k}‖ relative to that at k = 0, for k = 0, 1, …: h is the whole state of a key after an event, the
/// cell state of an LSTM and all layers included.
///
/// What follows from them is after Aicher, Foti & Fox (2019), "Adaptively truncating backpropagation through time to control gradient
/// bias": a window that reaches K lags back leaves out at most M Σ_{k ≥ K} φ_k of the gradient, where M bounds how a state depends
/// on the parameters (their equation 10, with a geometric tail where nothing is measured), and the gradient itself is at least what
/// is left of the part that is seen when as much is taken from it (equation 12). They measure that part; here it is taken as
/// M Σ_{k < K} φ_k, so that M, which nobody knows, cancels out: the relative bias is T / (S − T) with T and S the two sums.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientDecay {
    /// Sums with fading weights, and the weights; by lag.
    sums: Vec<f64>,
    weights: Vec<f64>,
}

/// What a measurement weighs in the averages.
const ALPHA: f64 = 0.1;

impl GradientDecay {
    /// Nothing measured yet, of `lags` lags from 0 on.
    pub fn new(lags: usize) -> Self {
        Self { sums: vec![0.0; lags], weights: vec![0.0; lags] }
    }

    /// Takes norms in that were measured together: of each window those at the lags 0, 1, … as far as it goes. Lags that no window
    /// reaches keep their averages, and so do all where a norm is not finite or no window has a gradient.
    pub fn observe(&mut self, windows: &[Vec<f64>]) {
        let finite = |norms: &&Vec<f64>| norms.iter().all(|norm| norm.is_finite());
        let windows: Vec<&Vec<f64>> = windows.iter().filter(finite).collect();
        for (lag, (sum, weight)) in self.sums.iter_mut().zip(&mut self.weights).enumerate() {
            let reaching = windows.iter().filter_map(|norms| Some((norms.get(lag)?, norms.first()?)));
            let (here, first) = reaching.fold((0.0, 0.0), |(here, first), (a, b)| (here + a, first + b));
            if first > 0.0 {
                *sum += ALPHA * (here / first - *sum);
                *weight += ALPHA * (1.0 - *weight);
            }
        }
    }

    /// The averages from lag 0 on, as far as they are known without a gap.
    pub fn relative(&self) -> Vec<f64> {
        let known = self.sums.iter().zip(&self.weights).take_while(|(_, weight)| **weight > 0.0);
        known.map(|(sum, weight)| sum / weight).collect()
    }

    /// The estimated relative bias of gradients through windows of 0, `every`, 2 `every`, … events, each of which trains its last `every`
    /// steps: infinite where more may be left out than is seen.
    pub fn bias(&self, every: usize) -> Vec<f64> {
        let norms = self.relative();
        // Of the first k lags.
        let mut seen = vec![0.0];
        seen.extend(norms.iter().scan(0.0, |sum, norm| {
            *sum += norm;
            Some(*sum)
        }));
        let all = seen[norms.len()] + tail(&norms);
        let mut biases = vec![f64::INFINITY];
        for window in (every..=self.sums.len()).step_by(every) {
            // The first of the trained steps reaches window − every + 1 lags, itself included, the last one the whole window.
            let reaches = window - every + 1..=window;
            let mean = reaches.map(|lags| seen[lags.min(norms.len())]).sum::<f64>() / every as f64;
            let left_out = all - mean;
            let bias = if mean > left_out { left_out.max(0.0) / (mean - left_out) } else { f64::INFINITY };
            biases.push(bias);
        }
        biases
    }

    /// The smallest multiple of `every` whose bias is below `tolerance`; the largest where there is none.
    pub fn window(&self, every: usize, tolerance: f64) -> usize {
        let biases = self.bias(every);
        biases.iter().position(|bias| *bias < tolerance).unwrap_or(biases.len() - 1) * every
    }

    /// Sums and weights, for a snapshot.
    pub(super) fn parts(&self) -> (&[f64], &[f64]) {
        (&self.sums, &self.weights)
    }

    /// From the parts in a snapshot; `None` where they cannot be such.
    pub(super) fn from_parts(sums: Vec<f64>, weights: Vec<f64>) -> Option<Self> {
        let is_sum = |sum: &f64| sum.is_finite() && *sum >= 0.0;
        let is_weight = |weight: &f64| (0.0..=1.0).contains(weight);
        (sums.iter().all(is_sum) && weights.iter().all(is_weight)).then_some(Self { sums, weights })
    }
}

/// What is beyond the last measured lag if norms go on falling as they do over the later half: a geometric series with the rate of a
/// straight line through their logarithms (Aicher et al., section 4.2).
fn tail(norms: &[f64]) -> f64 {
    let from = norms.len() / 2;
    let points: Vec<(f64, f64)> = norms
        .iter()
        .enumerate()
        .skip(from)
        .filter(|(_, norm)| **norm > 0.0)
        .map(|(k, norm)| (k as f64, norm.ln()))
        .collect();
    let Some(last) = norms.last().copied() else { return f64::INFINITY };
    // What is left below the last digit of the largest is rounding, and goes neither up nor down.
    let largest = norms.iter().copied().fold(0.0, f64::max);
    if last <= f64::from(f32::EPSILON) * largest {
        return 0.0;
    }
    let count = points.len() as f64;
    let (mean_k, mean_ln) =
        points.iter().fold((0.0, 0.0), |(k, ln), point| (k + point.0 / count, ln + point.1 / count));
    let above = points.iter().map(|(k, ln)| (k - mean_k) * (ln - mean_ln)).sum::<f64>();
    let below = points.iter().map(|(k, _)| (k - mean_k).powi(2)).sum::<f64>();
    let rate = (above / below).exp();
    // Neither does one point make a line, nor do norms that do not fall add up to anything.
    if rate < 1.0 { last * rate / (1.0 - rate) } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(lags: usize, norm: impl Fn(usize) -> f64) -> GradientDecay {
        let mut decay = GradientDecay::new(lags);
        decay.observe(&[(0..lags).map(norm).collect()]);
        decay
    }

    #[test]
    fn the_bias_of_a_geometric_decay_is_that_of_its_series() {
        let (rate, lags): (f64, usize) = (0.8, 40);
        let decay = measured(lags, |k| 3.0 * rate.powi(k as i32));
        // T = r^K / (1 − r), S = (1 − r^K) / (1 − r).
        for (window, bias) in decay.bias(1).into_iter().enumerate() {
            let left = rate.powi(window as i32);
            let expected = if left < 0.5 { left / (1.0 - 2.0 * left) } else { f64::INFINITY };
            assert!(bias == expected || (bias - expected).abs() < 1e-9, "{window}: {bias} against {expected}");
        }
        // 0.8^11 / (1 - 2 0.8^11) is .104, and 0.8^12 / (1 - 2 0.8^12) .080.
        assert_eq!(decay.window(1, 0.1), 12);
        // Steps of a window that reach less far count as much as the others.
        let mean = (11..=15).map(|k| rate.powi(k)).sum::<f64>() / 5.0;
        assert!((decay.bias(5)[3] - mean / (1.0 - 2.0 * mean)).abs() < 1e-9);
    }

    #[test]
    fn gradients_that_do_not_fall_ask_for_all_that_there_is() {
        assert_eq!(measured(24, |_| 1.0).window(4, 0.5), 24);
        assert_eq!(measured(24, |k| 1.0 + k as f64).window(4, 0.5), 24);
        assert_eq!(GradientDecay::new(24).window(4, 0.5), 24, "nor does what nobody measured");
    }

    #[test]
    fn gradients_that_end_ask_for_no_more_than_their_end() {
        let decay = measured(24, |k| if k < 6 { 1.0 } else { 0.0 });
        assert_eq!((decay.window(1, 0.01), decay.window(4, 0.01)), (6, 12));
        assert_eq!(decay.relative()[5..7], [1.0, 0.0]);
    }

    /// Norms that have vanished are noise, which may well rise.
    #[test]
    fn what_rounding_leaves_of_gradients_asks_for_nothing() {
        let decay = measured(64, |k| 0.5f64.powi(k as i32).max(1e-13 * 1.2f64.powi(k as i32)));
        // 0.5^4 / (1 - 2 0.5^4) is .071.
        assert_eq!(decay.window(1, 0.1), 4);
    }

    #[test]
    fn averages_follow_what_is_measured_and_numbers_that_are_not_finite_are_left_out() {
        let mut decay = measured(3, |_| 2.0);
        decay.observe(&[vec![1.0, f64::NAN, 1.0], vec![f64::INFINITY; 3]]);
        assert_eq!(decay.relative(), [1.0; 3]);
        // Two windows, one of them shorter: the longer one alone tells of the last lag.
        decay.observe(&[vec![1.0, 0.0], vec![3.0, 2.0, 1.5]]);
        // python3 -c "print((.09 * 1 + .1 * .5) / .19)"
        assert!((decay.relative()[1] - 0.736_842_105_263_157_9).abs() < 1e-12);
        assert!((decay.relative()[2] - decay.relative()[1]).abs() < 1e-12);
        for _ in 0..200 {
            decay.observe(&[vec![1.0, 0.25, 0.125]]);
        }
        assert!((decay.relative()[1] - 0.25).abs() < 1e-6);
    }
}
