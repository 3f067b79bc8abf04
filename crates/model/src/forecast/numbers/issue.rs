//! What was said of a number, and what became of it.

use sluicegate_score::{Distribution, LEVELS, Score};

use crate::forecast::column::Column;

/// What was said of one output at one event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Issued {
    /// By one model.
    One(Distribution),
    /// By all of them together.
    Mixed(Mixed),
}

/// A mixture, as far as it is emitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mixed {
    pub(super) mean: f64,
    /// Its standard deviation.
    pub(super) deviation: f64,
    /// NaN where nobody asked for them.
    pub(super) quantiles: [f64; LEVELS.len()],
}

/// The families there are; [`Issued::family`] is a place in this list.
pub(super) const FAMILIES: [Option<&str>; 4] =
    [Some("student-t"), Some("gaussian"), Some("quantiles"), Some("mixture")];

impl Issued {
    /// The place of its family in [`FAMILIES`].
    pub(super) fn family(&self) -> i32 {
        let name = match self {
            Self::One(distribution) => distribution.family(),
            Self::Mixed(_) => "mixture",
        };
        FAMILIES.iter().position(|family| *family == Some(name)).map_or(-1, |place| place as i32)
    }

    pub(super) fn mean(&self) -> f64 {
        match self {
            Self::One(distribution) => distribution.mean(),
            Self::Mixed(mixed) => mixed.mean,
        }
    }

    pub(super) fn scale(&self) -> f64 {
        match self {
            Self::One(distribution) => distribution.scale(),
            Self::Mixed(mixed) => mixed.deviation,
        }
    }

    pub(super) fn shape(&self) -> f64 {
        match self {
            Self::One(distribution) => distribution.shape().unwrap_or(f64::NAN),
            Self::Mixed(_) => f64::NAN,
        }
    }

    pub(super) fn quantiles(&self) -> [f64; LEVELS.len()] {
        match self {
            Self::One(distribution) => distribution.quantiles(),
            Self::Mixed(mixed) => mixed.quantiles,
        }
    }
}

/// A cell of the table of forecasts: what was said of one output at one event by one of the models or by their mixture, and
/// what became of what it had said of this event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// The forecast issued at this event.
    pub(super) issued: Option<Issued>,
    /// The weight of its model in the mixture issued at this event; NaN without one.
    pub(super) weight: f64,
    /// The mean that was issued `horizon` events ago for this one; NaN where none was.
    pub(super) forecast: f64,
    /// Its scores; NaN where there is no forecast or no value.
    pub(super) score: Score,
}

impl Cell {
    pub(super) const EMPTY: Self = Self { issued: None, weight: f64::NAN, forecast: f64::NAN, score: Score::NAN };

    /// The number in a column that has one of a cell; NaN where the column is of something else.
    pub(super) fn number(&self, column: Column) -> f64 {
        let issued = self.issued.as_ref();
        match column {
            Column::Mean => issued.map_or(f64::NAN, Issued::mean),
            Column::Scale => issued.map_or(f64::NAN, Issued::scale),
            Column::Shape => issued.map_or(f64::NAN, Issued::shape),
            Column::Forecast => self.forecast,
            Column::Nll => self.score.nll,
            Column::Crps => self.score.crps,
            Column::Pit => self.score.pit,
            Column::Weight => self.weight,
            // Those that are no numbers of a cell have their own place; those of classes are refused where settings are checked.
            _ => f64::NAN,
        }
    }

    /// The place of the family of what was issued in [`FAMILIES`].
    pub(super) fn family(&self) -> i32 {
        self.issued.as_ref().map_or(-1, Issued::family)
    }

    /// The quantiles of what was issued.
    pub(super) fn quantiles(&self) -> [f64; LEVELS.len()] {
        self.issued.as_ref().map_or([f64::NAN; LEVELS.len()], Issued::quantiles)
    }
}

/// What became of a stretch of events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome<'a> {
    /// `[events, targets]`: values observed, NaN where missing.
    pub(super) observed: &'a [f64],
    /// `[events, targets]`: whether the value made an alarm of drift.
    pub(super) alarms: &'a [bool],
    /// `[events, K, shown]`.
    pub(super) cells: &'a [Cell],
}
