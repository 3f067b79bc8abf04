//! The desk for classes: forecasts are the probabilities of each.

mod issue;
mod layout;
mod outstanding;
mod scoreboard;

use std::ops::Range;

use arrow::array::{RecordBatch, StringArray};
use sluicegate_core::{ShardContext, SnapshotReader, SnapshotWriter};
use sluicegate_score::{ClassScore, FixedShare, mix, most_probable};

use super::column::Column;
use super::decode::Events;
use super::desk::{At, Desk};
use super::drift::Drift;
use super::generate::{Chance, Drawn, Next};
use super::members::{Lineup, Shown};
use super::plan::Plan;
use super::stretch::Stretch;
use super::vocabulary::Vocabulary;
use super::weight_gauges::WeightGauges;
use super::weights::Weights;
use crate::config::ForecastConfig;
use crate::error::ModelError;
use crate::head::HeadKind;
use crate::wave::{Dims, MISSING, Wave};
use issue::{Cell, Issued, MIXTURE};
pub(super) use layout::schema;
use layout::{Content, Layout};
use outstanding::{Outstanding, is_said};
use scoreboard::Scoreboard;

/// See the [module](self).
pub(super) struct Classes {
    dims: Dims,
    models: usize,
    /// What each line of the output is of, the product first.
    shown: Vec<Shown>,
    /// The family of a single model's forecasts.
    family: i32,
    outstanding: Outstanding,
    /// Weights of all models, where the product is their mixture.
    weights: Option<Weights>,
    weight_gauges: WeightGauges,
    /// Watches the product's forecasts, where asked for.
    drift: Option<Drift>,
    scoreboard: Scoreboard,
    layout: Layout,
    /// Whether all probabilities are emitted.
    wants_all: bool,
    /// Of the stretch, per target: the classes observed, as they came in.
    observed: Vec<StringArray>,
    /// `[events, targets]` of the stretch: the classes observed, as they count for what was forecast of them.
    labels: Vec<u32>,
    /// `[events, targets]` of the stretch: how many classes were known.
    known: Vec<u32>,
    /// `[events, targets]` of the stretch: whether the class made an alarm.
    alarms: Vec<bool>,
    /// `[events, K, shown]` of the stretch.
    cells: Vec<Cell>,
    /// `[events, shown, width]` of the stretch, where all probabilities are emitted.
    probabilities: Vec<f32>,
    /// `[models]`: what each had given to the class that came.
    ln_probabilities: Vec<f64>,
}

impl Classes {
    /// Each member of the lineup is a model: there are no zero-mean copies of classes.
    pub(super) fn new(config: &ForecastConfig, plan: &Plan, lineup: &Lineup, shard: &ShardContext) -> Self {
        let (dims, models) = (&plan.dims, lineup.members.len());
        let rule = config.mixture.of(config.model.kind).and_then(|mixture| FixedShare::new(mixture.share));
        Self {
            outstanding: Outstanding::new(dims, models),
            weights: rule.map(|rule| Weights::new(dims, models, rule)),
            weight_gauges: WeightGauges::new(plan, lineup, shard),
            drift: Drift::new(config.drift.as_ref(), &plan.targets, shard),
            scoreboard: Scoreboard::new(config.scores, plan, shard),
            layout: Layout::new(plan.clone(), &shard.partition),
            wants_all: plan.wants(Column::Probabilities),
            family: i32::from(config.model.head == HeadKind::Bernoulli),
            dims: dims.clone(),
            models,
            shown: lineup.shown.clone(),
            observed: Vec::new(),
            labels: Vec::new(),
            known: Vec::new(),
            alarms: Vec::new(),
            cells: Vec::new(),
            probabilities: Vec::new(),
            ln_probabilities: Vec::new(),
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
        drift.observe(
            at.slot,
            products.map(|cell| cell.score.map_or(f64::NAN, |score| score.bits())),
            alarms,
            |target| {
                if let Some(weights) = &mut self.weights {
                    weights.restart(at.slot, target * horizons..(target + 1) * horizons);
                }
            },
        );
    }
}

fn score(probabilities: &[f32], class: u32) -> Option<ClassScore> {
    if class == MISSING { None } else { ClassScore::new(probabilities, class as usize) }
}

fn top(probabilities: &[f32]) -> Option<u32> {
    most_probable(probabilities).map(|class| class as u32)
}

fn issued(family: i32, probabilities: &[f32]) -> Option<Issued> {
    let class = most_probable(probabilities)?;
    Some(Issued { family, class: class as u32, probability: f64::from(probabilities[class]) })
}

impl Desk for Classes {
    type Forecast = f32;

