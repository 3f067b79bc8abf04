//! The desk for numbers: forecasts are distributions.

mod combine;
mod issue;
mod layout;
mod outstanding;
mod scoreboard;
mod zero_mean;

use std::ops::Range;

use arrow::array::RecordBatch;
use sluicegate_core::{ShardContext, SnapshotReader, SnapshotWriter};
use sluicegate_score::{Distribution, FixedShare, Score};

use super::column::Column;
use super::decode::Events;
use super::desk::{At, Desk};
use super::drift::Drift;
use super::generate::{Chance, Drawn, Next};
use super::members::{Lineup, Shown, Source};
use super::plan::Plan;
use super::stretch::Stretch;
use super::vocabulary::Vocabulary;
use super::weight_gauges::WeightGauges;
use crate::config::ForecastConfig;
use crate::error::ModelError;
use crate::wave::{Dims, Wave};
use combine::{Combination, Wanted};
use issue::{Cell, Issued, Outcome};
use layout::Layout;
pub(super) use layout::schema;
use outstanding::Outstanding;
use scoreboard::Scoreboard;

/// See the [module](self).
pub(super) struct Numbers {
    dims: Dims,
    members: Vec<Source>,
    /// What each line of the output is of, the product first.
    shown: Vec<Shown>,
    outstanding: Outstanding,
    /// Weights of all members, where the product is their mixture.
    combination: Option<Combination>,
    weights: WeightGauges,
    /// Watches the product's forecasts, where asked for.
    drift: Option<Drift>,
    scoreboard: Scoreboard,
    layout: Box<dyn Layout>,
    /// `[events, targets]` of the stretch: values observed, NaN where missing.
    observed: Vec<f64>,
    /// `[events, targets]` of the stretch: whether the value made an alarm.
    alarms: Vec<bool>,
    /// `[events, K, shown]` of the stretch.
    cells: Vec<Cell>,
    scratch: Scratch,
}

/// Memory that is used again from event to event.
#[derive(Default)]
struct Scratch {
    /// `[K, members]`: what was said of an event.
    due: Vec<Option<Distribution>>,
    /// `[K, members]`: what is said at an event.
    said: Vec<Option<Distribution>>,
    /// `[members]` of one output.
    weights: Vec<f64>,
}

impl Numbers {
    pub(super) fn new(config: &ForecastConfig, plan: &Plan, lineup: &Lineup, shard: &ShardContext) -> Self {
        let (dims, members) = (&plan.dims, lineup.members.len());
        let wanted = Wanted { quantiles: plan.wants(Column::Quantiles), crps: plan.wants(Column::Crps) };
        let rule = config.mixture.of(config.model.kind).and_then(|mixture| FixedShare::new(mixture.share));
        let combination = rule.map(|rule| Combination::new(dims, members, rule, wanted));
        Self {
            outstanding: Outstanding::new(dims, members, config.model.head.parameters_max()),
            weights: WeightGauges::new(plan, lineup, shard),
            combination,
            drift: Drift::new(config.drift.as_ref(), &plan.targets, shard),
            scoreboard: Scoreboard::new(config.scores, plan, shard),
            layout: layout::build(plan, &shard.partition),
            dims: dims.clone(),
            members: lineup.members.iter().map(|member| member.source).collect(),
            shown: lineup.shown.clone(),
            observed: Vec::new(),
            alarms: Vec::new(),
            cells: Vec::new(),
            scratch: Scratch { weights: vec![f64::NAN; members], ..Scratch::default() },
        }
    }

    /// Looks for drift in how the product's forecasts of an event did; the weights of what has drifted go back to even.
    fn watch(&mut self, at: At) {
        let Some(drift) = &mut self.drift else { return };
        let (targets, horizons) = (self.dims.targets, self.dims.horizons.len());
        let products = self.cells[at.place * self.dims.outputs() * self.shown.len()..].iter();
        // Of each target the nearest horizon's, the product being shown first.
        let products = products.step_by(horizons * self.shown.len());
        let alarms = &mut self.alarms[at.place * targets..][..targets];
        drift.observe(at.slot, products.map(|cell| cell.score.nll), alarms, |target| {
            if let Some(combination) = &mut self.combination {
                combination.restart(at.slot, target * horizons..(target + 1) * horizons);
            }
        });
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
        self.drift.iter_mut().for_each(|drift| drift.reserve(slots));
    }

    fn forget(&mut self, slot: usize) {
        self.outstanding.forget(slot);
        self.combination.iter_mut().for_each(|combination| combination.forget(slot));
        self.drift.iter_mut().for_each(|drift| drift.forget(slot));
    }

