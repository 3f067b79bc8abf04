//! `pipelines/text.toml`: Shakespeare, byte by byte, in one pass from nothing. A compressor needs as many bits as such a forecast
//! says, and published ones stand beside. Bytes drawn at random tell whether anything leaks.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use sluicegate::model::Random;

use super::data_set::FORECASTS;
use super::seeds::{PRODUCT, Spread};
use crate::bar::Bar;
use crate::running::{self, Done};
use crate::{forecasts, layout};

/// Bits per character and kB/s of programs that compress this file, measured on one core of another machine.
const COMPRESSORS: [(&str, f64, f64); 6] = [
    ("zpaq -m5", 1.969, 479.0),
    ("lrzip -z", 2.043, 1086.0),
    ("zpaq -m4", 2.050, 1564.0),
    ("7z PPMd, order 6", 2.091, 11735.0),
    ("lstm-compress v3", 2.372, 10.4),
    ("xz -9e", 2.614, 1902.0),
];
/// Bytes drawn at random.
const RANDOM_BYTES: usize = 200_000;
/// A network alone has more to learn than one over experts: it is larger and deeper, and its rate falls without a floor.
const ALONE: [&str; 6] = [
    "operator.forecast.model.kind=\"experts\"",
    "operator.forecast.controls=[\"lstm\"]",
    "operator.forecast.model.hidden=90",
    "operator.forecast.model.layers=3",
    "operator.forecast.model.skip_connections=true",
    "operator.forecast.model.optimizer={rate=0.005,rate_decay_steps=5000,rate_min=0.0,betas=[0.025,0.9999]}",
];

/// What a pass gave.
struct Pass {
    /// Mean bits of a byte, by model.
    bits: BTreeMap<String, f64>,
    wall: Duration,
    bytes: u64,
}

impl Pass {
    fn run(seed: u64, more: &[String]) -> Done<Self> {
        let out = tempfile::tempdir()?;
        let mut overrides = vec![
            format!("operator.forecast.model.seed={seed}"),
            "operator.forecast.columns=[\"nll_bits\"]".to_owned(),
            format!("sink.{FORECASTS}.path={}", out.path().join(FORECASTS).display()),
        ];
        overrides.extend_from_slice(more);
        let run = running::run(&running::workspace_root().join("pipelines/text.toml"), &overrides)?;
        let mut sums: BTreeMap<String, (f64, u64)> = BTreeMap::new();
        forecasts::each_batch(&out.path().join(FORECASTS), &["model", "nll_bits"], |records| {
            let column = |name: &str, to: &DataType| -> Done<_> {
                let column = records.column_by_name(name).ok_or_else(|| format!("there is no column `{name}`"))?;
                Ok(cast(column, to)?)
            };
            let (models, bits) = (column("model", &DataType::Utf8)?, column("nll_bits", &DataType::Float64)?);
            for (model, bits) in models.as_string::<i32>().iter().zip(bits.as_primitive::<Float64Type>()) {
                if let (Some(model), Some(bits)) = (model, bits) {
                    let (sum, events) = sums.entry(model.to_owned()).or_default();
                    *sum += bits;
                    *events += 1;
                }
            }
            Ok(())
        })?;
        let bytes = sums.values().map(|(_, events)| *events).max().unwrap_or(0);
        if let Some((model, _)) = sums.iter().find(|(_, (_, events))| *events != bytes) {
            return Err(format!("`{model}` did not forecast all of {bytes} bytes").into());
        }
        let bits = sums.into_iter().map(|(model, (sum, events))| (model, sum / events as f64)).collect();
        Ok(Self { bits, wall: run.wall, bytes })
    }

    fn of(&self, model: &str) -> Done<f64> {
        self.bits.get(model).copied().ok_or_else(|| format!("`{model}` forecast nothing").into())
    }

    fn kilobytes_per_second(&self) -> f64 {
        self.bytes as f64 / 1e3 / self.wall.as_secs_f64()
    }
}

/// Prints the scores and returns the bars.
pub(super) fn run(seeds: u64) -> Done<Vec<Bar>> {
    let (mut over, mut alone, mut random) = (Vec::new(), Vec::new(), Vec::new());
    let folder = tempfile::tempdir()?;
    let noise = folder.path().join("noise");
    for seed in 0..seeds {
        over.push(Pass::run(seed, &[])?);
        alone.push(Pass::run(seed, &ALONE.map(str::to_owned))?);
        let mut bytes = Random::new(seed);
        let drawn: Vec<u8> = (0..RANDOM_BYTES).map(|_| (bytes.unit() * 256.0) as u8).collect();
        std::fs::write(&noise, drawn)?;
        random.push(Pass::run(seed, &[format!("source.books.path={}", noise.display())])?);
        let seconds = [&over, &alone, &random].map(|passes| passes.last().map_or(0.0, |pass| pass.wall.as_secs_f64()));
        eprintln!("text, seed {seed}: {:.0} s", seconds.iter().sum::<f64>());
    }
    let spread = |passes: &[Pass], model: &str| -> Done<Spread> {
        Ok(Spread::of(passes.iter().map(|pass| pass.of(model)).collect::<Done<_>>()?))
    };
    let (experts, network) = (spread(&over, "experts")?, spread(&alone, "lstm")?);
    let (product, noise) = (spread(&over, PRODUCT)?, spread(&random, PRODUCT)?);
    print(&over, &alone, [("lstm over experts", &product), ("experts alone", &experts), ("lstm alone", &network)])?;
    Ok(vec![
        product.at_most("text, lstm over experts, bits per byte", 1.95),
        network.at_most("text, lstm alone, bits per byte", 2.23),
        // Even chances for 256 bytes and the open class are 8.006 bits; less than 8 would be a leak.
        Bar::within("text, random bytes, bits per byte", noise.median(), 8.0, 8.03),
    ])
}

fn print(over: &[Pass], alone: &[Pass], ours: [(&str, &Spread); 3]) -> Done {
    let speed = |passes: &[Pass]| Spread::of(passes.iter().map(Pass::kilobytes_per_second).collect()).median();
    let speeds = [Some(speed(over)), None, Some(speed(alone))];
    let mut lines: Vec<(String, f64, String)> = Vec::new();
    for ((name, bits), speed) in ours.into_iter().zip(speeds) {
        let speed = speed.map_or_else(String::new, |speed| format!("{speed:.1}"));
        lines.push((name.to_owned(), bits.median(), speed));
    }
    if let Some(first) = over.first() {
        lines.push(("ar: counts of the last bytes".to_owned(), first.of("ar")?, String::new()));
    }
    lines.extend(COMPRESSORS.map(|(name, bits, speed)| (format!("{name} (published)"), bits, format!("{speed:.1}"))));
    lines.sort_by(|a, b| a.1.total_cmp(&b.1));
    let rows = lines.into_iter().map(|(name, bits, speed)| vec![name, format!("{bits:.4}"), speed]);
    println!(
        "text: pipelines/text.toml, one pass over {} bytes, each forecast before it is learned from; kB/s of whole pipelines, with\n\
         what runs beside, and of the compressors\n{}",
        over.first().map_or(0, |pass| pass.bytes),
        layout::table(["", "bits per byte", "kB/s"], rows)
    );
    Ok(())
}