    const NOTHING: Self::Forecast = f32::NAN;

    fn width(&self) -> usize {
        self.dims.probabilities()
    }

    fn rows_per_event(&self) -> usize {
        self.layout.rows_per_event()
    }

    fn cells_per_event(&self) -> usize {
        self.dims.outputs() * self.shown.len()
    }

    fn reserve(&mut self, slots: usize) {
        self.outstanding.reserve(slots);
        self.weights.iter_mut().for_each(|weights| weights.reserve(slots));
        self.drift.iter_mut().for_each(|drift| drift.reserve(slots));
    }

    fn forget(&mut self, slot: usize) {
        self.outstanding.forget(slot);
        self.weights.iter_mut().for_each(|weights| weights.forget(slot));
        self.drift.iter_mut().for_each(|drift| drift.forget(slot));
    }

    fn open(&mut self, events: &Events, range: Range<usize>) {
        let targets = self.dims.targets;
        let of_targets = range.start * targets..range.end * targets;
        self.observed.clear();
        self.observed.extend(events.texts.iter().map(|texts| texts.slice(range.start, range.len())));
        self.labels.clear();
        self.labels.extend_from_slice(&events.labels[of_targets.clone()]);
        self.known.clear();
        self.known.extend_from_slice(&events.known[of_targets]);
        self.alarms.clear();
        self.alarms.resize(range.len() * targets, false);
        self.cells.clear();
        self.cells.resize(range.len() * self.cells_per_event(), Cell::EMPTY);
        self.probabilities.clear();
        if self.wants_all {
            self.probabilities.resize(range.len() * self.shown.len() * self.dims.probabilities(), f32::NAN);
        }
    }

    /// A class that is missing cannot be carried: the settings refuse it.
    fn carry(&mut self, _: usize, _: usize, _: f64) {}

    fn numbers(&self, _: usize) -> &[f64] {
        &[]
    }

    fn settle(&mut self, at: At) {
        let (targets, horizons, shown) = (self.dims.targets, self.dims.horizons.len(), self.shown.len());
        let per_event = self.cells_per_event();
        let labels = &self.labels[at.place * targets..][..targets];
        let cells = self.cells[at.place * per_event..][..per_event].chunks_exact_mut(shown);
        for (k, cells) in cells.enumerate() {
            let class = labels[k / horizons];
            let due = |model: usize| self.outstanding.due(at.slot, at.event, k, model);
            for (cell, shown) in cells.iter_mut().zip(&self.shown) {
                match shown {
                    Shown::Member(model) => {
                        let due = due(*model);
                        cell.forecast = due.and_then(top);
                        cell.score = due.and_then(|due| score(due, class));
                    }
                    Shown::Mixture => {
                        let Some(weights) = self.weights.as_ref().and_then(|all| all.due(at.slot, at.event, k)) else {
                            continue;
                        };
                        let said: Vec<_> = (0..self.models).map(due).collect();
                        let mixed = mix(weights, &said);
                        cell.forecast = mixed.as_deref().and_then(top);
                        cell.score = mixed.and_then(|mixed| score(&mixed, class));
                    }
                }
            }
            if let Some(weights) = self.weights.as_mut().filter(|_| class != MISSING && at.event > 0) {
                let given = |model| due(model).map_or(f64::NAN, |due| f64::from(due[class as usize]).ln());
                self.ln_probabilities.clear();
                self.ln_probabilities.extend((0..self.models).map(given));
                weights.learn(at.slot, at.event, k, &self.ln_probabilities);
            }
        }
        self.watch(at);
    }

