//! The suite of heads lets one that keeps the laws pass, and finds everyone that breaks one.
#![cfg(feature = "model")]

use std::panic::AssertUnwindSafe;

use sluicegate_model::head::{Head, Standing};
use sluicegate_model::score::Distribution;
use sluicegate_model::{Dims, ParameterSpec};
use sluicegate_testkit::head::Suite;

/// What is wrong with a [`Plain`].
#[derive(Debug, Clone, Copy, PartialEq)]
enum Flaw {
    None,
    RawGradient,
    OwnGradient,
    /// Overwrites the gradient of its own parameters, to which it should add.
    OverwritesOwn,
    /// Adds to the gradient of the raw numbers, which it should overwrite.
    AddsToRaw,
    /// Leaves the constant out of the loss.
    LossOfAnother,
    MissingCosts,
    ForgetsScale,
    /// Forecasts under the parameters it was first given.
    KeepsOld,
    StartsOutOfRange,
    /// Takes what is not a number for zero.
    SpeaksOfNothing,
    StartsSilent,
}

/// A Gaussian whose mean is a raw number, and whose deviation is a parameter of its own, for each output.
struct Plain {
    flaw: Flaw,
    outputs: usize,
    ln_scales: Option<Vec<f32>>,
}

impl Head for Plain {
    fn raw_len(&self) -> usize {
        self.outputs
    }

    fn own_parameters(&self) -> Vec<ParameterSpec> {
        vec![ParameterSpec::new("head.scale", [self.outputs])]
    }

    fn init(&self, own: &mut [f32]) {
        own.fill(if self.flaw == Flaw::StartsOutOfRange { 7.0 } else { 0.25 });
    }

    fn constrain(&self, own: &mut [f32]) {
        own.iter_mut().for_each(|own| *own = own.clamp(-3.0, 3.0));
    }

    fn load(&mut self, own: &[f32]) {
        if self.flaw != Flaw::KeepsOld || self.ln_scales.is_none() {
            self.ln_scales = Some(own.to_vec());
        }
    }

    fn forecast(&self, raw: &[f32], standing: Standing<'_>, out: &mut [Option<Distribution>]) {
        let outputs_of_target = self.outputs / standing.level.len();
        for (k, (out, ln_scale)) in out.iter_mut().zip(self.ln_scales.iter().flatten()).enumerate() {
            let scale = standing.scale[k];
            let raw = if self.flaw == Flaw::SpeaksOfNothing && raw[k].is_nan() { 0.0 } else { f64::from(raw[k]) };
            let width = f64::from(*ln_scale).exp() * if self.flaw == Flaw::ForgetsScale { 1.0 } else { scale };
            if self.flaw != Flaw::StartsSilent || raw != 0.0 {
                *out = Distribution::gaussian(standing.level[k / outputs_of_target] + scale * raw, width);
            }
        }
    }

    fn loss(&self, own: &[f32], raw: &[f32], labels: &[f32], d_raw: &mut [f32], d_own: &mut [f32]) -> f64 {
        let mut loss = 0.0;
        if self.flaw != Flaw::AddsToRaw {
            d_raw.fill(0.0);
        }
        for (k, label) in labels.iter().enumerate() {
            let label = match (label.is_nan(), self.flaw) {
                (false, _) => *label,
                (true, Flaw::MissingCosts) => 0.0,
                (true, _) => continue,
            };
            let (ln_scale, scale) = (f64::from(own[k]), f64::from(own[k]).exp());
            let r = f64::from(label - raw[k]) / scale;
            loss += ln_scale + 0.5 * r * r;
            loss += if self.flaw == Flaw::LossOfAnother { 0.0 } else { 0.5 * std::f64::consts::TAU.ln() };
            d_raw[k] += (-r / scale) as f32 * if self.flaw == Flaw::RawGradient { 1.05 } else { 1.0 };
            let d = (1.0 - r * r) as f32 * if self.flaw == Flaw::OwnGradient { -1.0 } else { 1.0 };
            d_own[k] = d + if self.flaw == Flaw::OverwritesOwn { 0.0 } else { d_own[k] };
        }
        loss
    }
}

fn suite(flaw: Flaw) -> Suite<Option<Distribution>> {
    let dims = Dims { targets: 2, horizons: vec![1, 4], ..Dims::default() };
    let outputs = dims.outputs();
    Suite::new(dims, move || Box::new(Plain { flaw, outputs, ln_scales: None }))
}

#[test]
fn who_keeps_the_laws_passes() {
    suite(Flaw::None).assert_all();
}

#[test]
fn who_breaks_a_law_is_found_by_it() {
    for (flaw, expected) in [
        (Flaw::RawGradient, "the gradient of raw number"),
        (Flaw::AddsToRaw, "without a label the loss is"),
        (Flaw::OwnGradient, "the gradient of own parameter"),
        (Flaw::OverwritesOwn, "the gradient of own parameter"),
        (Flaw::LossOfAnother, "but the forecast scores"),
        (Flaw::MissingCosts, "without a label the loss is"),
        (Flaw::ForgetsScale, "in scaled units became"),
        (Flaw::KeepsOld, "and restored"),
        (Flaw::StartsOutOfRange, "the starting parameters"),
        (Flaw::SpeaksOfNothing, "raw numbers that are none say"),
        (Flaw::StartsSilent, "nothing is said at the start"),
    ] {
        let Err(message) = std::panic::catch_unwind(AssertUnwindSafe(|| suite(flaw).assert_all())) else {
            panic!("{flaw:?} passes");
        };
        let message = message.downcast::<String>().map_or_else(|_| "no message".into(), |text| *text);
        assert!(message.contains(expected), "{flaw:?}: {message}");
    }
}
