//! The step size by step.

/// rate / √(1 + n / decay_steps), never below `rate_min`, where n counts the steps taken before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The first rate.
    pub rate: f64,
    /// Steps after which the rate has fallen by √2; 0 keeps it constant.
    pub decay_steps: f64,
    /// Lower bound.
    pub rate_min: f64,
}

impl Schedule {
    /// The rate of the step that follows `steps_taken` others.
    pub fn rate(&self, steps_taken: u64) -> f32 {
        if self.decay_steps == 0.0 {
            return self.rate as f32;
        }
        let decayed = self.rate / (1.0 + steps_taken as f64 / self.decay_steps).sqrt();
        decayed.max(self.rate_min.min(self.rate)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_to_its_floor_and_no_further() {
        let schedule = Schedule { rate: 3e-3, decay_steps: 2000.0, rate_min: 3e-4 };
        assert_eq!(schedule.rate(0), 3e-3);
        assert!((schedule.rate(2000) - 3e-3 / 2f32.sqrt()).abs() < 1e-9);
        assert_eq!(schedule.rate(u64::MAX), 3e-4);
    }
}
