//! Alarms of `pipelines/telemetry.toml` over the forty bundled series, by the rule of the Numenta Anomaly Benchmark (Lavin & Ahmad
//! 2015), standard profile, one setting for all.
//!
//! The bars are on the benchmark's own probation, a share of a length that a stream does not know, because published figures have
//! it; what the pipeline's own alarms score stands beside. The threshold was found on these very files, so a second figure takes it
//! from files that are not scored (`halves`).

mod halves;
mod series;

use sluicegate::anomaly::{AnomalyConfig, Verdict};
use sluicegate_score::NabTally;

use super::data_set::FORECASTS;
use super::seeds::{PRODUCT, Spread};
use super::telemetry;
use crate::bar::Bar;
use crate::forecasts;
use crate::layout;
use crate::running::{Done, workspace_root};
use halves::{Elsewhere, elsewhere};
use series::{Alarms, Scores, Series};

/// What others' published alarms score on these files, at the threshold published with them (`results/` of numenta/NAB at ea702d7).
const PUBLISHED: [(&str, f64); 5] = [
    ("ARTime, published", 77.5),
    ("contextOSE, published", 75.7),
    ("Numenta HTM, published", 73.4),
    ("random cut forest, published", 55.9),
    ("windowed Gaussian, published", 47.6),
];

/// Figures of one way to score rows.
struct Figures {
    /// At the settings as they are by default.
    as_set: f64,
    elsewhere: Elsewhere,
    /// At the probation of the settings instead of the benchmark's.
    as_stream: f64,
}

impl Figures {
    fn of(series: &[Series], scores: &[Scores]) -> Self {
        let config = AnomalyConfig::default();
        let as_stream = total(series.iter().zip(scores).map(|(series, scores)| series.tally(scores, &config)));
        let as_set =
            total(series.iter().zip(scores).map(|(series, scores)| series.tally_of_benchmark(scores, &config)));
        Self { as_set, elsewhere: elsewhere(series, scores), as_stream }
    }

    fn line(&self, name: &str) -> Vec<String> {
        let Elsewhere { mean, deviation } = self.elsewhere;
        let figures = [self.as_set, mean, deviation, self.as_stream].map(|figure| format!("{figure:.1}"));
        std::iter::once(name.to_owned()).chain(figures).collect()
    }
}

/// The score of all series together.
fn total(tallies: impl IntoIterator<Item = NabTally>) -> f64 {
    let mut sum = NabTally::default();
    tallies.into_iter().for_each(|tally| sum.merge(&tally));
    sum.score().unwrap_or(f64::NAN)
}

fn whole(verdict: &Verdict) -> Option<f64> {
    verdict.score
}

/// Prints the scores and returns the bars.
pub(super) fn run(seeds: u64) -> Done<Vec<Bar>> {
    let series = series::read(&workspace_root().join("pipelines/data/nab.parquet"))?;
    let config = AnomalyConfig::default();
    let mut lines = Vec::new();
    let (mut by_seed, mut first) = (Vec::new(), None);
    for seed in 0..seeds {
        let forecasts = forecasts_of(seed, &series)?;
        let scores = series::judge(&series, Some(&forecasts), &config, whole);
        let figures = Figures::of(&series, &scores);
        lines.push(figures.line(&format!("network, seed {seed}")));
        by_seed.push(figures);
        first.get_or_insert(forecasts);
    }
    let spread = |of: fn(&Figures) -> f64| Spread::of(by_seed.iter().map(of).collect());
    let (as_set, other_half) = (spread(|figures| figures.as_set), spread(|figures| figures.elsewhere.mean));
    lines.push(
        Figures {
            as_set: as_set.median(),
            elsewhere: Elsewhere {
                mean: other_half.median(),
                deviation: spread(|figures| figures.elsewhere.deviation).median(),
            },
            as_stream: spread(|figures| figures.as_stream).median(),
        }
        .line("network, median"),
    );

    let network = first.as_deref();
    let mut add = |name: &str, forecasts: Option<&[Vec<Option<f64>>]>, config: &AnomalyConfig, of: series::Part| {
        lines.push(Figures::of(&series, &series::judge(&series, forecasts, config, of)).line(name));
    };
    let last: Vec<_> = series.iter().map(Series::last_values).collect();
    add("last value in its place", Some(&last), &config, whole);
    add("no forecast", None, &config, whole);
    add("the value alone", None, &config, |verdict| verdict.parts[0]);
    add("its level alone", None, &config, |verdict| verdict.parts[1]);
    add("the network's error alone", network, &config, |verdict| verdict.parts[2]);
    for history_max in [4096, 1024, 256, 64] {
        let bounded = AnomalyConfig { history_max, ..config.clone() };
        add(&format!("network, history_max = {history_max}"), network, &bounded, whole);
    }
    let (spacing, blind) = series::blind(&series);
    let only = |name: &str, figure: f64| {
        let mut line = vec![name.to_owned(), format!("{figure:.1}")];
        line.resize(5, String::new());
        line
    };
    lines.push(only(&format!("blind, every {spacing} rows"), blind));
    lines.extend(PUBLISHED.map(|(name, figure)| only(name, figure)));

    let windows: u64 = series.iter().map(|series| series.tally(&Vec::new(), &config).windows()).sum();
    println!(
        "anomalies: pipelines/telemetry.toml, {} series, {windows} windows, NAB standard profile\n{}",
        series.len(),
        layout::table(
            [
                "",
                &format!("threshold {}", config.threshold),
                "threshold of the other half",
                "±",
                &format!("probation {}", config.probation)
            ],
            lines
        )
    );
    Ok(vec![
        as_set.at_least("anomalies, NAB score", 74.0),
        other_half.at_least("anomalies, NAB score at the threshold of the other half", 70.0),
    ])
}

/// What the network forecast for each row of each series, by the pipeline as it is. Its alarms must be those of the same
/// settings in the detector here, so that what is scored is what a user gets.
fn forecasts_of(seed: u64, series: &[Series]) -> Done<Vec<Vec<Option<f64>>>> {
    let out = tempfile::tempdir()?;
    let run = telemetry::data_set().run_into(out.path(), seed, &[])?;
    eprintln!("anomalies, seed {seed}: {:.0} s", run.wall.as_secs_f64());
    let rows = series.iter().map(Series::rows).sum();
    let mut by_offset: Vec<Option<f64>> = vec![None; rows];
    forecasts::each_row(&out.path().join(FORECASTS), |row| {
        if row.model == PRODUCT && row.horizon == 1 {
            let at = by_offset.get_mut(usize::try_from(row.offset)?).ok_or("a forecast of no row")?;
            *at = Some(row.forecast).filter(|forecast| !forecast.is_nan());
        }
        Ok(())
    })?;
    let forecasts: Vec<_> = series.iter().map(|series| series.of_offsets(&by_offset)).collect();
    let config = AnomalyConfig::default();
    let mut expected: Vec<i64> = series
        .iter()
        .zip(series::judge(series, Some(&forecasts), &config, whole))
        .flat_map(|(series, scores)| series.offsets_of(&Alarms::of(&scores, &config)))
        .collect();
    expected.sort_unstable();
    if series::alerts(&out.path().join(telemetry::ALERTS))? != expected {
        return Err("the pipeline's alarms are not those of the detector on the pipeline's forecasts".into());
    }
    Ok(forecasts)
}
