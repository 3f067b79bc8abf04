//! The arithmetic of scores, from rows to figures. Written apart from what the operator sums up itself, so that each checks
//! the other.

use std::collections::BTreeMap;

use super::data_set::Scored;
use crate::forecasts::Row;
use crate::running::Done;

/// The probability outside the interval that is checked, on each side.
pub(super) const TAIL: f64 = 0.025;

/// A target of a key; the key has no name where the stream has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) key: String,
    pub(super) target: String,
}

/// Mean scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    /// Events scored, of each series on average.
    pub(crate) events: f64,
    pub(crate) mse: f64,
    pub(crate) mae: f64,
    pub(crate) nll: f64,
    pub(crate) crps: f64,
    /// Share of events inside the central 95 % interval.
    pub(crate) inside: f64,
}

/// Sums over rows of one series, horizon and model.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    events: u64,
    squares: f64,
    distances: f64,
    nll: f64,
    crps: f64,
    inside: u64,
}

impl Sums {
    fn add(&mut self, row: &Row<'_>) {
        let error = row.observed - row.forecast;
        self.events += 1;
        self.squares += error * error;
        self.distances += error.abs();
        self.nll += row.nll;
        self.crps += row.crps;
        self.inside += u64::from((TAIL..=1.0 - TAIL).contains(&row.pit));
    }
}

/// Decides which rows are scored; it must see every row.
#[derive(Debug)]
pub(super) struct Chooser {
    scored: Scored,
    /// By key: the offset seen last, and how many events came before it.
    seen: BTreeMap<String, (i64, u64)>,
}

impl Chooser {
    pub(super) fn new(scored: Scored) -> Self {
        Self { scored, seen: BTreeMap::new() }
    }

    pub(super) fn takes(&mut self, row: &Row<'_>) -> bool {
        match &self.scored {
            Scored::Rows(rows) => rows.contains(&row.offset),
            Scored::OfKeyFrom(first) => {
                let key = row.key.unwrap_or_default();
                let index = match self.seen.get_mut(key) {
                    Some((offset, index)) => {
                        *index += u64::from(*offset != row.offset);
                        *offset = row.offset;
                        *index
                    }
                    None => {
                        self.seen.insert(key.to_owned(), (row.offset, 0));
                        0
                    }
                };
                index >= *first
            }
        }
    }
}

/// Sums of one series and horizon, by model in the order of [`Scores::models`].
#[derive(Debug, Default, Clone)]
struct OfModels {
    scored: Vec<Sums>,
    whole: Vec<Sums>,
}

/// Scores of all models.
#[derive(Debug)]
pub(super) struct Scores {
    chooser: Chooser,
    models: Vec<String>,
    /// By key, then target, then horizon.
    sums: BTreeMap<String, BTreeMap<String, BTreeMap<i64, OfModels>>>,
}

/// How far a model's whole pass is behind another's on one series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Excess {
    pub(super) series: Series,
    /// Difference of the mean negative log-likelihoods over all labels.
    pub(super) nll: f64,
    /// What is promised of it.
    pub(super) bound: f64,
}

impl Scores {
    /// Of the rows that are to be scored.
    pub(super) fn of(scored: Scored) -> Self {
        Self { chooser: Chooser::new(scored), models: Vec::new(), sums: BTreeMap::new() }
    }

    /// The models, as they are emitted: the product first.
    pub(super) fn models(&self) -> &[String] {
        &self.models
    }

    /// Takes in a row. A row without a value, or without a forecast of it, is no event to score.
    pub(super) fn add(&mut self, row: &Row<'_>) {
        let taken = self.chooser.takes(row);
        let numbers = [row.observed, row.forecast, row.nll, row.crps, row.pit];
        if numbers.iter().any(|number| number.is_nan()) {
            return;
        }
        let model = self.models.iter().position(|model| model == row.model).unwrap_or_else(|| {
            self.models.push(row.model.to_owned());
            self.models.len() - 1
        });
        let targets = entry(&mut self.sums, row.key.unwrap_or_default());
        let of = entry(targets, row.target).entry(row.horizon).or_default();
        if of.whole.len() <= model {
            of.whole.resize(model + 1, Sums::default());
            of.scored.resize(model + 1, Sums::default());
        }
        of.whole[model].add(row);
        if taken {
            of.scored[model].add(row);
        }
    }

    fn place(&self, model: &str) -> Done<usize> {
        let none = || format!("there are no scores of the model `{model}`");
        Ok(self.models.iter().position(|name| name == model).ok_or_else(none)?)
    }

