//! The desk for numbers: forecasts are distributions.

mod combine;
mod issue;
mod layout;
mod outstanding;
mod scoreboard;

use std::ops::Range;

use arrow::array::RecordBatch;
use sluicegate_core::{ShardContext, SnapshotReader, SnapshotWriter};
use sluicegate_score::{Distribution, FixedShare, Score};

use super::bind::Shown;
use super::column::Column;
use super::decode::Events;
use super::desk::{At, Desk};
use super::plan::Plan;
use super::stretch::Stretch;
use super::vocabulary::Vocabulary;
use crate::config::ForecastConfig;
use crate::error::ModelError;
use crate::wave::Dims;
use combine::{Combination, Wanted};
use issue::{Cell, Issued};
use layout::Layout;
pub(super) use layout::schema;
use outstanding::Outstanding;
use scoreboard::Scoreboard;

/// See the [module](self).
pub(super) struct Numbers {
    dims: Dims,
    models: usize,
    /// What each line of the output is of, the product first.
    shown: Vec<Shown>,
    outstanding: Outstanding,
    /// Weights of all models, where the product is their mixture.
    combination: Option<Combination>,
    scoreboard: Scoreboard,
    layout: Box<dyn Layout>,
    /// `[events, targets]` of the stretch: values observed, NaN where missing.
    observed: Vec<f64>,
    /// `[events, K, shown]` of the stretch.
    cells: Vec<Cell>,
    scratch: Scratch,
}

/// Memory that is used again from event to event.
#[derive(Default)]
struct Scratch {
    /// `[K, models]`: what was said of an event.
    due: Vec<Option<Distribution>>,
    /// `[K, models]`: what is said at an event.
    said: Vec<Option<Distribution>>,
    /// `[models]` of one output.
    weights: Vec<f64>,
}

impl Numbers {
    pub(super) fn new(
        config: &ForecastConfig,
        plan: &Plan,
        models: usize,
        shown: Vec<Shown>,
        shard: &ShardContext,
    ) -> Self {
        let dims = &plan.dims;
        let wanted = Wanted { quantiles: plan.wants(Column::Quantiles), crps: plan.wants(Column::Crps) };
        let rule = config.mixture.as_ref().and_then(|mixture| FixedShare::new(mixture.share));
        Self {
            outstanding: Outstanding::new(dims, models, config.model.head.parameters_max()),
            combination: rule.map(|rule| Combination::new(dims, models, rule, wanted)),
            scoreboard: Scoreboard::new(config.scores, plan, shard),
            layout: layout::build(plan, &shard.partition),
            dims: dims.clone(),
            models,
            shown,
            observed: Vec::new(),
            cells: Vec::new(),
            scratch: Scratch { weights: vec![f64::NAN; models], ..Scratch::default() },
        }
    }
}

impl Desk for Numbers {
    type Forecast = Option<Distribution>;

    const NOTHING: Self::Forecast = None;

    fn width(&self) -> usize {
        self.dims.outputs()
    }

    fn rows_per_event(&self) -> usize {
        self.layout.rows_per_event()
    }

    fn cells_per_event(&self) -> usize {
        self.dims.outputs() * self.shown.len()
    }

    fn reserve(&mut self, slots: usize) {
        self.outstanding.reserve(slots);
        self.combination.iter_mut().for_each(|combination| combination.reserve(slots));
    }

    fn forget(&mut self, slot: usize) {
        self.outstanding.forget(slot);
        self.combination.iter_mut().for_each(|combination| combination.forget(slot));
    }

    fn open(&mut self, events: &Events, range: Range<usize>) {
        let (targets, cells) = (self.dims.targets, range.len() * self.cells_per_event());
        self.observed.clear();
        self.observed.extend_from_slice(&events.targets[range.start * targets..range.end * targets]);
        self.cells.clear();
        self.cells.resize(cells, Cell::EMPTY);
    }

    fn carry(&mut self, place: usize, target: usize, value: f64) {
        self.observed[place * self.dims.targets + target] = value;
    }

    fn numbers(&self, place: usize) -> &[f64] {
        &self.observed[place * self.dims.targets..][..self.dims.targets]
    }

    fn settle(&mut self, at: At) {
        let (targets, horizons, shown) = (self.dims.targets, self.dims.horizons.len(), self.shown.len());
        let per_event = self.cells_per_event();
        let due = &mut self.scratch.due;
        due.clear();
        self.outstanding.due(at.slot, at.event, due);
        let values = &self.observed[at.place * targets..][..targets];
        let cells = self.cells[at.place * per_event..][..per_event].chunks_exact_mut(shown);
        for (k, (cells, due)) in cells.zip(due.chunks_exact(self.models)).enumerate() {
            let value = values[k / horizons];
            let mixed = self.combination.as_mut().and_then(|all| all.settle(at.slot, at.event, k, due, value));
            for (cell, shown) in cells.iter_mut().zip(&self.shown) {
                let settled = match shown {
                    Shown::Mixture => mixed,
                    Shown::Model(model) => due[*model].map(|due| {
                        let score = if value.is_nan() { Score::NAN } else { due.score(value) };
                        (due.mean(), score)
                    }),
                };
                if let Some((mean, score)) = settled {
                    (cell.forecast, cell.score) = (mean, score);
                }
            }
        }
    }

    fn issue(&mut self, at: At, said: &[Vec<Self::Forecast>], row: usize) {
        let (outputs, shown, per_event) = (self.dims.outputs(), self.shown.len(), self.cells_per_event());
        let Scratch { said: of_event, weights, .. } = &mut self.scratch;
        of_event.clear();
        of_event.extend((0..outputs).flat_map(|k| said.iter().map(move |of_model| of_model[row * outputs + k])));
        self.outstanding.issue(at.slot, at.event, of_event);
        let cells = self.cells[at.place * per_event..][..per_event].chunks_exact_mut(shown);
        for (k, (cells, said)) in cells.zip(of_event.chunks_exact(self.models)).enumerate() {
            let all = self.combination.as_mut();
            let mixed = all.and_then(|all| all.issue(at.slot, at.event, k, said, weights));
            for (cell, shown) in cells.iter_mut().zip(&self.shown) {
                match shown {
                    Shown::Mixture => cell.issued = mixed.map(Issued::Mixed),
                    Shown::Model(model) => {
                        (cell.issued, cell.weight) = (said[*model].map(Issued::One), weights[*model]);
                    }
                }
            }
        }
    }

    fn close(&mut self, stretch: &Stretch, first_row: u64, _: &[Vocabulary]) -> Result<RecordBatch, ModelError> {
        let values = self.observed.chunks_exact(self.dims.targets);
        for ((values, cells), row) in values.zip(self.cells.chunks_exact(self.cells_per_event())).zip(first_row..) {
            self.scoreboard.observe(row, values);
            for (place, cell) in cells.iter().enumerate() {
                self.scoreboard.add(row, place, &cell.score);
            }
        }
        self.layout.table(stretch, &self.observed, &self.cells)
    }

    fn publish(&self) {
        self.scoreboard.publish();
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        to.scope("outstanding", |to| self.outstanding.snapshot(slots, to))?;
        to.scope("scores", |to| self.scoreboard.snapshot(to))?;
        match &self.combination {
            Some(combination) => to.scope("mixture", |to| combination.snapshot(slots, to)),
            None => Ok(()),
        }
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.outstanding.restore(keys, &from.scope("outstanding"))?;
        self.scoreboard.restore(&from.scope("scores"))?;
        match &mut self.combination {
            Some(combination) => combination.restore(keys, &from.scope("mixture")),
            None => Ok(()),
        }
    }
}
