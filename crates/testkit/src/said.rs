//! What models say of an output, as the suites look at it.

use sluicegate_model::Dims;
use sluicegate_model::score::{Distribution, LEVELS};

/// Probabilities of an output may sum to one but for this, being of single precision.
const SUM_TOLERANCE: f32 = 1e-4;

/// What is said of one output: a distribution of a number, or the probability of one class. What models of both keep is the same;
/// how it is compared and scored is not.
pub trait Said: Clone + Send + std::fmt::Debug + 'static {
    /// Where a model has nothing to say.
    const NOTHING: Self;
    /// Whether forecasts are in a target's own units, and so move with its level and scale.
    const IS_SCALED: bool;

    /// Whether it says nothing.
    fn is_nothing(&self) -> bool;

    /// All of it, to compare bit by bit.
    fn bits(&self) -> Vec<u64>;

    /// Points that a change of units moves as it moves a value.
    fn points(&self) -> Vec<f64>;

    /// What is wrong with what is said of an event, if anything: numbers that are not finite, quantiles that cross, scales that are
    /// not positive, probabilities that do not sum to one or of which one is zero.
    fn fault(said: &[Self], dims: &Dims) -> Option<String>;

    /// How often an event says this that labels score: the negative log-likelihood, of quantiles the pinball loss summed over the
    /// levels. Labels are as [`Head::loss`](sluicegate_model::head::Head::loss) takes them; NaN where there is none.
    fn loss(said: &[Self], labels: &[f32], dims: &Dims) -> f64;
}

impl Said for Option<Distribution> {
    const NOTHING: Self = None;
    const IS_SCALED: bool = true;

    fn is_nothing(&self) -> bool {
        self.is_none()
    }

    fn bits(&self) -> Vec<u64> {
        let of = |said: &Distribution| {
            let family = said.family().bytes().map(u64::from);
            family.chain(said.parameters().map(f64::to_bits)).collect()
        };
        self.as_ref().map(of).unwrap_or_default()
    }

    fn points(&self) -> Vec<f64> {
        self.as_ref().map(|said| said.quantiles().to_vec()).unwrap_or_default()
    }

    fn fault(said: &[Self], _: &Dims) -> Option<String> {
        let fault = |(k, said): (usize, &Self)| {
            let said = said.as_ref()?;
            let quantiles = said.quantiles();
            let is_sound = said.mean().is_finite()
                && said.scale().is_finite()
                && said.scale() > 0.0
                && quantiles.iter().all(|quantile| quantile.is_finite())
                && quantiles.is_sorted();
            (!is_sound).then(|| format!("output {k}: {said:?}"))
        };
        said.iter().enumerate().find_map(fault)
    }

    fn loss(said: &[Self], labels: &[f32], _: &Dims) -> f64 {
        let loss = |(said, label): (&Self, &f32)| {
            let label = f64::from(*label);
            match said {
                _ if label.is_nan() => 0.0,
                Some(said @ Distribution::Quantiles(_)) => LEVELS.len() as f64 * said.pinball(label),
                Some(said) => said.nll(label),
                None => f64::NAN,
            }
        };
        said.iter().zip(labels).map(loss).sum()
    }
}

impl Said for f32 {
    const NOTHING: Self = f32::NAN;
    const IS_SCALED: bool = false;

    fn is_nothing(&self) -> bool {
        self.is_nan()
    }

    fn bits(&self) -> Vec<u64> {
        if self.is_nan() { Vec::new() } else { vec![u64::from(self.to_bits())] }
    }

    fn points(&self) -> Vec<f64> {
        vec![f64::from(*self)]
    }

    fn fault(said: &[Self], dims: &Dims) -> Option<String> {
        let fault = |(k, range): (usize, std::ops::Range<usize>)| {
            let p = &said[range];
            let is_sound = p.iter().all(|p| p.is_nan())
                || p.iter().all(|p| *p > 0.0) && (p.iter().sum::<f32>() - 1.0).abs() < SUM_TOLERANCE;
            (!is_sound).then(|| format!("output {k}: {p:?}"))
        };
        dims.probability_ranges().enumerate().find_map(fault)
    }

    fn loss(said: &[Self], labels: &[f32], dims: &Dims) -> f64 {
        let known = dims.probability_ranges().zip(labels).filter(|(_, label)| !label.is_nan());
        known.map(|(range, label)| -f64::from(said[range][*label as usize]).ln()).sum()
    }
}