    fn series(&self, horizon: i64) -> impl Iterator<Item = (&String, &String, &OfModels)> {
        let of = move |horizons: &'_ BTreeMap<i64, OfModels>| horizons.contains_key(&horizon);
        self.sums.iter().flat_map(move |(key, targets)| {
            targets
                .iter()
                .filter(move |(_, horizons)| of(horizons))
                .map(move |(target, horizons)| (key, target, &horizons[&horizon]))
        })
    }

    /// Mean over series of a model's scores at a horizon, each series in its units.
    ///
    /// In units of d, a density is d times as high, so ln d comes off the negative log-likelihood.
    pub(super) fn figures(&self, model: &str, horizon: i64, units: &BTreeMap<Series, f64>) -> Done<Figures> {
        let place = self.place(model)?;
        let mut mean = Figures { events: 0.0, mse: 0.0, mae: 0.0, nll: 0.0, crps: 0.0, inside: 0.0 };
        let count = units.len() as f64;
        for (series, unit) in units {
            let Series { key, target } = series;
            let none = || format!("there are no scores of the model `{model}` for {series}");
            let horizons = self.sums.get(key).and_then(|targets| targets.get(target)).ok_or_else(none)?;
            let sums = horizons.get(&horizon).and_then(|of| of.scored.get(place)).ok_or_else(none)?;
            let events = sums.events as f64;
            mean.events += events / count;
            mean.mse += sums.squares / events / unit.powi(2) / count;
            mean.mae += sums.distances / events / unit / count;
            mean.nll += (sums.nll / events - unit.ln()) / count;
            mean.crps += sums.crps / events / unit / count;
            mean.inside += sums.inside as f64 / events / count;
        }
        Ok(mean)
    }

    /// Geometric mean over series of a model's mean absolute error, relative to that of another one.
    pub(super) fn relative_mae(&self, model: &str, to: &str, horizon: i64) -> Done<f64> {
        let (model, to) = (self.place(model)?, self.place(to)?);
        let (mut sum, mut count) = (0.0, 0.0);
        for (_, _, of) in self.series(horizon) {
            sum += (of.scored[model].distances / of.scored[to].distances).ln();
            count += 1.0;
        }
        Ok((sum / count).exp())
    }

    /// The series on which a mixture by fixed share is farthest behind one of its members, over all labels, beside the bound:
    /// with E members, n labels and the share α, each of the h sequences of every h-th label keeps
    /// ln(E) + (n/h − 1)·(−ln(1 − α)) of summed loss.
    pub(super) fn farthest_behind(&self, model: &str, member: &str, horizon: i64, share: f64) -> Done<Excess> {
        let (model, member) = (self.place(model)?, self.place(member)?);
        let experts = self.models.len() as f64 - 1.0;
        let mut worst: Option<Excess> = None;
        for (key, target, of) in self.series(horizon) {
            let series = Series { key: key.clone(), target: target.clone() };
            let (own, other) = (of.whole[model], of.whole[member]);
            if own.events != other.events {
                return Err(
                    format!("the mixture was scored {} times for {series}, not {}", own.events, other.events).into()
                );
            }
            let (labels, sequences) = (own.events as f64, horizon as f64);
            let bound = (sequences * experts.ln() - (labels - sequences) * (-share).ln_1p()) / labels;
            let excess = Excess { series, nll: (own.nll - other.nll) / labels, bound };
            if worst.as_ref().is_none_or(|worst| excess.nll - excess.bound > worst.nll - worst.bound) {
                worst = Some(excess);
            }
        }
        Ok(worst.ok_or("there are no scores of this horizon")?)
    }

    /// Refuses scores that are not of the same number of events of a series for every model: models are compared on the same
    /// events or not at all. With a range of rows, and one key, those must be all of them.
    pub(super) fn check_complete(&self) -> Done {
        for (key, targets) in &self.sums {
            for (target, horizons) in targets {
                for (horizon, of) in horizons {
                    let series = Series { key: key.clone(), target: target.clone() };
                    let first = of.scored.first().map_or(0, |sums| sums.events);
                    let expected = match &self.chooser.scored {
                        Scored::Rows(rows) if rows.end < i64::MAX => (rows.end - rows.start) as u64,
                        _ => first,
                    };
                    for (place, model) in self.models.iter().enumerate() {
                        let events = of.scored.get(place).map_or(0, |sums| sums.events);
                        if events != expected || events == 0 {
                            let what = format!("{series}, {horizon} ahead");
                            return Err(format!(
                                "the model `{model}` has scores of {events} rows for {what}, not {expected}"
                            )
                            .into());
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "`{}`", self.target),
            key => write!(f, "`{}` of `{key}`", self.target),
        }
    }
}

/// The entry of a name, which is copied only when it is new.
fn entry<'a, V: Default>(map: &'a mut BTreeMap<String, V>, name: &str) -> &'a mut V {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), V::default());
    }
    map.entry(name.to_owned()).or_default()
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
pub(super) mod testing {
    use super::*;

