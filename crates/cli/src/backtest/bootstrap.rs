//! Confidence intervals of a mean of losses that depend on each other: the stationary bootstrap.
//!
//! Politis & Romano (1994): blocks of random length, geometric with a given mean, are drawn with replacement and laid one after
//! the other, around the end, until the resample is as long as the series. The mean length follows the rule of Politis & White
//! (2004), as corrected by Patton, Politis & White (2009), and is never below what the caller says.

/// Resamples behind an interval: its ends then move by about a hundredth of its width from seed to seed.
const RESAMPLES: usize = 2_000;
/// Longer series are summed up in groups of neighbours first: blocks are much longer than those.
const LENGTH_MAX: usize = 20_000;

/// A mean with its central interval of 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) mean: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// Mean length of blocks, in steps of the series.
    pub(super) block: f64,
}

/// The mean of a series of (sum, count), one for each step of time, with its interval. `None` for fewer than two steps.
pub(super) fn interval(series: &[(f64, f64)], block_min: f64, seed: u64) -> Option<Interval> {
    if series.len() < 2 {
        return None;
    }
    let group = series.len().div_ceil(LENGTH_MAX);
    let series: Vec<(f64, f64)> = series
        .chunks(group)
        .map(|steps| steps.iter().fold((0.0, 0.0), |(s, c), step| (s + step.0, c + step.1)))
        .collect();
    let total = series.iter().fold((0.0, 0.0), |(s, c), step| (s + step.0, c + step.1));
    let mean = total.0 / total.1;
    // What moves a ratio of sums is how far each step is from it.
    let moves: Vec<f64> = series.iter().map(|(sum, count)| sum - mean * count).collect();
    let block = block_length(&moves).max(block_min / group as f64).clamp(1.0, series.len() as f64);
    let mut dice = Dice(seed);
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resampled(&series, block, &mut dice)).collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[(share * (RESAMPLES - 1) as f64).round() as usize];
    Some(Interval { mean, low: at(0.025), high: at(0.975), block: block * group as f64 })
}

fn resampled(series: &[(f64, f64)], block: f64, dice: &mut Dice) -> f64 {
    let (mut sum, mut count, mut place) = (0.0, 0.0, 0);
    for step in 0..series.len() {
        place = if step == 0 || dice.share() * block < 1.0 {
            (dice.share() * series.len() as f64) as usize
        } else {
            (place + 1) % series.len()
        };
        sum += series[place].0;
        count += series[place].1;
    }
    sum / count
}

/// The mean length of blocks that suits a series, by its autocovariances.
fn block_length(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let covariance =
        |lag: usize| values.iter().zip(&values[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / n;
    let variance = covariance(0);
    if variance <= 0.0 {
        return 1.0;
    }
    let run = 5.0_f64.max(n.log10().sqrt().ceil()) as usize;
    let most = ((n.sqrt().ceil() as usize) + run).min(values.len() - 1);
    let bound = 2.0 * (n.log10() / n).sqrt();
    let covariances: Vec<f64> = (0..=most).map(covariance).collect();
    let is_small = |lag: usize| (covariances[lag] / variance).abs() < bound;
    // The last lag before a run of small ones.
    let last = (0..most).find(|lag| (lag + 1..=lag + run).all(|next| next > most || is_small(next))).unwrap_or(most);
    let reach = (2 * last.max(1)).min(most);
    let weight = |lag: usize| (2.0 * (1.0 - lag as f64 / reach as f64)).clamp(0.0, 1.0);
    let (mut slope, mut density) = (0.0, variance);
    for (lag, covariance) in covariances.iter().enumerate().take(reach + 1).skip(1) {
        slope += 2.0 * weight(lag) * lag as f64 * covariance;
        density += 2.0 * weight(lag) * covariance;
    }
    if density <= 0.0 {
        return 1.0;
    }
    let length = (slope / density).abs().powf(2.0 / 3.0) * n.cbrt();
    length.clamp(1.0, (3.0 * n.sqrt()).min(n / 3.0).ceil().max(1.0))
}

/// SplitMix64: the same numbers on every machine.
struct Dice(u64);

impl Dice {
    /// From 0 to below 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize, memory: f64) -> Vec<(f64, f64)> {
        let (mut dice, mut last) = (Dice(7), 0.0);
        let mut next = || {
            // A sum of twelve: mean 0, variance 1.
            let shock = (0..12).map(|_| dice.share()).sum::<f64>() - 6.0;
            last = memory * last + shock;
            (last, 1.0)
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn the_interval_of_independent_losses_is_that_of_the_standard_error() {
        let found = interval(&noise(4_000, 0.0), 1.0, 1).unwrap();
        // 2 · 1.96 / √4,000 = 0.0620.
        assert!((found.high - found.low - 0.062).abs() < 0.006, "{found:?}");
        assert!(found.low < found.mean && found.mean < found.high && found.block < 6.0, "{found:?}");
    }

    #[test]
    fn losses_that_depend_on_each_other_get_longer_blocks_and_a_wider_interval() {
        let found = interval(&noise(10_000, 0.8), 1.0, 1).unwrap();
        // The long-run deviation of the series is 1 / (1 − 0.8) = 5: 2 · 1.96 · 5 / √10,000 = 0.196.
        assert!((found.high - found.low - 0.196).abs() < 0.04, "{found:?}");
        assert!(found.block > 10.0, "{found:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval_and_another_one_another() {
        let series = noise(500, 0.3);
        assert_eq!(interval(&series, 1.0, 3), interval(&series, 1.0, 3));
        assert_ne!(interval(&series, 1.0, 3), interval(&series, 1.0, 4));
    }

    #[test]
    fn blocks_are_never_shorter_than_asked_and_one_step_has_no_interval() {
        assert!(interval(&noise(500, 0.0), 24.0, 1).unwrap().block >= 24.0);
        assert_eq!(interval(&[(1.0, 1.0)], 1.0, 1), None);
        let constant = interval(&[(2.0, 1.0); 9], 1.0, 1).unwrap();
        assert_eq!((constant.mean, constant.low, constant.high), (2.0, 2.0, 2.0));
    }
}
