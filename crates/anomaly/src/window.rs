//! A trailing mean.

use std::collections::VecDeque;

/// The last values, up to a fixed number.
///
/// The mean is summed anew, oldest value first: a running sum would keep the rounding error of a huge value for ever.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    pub(crate) values: VecDeque<f64>,
}

impl Window {
    /// The mean of the last `rows` values, this one among them; of fewer at the start.
    pub(crate) fn mean(&mut self, rows: usize, value: f64) -> f64 {
        self.values.push_back(value);
        while self.values.len() > rows {
            self.values.pop_front();
        }
        self.values.iter().sum::<f64>() / self.values.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_follows_and_forgets_a_huge_value() {
        let mut window = Window::default();
        assert_eq!([1.0, 3.0, 1e30, 5.0, 7.0].map(|value| window.mean(2, value)), [1.0, 2.0, 5e29, 5e29, 6.0]);
    }
}
