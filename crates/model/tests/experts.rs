//! Count experts, alone and under a network, through the operator.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, UInt8Array};
use sluicegate_core::{Batch, Metrics, Offset, Offsets, OperatorConfig, PartitionId, PipelineContext};
use sluicegate_model::experts::ExpertsConfig;
use sluicegate_model::head::HeadKind;
use sluicegate_model::{ForecastConfig, MixtureSetting, ModelKind, Random};
use sluicegate_testkit::operator::Suite;

/// Text with some structure, one character a row, two texts of which take turns; never the same for long.
fn text(rows: usize) -> Batch {
    let mut random = Random::new(7);
    let words = ["the", "sluice", "gate", "opens", "water", "flows", "and", "then"];
    let mut texts = [String::new(), String::new()];
    for text in &mut texts {
        while text.len() < rows {
            text.push_str(words[below(&mut random, words.len())]);
            text.push_str([" ", ", ", ".\n", ":\n"][below(&mut random, 4)]);
        }
    }
    let keys: Vec<&str> = (0..rows).map(|row| ["a", "b"][row % 2]).collect();
    let symbol = |row: usize| texts[row % 2][row / 2..=row / 2].to_owned();
    let symbols: Vec<String> = (0..rows).map(symbol).collect();
    log([("symbol", Arc::new(StringArray::from(symbols))), ("key", Arc::new(StringArray::from(keys)))])
}

fn below(random: &mut Random, count: usize) -> usize {
    (random.unit() * count as f32) as usize
}

fn log<const N: usize>(columns: [(&str, ArrayRef); N]) -> Batch {
    let records = RecordBatch::try_from_iter(columns).unwrap();
    let offsets = Offsets::dense(Offset(0), records.num_rows()).unwrap();
    Batch::new(PartitionId::new("log"), offsets, records).unwrap()
}

fn bytes(values: Vec<u8>) -> Batch {
    log([("symbol", Arc::new(UInt8Array::from(values)))])
}

/// Experts under a small network, and beside it alone.
fn config() -> ForecastConfig {
    let mut config = ForecastConfig::new(["symbol"]);
    config.model.head = HeadKind::Categorical;
    config.model.hidden = 6;
    config.model.experts = Some(ExpertsConfig::default());
    config.mixture = MixtureSetting::Off;
    config.controls = vec![ModelKind::Experts];
    config
}

fn suite(config: &ForecastConfig, log: Batch) -> Suite {
    let (config, schema) = (config.clone(), log.records().schema());
    Suite::new(move || common::operator(&config, &schema, Path::new("."), &Metrics::new()), log)
}

/// Mean bits of what is forecast from row `from` on: of the network over the experts, and of the experts alone.
fn bits(config: &ForecastConfig, log: Batch, from: usize) -> [f64; 2] {
    let table = suite(config, log).run(256).table.unwrap();
    let all = common::numbers(&table, "nll_bits");
    [0, 1].map(|model| {
        let of_model: Vec<f64> =
            all.iter().skip(2 * from + model).step_by(2).copied().filter(|bits| !bits.is_nan()).collect();
        of_model.iter().sum::<f64>() / of_model.len() as f64
    })
}

#[test]
fn cutting_the_log_changes_nothing_and_a_snapshot_stands_for_what_was_before() {
    for update_every in [1, 7] {
        let mut config = config();
        config.key = Some("key".into());
        config.model.bptt.every = 2;
        config.model.update_every = Some(update_every);
        let suite = suite(&config, text(300));
        suite.assert_rechunking(&[1, 3, 100]);
        for rows in [0, 1, 38, 203] {
            suite.assert_snapshot_is_prefix(rows, 41);
        }
    }
}

/// Nothing can be known of random bytes, so they cost 8 bits and what it takes to find that out. Less would be a leak.
#[test]
fn random_bytes_cost_their_eight_bits() {
    let mut random = Random::new(11);
    let noise = (0..6000).map(|_| below(&mut random, 256) as u8).collect();
    let mut config = config();
    config.classes.max = 256;
    for bits in bits(&config, bytes(noise), 1) {
        assert!((8.0..8.2).contains(&bits), "{bits}");
    }
}

#[test]
fn all_bytes_are_known_beforehand() {
    let mut config = config();
    config.classes.max = 256;
    let table = suite(&config, bytes(vec![65, 66, 200, 66])).run(4).table.unwrap();
    let seen = table.column_by_name("observed_class").unwrap().as_string::<i32>();
    assert_eq!(seen.iter().flatten().collect::<Vec<_>>(), ["65", "65", "66", "66", "200", "200", "66", "66"]);
    let bits = common::numbers(&table, "nll_bits");
    assert!((bits[2] - 257f64.log2()).abs() < 0.5, "one of 257 at first: {}", bits[2]);
}

#[test]
fn experts_learn_words_within_some_hundred_of_them() {
    let mut config = config();
    config.key = Some("key".into());
    let [over, alone] = bits(&config, text(8000), 6000);
    // Eight words and four ways to end one: some 5 bits for six characters or so.
    assert!(alone < 1.1 && over < 1.1, "{over} and {alone}");
    config.model.experts = Some(ExpertsConfig { contexts_max: 15, ..ExpertsConfig::default() });
    let [_, forgetful] = bits(&config, text(8000), 6000);
    assert!(forgetful > alone + 0.5, "with room for a few contexts alone: {forgetful}");
}

/// Symbols are drawn at random, and a number beside each tells the next one: experts count symbols alone.
#[test]
fn a_network_adds_what_experts_cannot_know() {
    let mut random = Random::new(3);
    let symbols: Vec<u8> = (0..3000).map(|_| below(&mut random, 2) as u8).collect();
    let told: Vec<f64> = symbols.iter().skip(1).chain([&0]).map(|next| f64::from(*next)).collect();
    let mut config = config();
    config.classes.max = 2;
    config.features.inputs = vec!["told".into()];
    let columns: [(&str, ArrayRef); 2] =
        [("symbol", Arc::new(UInt8Array::from(symbols))), ("told", Arc::new(Float64Array::from(told)))];
    let [over, alone] = bits(&config, log(columns), 2000);
    assert!(alone > 0.95, "{alone}");
    assert!(over < 0.1, "{over}");
}

#[test]
fn settings_that_make_no_sense_of_experts_are_refused_with_what_to_do() {
    type Change = fn(&mut ForecastConfig);
    let refused: [(Change, &str); 5] = [
        (
            |c| c.model.head = HeadKind::StudentT,
            "`model.experts`: asks for experts, which forecast classes; set model.head to \"categorical\"",
        ),
        (
            |c| c.horizons = vec![1, 2],
            "`model.experts`: asks for experts, which forecast the next event and none farther ahead; leave horizons out, or write horizons = [1]",
        ),
        (
            |c| (c.model.kind, c.controls) = (ModelKind::Ar, Vec::new()),
            "`model.experts`: are under a network or a model `experts`, and there is neither",
        ),
        (
            |c| c.model.experts = Some(ExpertsConfig { rate: -1.0, ..ExpertsConfig::default() }),
            "`model.experts.rate`: must be 0 or above, not -1",
        ),
        (
            |c| c.model.experts = Some(ExpertsConfig { contexts_max: 3, ..ExpertsConfig::default() }),
            "`model.experts.contexts_max`: must leave room for 15 contexts at least, not 3",
        ),
    ];
    let schema = text(4).records().schema();
    for (change, expected) in refused {
        let mut config = config();
        change(&mut config);
        let error = config.bind(&schema, &PipelineContext::default()).err().unwrap().to_string();
        assert_eq!(error, expected);
    }
}
