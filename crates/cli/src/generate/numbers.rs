//! Generated numbers: a fan of many paths, or one path of sound.

use std::path::{Path, PathBuf};

use comfy_table::{Cell, CellAlignment};
use hound::{SampleFormat, WavSpec, WavWriter};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use sluicegate::SAMPLE_RATE;
use sluicegate::arrow::array::TimestampMicrosecondArray;
use sluicegate::arrow::util::display::array_value_to_string;
use sluicegate::model::score::LEVELS;
use sluicegate::model::{Sequences, Step, Value};

use super::fan::{self, Paths};
use super::out::{create, unwritable};
use super::{Work, walk};
use crate::console::Console;
use crate::failure::{Ending, Failure};
use crate::layout::{self, counted};

/// Paths of a fan, where nobody says how many.
const PATHS: usize = 100;
/// Rows that the terminal shows.
const ROWS_SHOWN_MAX: usize = 24;

/// Where numbers go.
pub(super) enum Place {
    Terminal,
    Parquet(PathBuf),
    /// At so many samples a second.
    Sound(PathBuf, u32),
}

impl Place {
    /// # Errors
    /// When the name of the file says nothing of its kind, or something else is wrong with the arguments.
    pub(super) fn of(work: &Work<'_>) -> Result<Self, Failure> {
        let args = work.args;
        let refused = |message: &str, help: &str| Err(Failure::wrong_argument(format!("{message}\n  help: {help}")));
        let Some(path) = &args.out else {
            if args.keep_paths {
                return refused("--keep-paths: a table on the terminal has no room for them", "add --out FILE.parquet");
            }
            return Ok(Self::Terminal);
        };
        if work.writes("parquet") {
            return Ok(Self::Parquet(path.clone()));
        }
        if !work.writes("wav") {
            let message = format!("--out {}: numbers go to a file that ends in .parquet or .wav", path.display());
            return refused(&message, "without --out a short table is printed");
        }
        let rate = work.inputs.first().and_then(|source| source.columns.metadata().get(SAMPLE_RATE)?.parse().ok());
        match (rate, work.inputs.len(), work.config.targets.as_slice()) {
            (Some(rate), 1, [target]) if target == "value" => {
                if args.paths.is_some_and(|paths| paths.get() > 1) || args.keep_paths {
                    return refused("a file of sound holds one path", "leave out --paths and --keep-paths");
                }
                Ok(Self::Sound(path.clone(), rate))
            }
            _ => {
                let message = format!("--out {}: only samples of sound can be written as such", path.display());
                refused(
                    &message,
                    "the source must be of type wav and the only target its `value`; else write FILE.parquet",
                )
            }
        }
    }
}

pub(super) fn generate(
    work: &Work<'_>,
    place: &Place,
    mut sequences: Sequences,
    console: &mut Console<'_>,
) -> Result<Ending, Failure> {
    let args = work.args;
    let count = match place {
        Place::Sound(..) => 1,
        _ => args.paths.map_or(PATHS, Into::into),
    };
    let mut paths =
        Paths { targets: work.config.targets.clone(), times: Vec::new(), values: Vec::with_capacity(count) };
    let mut random = work.random();
    for number in 0..count {
        if number > 0 {
            sequences.start_over().map_err(|error| Failure::failed_by(&error))?;
        }
        let mut path = Vec::with_capacity(args.length * paths.targets.len());
        walk(&mut sequences, args.length, &mut random, |step| {
            path.extend(numbers(&step));
            // They are the same in every path.
            if number == 0 {
                paths.times.push(step.time);
            }
            Ok(true)
        })?;
        paths.values.push(path);
    }
    match place {
        Place::Terminal => console.out(format_args!("{}", shown(&paths)))?,
        Place::Parquet(path) => write_parquet(&paths, args.keep_paths, path)?,
        Place::Sound(path, rate) => write_sound(&paths.values[0], *rate, path)?,
    }
    Ok(Ending::Done)
}

fn numbers(step: &Step) -> impl Iterator<Item = f64> + '_ {
    step.values.iter().map(|value| match value {
        Value::Number(number) => *number,
        Value::Class(_) => f64::NAN,
    })
}

/// A table of the first steps.
fn shown(paths: &Paths) -> String {
    let levels: Vec<usize> = (0..LEVELS.len()).filter(|place| ![1, 5].contains(place)).collect();
    let mut table = layout::table();
    let names = levels.iter().map(|place| fan::name(LEVELS[*place]));
    table.set_header(["step", "time", "target", "mean"].map(str::to_owned).into_iter().chain(names));
    let mut rows = 0usize;
    for rib in paths.fan() {
        rows += 1;
        if rows > ROWS_SHOWN_MAX {
            continue;
        }
        let number = |value: f64| Cell::new(significant(value)).set_alignment(CellAlignment::Right);
        let first = [
            Cell::new(rib.step).set_alignment(CellAlignment::Right),
            Cell::new(paths.times[rib.step - 1].map(time).unwrap_or_default()),
            Cell::new(&paths.targets[rib.target]),
            number(rib.mean),
        ];
        table.add_row(first.into_iter().chain(levels.iter().map(|place| number(rib.quantiles[*place]))));
    }
    let mut text = layout::text(&table);
    if rows > ROWS_SHOWN_MAX {
        let more = counted((rows - ROWS_SHOWN_MAX) as u64, "row");
        text.push_str(&format!("and {more} more; --out FILE.parquet has them all\n"));
    }
    text
}

/// Four digits that say something.
fn significant(value: f64) -> String {
    let whole = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    if (-4..9).contains(&whole) { format!("{value:.*}", (3 - whole).max(0) as usize) } else { format!("{value:.3e}") }
}

fn time(micros: i64) -> String {
    let times = TimestampMicrosecondArray::from(vec![micros]);
    array_value_to_string(&times, 0).unwrap_or_default()
}

fn write_parquet(paths: &Paths, with_paths: bool, path: &Path) -> Result<(), Failure> {
    let table = paths.table(with_paths).map_err(|error| unwritable(path, &error))?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(Default::default())).build();
    let mut writer = ArrowWriter::try_new(create(path)?, table.schema(), Some(properties))
        .map_err(|error| unwritable(path, &error))?;
    writer.write(&table).map_err(|error| unwritable(path, &error))?;
    writer.close().map_err(|error| unwritable(path, &error))?;
    Ok(())
}

/// PCM of 16 bits, values clipped to [−1, 1).
fn write_sound(samples: &[f64], rate: u32, path: &Path) -> Result<(), Failure> {
    let spec = WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut writer = WavWriter::create(path, spec).map_err(|error| unwritable(path, &error))?;
    for sample in samples {
        writer.write_sample(pcm(*sample)).map_err(|error| unwritable(path, &error))?;
    }
    writer.finalize().map_err(|error| unwritable(path, &error))
}

fn pcm(sample: f64) -> i16 {
    const FULL: f64 = 32_768.0;
    (sample * FULL).round().clamp(-FULL, FULL - 1.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_clipped() {
        assert_eq!([-1.5, -1.0, 0.0, 0.5, 1.0, 9.0].map(pcm), [-32_768, -32_768, 0, 16_384, 32_767, 32_767]);
    }

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(time(1_530_046_800_000_000), "2018-06-26T21:00:00");
    }

    #[test]
    fn numbers_are_shown_with_four_digits() {
        let shown = [12_345.6, 1.0, -0.012_345, 0.0, 1e12, 1e-9].map(significant);
        assert_eq!(shown, ["12346", "1.000", "-0.01235", "0.000", "1.000e12", "1.000e-9"]);
    }
}