    fn open(&mut self, events: &Events, range: Range<usize>) {
        let (targets, cells) = (self.dims.targets, range.len() * self.cells_per_event());
        self.observed.clear();
        self.observed.extend_from_slice(&events.targets[range.start * targets..range.end * targets]);
        self.alarms.clear();
        self.alarms.resize(range.len() * targets, false);
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
        for (k, (cells, due)) in cells.zip(due.chunks_exact(self.members.len())).enumerate() {
            let value = values[k / horizons];
            let mixed = self.combination.as_mut().and_then(|all| all.settle(at.slot, at.event, k, due, value));
            for (cell, shown) in cells.iter_mut().zip(&self.shown) {
                let settled = match shown {
                    Shown::Mixture => mixed,
                    Shown::Member(member) => due[*member].map(|due| {
                        let score = if value.is_nan() { Score::NAN } else { due.score(value) };
                        (due.mean(), score)
                    }),
                };
                if let Some((mean, score)) = settled {
                    (cell.forecast, cell.score) = (mean, score);
                }
            }
        }
        self.watch(at);
    }

    fn issue(&mut self, at: At, said: &[Vec<Self::Forecast>], wave: &Wave, row: usize) {
        let (outputs, shown, per_event) = (self.dims.outputs(), self.shown.len(), self.cells_per_event());
        let levels = &wave.level[row * self.dims.targets..][..self.dims.targets];
        let Scratch { said: of_event, weights, .. } = &mut self.scratch;
        of_event.clear();
        for (k, (target, _)) in self.dims.pairs().enumerate() {
            of_event.extend(self.members.iter().map(|member| match member {
                Source::Model(model) => said[*model][row * outputs + k],
                Source::ZeroMean(model) => {
                    said[*model][row * outputs + k].and_then(|said| zero_mean::around(&said, levels[target]))
                }
            }));
        }
        self.outstanding.issue(at.slot, at.event, of_event);
        let cells = self.cells[at.place * per_event..][..per_event].chunks_exact_mut(shown);
        for (k, (cells, said)) in cells.zip(of_event.chunks_exact(self.members.len())).enumerate() {
            let all = self.combination.as_mut();
            let mixed = all.and_then(|all| all.issue(at.slot, at.event, k, said, weights));
            for (cell, shown) in cells.iter_mut().zip(&self.shown) {
                match shown {
                    Shown::Mixture => cell.issued = mixed.map(Issued::Mixed),
                    Shown::Member(member) => {
                        (cell.issued, cell.weight) = (said[*member].map(Issued::One), weights[*member]);
                    }
                }
            }
        }
    }

    fn draw(&mut self, next: Next, _: Option<&Vocabulary>, chance: &mut Chance<'_>) -> Option<Drawn> {
        // Of each target the nearest horizon's.
        let k = next.target * self.dims.horizons.len();
        let due = &mut self.scratch.due;
        due.clear();
        self.outstanding.due(next.slot, next.event, due);
        let due = &due[k * self.members.len()..][..self.members.len()];
        let value = match self.shown.first()? {
            Shown::Member(member) => due[*member]?.quantile(chance.unit()),
            Shown::Mixture => {
                let mixture = self.combination.as_mut()?.due(next.slot, next.event, k, due)?;
                mixture.sample(chance.unit(), chance.unit())
            }
        };
        Some(Drawn::Number(value))
    }

    fn close(&mut self, stretch: &Stretch, first_row: u64, _: &[Vocabulary]) -> Result<RecordBatch, ModelError> {
        let values = self.observed.chunks_exact(self.dims.targets);
        for ((values, cells), row) in values.zip(self.cells.chunks_exact(self.cells_per_event())).zip(first_row..) {
            self.scoreboard.observe(row, values);
            for (place, cell) in cells.iter().enumerate() {
                self.scoreboard.add(row, place, &cell.score);
            }
        }
        let outcome = Outcome { observed: &self.observed, alarms: &self.alarms, cells: &self.cells };
        self.layout.table(stretch, outcome)
    }

    fn publish(&self, keys: usize) {
        self.scoreboard.publish();
        if let Some(combination) = &self.combination {
            self.weights.set(combination.mean_weights(keys));
        }
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        to.scope("outstanding", |to| self.outstanding.snapshot(slots, to))?;
        to.scope("scores", |to| self.scoreboard.snapshot(to))?;
        if let Some(combination) = &self.combination {
            to.scope("mixture", |to| combination.snapshot(slots, to))?;
        }
        match &self.drift {
            Some(drift) => to.scope("drift", |to| drift.snapshot(slots, to)),
            None => Ok(()),
        }
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.outstanding.restore(keys, &from.scope("outstanding"))?;
        self.scoreboard.restore(&from.scope("scores"))?;
        if let Some(combination) = &mut self.combination {
            combination.restore(keys, &from.scope("mixture"))?;
        }
        match &mut self.drift {
            Some(drift) => drift.restore(keys, &from.scope("drift")),
            None => Ok(()),
        }
    }
}
