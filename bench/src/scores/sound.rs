//! `pipelines/sound.toml`: spoken digits of two people, the density of every sample given all before it. What a network is held
//! against is linear prediction, by which speech has been coded since Atal & Schroeder (1970), with Student's t around it.

use std::collections::BTreeMap;

use super::data_set::{DataSet, FORECASTS, Pass, Rows, Scored, Units};
use super::figures::{Figures, Series, median};
use super::seeds::{PERSISTENCE, PRODUCT};
use crate::bar::Bar;
use crate::layout;
use crate::running::Done;

/// The keys of the stream.
const SPEAKERS: [&str; 2] = ["jackson", "theo"];
const TARGET: &str = "value";
const AR: &str = "ar";

fn data_set() -> DataSet {
    DataSet {
        name: "sound",
        about: "nats of each sample, in units of full scale; all samples, from the first on",
        pipeline: "sound.toml",
        source: "speech",
        file: "sound",
        time: "time",
        key: Some("speaker"),
        targets: &[TARGET],
        scored: Scored::OfKeyFrom(0),
        units: Units::Own,
        rows: Rows::Values,
        sinks: &[FORECASTS],
        overrides: &[],
    }
}

/// Mean negative log-likelihoods of a model: of each speaker's samples, and of all of them.
type Nlls = [f64; SPEAKERS.len() + 1];

/// Prints the scores and returns the bars.
pub(super) fn run(seeds: u64) -> Done<Vec<Bar>> {
    let sound = data_set();
    let mut passes = Vec::new();
    for seed in 0..seeds {
        let pass = sound.run(seed, &[])?;
        eprintln!("{}, seed {seed}: {:.0} s", sound.name, pass.wall.as_secs_f64());
        passes.push(pass);
    }
    let models = passes.first().map_or(&[][..], |pass| pass.scores.models());
    let mut by_model: Vec<(&str, Vec<Nlls>)> = Vec::new();
    for model in models {
        by_model.push((model, passes.iter().map(|pass| nlls(pass, model)).collect::<Done<_>>()?));
    }
    let lines = by_model.iter().map(|(model, all)| {
        let name = if *model == PRODUCT { "mixture" } else { model };
        let medians = (0..=SPEAKERS.len()).map(|place| format!("{:.4}", median_at(all, place)));
        std::iter::once(name.to_owned()).chain(medians).collect()
    });
    let header = ["NLL"].into_iter().chain(SPEAKERS).chain(["together"]);
    println!(
        "{}: pipelines/{}, {}; medians of {seeds} seeds\n{}",
        sound.name,
        sound.pipeline,
        sound.about,
        layout::table(header, lines)
    );
    bars(&by_model)
}

fn nlls(pass: &Pass, model: &str) -> Done<Nlls> {
    let mut nlls = Nlls::default();
    let mut events = 0.0;
    for (place, speaker) in SPEAKERS.iter().enumerate() {
        let series = Series { key: (*speaker).to_owned(), target: TARGET.to_owned() };
        let of: Figures = pass.scores.figures(model, 1, &BTreeMap::from([(series, 1.0)]))?;
        nlls[place] = of.nll;
        nlls[SPEAKERS.len()] += of.nll * of.events;
        events += of.events;
    }
    nlls[SPEAKERS.len()] /= events;
    Ok(nlls)
}

fn median_at(all: &[Nlls], place: usize) -> f64 {
    median(all.iter().map(|nlls| nlls[place]).collect())
}

/// For each speaker, the mixture is below autoregression and below the best network alone.
fn bars(by_model: &[(&str, Vec<Nlls>)]) -> Done<Vec<Bar>> {
    let of = |model: &str| {
        let found = by_model.iter().find(|(name, _)| *name == model);
        found.map(|(_, all)| all).ok_or_else(|| format!("there are no scores of the model `{model}`"))
    };
    let (product, ar) = (of(PRODUCT)?, of(AR)?);
    let networks: Vec<_> =
        by_model.iter().filter(|(name, _)| ![PRODUCT, AR, PERSISTENCE].contains(name)).map(|(_, all)| all).collect();
    let mut bars = Vec::new();
    for (place, speaker) in SPEAKERS.iter().enumerate() {
        let network = networks.iter().map(|all| median_at(all, place)).fold(f64::INFINITY, f64::min);
        let own = median_at(product, place);
        for (other, nll) in [("ar", median_at(ar, place)), ("network", network)] {
            let what = format!("sound, {speaker}, mixture's NLL below {other}'s by");
            bars.push(Bar::at_least(what, nll - own, LEAST).shown(3, "").note(format!("{own:.4} and {nll:.4}")));
        }
    }
    Ok(bars)
}

/// Nats by which the mixture has to be ahead: three times as much as seeds differ by.
const LEAST: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixture_is_held_against_the_better_of_the_networks() {
        let all = |nlls: Nlls| vec![nlls];
        let by_model = [
            ("forecast", all([1.0, 1.0, 1.0])),
            ("lstm@0.001", all([1.5, 1.005, 1.2])),
            ("lstm@0.01", all([1.25, 2.0, 1.2])),
            ("persistence", all([0.0, 0.0, 0.0])),
            ("ar", all([1.5, 1.5, 1.5])),
        ];
        let (text, met) = crate::bar::verdict(&bars(&by_model).unwrap());
        assert!(!met && text.contains("(1.0000 and 1.2500)") && text.contains("1 of 4 bars fall short"), "{text}");
        assert!(bars(&by_model[..4]).unwrap_err().to_string().contains("`ar`"));
    }
}
