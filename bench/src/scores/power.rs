//! `pipelines/power.toml`: a power transformer's load and oil temperature, one hour ahead, beside persistence and
//! autoregression (ETTh1; Zhou et al. 2021, scored as online forecasting papers do since Pham et al. 2022).

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::figures::{Figures, Scores, deviation, median_of};
use super::{HEADER, line};
use crate::bar::Bar;
use crate::running::{self, Done};
use crate::{forecasts, layout};

const TARGETS: [&str; 7] = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"];
/// The product, then its controls.
const MODELS: [&str; 3] = ["forecast", "persistence", "ar"];
/// Each target is scored in units of its deviation over so many first rows.
const STANDARDISE_ROWS: usize = 2880;
/// It is still learning here.
const LEARNING: Range<i64> = 0..3600;
const SCORED: Range<i64> = 3600..14_400;

/// What a run with one seed gave.
pub(crate) struct Scored {
    /// By model, in the order of [`MODELS`].
    learning: [Figures; 3],
    scored: [Figures; 3],
    pub(crate) wall: Duration,
}

impl Scored {
    /// The product's scores in a few words.
    pub(crate) fn in_short(&self) -> String {
        let [Figures { mse, mae, nll, .. }, ..] = self.scored;
        format!("MSE {mse:.3}, MAE {mae:.3}, NLL {nll:.3}")
    }
}

/// Runs the pipeline with one seed and scores what it wrote.
pub(crate) fn run_once(seed: u64) -> Done<Scored> {
    let pipelines = running::workspace_root().join("pipelines");
    let out = tempfile::tempdir()?;
    let overrides =
        [format!("operator.forecast.model.seed={seed}"), format!("sink.forecasts.path={}", out.path().display())];
    let run = running::run(&pipelines.join("power.toml"), &overrides)?;
    let deviations = deviations(&pipelines.join("data").join("etth1.parquet"))?;
    let (learning, scored) = score(out.path(), &deviations)?;
    Ok(Scored { learning, scored, wall: run.wall })
}

/// Scores of the written forecasts while learning, and after.
fn score(folder: &Path, deviations: &BTreeMap<String, f64>) -> Done<([Figures; 3], [Figures; 3])> {
    let (mut learning, mut scored) = (Scores::of(LEARNING), Scores::of(SCORED));
    forecasts::each_row(folder, |row| {
        learning.add(&row);
        scored.add(&row);
        Ok(())
    })?;
    scored.check_complete()?;
    let of = |scores: &Scores| -> Done<[Figures; 3]> {
        let [product, persistence, ar] = MODELS.map(|model| scores.figures(model, deviations));
        Ok([product?, persistence?, ar?])
    };
    Ok((of(&learning)?, of(&scored)?))
}

/// Deviation of each target over the first rows of the source file.
fn deviations(path: &Path) -> Done<BTreeMap<String, f64>> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
    let file = File::open(path).map_err(|error| failed(&error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(&error))?;
    let reader = builder.with_limit(STANDARDISE_ROWS).build().map_err(|error| failed(&error))?;
    let mut values: BTreeMap<String, Vec<f64>> = TARGETS.map(|target| (target.to_owned(), Vec::new())).into();
    for records in reader {
        let records = records.map_err(|error| failed(&error))?;
        for (target, values) in &mut values {
            let column = records.column_by_name(target).ok_or_else(|| failed(&format!("it has no column {target}")))?;
            let column = cast(column, &DataType::Float64)?;
            values.extend(column.as_primitive::<Float64Type>().iter().flatten());
        }
    }
    if let Some((target, values)) = values.iter().find(|(_, values)| values.len() != STANDARDISE_ROWS) {
        return Err(
            failed(&format!("{target} has {} values in the first {STANDARDISE_ROWS} rows", values.len())).into()
        );
    }
    Ok(values.into_iter().map(|(target, values)| (target, deviation(&values))).collect())
}

