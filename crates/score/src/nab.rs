//! The score of the Numenta Anomaly Benchmark, standard profile.
//!
//! Lavin & Ahmad (2015), "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark", ICMLA; where the paper
//! leaves something open, as the benchmark's own code has it (`nab/scorer.py`, `nab/sweeper.py`).
//!
//! - Alarms in the first rows of a series do not count: 15 % of them, at most 750.
//! - The first alarm in a window of an anomaly counts S(y) / S(−1), where y runs from −1 at the window's first row to −1 / width at
//!   its last, and S(y) = 2 / (1 + exp(5 y)) − 1. Further ones count nothing. A window without alarm counts −1.
//! - An alarm outside counts .11 · S(d / (width − 1)), d rows after the last row of the window before, and −.11 where that is more
//!   than three widths or where there is none before.
//! - A sum over series is scaled so that a detector without alarms has 0, and one with an alarm at the first row of each window
//!   and no others 100.

/// What an alarm outside of all windows costs at most; all other costs of the standard profile are 1.
const FALSE_ALARM: f64 = 0.11;
/// Beyond so many widths after a window an alarm costs in full.
const FAR: f64 = 3.0;

/// Sums over series. Add them up, then ask for the [`score`](NabTally::score).
///
/// ```
/// use sluicegate_score::NabTally;
///
/// // A window of rows 60 to 79 in a series of 100.
/// let anomaly: Vec<bool> = (0..100).map(|row| (60..80).contains(&row)).collect();
/// let mut tally = NabTally::default();
/// tally.add(&anomaly, &[60]);
/// assert_eq!(tally.score(), Some(100.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NabTally {
    windows: u64,
    sum: f64,
}

impl NabTally {
    /// Adds a series: for each row whether it lies in a window, and the rows with an alarm, in any order. Rows in a window that
    /// follow each other are one window. Windows that end before the probation does are left out, as alarms there are; alarms past
    /// the end count nothing.
    pub fn add(&mut self, anomaly: &[bool], alarms: &[usize]) {
        let probation = probation(anomaly.len());
        let mut alarms: Vec<usize> =
            alarms.iter().copied().filter(|row| (probation..anomaly.len()).contains(row)).collect();
        alarms.sort_unstable();
        alarms.dedup();
        let windows = windows(anomaly);
        for window in windows.iter().filter(|window| window.last >= probation) {
            self.windows += 1;
            self.sum += match alarms.iter().find(|row| window.holds(**row)) {
                Some(row) => window.reward(*row),
                None => -1.0,
            };
        }
        for row in alarms.into_iter().filter(|row| !anomaly[*row]) {
            let before = windows.iter().take_while(|window| window.last < row).last();
            self.sum += FALSE_ALARM * before.map_or(-1.0, |window| window.penalty(row));
        }
    }

    /// Adds what another one has seen.
    pub fn merge(&mut self, other: &Self) {
        self.windows += other.windows;
        self.sum += other.sum;
    }

    /// Windows seen.
    pub fn windows(&self) -> u64 {
        self.windows
    }

    /// From 100 for a perfect detector, by 0 for one that never speaks, without limit downwards. `None` without windows.
    pub fn score(&self) -> Option<f64> {
        let windows = self.windows as f64;
        (self.windows > 0).then(|| 100.0 * (self.sum + windows) / (2.0 * windows))
    }
}

/// Rows of a series of `rows` rows in which alarms do not count.
pub fn probation(rows: usize) -> usize {
    (rows.saturating_mul(15) / 100).min(750)
}

/// Rows of an anomaly, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Window {
    first: usize,
    last: usize,
}

impl Window {
    fn holds(&self, row: usize) -> bool {
        (self.first..=self.last).contains(&row)
    }

    fn width(&self) -> f64 {
        (self.last - self.first + 1) as f64
    }

    /// Of an alarm inside.
    fn reward(&self, row: usize) -> f64 {
        sigmoid(-((self.last - row + 1) as f64) / self.width()) / sigmoid(-1.0)
    }

