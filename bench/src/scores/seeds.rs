//! Passes over one data set with several seeds: their table, and medians with the range that they are out of.

use std::collections::BTreeMap;

use super::data_set::{DataSet, Pass};
use super::figures::{Excess, Figures, Series, median, median_of};
use super::{HEADER, line};
use crate::bar::Bar;
use crate::layout;
use crate::running::Done;

/// What the operator stands for.
pub(super) const PRODUCT: &str = "forecast";
/// The control that nothing may lose to.
pub(super) const PERSISTENCE: &str = "persistence";

/// Passes with the seeds 0, 1, ….
pub(super) struct Seeds {
    of: DataSet,
    passes: Vec<Pass>,
    units: BTreeMap<Series, f64>,
}

/// A figure of each seed.
pub(super) struct Spread(Vec<f64>);

impl Spread {
    pub(super) fn of(figures: Vec<f64>) -> Self {
        Self(figures)
    }

    pub(super) fn median(&self) -> f64 {
        median(self.0.clone())
    }

    /// From what to what, in so many digits.
    fn range(&self, digits: usize) -> String {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let seeds = if self.0.len() == 1 { "1 seed".to_owned() } else { format!("{} seeds", self.0.len()) };
        format!("{least:.digits$} to {most:.digits$}, {seeds}")
    }

    /// The bar that the median may not exceed.
    pub(super) fn at_most(&self, what: impl Into<String>, most: f64) -> Bar {
        Bar::at_most(what, self.median(), most).note(self.range(4))
    }

    /// The bar that the median must reach.
    pub(super) fn at_least(&self, what: impl Into<String>, least: f64) -> Bar {
        Bar::at_least(what, self.median(), least).shown(0, "").note(self.range(1))
    }

    /// The bar that holds the median, in per cent, between two others.
    fn per_cent_within(&self, what: String, least: f64, most: f64) -> Bar {
        Bar::within(what, self.median(), least, most).shown(0, " %").note(self.range(1))
    }
}

impl Seeds {
    /// Runs them.
    pub(super) fn run(of: &DataSet, seeds: u64, more: &[String]) -> Done<Self> {
        let units = of.values()?.units(of.units)?;
        let mut passes = Vec::new();
        for seed in 0..seeds {
            let pass = of.run(seed, more)?;
            eprintln!("{}, seed {seed}: {:.0} s", of.name, pass.wall.as_secs_f64());
            passes.push(pass);
        }
        Ok(Self { of: of.clone(), passes, units })
    }

    pub(super) fn passes(&self) -> &[Pass] {
        &self.passes
    }

    /// The models, as they are emitted: the product first.
    pub(super) fn models(&self) -> &[String] {
        self.passes.first().map_or(&[], |pass| pass.scores.models())
    }

    /// A model's scores by seed.
    pub(super) fn figures(&self, model: &str, horizon: i64) -> Done<Vec<Figures>> {
        self.passes.iter().map(|pass| pass.scores.figures(model, horizon, &self.units)).collect()
    }

    /// One number of the product's scores.
    pub(super) fn spread(&self, horizon: i64, of: fn(&Figures) -> f64) -> Done<Spread> {
        Ok(Spread(self.figures(PRODUCT, horizon)?.iter().map(of).collect()))
    }

    /// Geometric mean over series of the product's mean absolute error relative to persistence.
    pub(super) fn relative_mae(&self) -> Done<Spread> {
        let of = |pass: &Pass| pass.scores.relative_mae(PRODUCT, PERSISTENCE, 1);
        Ok(Spread(self.passes.iter().map(of).collect::<Done<_>>()?))
    }

    /// Where the product is farthest behind a member, over all seeds.
    pub(super) fn farthest_behind(&self, member: &str, horizon: i64) -> Done<Excess> {
        let share = super::data_set::SHARE;
        let mut worst: Option<Excess> = None;
        for pass in &self.passes {
            let excess = pass.scores.farthest_behind(PRODUCT, member, horizon, share)?;
            if worst.as_ref().is_none_or(|worst| excess.nll - excess.bound > worst.nll - worst.bound) {
                worst = Some(excess);
            }
        }
        Ok(worst.ok_or("there is no seed")?)
    }

    /// The bar that the product is behind a member by no more than its bound, on no series and with no seed.
    pub(super) fn bound(&self, member: &str, horizon: i64) -> Done<Bar> {
        let Excess { series, nll, bound } = self.farthest_behind(member, horizon)?;
        let ahead = if horizon == 1 { String::new() } else { format!(" {horizon} ahead") };
        let what = format!("{}{ahead}, NLL above {member}'s", self.of.name);
        Ok(Bar::at_most(what, nll, bound).shown(4, "").note(format!("where it is worst: {series}")))
    }

    /// The bar on the coverage of the 95 % interval.
    pub(super) fn coverage(&self) -> Done<Bar> {
        let inside = self.spread(1, |figures| figures.inside * 100.0)?;
        Ok(inside.per_cent_within(format!("{}, in the 95 % interval", self.of.name), 93.0, 97.0))
    }

    /// Prints the product's scores by seed, medians of all models, and persistence with its scale fitted in hindsight.
    pub(super) fn print(&self, horizon: i64) -> Done {
        let product = self.figures(PRODUCT, horizon)?;
        let mut lines: Vec<_> =
            product.iter().enumerate().map(|(seed, figures)| line(format!("mixture, seed {seed}"), figures)).collect();
        for model in self.models() {
            let name = if model == PRODUCT { "mixture, median" } else { model };
            lines.push(line(name, &median_of(&self.figures(model, horizon)?)));
        }
        // Persistence depends on no seed.
        if let (1, Some(pass)) = (horizon, self.passes.first()) {
            let (factor, figures) = pass.refit.figures(&self.units)?;
            lines.push(line(format!("persistence, scale × {factor:.3}"), &figures));
        }
        let ahead = if horizon == 1 { String::new() } else { format!(", {horizon} events ahead") };
        println!(
            "{}: pipelines/{}, {}{ahead}\n{}",
            self.of.name,
            self.of.pipeline,
            self.of.about,
            layout::table(HEADER, lines)
        );
        Ok(())
    }
}
