//! What was said of a class, and what became of it.

use sluicegate_score::ClassScore;

/// What was said of one output at one event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Issued {
    /// The place of its family in [`FAMILIES`].
    pub(super) family: i32,
    /// The most probable class.
    pub(super) class: u32,
    pub(super) probability: f64,
}

/// The families there are.
pub(super) const FAMILIES: [Option<&str>; 3] = [Some("categorical"), Some("bernoulli"), Some("mixture")];
/// The place of the family of mixtures.
pub(super) const MIXTURE: i32 = 2;

/// A cell of the table of forecasts: what was said of one output at one event by one of the models or by their mixture, and
/// what became of what it had said of this event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// The forecast issued at this event.
    pub(super) issued: Option<Issued>,
    /// The weight of its model in the mixture issued at this event; NaN without one.
    pub(super) weight: f64,
    /// The class that was held most probable `horizon` events ago.
    pub(super) forecast: Option<u32>,
    /// Its scores, where there is a class to score it by.
    pub(super) score: Option<ClassScore>,
}

impl Cell {
    pub(super) const EMPTY: Self = Self { issued: None, weight: f64::NAN, forecast: None, score: None };

    pub(super) fn family(&self) -> i32 {
        self.issued.map_or(-1, |issued| issued.family)
    }
}
