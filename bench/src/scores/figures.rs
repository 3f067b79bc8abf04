//! The arithmetic of scores, from rows to figures. Written apart from what the operator sums up itself, so that each checks
//! the other.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::forecasts::Row;
use crate::running::Done;

/// The probability outside the interval that is checked, on each side.
const TAIL: f64 = 0.025;

/// Mean scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    /// Events scored, of each target on average.
    pub(crate) events: f64,
    pub(crate) mse: f64,
    pub(crate) mae: f64,
    pub(crate) nll: f64,
    pub(crate) crps: f64,
    /// Share of events inside the central 95 % interval.
    pub(crate) inside: f64,
}

/// Sums over the scored rows of one target and model.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    events: u64,
    squares: f64,
    distances: f64,
    nll: f64,
    crps: f64,
    inside: u64,
}

/// Scores of all models over a range of rows, by target.
#[derive(Debug, Default)]
pub(crate) struct Scores {
    rows: Range<i64>,
    /// By model, then target.
    sums: BTreeMap<String, BTreeMap<String, Sums>>,
}

impl Scores {
    /// Of the events whose offsets are in `rows`.
    pub(crate) fn of(rows: Range<i64>) -> Self {
        Self { rows, sums: BTreeMap::new() }
    }

    /// Takes in a row. A row without a value, or without a forecast of it, is no event to score.
    pub(crate) fn add(&mut self, row: &Row<'_>) {
        let numbers = [row.observed, row.forecast, row.nll, row.crps, row.pit];
        if !self.rows.contains(&row.offset) || numbers.iter().any(|number| number.is_nan()) {
            return;
        }
        if !self.sums.contains_key(row.model) {
            self.sums.insert(row.model.to_owned(), BTreeMap::new());
        }
        let Some(targets) = self.sums.get_mut(row.model) else { return };
        if !targets.contains_key(row.target) {
            targets.insert(row.target.to_owned(), Sums::default());
        }
        let Some(sums) = targets.get_mut(row.target) else { return };
        let error = row.observed - row.forecast;
        sums.events += 1;
        sums.squares += error * error;
        sums.distances += error.abs();
        sums.nll += row.nll;
        sums.crps += row.crps;
        sums.inside += u64::from((TAIL..=1.0 - TAIL).contains(&row.pit));
    }

    /// Mean over targets of a model's scores, each target in units of its deviation.
    ///
    /// In units of d, a density is d times as high, so ln d comes off the negative log-likelihood.
    pub(crate) fn figures(&self, model: &str, deviations: &BTreeMap<String, f64>) -> Done<Figures> {
        let none = || format!("there are no scores of the model `{model}`");
        let targets = self.sums.get(model).ok_or_else(none)?;
        let mut mean = Figures { events: 0.0, mse: 0.0, mae: 0.0, nll: 0.0, crps: 0.0, inside: 0.0 };
        let count = deviations.len() as f64;
        for (target, deviation) in deviations {
            let none = || format!("there are no scores of the model `{model}` for `{target}`");
            let sums = targets.get(target).ok_or_else(none)?;
            let events = sums.events as f64;
            mean.events += events / count;
            mean.mse += sums.squares / events / deviation.powi(2) / count;
            mean.mae += sums.distances / events / deviation / count;
            mean.nll += (sums.nll / events - deviation.ln()) / count;
            mean.crps += sums.crps / events / deviation / count;
            mean.inside += sums.inside as f64 / events / count;
        }
        Ok(mean)
    }

    /// Refuses scores that are not of every row of the range, for every model and target: models are compared on the same
    /// events or not at all.
    pub(crate) fn check_complete(&self) -> Done {
        let expected = (self.rows.end - self.rows.start) as u64;
        for (model, targets) in &self.sums {
            if let Some((target, sums)) = targets.iter().find(|(_, sums)| sums.events != expected) {
                let Sums { events, .. } = sums;
                return Err(
                    format!("the model `{model}` has scores of {events} rows for `{target}`, not {expected}").into()
                );
            }
        }
        Ok(())
    }
}

/// Figures whose every number is the median of that number.
pub(crate) fn median_of(all: &[Figures]) -> Figures {
    let of = |get: fn(&Figures) -> f64| median(all.iter().map(get).collect());
    Figures {
        events: of(|figures| figures.events),
        mse: of(|figures| figures.mse),
        mae: of(|figures| figures.mae),
        nll: of(|figures| figures.nll),
        crps: of(|figures| figures.crps),
        inside: of(|figures| figures.inside),
    }
}

/// The middle value, or the mean of the two in the middle; NaN of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => 0.5 * (values[len / 2 - 1] + values[len / 2]),
    }
}

/// Population deviation: the mean of squares around the mean, over all values.
pub(crate) fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(offset: i64, target: &'static str, error: f64, pit: f64) -> Row<'static> {
        Row { offset, key: None, target, model: "m", observed: 10.0, forecast: 10.0 - error, nll: 1.0, crps: 0.5, pit }
    }

    fn deviations(of: &[(&str, f64)]) -> BTreeMap<String, f64> {
        of.iter().map(|(target, deviation)| ((*target).to_owned(), *deviation)).collect()
    }

    #[test]
    fn figures_are_the_mean_of_targets_in_their_deviations() {
        let mut scores = Scores::of(0..3);
        for row in [row(0, "a", 1.0, 0.5), row(1, "a", -3.0, 0.99), row(0, "b", 4.0, 0.025), row(1, "b", 0.0, 0.975)] {
            scores.add(&row);
        }
        let figures = scores.figures("m", &deviations(&[("a", 1.0), ("b", 2.0)])).unwrap();
        // a: squares (1 + 9)/2 = 5, distances 2, one of two inside. b: 16/2/4 = 2, 4/2/2 = 1, both inside.
        let expected =
            Figures { events: 2.0, mse: 3.5, mae: 1.5, nll: 1.0 - 0.5 * 2f64.ln(), crps: 0.375, inside: 0.75 };
        assert_eq!(figures, expected);
    }

    #[test]
    fn rows_outside_the_range_or_without_a_forecast_are_not_scored() {
        let mut scores = Scores::of(1..3);
        for row in [row(0, "a", 9.0, 0.5), row(1, "a", 1.0, 0.5), row(2, "a", f64::NAN, 0.5), row(3, "a", 9.0, 0.5)] {
            scores.add(&row);
        }
        let figures = scores.figures("m", &deviations(&[("a", 1.0)])).unwrap();
        assert_eq!((figures.events, figures.mse), (1.0, 1.0));
        let error = scores.check_complete().unwrap_err().to_string();
        assert_eq!(error, "the model `m` has scores of 1 rows for `a`, not 2");
    }

    #[test]
    fn a_model_or_target_without_scores_is_named() {
        let mut scores = Scores::of(0..1);
        scores.add(&row(0, "a", 1.0, 0.5));
        let error = |model, target| scores.figures(model, &deviations(&[(target, 1.0)])).unwrap_err().to_string();
        assert_eq!(error("n", "a"), "there are no scores of the model `n`");
        assert_eq!(error("m", "b"), "there are no scores of the model `m` for `b`");
    }

    #[test]
    fn medians_and_deviations_are_those_of_the_textbook() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
        // python3 -c "import statistics; print(statistics.pstdev([2, 4, 4, 4, 5, 5, 7, 9]))"
        assert_eq!(deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), 2.0);
    }
}
