//! The scale of a control's own past errors.

use sluicegate_score::{Distribution, EwMeanSquare, StudentT, TShape};

const ALPHA: f64 = 0.01;
/// Past errors of a slow average are a little smaller than the next one, on streams whose calm and wild times alternate.
const WIDEN: f64 = 1.15;

/// Student's t around a control's point forecast: its standard deviation is 1.15 times the running rms of the control's
/// own errors (α = 0.01).
#[derive(Debug, Clone, Copy)]
pub(super) struct Residual {
    shape: TShape,
    per_rms: f64,
}

impl Residual {
    /// With `df` degrees of freedom, which must exceed 2.
    pub(super) fn new(df: f64) -> Self {
        Self { shape: TShape::new(df), per_rms: WIDEN * ((df - 2.0) / df).sqrt() }
    }

    /// Takes in an error; NaN counts as none.
    pub(super) fn observe(errors: &mut EwMeanSquare, error: f64) {
        errors.update(ALPHA, error);
    }

    /// The forecast around `location`, never narrower than the scale `scale_min` stands for; `None` before the first error.
    pub(super) fn around(&self, location: f64, errors: &EwMeanSquare, scale_min: f64) -> Option<Distribution> {
        if errors.n() == 0 {
            return None;
        }
        StudentT::new(location, self.per_rms * errors.rms().max(scale_min), self.shape).map(Distribution::StudentT)
    }
}