    fn issue(&mut self, at: At, said: &[Vec<Self::Forecast>], _: &Wave, row: usize) {
        let (shown, width) = (self.shown.len(), self.dims.probabilities());
        let per_event = self.cells_per_event();
        let of = |model: usize| &said[model][row * width..][..width];
        for model in 0..self.models {
            self.outstanding.issue(at.slot, at.event, model, of(model));
        }
        for k in 0..self.dims.outputs() {
            let classes = self.outstanding.classes_of(k);
            let members: Vec<_> = (0..self.models).map(|model| is_said(&of(model)[classes.clone()])).collect();
            let mut mixed = None;
            if let Some(weights) = &mut self.weights {
                let now = weights.now(at.slot, at.event, k).to_vec();
                mixed = mix(&now, &members);
                let awake: f64 = now.iter().zip(&members).filter(|(_, said)| said.is_some()).map(|(now, _)| now).sum();
                let kept = weights.issue(at.slot, at.event, k);
                for ((kept, now), said) in kept.iter_mut().zip(now).zip(&members) {
                    *kept = if said.is_some() { now / awake } else { 0.0 };
                }
            }
            let weights = self.weights.as_mut().map(|weights| &*weights.issue(at.slot, at.event, k));
            for (place, of_shown) in self.shown.iter().enumerate() {
                let cell = &mut self.cells[at.place * per_event + k * shown + place];
                let said = match of_shown {
                    Shown::Mixture => {
                        cell.issued = mixed.as_deref().and_then(|mixed| issued(MIXTURE, mixed));
                        mixed.as_deref()
                    }
                    Shown::Member(model) => {
                        let known = weights.filter(|_| members[*model].is_some());
                        cell.weight = known.map_or(f64::NAN, |weights| weights[*model]);
                        cell.issued = members[*model].and_then(|said| issued(self.family, said));
                        members[*model]
                    }
                };
                if let Some(said) = said.filter(|_| self.wants_all) {
                    let of_cell = &mut self.probabilities[(at.place * shown + place) * width..][..width];
                    of_cell[classes.clone()].copy_from_slice(said);
                }
            }
        }
    }

    fn draw(&mut self, next: Next, classes: Option<&Vocabulary>, chance: &mut Chance<'_>) -> Option<Drawn> {
        // Of each target the nearest horizon's.
        let k = next.target * self.dims.horizons.len();
        let due = |model: usize| self.outstanding.due(next.slot, next.event, k, model);
        let mixed;
        let said = match self.shown.first()? {
            Shown::Member(model) => due(*model)?,
            Shown::Mixture => {
                let said: Vec<_> = (0..self.models).map(due).collect();
                mixed = mix(self.weights.as_ref()?.due(next.slot, next.event, k)?, &said)?;
                mixed.as_slice()
            }
        };
        chance.class(said, classes?.numbers()).map(Drawn::Class)
    }

    fn close(
        &mut self,
        stretch: &Stretch,
        first_row: u64,
        vocabularies: &[Vocabulary],
    ) -> Result<RecordBatch, ModelError> {
        for (cells, row) in self.cells.chunks_exact(self.cells_per_event()).zip(first_row..) {
            for (place, cell) in cells.iter().enumerate() {
                if let Some(score) = &cell.score {
                    self.scoreboard.add(row, place, score);
                }
            }
        }
        self.layout.table(&Content {
            stretch,
            cells: &self.cells,
            probabilities: &self.probabilities,
            observed: &self.observed,
            known: &self.known,
            alarms: &self.alarms,
            vocabularies,
        })
    }

    fn publish(&self, keys: usize) {
        self.scoreboard.publish();
        if let Some(weights) = &self.weights {
            self.weight_gauges.set(weights.means(keys));
        }
    }

    fn snapshot(&self, slots: &[usize], to: &mut SnapshotWriter) -> Result<(), ModelError> {
        to.scope("outstanding", |to| self.outstanding.snapshot(slots, to))?;
        to.scope("scores", |to| self.scoreboard.snapshot(to))?;
        if let Some(weights) = &self.weights {
            to.scope("mixture", |to| weights.snapshot(slots, to))?;
        }
        match &self.drift {
            Some(drift) => to.scope("drift", |to| drift.snapshot(slots, to)),
            None => Ok(()),
        }
    }

    fn restore(&mut self, keys: usize, from: &SnapshotReader<'_>) -> Result<(), ModelError> {
        self.outstanding.restore(keys, &from.scope("outstanding"))?;
        self.scoreboard.restore(&from.scope("scores"))?;
        if let Some(weights) = &mut self.weights {
            weights.restore(keys, &from.scope("mixture"))?;
        }
        match &mut self.drift {
            Some(drift) => drift.restore(keys, &from.scope("drift")),
            None => Ok(()),
        }
    }
}
