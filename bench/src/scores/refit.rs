//! A control whose scale is fitted in hindsight: the same points, every scale times the one factor that would have served best.
//!
//! It takes from a network the easy gain of a better width, and leaves that of a better point and of a width that varies.

use std::collections::BTreeMap;

use sluicegate::model::score::{StudentT, TShape};

use super::data_set::Scored;
use super::figures::{Chooser, Figures, Series, TAIL};
use crate::forecasts::Row;
use crate::running::Done;

/// Factors beyond these are not looked at.
const LN_FACTOR: std::ops::Range<f64> = -3.0..3.0;
/// Steps of the search; each leaves 0.618 of the interval.
const SEARCH_STEPS: usize = 40;

/// The scored labels of one control, one event ahead.
#[derive(Debug)]
pub(super) struct Refit {
    model: &'static str,
    chooser: Chooser,
    /// By key, then target: scale and degrees of freedom of the forecast that is outstanding.
    issued: BTreeMap<String, BTreeMap<String, (f64, f64)>>,
    labels: BTreeMap<Series, Vec<Label>>,
}

#[derive(Debug, Clone, Copy)]
struct Label {
    error: f64,
    scale: f64,
    shape: TShape,
}

impl Label {
    fn density(&self, factor: f64) -> Option<StudentT> {
        StudentT::new(0.0, self.scale * factor, self.shape)
    }
}

impl Refit {
    pub(super) fn of(model: &'static str, scored: Scored) -> Self {
        Self { model, chooser: Chooser::new(scored), issued: BTreeMap::new(), labels: BTreeMap::new() }
    }

    /// Takes in a row; it must see every row.
    pub(super) fn add(&mut self, row: &Row<'_>) {
        let taken = self.chooser.takes(row);
        if row.model != self.model || row.horizon != 1 {
            return;
        }
        let key = row.key.unwrap_or_default();
        let issued = self.issued.entry(key.to_owned()).or_default();
        let before = issued.insert(row.target.to_owned(), (row.scale, row.shape));
        let error = row.observed - row.forecast;
        if let Some((scale, df)) = before
            && taken
            && !error.is_nan()
        {
            let series = Series { key: key.to_owned(), target: row.target.to_owned() };
            self.labels.entry(series).or_default().push(Label { error, scale, shape: TShape::new(df) });
        }
    }

    /// The factor, and the scores with it.
    pub(super) fn figures(&self, units: &BTreeMap<Series, f64>) -> Done<(f64, Figures)> {
        let nll = |factor: f64| -> f64 {
            let of = |labels: &Vec<Label>| {
                let each = labels.iter().map(|label| label.density(factor).map_or(f64::NAN, |d| d.nll(label.error)));
                each.sum::<f64>() / labels.len() as f64
            };
            self.labels.values().map(of).sum()
        };
        let factor = minimum(LN_FACTOR, |ln| nll(ln.exp())).exp();
        let mut mean = Figures { events: 0.0, mse: 0.0, mae: 0.0, nll: 0.0, crps: 0.0, inside: 0.0 };
        for (series, unit) in units {
            let labels =
                self.labels.get(series).ok_or_else(|| format!("`{}` has no scores for {series}", self.model))?;
            let weight = 1.0 / (labels.len() as f64 * units.len() as f64);
            mean.events += labels.len() as f64 / units.len() as f64;
            for label in labels {
                let density = label.density(factor).ok_or_else(|| format!("`{}` has no scale", self.model))?;
                mean.mse += (label.error / unit).powi(2) * weight;
                mean.mae += label.error.abs() / unit * weight;
                mean.nll += (density.nll(label.error) - unit.ln()) * weight;
                mean.crps += density.crps(label.error) / unit * weight;
                mean.inside += f64::from((TAIL..=1.0 - TAIL).contains(&density.cdf(label.error))) * weight;
            }
        }
        Ok((factor, mean))
    }
}

/// Where a function with one minimum has it: golden section search (Kiefer 1953).
fn minimum(range: std::ops::Range<f64>, of: impl Fn(f64) -> f64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let (mut low, mut high) = (range.start, range.end);
    let (mut left, mut right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut at_left, mut at_right) = (of(left), of(right));
    for _ in 0..SEARCH_STEPS {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - GOLDEN * (high - low);
            at_left = of(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + GOLDEN * (high - low);
            at_right = of(right);
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::super::figures::testing::{row, units};
    use super::*;

    #[test]
    fn a_scale_that_is_too_wide_by_a_factor_is_found_out() {
        // Quantiles of Student's t with four degrees of freedom at (i + ½)/200, each forecast three times too wide.
        let t = StudentT::new(0.0, 1.0, TShape::new(4.0)).unwrap();
        let mut refit = Refit::of("m", Scored::Rows(0..1000));
        for offset in 0..200 {
            let error = t.quantile((f64::from(offset) + 0.5) / 200.0);
            refit.add(&Row { scale: 3.0, ..row(i64::from(offset), "a", error, 0.5) });
        }
        let (factor, figures) = refit.figures(&units(&[("a", 1.0)])).unwrap();
        assert!((factor - 1.0 / 3.0).abs() < 0.01, "{factor}");
        // The first error has no forecast before it.
        assert_eq!(figures.events, 199.0);
        assert!((figures.inside - 0.95).abs() < 0.01, "{figures:?}");
    }

    #[test]
    fn the_search_ends_at_the_minimum() {
        assert!((minimum(-3.0..3.0, |x| (x - 1.25).powi(2)) - 1.25).abs() < 1e-6);
    }
}