    /// Of an alarm after it, before the cost of a false alarm. A window of one row has no width to measure by.
    fn penalty(&self, row: usize) -> f64 {
        let far = (row - self.last) as f64 / (self.width() - 1.0);
        if far > FAR { -1.0 } else { sigmoid(far) }
    }
}

fn sigmoid(y: f64) -> f64 {
    2.0 / (1.0 + (5.0 * y).exp()) - 1.0
}

fn windows(anomaly: &[bool]) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for row in (0..anomaly.len()).filter(|row| anomaly[*row]) {
        match windows.last_mut() {
            Some(window) if window.last + 1 == row => window.last = row,
            _ => windows.push(Window { first: row, last: row }),
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 rows, so a probation of 15, with windows of rows 40 to 49 and 70 to 79.
    fn series() -> Vec<bool> {
        (0..100).map(|row| (40..50).contains(&row) || (70..80).contains(&row)).collect()
    }

    fn score(alarms: &[usize]) -> f64 {
        let mut tally = NabTally::default();
        tally.add(&series(), alarms);
        assert_eq!(tally.windows(), 2);
        tally.score().unwrap()
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-8
    }

    #[test]
    fn silence_is_zero_and_the_first_row_of_every_window_a_hundred() {
        assert_eq!(score(&[]), 0.0);
        assert_eq!(score(&[40, 70]), 100.0);
        assert_eq!(score(&[70]), 50.0);
        assert_eq!(NabTally::default().score(), None);
    }

    #[test]
    fn only_the_first_alarm_of_a_window_counts_by_how_early_it_is() {
        // y = −(49 − 44 + 1) / 10 = −.6: S = 2 / (1 + e^−3) − 1 = .9051482536, S(−1) = .9866142982.
        let reward = 0.905_148_253_6 / 0.986_614_298_2;
        assert!(close(score(&[44, 70]), 100.0 * (reward + 1.0 + 2.0) / 4.0));
        assert_eq!(score(&[44, 45, 49, 70, 79]), score(&[70, 44]));
        // The last row: y = −.1, S = .2449186624.
        assert!(close(score(&[49, 70]), 100.0 * (0.244_918_662_4 / 0.986_614_298_2 + 3.0) / 4.0));
    }

    #[test]
    fn a_false_alarm_costs_less_soon_after_a_window() {
        // No window before: −.11 of the range of 4.
        assert!(close(score(&[40, 70, 20]), 100.0 - 25.0 * 0.11));
        // Nine rows after a window of ten: d / (width − 1) = 1, S(1) = −.9866142982.
        assert!(close(score(&[40, 70, 58]), 100.0 - 25.0 * 0.11 * 0.986_614_298_2));
        // One row after: S(1 / 9) is about −.271, by 2 / (1 + e^(5/9)) − 1.
        assert!(close(score(&[40, 70, 50]), 100.0 + 25.0 * 0.11 * (2.0 / (1.0 + (5.0_f64 / 9.0).exp()) - 1.0)));
        assert!(score(&[40, 70, 50]) > score(&[40, 70, 58]));
    }

    #[test]
    fn a_false_alarm_three_widths_after_a_window_still_counts_by_its_distance_and_beyond_in_full() {
        let series: Vec<bool> = (0..200).map(|row| (40..50).contains(&row)).collect();
        let lost = |alarm| {
            let mut tally = NabTally::default();
            tally.add(&series, &[40, alarm]);
            2.0 - tally.score().unwrap() / 50.0
        };
        // 27 rows after the last of ten: 27 / 9 = 3, S(3) = 2 / (1 + e^15) − 1 = −.9999993882.
        assert!((lost(76) - 0.11 * 0.999_999_388_2).abs() < 1e-11);
        assert!((lost(77) - 0.11).abs() < 1e-13 && (lost(199) - 0.11).abs() < 1e-13);
        // Each counts, and they count alike far away.
        let mut two = NabTally::default();
        two.add(&series, &[40, 150, 151]);
        assert!((2.0 - two.score().unwrap() / 50.0 - 0.22).abs() < 1e-13);
    }

    #[test]
    fn a_window_that_begins_in_the_probation_counts_from_where_it_is_heard() {
        // Rows 10 to 19, of which 15 to 19 are heard: an alarm at 12 is none, one at 15 has y = −(19 − 15 + 1) / 10 = −.5,
        // S = .8482836400.
        let series: Vec<bool> = (0..100).map(|row| (10..20).contains(&row)).collect();
        let score = |alarms: &[usize]| {
            let mut tally = NabTally::default();
            tally.add(&series, alarms);
            tally.score().unwrap()
        };
        assert_eq!(score(&[12]), 0.0);
        assert!(close(score(&[12, 15]), 50.0 * (1.0 + 0.848_283_640_0 / 0.986_614_298_2)));
    }

    /// The benchmark's own scores of its detectors' own alarms (`results/` at commit ea702d7 of numenta/NAB): on these files, and
    /// by hand on the forty bundled ones with twelve detectors, the difference is rounding.
    #[test]
    fn published_scores_of_published_alarms_come_out() {
        type Published<'a> = (usize, &'a [(usize, usize)], &'a [usize], f64);
        let published: [Published<'_>; 4] = [
            // ARTime on realTraffic/speed_7578: several alarms in a window, false ones before, between and after.
            (
                1127,
                &[(303, 331), (740, 768), (909, 937), (945, 973)],
                &[276, 317, 362, 628, 631, 753, 921, 923, 924, 931, 959],
                3.107_731_398_027_840_3,
            ),
            // ARTime on realTraffic/TravelTime_387.
            (
                2500,
                &[(387, 469), (948, 1030), (1485, 1567)],
                &[428, 434, 548, 632, 989, 1538, 1544, 1604, 2042, 2135],
                1.928_470_330_999_833_7,
            ),
            // HTM on realAdExchange/exchange-4_cpc_results: alarms in the probation, and a window without.
            (
                1643,
                &[(340, 394), (749, 803), (1249, 1303)],
                &[2, 4, 12, 60, 102, 299, 367, 368, 372, 518, 1276, 1277],
                0.512_259_966_677,
            ),
            // ARTime on realTweets/Twitter_volume_FB: a series whose probation is 750 rows.
            (
                15_833,
                &[(4614, 5404), (9926, 10_716)],
                &[4948, 5011, 7734, 10_324, 13_229, 15_630, 15_819, 15_826],
                1.214_243_633_444_593_2,
            ),
        ];
        for (rows, windows, alarms, expected) in published {
            let holds = |row: usize| windows.iter().any(|(first, last)| (*first..=*last).contains(&row));
            let mut tally = NabTally::default();
            tally.add(&(0..rows).map(holds).collect::<Vec<_>>(), alarms);
            assert_eq!(tally.windows(), windows.len() as u64);
            assert!((tally.sum - expected).abs() < 1e-10, "{} instead of {expected}", tally.sum);
        }
    }

    #[test]
    fn the_probation_is_deaf_and_has_a_limit() {
        assert_eq!([probation(100), probation(4032), probation(5000), probation(22_695)], [15, 604, 750, 750]);
        assert_eq!(score(&[0, 14, 40, 70]), 100.0);
        assert!(score(&[15, 40, 70]) < 100.0);
        let mut early = NabTally::default();
        early.add(&(0..100).map(|row| row < 15).collect::<Vec<_>>(), &[3]);
        assert_eq!((early.windows(), early.score()), (0, None));
    }

    #[test]
    fn a_window_of_one_row_and_alarms_past_the_end_are_no_fault() {
        let mut tally = NabTally::default();
        tally.add(&(0..100).map(|row| row == 50).collect::<Vec<_>>(), &[50, 51, 1000, 50]);
        assert!(close(tally.score().unwrap(), 100.0 - 50.0 * 0.11));
        tally.add(&[], &[0]);
        assert_eq!(tally.windows(), 1);
    }

    #[test]
    fn series_add_up() {
        let (mut whole, mut part) = (NabTally::default(), NabTally::default());
        whole.add(&series(), &[40]);
        part.add(&series(), &[70, 90]);
        let mut both = whole;
        both.merge(&part);
        whole.add(&series(), &[70, 90]);
        assert_eq!(both, whole);
    }
}
