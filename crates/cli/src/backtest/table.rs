//! What a backtest shows, and what it writes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use comfy_table::{Cell, CellAlignment};
use parquet::arrow::ArrowWriter;
use sluicegate::BoxError;
use sluicegate::arrow::array::{
    ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};

use super::bootstrap::Interval;
use super::fold::Fold;
use super::rows::Losses;
use super::scores::{Gain, Means, best_control, gain, means};
use super::time_text;
use crate::layout::{self, grouped};

/// The headline, the models over all folds, and the forecast in each fold.
pub(super) fn leaderboard(losses: &Losses, folds: &[Fold], events: usize, seed: u64) -> String {
    let models = losses.models();
    let Some(own) = models.first().copied() else { return "nothing was forecast\n".to_owned() };
    let Some(control) = best_control(losses, folds) else {
        let help = "give the pipeline controls, such as controls = [\"persistence\", \"ar\"]";
        return format!("`{own}` has no control to be compared with\n  help: {help}\n");
    };
    let all = gain(losses, own, control, folds, seed);
    let (first, last) = (folds.first().map_or(0, |fold| fold.from), folds.last().map_or(0, |fold| fold.to));
    let mut text = match &all {
        None => format!("`{own}` and {control} were scored on no event in common\n"),
        Some(gain) => {
            let verdict = match gain.crps {
                crps if crps.low > 0.0 => "beats",
                crps if crps.high < 0.0 => "loses to",
                _ => "cannot be told from",
            };
            format!("{own} {verdict} {control}: {} less CRPS\n", percent_with_interval(gain.crps))
        }
    };
    text.push_str(&format!(
        "{} events, of which those from {} to before {} are scored, in {} folds\n\n",
        grouped(events as u64),
        time_text(first),
        time_text(last),
        folds.len()
    ));
    let mut table = layout::table();
    table.set_header(["model", "CRPS saved", "95 % interval", "NLL saved", "95 % interval", "50 %", "80 %", "95 %"]);
    for model in &models {
        let mut row = vec![Cell::new(model)];
        let figures = match gain(losses, model, control, folds, seed).filter(|_| *model != control) {
            Some(gain) => [
                percent(gain.crps.mean),
                between(gain.crps),
                format!("{:.3}", gain.nll.mean),
                format!("{:.3} to {:.3}", gain.nll.low, gain.nll.high),
            ],
            None => ["–", "–", "–", "–"].map(str::to_owned),
        };
        row.extend(figures.iter().map(|figure| right(figure)));
        row.extend(coverage(losses, model, folds).map(|share| right(percent(share).trim_end_matches(" %"))));
        table.add_row(row);
    }
    text.push_str(&layout::text(&table));
    text.push_str(&format!("Saved against {control}, the best control by CRPS on the same folds.\n\n"));
    let mut table = layout::table();
    table.set_header(["fold", "from", "to", "CRPS saved", "95 % interval"]);
    for (place, fold) in folds.iter().enumerate() {
        let (saved, between) = match gain(losses, own, control, &[*fold], seed) {
            Some(Gain { crps, .. }) => (percent(crps.mean), between(crps)),
            None => ("–".to_owned(), "–".to_owned()),
        };
        table.add_row([
            right(&(place + 1).to_string()),
            Cell::new(time_text(fold.from)),
            Cell::new(time_text(fold.to)),
            right(&saved),
            right(&between),
        ]);
    }
    text.push_str(&layout::text(&table));
    if let Some(gain) = all {
        text.push_str(&format!(
            "Intervals: stationary bootstrap of paired differences, blocks of {:.0} times in the mean, seed {seed}.\n",
            gain.crps.block
        ));
    }
    text
}

/// Mean coverage over targets and horizons.
fn coverage(losses: &Losses, model: &str, folds: &[Fold]) -> [f64; 3] {
    let own = losses.series.iter().filter(|(name, _)| name.model == model);
    let all: Vec<Means> = own.map(|(_, losses)| means(losses, folds)).filter(|means| means.events > 0).collect();
    std::array::from_fn(|level| all.iter().map(|means| means.coverage[level]).sum::<f64>() / all.len() as f64)
}

/// Writes `scores.parquet` into a folder: a row for each fold, target, horizon and model.
pub(super) fn write(losses: &Losses, folds: &[Fold], folder: &Path) -> Result<PathBuf, BoxError> {
    std::fs::create_dir_all(folder)?;
    let rows: Vec<_> = folds
        .iter()
        .enumerate()
        .flat_map(|(place, fold)| {
            losses.series.iter().map(move |(name, losses)| (place, fold, name, means(losses, &[*fold])))
        })
        .collect();
    let number = |of: fn(&Means) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter(
            rows.iter().map(|(.., means)| Some(of(means)).filter(|value| value.is_finite())),
        ))
    };
    let time = |of: fn(&Fold) -> i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| of(row.1))).with_timezone("UTC"))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("fold", Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.0 as u32 + 1)))),
        ("from", time(|fold| fold.from)),
        ("to", time(|fold| fold.to)),
        ("target", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.2.target)))),
        ("horizon", Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.2.horizon)))),
        ("model", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.2.model)))),
        ("events", Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.3.events)))),
        ("nll", number(|means| means.nll)),
        ("crps", number(|means| means.crps)),
        ("mae", number(|means| means.mae)),
        ("mse", number(|means| means.mse)),
        ("coverage50", number(|means| means.coverage[0])),
        ("coverage80", number(|means| means.coverage[1])),
        ("coverage95", number(|means| means.coverage[2])),
    ];
    let records =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))?;
    let path = folder.join("scores.parquet");
    let mut writer = ArrowWriter::try_new(File::create(&path)?, records.schema(), None)?;
    writer.write(&records)?;
    writer.close()?;
    Ok(path)
}

/// An interval of shares, in per cent.
fn between(interval: Interval) -> String {
    format!("{:.1} to {:.1}", 100.0 * interval.low, 100.0 * interval.high)
}

fn percent_with_interval(interval: Interval) -> String {
    format!("{} [{} to {}]", percent(interval.mean), percent(interval.low), percent(interval.high))
}

fn percent(share: f64) -> String {
    if share.is_nan() { "–".to_owned() } else { format!("{:.1} %", share * 100.0) }
}

fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}
