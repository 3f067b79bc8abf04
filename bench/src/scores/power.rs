//! `pipelines/power.toml`: a power transformer's load and oil temperature, one hour ahead (ETTh1; Zhou et al. 2021, scored as
//! online forecasting papers do since Pham et al. 2022).

use std::time::Duration;

use super::data_set::{DataSet, FORECASTS, Rows, Scored, Units};
use super::figures::median_of;
use super::seeds::{PERSISTENCE, PRODUCT, Seeds};
use super::{Figures, cost, horizons, order};
use crate::bar::Bar;
use crate::running::Done;

pub(super) fn data_set() -> DataSet {
    DataSet {
        name: "power",
        about: "mean of 7 targets, each in its deviations over rows 0 to 2,879; rows 3,600 to 14,399",
        pipeline: "power.toml",
        source: "history",
        file: "etth1.parquet",
        time: "ts",
        key: None,
        targets: &["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"],
        scored: Scored::Rows(3600..14_400),
        units: Units::FirstDeviation(2880),
        rows: Rows::Values,
        sinks: &[FORECASTS],
        overrides: &[],
    }
}

/// What a run with one seed gave.
pub(crate) struct Once {
    figures: Figures,
    pub(crate) wall: Duration,
}

impl Once {
    /// The product's scores in a few words.
    pub(crate) fn in_short(&self) -> String {
        let Figures { mse, mae, nll, .. } = self.figures;
        format!("MSE {mse:.3}, MAE {mae:.3}, NLL {nll:.3}")
    }
}

/// Runs the pipeline with one seed and scores what it wrote.
pub(crate) fn run_once(seed: u64) -> Done<Once> {
    let power = data_set();
    let pass = power.run(seed, &[])?;
    let figures = pass.scores.figures(PRODUCT, 1, &power.values()?.units(power.units)?)?;
    Ok(Once { figures, wall: pass.wall })
}

/// Prints the scores and returns the bars.
pub(super) fn run(seeds: u64) -> Done<Vec<Bar>> {
    let power = data_set();
    let passes = Seeds::run(&power, seeds, &[])?;
    passes.print(1)?;
    let mut bars = bars(&passes)?;
    bars.push(passes.coverage()?);
    bars.push(order::bar(&power, &passes)?);
    bars.extend(horizons::run(&power, seeds)?);
    bars.extend(cost::run(&power)?);
    Ok(bars)
}

/// What we promise, and what the controls have to reach to be worth comparing with.
fn bars(passes: &Seeds) -> Done<Vec<Bar>> {
    const SLACK: f64 = 0.005;
    let control = |model| Ok::<_, sluicegate::BoxError>(median_of(&passes.figures(model, 1)?));
    let (persistence, ar) = (control(PERSISTENCE)?, control("ar")?);
    let around = |what: &str, value, expected| Bar::within(what, value, expected - SLACK, expected + SLACK);
    Ok(vec![
        passes.spread(1, |figures| figures.mse)?.at_most("power, MSE", 0.2),
        passes.spread(1, |figures| figures.mae)?.at_most("power, MAE", 0.266),
        passes.spread(1, |figures| figures.nll)?.at_most("power, NLL", 0.125),
        passes.spread(1, |figures| figures.crps)?.at_most("power, CRPS", 0.199),
        around("power, persistence's MSE", persistence.mse, 0.363),
        around("power, persistence's MAE", persistence.mae, 0.355),
        Bar::at_most("power, ar's MSE", ar.mse, 0.231 + SLACK),
        Bar::at_most("power, ar's MAE", ar.mae, 0.296 + SLACK),
    ])
}