    /// A row of the model `m` whose forecast was off by `error`.
    pub(in super::super) fn row(offset: i64, target: &'static str, error: f64, pit: f64) -> Row<'static> {
        Row {
            offset,
            key: None,
            target,
            horizon: 1,
            model: "m",
            scale: 1.0,
            shape: 4.0,
            observed: 10.0,
            forecast: 10.0 - error,
            nll: 1.0,
            crps: 0.5,
            pit,
        }
    }

    pub(in super::super) fn units(of: &[(&str, f64)]) -> BTreeMap<Series, f64> {
        let series = |target: &str| Series { key: String::new(), target: target.to_owned() };
        of.iter().map(|(target, unit)| (series(target), *unit)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{row, units};
    use super::*;

    #[test]
    fn figures_are_the_mean_of_targets_in_their_units() {
        let mut scores = Scores::of(Scored::Rows(0..3));
        for row in [row(0, "a", 1.0, 0.5), row(1, "a", -3.0, 0.99), row(0, "b", 4.0, 0.025), row(1, "b", 0.0, 0.975)] {
            scores.add(&row);
        }
        let figures = scores.figures("m", 1, &units(&[("a", 1.0), ("b", 2.0)])).unwrap();
        // a: squares (1 + 9)/2 = 5, distances 2, one of two inside. b: 16/2/4 = 2, 4/2/2 = 1, both inside.
        let expected =
            Figures { events: 2.0, mse: 3.5, mae: 1.5, nll: 1.0 - 0.5 * 2f64.ln(), crps: 0.375, inside: 0.75 };
        assert_eq!(figures, expected);
    }

    #[test]
    fn rows_outside_the_range_or_without_a_forecast_are_not_scored() {
        let mut scores = Scores::of(Scored::Rows(1..3));
        for row in [row(0, "a", 9.0, 0.5), row(1, "a", 1.0, 0.5), row(2, "a", f64::NAN, 0.5), row(3, "a", 9.0, 0.5)] {
            scores.add(&row);
        }
        let figures = scores.figures("m", 1, &units(&[("a", 1.0)])).unwrap();
        assert_eq!((figures.events, figures.mse), (1.0, 1.0));
        let error = scores.check_complete().unwrap_err().to_string();
        assert_eq!(error, "the model `m` has scores of 1 rows for `a`, 1 ahead, not 2");
    }

    #[test]
    fn events_of_a_key_are_counted_whatever_comes_between() {
        let mut chooser = Chooser::new(Scored::OfKeyFrom(1));
        let mut takes = |offset, key| chooser.takes(&Row { key: Some(key), ..row(offset, "a", 0.0, 0.5) });
        let taken = [takes(0, "x"), takes(0, "x"), takes(1, "y"), takes(2, "x"), takes(2, "x"), takes(9, "y")];
        assert_eq!(taken, [false, false, false, true, true, true]);
    }

    #[test]
    fn the_relative_error_is_the_geometric_mean_over_series() {
        let mut scores = Scores::of(Scored::OfKeyFrom(0));
        for (target, error, other) in [("a", 1.0, 4.0), ("b", 3.0, 3.0)] {
            scores.add(&row(0, target, error, 0.5));
            scores.add(&Row { model: "n", ..row(0, target, other, 0.5) });
        }
        assert!((scores.relative_mae("m", "n", 1).unwrap() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_mixture_is_held_against_its_bound_on_the_series_where_it_is_worst() {
        let mut scores = Scores::of(Scored::OfKeyFrom(9));
        for offset in 0..10 {
            for (target, nll) in [("a", 1.1), ("b", 1.5)] {
                scores.add(&Row { nll, ..row(offset, target, 0.0, 0.5) });
                for model in ["n", "o"] {
                    scores.add(&Row { model, ..row(offset, target, 0.0, 0.5) });
                }
            }
        }
        let Excess { series, nll, bound } = scores.farthest_behind("m", "n", 1, 0.1).unwrap();
        // python3 -c "import math; print((math.log(2) - 9 * math.log(.9)) / 10)"
        assert!(series.target == "b" && (nll - 0.5).abs() < 1e-12 && (bound - 0.164_139_182).abs() < 1e-9, "{bound}");
    }

    #[test]
    fn a_model_or_target_without_scores_is_named() {
        let mut scores = Scores::of(Scored::Rows(0..1));
        scores.add(&row(0, "a", 1.0, 0.5));
        let error = |model, target| scores.figures(model, 1, &units(&[(target, 1.0)])).unwrap_err().to_string();
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
