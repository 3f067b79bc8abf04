//! The forecast operator: events in, forecasts with their scores out.
//!
//! For each event, in log order: score the outstanding forecasts of its key; if it closes an update span, learn; move the
//! key's state under the new parameters; forecast its successors. So a forecast never saw its target, and the row one reads at
//! time t says what comes next.

mod bind;
mod decode;
mod issue;
mod layout;
mod operator;
mod outstanding;
mod scoreboard;

pub use layout::Column;
pub use operator::ForecastOperator;

/// A cell of the table of forecasts: what one model said of one output at one event, and what became of what it said before.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// The forecast issued at this event.
    issued: Option<sluicegate_score::Distribution>,
    /// The mean that was issued `horizon` events ago for this one; NaN where none was.
    forecast: f64,
    /// Its scores; NaN where there is no forecast or no value.
    score: sluicegate_score::Score,
}