/// Runs all seeds, prints their scores and returns the bars.
pub(super) fn run(seeds: u64) -> Done<Vec<Bar>> {
    println!("power: pipelines/power.toml, mean of 7 targets, each in its deviations over rows 0 to 2,879\n");
    let mut runs = Vec::new();
    for seed in 0..seeds {
        let run = run_once(seed)?;
        eprintln!("seed {seed}: {:.1} s, {}", run.wall.as_secs_f64(), run.in_short());
        runs.push(run);
    }
    let median = |of: fn(&Scored) -> &[Figures; 3]| -> [Figures; 3] {
        std::array::from_fn(|model| median_of(&runs.iter().map(|run| of(run)[model]).collect::<Vec<_>>()))
    };
    for (title, of) in [
        ("rows 3,600 to 14,399", (|run| &run.scored) as fn(&Scored) -> &[Figures; 3]),
        ("rows 0 to 3,599: still learning, promised nothing", |run| &run.learning),
    ] {
        let seeds = runs.iter().enumerate().map(|(seed, run)| line(format!("lstm, seed {seed}"), &of(run)[0]));
        let [product, persistence, ar] = median(of);
        let rest = [line("lstm, median", &product), line("persistence", &persistence), line("ar", &ar)];
        println!("{title}\n{}", layout::table(HEADER, seeds.chain(rest)));
    }
    Ok(bars(median(|run| &run.scored)))
}

/// What we promise, and what the controls have to reach to be worth comparing with.
fn bars([product, persistence, ar]: [Figures; 3]) -> Vec<Bar> {
    const SLACK: f64 = 0.005;
    let around = |what: &str, value, expected| Bar::within(what, value, expected - SLACK, expected + SLACK);
    vec![
        Bar::at_most("MSE", product.mse, 0.215),
        Bar::at_most("MAE", product.mae, 0.28),
        Bar::at_most("NLL", product.nll, 0.19),
        Bar::at_most("CRPS", product.crps, 0.207),
        Bar::within("in the 95 % interval", product.inside * 100.0, 93.0, 97.0).shown(0, " %"),
        around("persistence MSE", persistence.mse, 0.363),
        around("persistence MAE", persistence.mae, 0.355),
        Bar::at_most("ar MSE", ar.mse, 0.231 + SLACK),
        Bar::at_most("ar MAE", ar.mae, 0.296 + SLACK),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bar::verdict;
    use crate::forecasts::{Row, testing::write};

    fn figures(scale: f64) -> Figures {
        Figures {
            events: 10_800.0,
            mse: 0.215 * scale,
            mae: 0.28 * scale,
            nll: 0.19 * scale,
            crps: 0.207 * scale,
            inside: 0.95 * scale,
        }
    }

    #[test]
    fn every_promise_is_held_against_its_figure() {
        let controls = |mse, mae| Figures { mse, mae, ..figures(1.0) };
        let good = [figures(1.0), controls(0.363, 0.355), controls(0.231, 0.296)];
        assert!(verdict(&bars(good)).1);
        let bad = [figures(1.03), controls(0.37, 0.35), controls(0.24, 0.31)];
        let (text, _) = verdict(&bars(bad));
        let expected =
            "8 of 9 bars fall short: MSE; MAE; NLL; CRPS; in the 95 % interval; persistence MSE; ar MSE; ar MAE.";
        assert_eq!(text.lines().last(), Some(expected));
    }

    #[test]
    fn the_deviations_are_those_of_the_first_rows_of_the_source() {
        let data = running::workspace_root().join("pipelines/data/etth1.parquet");
        let deviations = deviations(&data).unwrap();
        // python3 -c "import pyarrow.parquet as pq, statistics
        // print(statistics.pstdev(pq.read_table('etth1.parquet')['OT'].to_pylist()[:2880]))"
        assert_eq!(deviations.len(), 7);
        assert!((deviations["OT"] - 7.783_434_130_824_361).abs() < 1e-12, "{deviations:?}");
    }

    #[test]
    fn learning_and_scored_rows_are_told_apart_by_the_offset_of_the_value() {
        let folder = tempfile::tempdir().unwrap();
        let row = |offset: i64, model| Row {
            offset,
            key: None,
            target: "y",
            model,
            observed: 1.0,
            forecast: if offset < LEARNING.end { 3.0 } else { 0.0 },
            nll: 0.0,
            crps: 0.0,
            pit: 0.5,
        };
        let rows: Vec<_> = (0..SCORED.end + 1).flat_map(|offset| MODELS.map(|model| row(offset, model))).collect();
        write(&folder.path().join("part-p-00000.parquet"), &rows);
        let (learning, scored) = score(folder.path(), &BTreeMap::from([("y".to_owned(), 1.0)])).unwrap();
        assert_eq!((learning[0].events, learning[0].mse), (3600.0, 4.0));
        assert_eq!((scored[2].events, scored[2].mse), (10_800.0, 1.0));
    }
}
