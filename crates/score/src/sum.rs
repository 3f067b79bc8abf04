//! A compensated sum, and what tallies share beside it.

/// A sum and what rounding took from it (Neumaier 1974, "Rundungsfehleranalyse einiger Verfahren zur Summation
/// endlicher Summen").
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Sum {
    sum: f64,
    compensation: f64,
}

impl Sum {
    pub(crate) fn from_parts(sum: f64, compensation: f64) -> Sum {
        Sum { sum, compensation }
    }

    /// The running sum and its compensation.
    pub(crate) fn parts(self) -> [f64; 2] {
        [self.sum, self.compensation]
    }

    pub(crate) fn add(&mut self, x: f64) {
        let sum = self.sum + x;
        // An infinite sum has nothing to compensate: ∞ − ∞ would make it NaN.
        if sum.is_finite() {
            let (larger, smaller) = if self.sum.abs() >= x.abs() { (self.sum, x) } else { (x, self.sum) };
            self.compensation += (larger - sum) + smaller;
        }
        self.sum = sum;
    }

    pub(crate) fn merge(&mut self, other: Sum) {
        self.add(other.sum);
        self.compensation += other.compensation;
    }

    pub(crate) fn divided(self, divisor: f64) -> Sum {
        Sum { sum: self.sum / divisor, compensation: self.compensation / divisor }
    }

    pub(crate) fn total(self) -> f64 {
        self.sum + self.compensation
    }

    /// The mean of what was added, or `None` of nothing.
    pub(crate) fn mean(self, n: u64) -> Option<f64> {
        (n > 0).then(|| self.total() / n as f64)
    }
}

/// The largest count that an `f64` holds exactly with all below it.
const COUNT_MAX: f64 = 9_007_199_254_740_992.0;

/// A count that stands in a snapshot as a number; `None` if it is none.
pub(crate) fn count(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..=COUNT_MAX).contains(&number)).then_some(number as u64)
}
