//! Where what the models say is kept, scored and turned into rows: one desk for numbers, one for classes.

use std::ops::Range;

use arrow::array::RecordBatch;
use sluicegate_core::{SnapshotReader, SnapshotWriter};

use super::decode::Events;
use super::generate::{Chance, Drawn, Next};
use super::stretch::Stretch;
use super::vocabulary::Vocabulary;
use crate::error::ModelError;
use crate::wave::Wave;

/// An event that is worked on.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    /// The slot of its key.
    pub(super) slot: usize,
    /// Its index among the events of its key.
    pub(super) event: u64,
    /// Its place in the stretch at hand.
    pub(super) place: usize,
}

/// Keeps what the models say of events until it can be scored, combines it where the product is a mixture, sums up scores and
/// makes rows of it all.
///
/// For each event of a stretch, in log order per key: [`settle`](Desk::settle) before anything sees its values, then
/// [`issue`](Desk::issue) with what the models say of its successors. [`close`](Desk::close) ends the stretch.
pub(super) trait Desk: Send {
    /// A model says a row of `width` of these of each event.
    type Forecast: Clone + Send;

    /// What stands where a model says nothing.
    const NOTHING: Self::Forecast;

    /// What a model says of one event is so many long.
    fn width(&self) -> usize;

    /// Rows of the output for each event.
    fn rows_per_event(&self) -> usize;

    /// Forecasts that are shown for each event.
    fn cells_per_event(&self) -> usize;

    /// Makes room for slots `0 .. slots`.
    fn reserve(&mut self, slots: usize);

    /// The key of a slot is gone.
    fn forget(&mut self, slot: usize);

    /// Begins a stretch: these of the events.
    fn open(&mut self, events: &Events, range: Range<usize>);

    /// A target of the event that is missing is to count as this number.
    fn carry(&mut self, place: usize, target: usize, value: f64);

    /// The numbers of the targets of an event, NaN where missing; none where the targets are classes.
    fn numbers(&self, place: usize) -> &[f64];

    /// Scores what was said earlier of the event.
    fn settle(&mut self, at: At);

    /// Keeps what is said of the event's successors: `said[model][row * width ..]`, `row` being the event's in the wave.
    fn issue(&mut self, at: At, said: &[Vec<Self::Forecast>], wave: &Wave, row: usize);

    /// Draws a target of the next event of a key by what the product said of it one event ahead; `None` where it said nothing. A
    /// target that is a class is one of those that `classes` knows.
    fn draw(&mut self, next: Next, classes: Option<&Vocabulary>, chance: &mut Chance<'_>) -> Option<Drawn>;

    /// Ends the stretch, whose first row has this index among all of the shard: sums up its scores in the order of the log, so
    /// that the sums do not depend on how it was cut, and makes its table. Targets that are classes have their names in
    /// `vocabularies`, the first ones.
    fn close(
        &mut self,
        stretch: &Stretch,
        first_row: u64,
        vocabularies: &[Vocabulary],
    ) -> Result<RecordBatch, ModelError>;

    /// Publishes what is summed up of so many keys.
    fn publish(&self, keys: usize);

    /// Writes the state; that of keys in the order of the given slots.
    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError>;

    /// Reads what [`snapshot`](Desk::snapshot) wrote, for slots `0 .. keys`.
    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError>;
}
