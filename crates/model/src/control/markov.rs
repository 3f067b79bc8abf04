//! First order for numbers: the next value given the last one alone.

use super::{Autoregression, AutoregressionConfig};
use crate::wave::Dims;

/// Events of a key that are seen before anything is learned: as many as the default of `ar.lags` looks back.
const SETTLE: u64 = 3;

impl Autoregression {
    /// AR(1): y_{t+h} from a constant and y_t, per key, target and horizon, with `ar.forgetting`.
    ///
    /// It is [`Autoregression`] without lags and without the calendar: z = (y_{t+h} − y_t)/S from the level's distance to
    /// its running mean in running deviations, limited to ±5, and a constant. While mean, deviation and S stand still, that
    /// is y_{t+h} = a + b·y_t. Learning begins at a key's fourth event, when the deviation means something.
    pub fn first_order(config: &AutoregressionConfig, dims: &Dims) -> Self {
        let config = AutoregressionConfig { lags: Vec::new(), ..config.clone() };
        let mut order_one = Self::new(config, Dims { calendar: 0, ..dims.clone() });
        order_one.settle = SETTLE;
        order_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::{dims, drive, noise};
    use crate::random::Random;

    #[test]
    fn a_first_order_series_is_forecast_by_its_coefficient() {
        let mut random = Random::new(3);
        let mut value = 0.0;
        let mut values: Vec<f64> = (0..6000)
            .map(|_| {
                value = 0.6 * value + noise(&mut random);
                7.0 + value
            })
            .collect();
        for last in [9.0, 5.5] {
            *values.last_mut().unwrap() = last;
            let mut control = Autoregression::first_order(&AutoregressionConfig::default(), &dims(&[1, 2]));
            let said = drive(&mut control, &[1, 2], &values);
            for (forecast, coefficient) in said.last().unwrap().iter().zip([0.6, 0.36]) {
                let expected = 7.0 + coefficient * (last - 7.0);
                let mean = forecast.unwrap().mean();
                assert!((mean - expected).abs() < 0.2, "{mean} against {expected}");
            }
        }
    }
}
