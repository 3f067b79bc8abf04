//! How much memory a run takes at most, measured in a process of its own.

use std::path::Path;
use std::process::Command;

use super::case::Case;
use crate::bar::Bar;
use crate::process;
use crate::running::{self, Done};

/// A run over four times as many events may take so much at its peak, against one over them once. The list of pages at the end
/// of a Parquet file grows with it, by a byte or two per row; anything that is kept of every event would show, as a row of
/// forecasts is some 150 bytes.
const RATIO_MAX: f64 = 1.1;
const KEYS: usize = 256;
const MIB: f64 = (1 << 20) as f64;

/// Runs a pipeline and prints the peak of this process; the other half of [`measure`].
pub(crate) fn print_peak(pipeline: &Path) -> Done {
    running::run(pipeline, &[])?;
    let peak = process::peak_bytes().ok_or("this system does not say how much memory a process took")?;
    println!("{peak}");
    Ok(())
}

/// Runs the same pipeline over `events` events and over four times as many.
pub(super) fn measure(folder: &Path, events: usize) -> Done<Bar> {
    let (few, many) = (peak(folder, events)?, peak(folder, 4 * events)?);
    let note = format!(
        "{:.0} MiB over {} events, {:.0} MiB over {}",
        few / MIB,
        crate::layout::grouped(events as f64),
        many / MIB,
        crate::layout::grouped(4.0 * events as f64)
    );
    Ok(Bar::at_most("peak memory, 4 × events against 1 ×", many / few, RATIO_MAX).shown(1, " ×").note(note))
}

fn peak(folder: &Path, events: usize) -> Done<f64> {
    let case = Case::prepare(folder, KEYS, events)?;
    let output = Command::new(std::env::current_exe()?).arg("memory").arg(&case.pipeline).output()?;
    if !output.status.success() {
        return Err(format!("the run for memory failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse::<f64>()?)
}
