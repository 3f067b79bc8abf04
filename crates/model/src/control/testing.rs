//! What tests of controls share.

use sluicegate_score::Distribution;

use crate::feature::{Event, FeatureConfig, Features};
use crate::predictor::Predictor;
use crate::random::Random;
use crate::wave::{Dims, Wave};

/// Widths for one target.
pub(super) fn dims(horizons: &[usize]) -> Dims {
    Dims { targets: 1, horizons: horizons.to_vec(), inputs: 2, ..Dims::default() }
}

/// What a control says after each value of one key, for every horizon. NaN is missing.
pub(super) fn drive(control: &mut dyn Predictor, horizons: &[usize], values: &[f64]) -> Vec<Vec<Option<Distribution>>> {
    let mut features = Features::new(&FeatureConfig::default(), &dims(horizons), None);
    features.reserve(1);
    control.reserve(1);
    let mut wave = Wave::default();
    let mut forecast = |(index, value): (usize, &f64)| {
        wave.clear();
        let event = Event {
            slot: 0,
            row: index as i64,
            index: index as u64,
            time: None,
            targets: std::slice::from_ref(value),
            inputs: &[],
            carried_inputs: &[],
        };
        features.observe(&event, &mut wave);
        control.observe(&wave).unwrap();
        let mut out = vec![None; horizons.len()];
        control.forecast(&wave, &mut out).unwrap();
        out
    };
    values.iter().enumerate().map(&mut forecast).collect()
}

/// The means of what was said.
pub(super) fn means(said: &[Vec<Option<Distribution>>], place: usize) -> Vec<Option<f64>> {
    said.iter().map(|said| said[place].map(|forecast| forecast.mean())).collect()
}

/// Mean loss of one-step forecasts, from the event of this index on.
pub(super) fn loss(said: &[Vec<Option<Distribution>>], values: &[f64], from: usize) -> f64 {
    let losses: Vec<f64> = (from..values.len()).map(|event| said[event - 1][0].unwrap().nll(values[event])).collect();
    losses.iter().sum::<f64>() / losses.len() as f64
}

/// All but Gaussian noise of deviation one.
pub(super) fn noise(random: &mut Random) -> f64 {
    (0..12).map(|_| f64::from(random.unit())).sum::<f64>() - 6.0
}
