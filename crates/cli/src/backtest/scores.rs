//! From losses to means by fold, and to differences that can be told from chance.

use std::collections::BTreeMap;

use super::bootstrap::{Interval, interval};
use super::fold::Fold;
use super::rows::{Loss, Losses, Name};

/// Means over the scored events of one fold, target, horizon and model; NaN where there are none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means {
    pub(super) events: u64,
    pub(super) nll: f64,
    pub(super) crps: f64,
    pub(super) mae: f64,
    pub(super) mse: f64,
    /// Shares of values in the central 50, 80 and 95 % of their forecasts.
    pub(super) coverage: [f64; 3],
}

/// The means of the losses within folds.
pub(super) fn means(losses: &[Loss], folds: &[Fold]) -> Means {
    let scored = |loss: &&Loss| loss.nll.is_finite() && folds.iter().any(|fold| fold.contains(loss.time));
    let scored: Vec<&Loss> = losses.iter().filter(scored).collect();
    let mean = |of: &dyn Fn(&Loss) -> f64| scored.iter().map(|loss| of(loss)).sum::<f64>() / scored.len() as f64;
    let within = |level: f64| mean(&|loss| f64::from(u8::from((loss.pit - 0.5).abs() <= level / 2.0)));
    Means {
        events: scored.len() as u64,
        nll: mean(&|loss| loss.nll),
        crps: mean(&|loss| loss.crps),
        mae: mean(&|loss| loss.error.abs()),
        mse: mean(&|loss| loss.error * loss.error),
        coverage: [within(0.5), within(0.8), within(0.95)],
    }
}

/// How much better one model is than another, on the events for which both forecast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gain {
    /// Share of the other's CRPS that is saved, as a mean over targets and horizons.
    pub(super) crps: Interval,
    /// Nats saved for each value.
    pub(super) nll: Interval,
}

/// Paired differences of losses, summed up for each time, with an interval by blocks of times.
///
/// Differences of CRPS are divided by the other's mean CRPS of the same target and horizon, so that targets of different units can
/// be averaged. `None` where there is nothing in common.
pub(super) fn gain(losses: &Losses, model: &str, other: &str, folds: &[Fold], seed: u64) -> Option<Gain> {
    let mut crps: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    let mut nll = crps.clone();
    let mut horizon_max = 1;
    for (name, theirs) in losses.series.iter().filter(|(name, _)| name.model == other) {
        let ours = losses.beside(name, model)?;
        horizon_max = horizon_max.max(name.horizon);
        let both = |(ours, theirs): &(&Loss, &Loss)| {
            let known = [ours.nll, ours.crps, theirs.nll, theirs.crps].iter().all(|loss| loss.is_finite());
            known && folds.iter().any(|fold| fold.contains(ours.time))
        };
        let pairs: Vec<(&Loss, &Loss)> = ours.iter().zip(theirs).filter(both).collect();
        let scale = pairs.iter().map(|(_, theirs)| theirs.crps).sum::<f64>() / pairs.len() as f64;
        for (ours, theirs) in pairs {
            let add = |to: &mut BTreeMap<i64, (f64, f64)>, saved: f64| {
                let step = to.entry(ours.time).or_default();
                *step = (step.0 + saved, step.1 + 1.0);
            };
            add(&mut crps, (theirs.crps - ours.crps) / scale);
            add(&mut nll, theirs.nll - ours.nll);
        }
    }
    let of = |steps: BTreeMap<i64, (f64, f64)>| {
        interval(&steps.into_values().collect::<Vec<_>>(), f64::from(horizon_max), seed)
    };
    Some(Gain { crps: of(crps)?, nll: of(nll)? })
}

/// The control with the least CRPS, as a mean over targets and horizons of its share of that of the first one.
pub(super) fn best_control<'a>(losses: &'a Losses, folds: &[Fold]) -> Option<&'a str> {
    let models = losses.models();
    let controls = models.get(1..)?;
    let relative = |model: &str| {
        let shares: Vec<f64> = losses
            .series
            .iter()
            .filter(|(name, _)| name.model == controls[0])
            .filter_map(|(name, first): &(Name, Vec<Loss>)| {
                Some(means(losses.beside(name, model)?, folds).crps / means(first, folds).crps)
            })
            .filter(|share| share.is_finite())
            .collect();
        if shares.is_empty() { f64::INFINITY } else { shares.iter().sum::<f64>() / shares.len() as f64 }
    };
    controls.iter().copied().min_by(|a, b| relative(a).total_cmp(&relative(b)))
}
