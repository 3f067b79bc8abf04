//! The scores that forecast operators publish, put together from their metrics.

use std::collections::{BTreeMap, BTreeSet};

use sluicegate::Sample;

/// The statistics of scores of numbers.
pub(crate) const OF_NUMBERS: [&str; 8] =
    ["nll", "crps", "mae", "mse", "rmse", "coverage50", "coverage80", "coverage95"];
/// Those that only scores of classes have, beside the NLL.
pub(crate) const OF_CLASSES: [&str; 4] = ["bits", "brier", "accuracy", "calibration_error"];
/// All of them, in this order.
pub(crate) const STATS: [&str; 12] = {
    let [a, b, c, d, e, f, g, h] = OF_NUMBERS;
    let [i, j, k, l] = OF_CLASSES;
    [a, b, c, d, e, f, g, h, i, j, k, l]
};
const MSE: usize = 3;
const RMSE: usize = 4;

/// Scores of all models of one operator over one range of events at one horizon, in the order in which they are shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    pub(crate) operator: String,
    /// Which of the events are scored: `all`, `learning` or `scored`.
    pub(crate) range: String,
    /// Steps ahead.
    pub(crate) horizon: String,
    /// Whether scores are in units of each target's deviation, so that a mean over targets means something.
    pub(crate) standardised: bool,
    /// Whether the operator has scores at several horizons.
    pub(crate) several_horizons: bool,
    /// Whether the targets are classes.
    pub(crate) of_classes: bool,
    /// How many targets the operator has.
    pub(crate) targets: usize,
    /// How many of them have scores: one that never varied has none in units of its deviation.
    pub(crate) targets_known: usize,
    /// The operator's own forecast first, then the others from the best to the worst.
    pub(crate) rows: Vec<Row>,
}

/// One line of a block.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) model: String,
    /// The target; `None` for the mean over all targets.
    pub(crate) target: Option<String>,
    /// Scored events: of the target with the most where there are several.
    pub(crate) events: u64,
    /// The means, in the order of [`STATS`]; NaN where one is not known.
    pub(crate) means: [f64; STATS.len()],
}

/// Events and means of one model and one target.
#[derive(Debug, Clone, Copy)]
struct Score {
    events: f64,
    means: [f64; STATS.len()],
}

type BlockKey = (String, String, String);
/// Model, target.
type RowKey = (String, String);
type ByPartition = BTreeMap<String, Score>;

/// All blocks: by operator, then range (`all`, `learning`, `scored`), then horizon.
///
/// Partitions are averaged with their numbers of events as weights; their RMSE is the root of the MSE so averaged, as if all
/// events had come from one partition. Standardised scores, and those of a single target, are then averaged over the targets
/// that have them, the RMSE too: it is the mean of the targets' RMSEs, not the root of the mean MSE beside it. Raw scores of
/// several targets are in different units and stay apart.
pub(crate) fn blocks(samples: &[Sample]) -> Vec<Block> {
    let standardised: BTreeSet<&str> = samples
        .iter()
        .filter(|sample| sample.name == "forecast_standardised" && sample.value == 1.0)
        .filter_map(|sample| sample.label("operator"))
        .collect();
    let mut horizons: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let is_of_classes =
        |sample: &&Sample| sample.name == "forecast_score" && sample.label("stat") == Some(OF_CLASSES[0]);
    let of_classes: BTreeSet<&str> =
        samples.iter().filter(is_of_classes).filter_map(|sample| sample.label("operator")).collect();
    let scores = collect(samples);
    for (operator, _, horizon) in scores.keys() {
        horizons.entry(operator.clone()).or_default().insert(horizon.clone());
    }
    let mut blocks: Vec<Block> = scores
        .into_iter()
        .map(|((operator, range, horizon), scores)| {
            let standardised = standardised.contains(operator.as_str());
            let targets = scores.keys().map(|(_, target)| target).collect::<BTreeSet<_>>().len();
            let scores: Vec<(RowKey, Score)> =
                scores.into_iter().map(|(key, partitions)| (key, over_partitions(&partitions))).collect();
            let known = scores.iter().filter(|(_, score)| !score.means[0].is_nan());
            let targets_known = known.map(|((_, target), _)| target).collect::<BTreeSet<_>>().len();
            let mut rows = if standardised || targets < 2 {
                over_targets(scores)
            } else {
                scores.into_iter().map(|((model, target), score)| Row::new(model, Some(target), &score)).collect()
            };
            let rank = |row: &Row| (row.target.clone(), row.model != operator);
            rows.sort_by(|a, b| {
                rank(a).cmp(&rank(b)).then(a.means[0].total_cmp(&b.means[0])).then(a.model.cmp(&b.model))
            });
            let several_horizons = horizons.get(&operator).is_some_and(|horizons| horizons.len() > 1);
            let of_classes = of_classes.contains(operator.as_str());
            Block { operator, range, horizon, standardised, several_horizons, of_classes, targets, targets_known, rows }
        })
        .collect();
    let steps = |block: &Block| block.horizon.parse::<u64>().unwrap_or(u64::MAX);
    blocks.sort_by(|a, b| (&a.operator, &a.range, steps(a)).cmp(&(&b.operator, &b.range, steps(b))));
    blocks
}

fn collect(samples: &[Sample]) -> BTreeMap<BlockKey, BTreeMap<RowKey, ByPartition>> {
    let mut scores: BTreeMap<BlockKey, BTreeMap<RowKey, ByPartition>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.name == "forecast_score") {
        let label = |name: &str| sample.label(name).unwrap_or_default().to_owned();
        let block = scores.entry((label("operator"), label("range"), label("horizon"))).or_default();
        let partitions = block.entry((label("model"), label("target"))).or_default();
        let score =
            partitions.entry(label("partition")).or_insert(Score { events: 0.0, means: [f64::NAN; STATS.len()] });
        let stat = label("stat");
        if stat == "n" {
            score.events = sample.value;
        } else if let Some(index) = STATS.iter().position(|known| *known == stat) {
            score.means[index] = sample.value;
        }
    }
    scores
}

fn over_partitions(partitions: &ByPartition) -> Score {
    let events = partitions.values().map(|score| score.events).filter(|events| events.is_finite()).sum();
    let mean = |stat: usize| {
        let known = partitions.values().filter(|score| score.events > 0.0 && !score.means[stat].is_nan());
        let (sum, weight) = known
            .fold((0.0, 0.0), |(sum, weight), score| (sum + score.events * score.means[stat], weight + score.events));
        if weight > 0.0 { sum / weight } else { f64::NAN }
    };
    // A mean of roots is not the root of a mean: squares are averaged, then the root is taken.
    let means = std::array::from_fn(|stat| if stat == RMSE { mean(MSE).sqrt() } else { mean(stat) });
    Score { events, means }
}

fn over_targets(scores: Vec<(RowKey, Score)>) -> Vec<Row> {
    let mut models: BTreeMap<String, Vec<Score>> = BTreeMap::new();
    for ((model, _), score) in scores {
        models.entry(model).or_default().push(score);
    }
    let mean = |(model, scores): (String, Vec<Score>)| {
        let events = scores.iter().map(|score| score.events).fold(0.0, f64::max);
        let means = std::array::from_fn(|stat| {
            let known: Vec<f64> = scores.iter().map(|score| score.means[stat]).filter(|mean| !mean.is_nan()).collect();
            if known.is_empty() { f64::NAN } else { known.iter().sum::<f64>() / known.len() as f64 }
        });
        Row::new(model, None, &Score { events, means })
    };
    models.into_iter().map(mean).collect()
}

impl Row {
    fn new(model: String, target: Option<String>, score: &Score) -> Self {
        Self { model, target, events: score.events as u64, means: score.means }
    }
}

/// The running scores of the first operator in a few words, such as `nll forecast 0.171 · ar 0.322 · persistence 0.466`.
///
/// At the shortest horizon, over all events; where those are split, over the scored ones as soon as there are any. `None`
/// before there is a score, and for raw scores of several targets, which have no mean.
pub(crate) fn in_short(blocks: &[Block]) -> Option<String> {
    /// More would not fit the line of a terminal.
    const MODELS_MAX: usize = 4;
    let operator = &blocks.first()?.operator;
    let rank = |block: &&Block| ["all", "scored"].iter().position(|range| block.range == *range).unwrap_or(2);
    let has_events = |block: &&Block| block.operator == *operator && !block.is_empty();
    let block = blocks.iter().filter(has_events).min_by_key(rank)?;
    let rows = block.rows.iter().filter(|row| row.target.is_none() && !row.means[0].is_nan());
    let models: Vec<String> = rows.take(MODELS_MAX).map(|row| format!("{} {:.3}", row.model, row.means[0])).collect();
    (!models.is_empty()).then(|| format!("nll {}", models.join(" · ")))
}

impl Block {
    /// Whether no event has been scored yet. Events whose scores are not known count: a line of dashes says that they were
    /// there.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.iter().all(|row| row.events == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{score, standardised};

    fn line(blocks: &[Block]) -> Vec<String> {
        let row = |row: &Row| {
            let target = row.target.as_deref().unwrap_or("-");
            format!("{} {target} {} {:.3} {:.3}", row.model, row.events, row.means[0], row.means[2])
        };
        blocks.iter().flat_map(|block| block.rows.iter().map(row)).collect()
    }

    #[test]
    fn partitions_are_weighted_by_their_events_and_targets_are_not() {
        let mut samples = standardised("f");
        samples.extend(score("f", "p0", "f", "a", 1, "all", 10.0, 1.0));
        samples.extend(score("f", "p1", "f", "a", 1, "all", 30.0, 3.0));
        samples.extend(score("f", "p0", "f", "b", 1, "all", 5.0, 0.5));
        samples.extend(score("f", "p0", "ar", "a", 1, "all", 10.0, f64::NAN));
        let blocks = blocks(&samples);
        // (10 · 1 + 30 · 3) / 40 = 2.5 for target a; with 0.5 for target b the mean is 1.5.
        assert_eq!(line(&blocks), ["f - 40 1.500 1.500", "ar - 10 NaN NaN"]);
        assert_eq!(in_short(&blocks).as_deref(), Some("nll f 1.500"));
    }

    #[test]
    fn the_rmse_of_partitions_is_the_root_of_their_mse_and_that_of_targets_a_mean() {
        assert_eq!((STATS[MSE], STATS[RMSE]), ("mse", "rmse"));
        let mut samples = standardised("f");
        samples.extend(score("f", "p0", "f", "a", 1, "all", 10.0, 1.0));
        samples.extend(score("f", "p1", "f", "a", 1, "all", 30.0, 3.0));
        let of = |samples: &[Sample]| blocks(samples)[0].rows[0].means;
        // (10 · 1² + 30 · 3²) / 40 = 7, whose root is 2.646; the mean of the roots would be 2.5.
        assert_eq!(of(&samples)[MSE], 7.0);
        assert!((of(&samples)[RMSE] - 2.645_751_311_064_590_7).abs() < 1e-15, "{}", of(&samples)[RMSE]);
        // With a target b whose errors are 0.5: (7 + 0.25) / 2 and (2.646 + 0.5) / 2.
        samples.extend(score("f", "p0", "f", "b", 1, "all", 5.0, 0.5));
        assert_eq!(of(&samples)[MSE], 3.625);
        assert!((of(&samples)[RMSE] - 1.572_875_655_532_295_4).abs() < 1e-15, "{}", of(&samples)[RMSE]);
    }

    #[test]
    fn events_without_known_scores_are_still_events() {
        let mut samples = standardised("f");
        samples.extend(score("f", "p", "f", "constant", 1, "all", 100.0, f64::NAN));
        let degenerate = blocks(&samples);
        assert!(!degenerate[0].is_empty());
        assert_eq!((degenerate[0].targets, degenerate[0].targets_known), (1, 0));
        assert_eq!(line(&degenerate), ["f - 100 NaN NaN"]);
        assert_eq!(in_short(&degenerate), None);
        let none_yet = |n| score("f", "p", "f", "a", 1, "all", n, f64::NAN);
        assert!(blocks(&none_yet(0.0))[0].is_empty() && blocks(&none_yet(f64::NAN))[0].is_empty());
    }

    #[test]
    fn the_operator_comes_first_and_then_the_best() {
        let mut samples = score("f", "p", "z", "a", 1, "all", 1.0, 0.1);
        samples.extend(score("f", "p", "b", "a", 1, "all", 1.0, f64::NAN));
        samples.extend(score("f", "p", "f", "a", 1, "all", 1.0, 9.0));
        samples.extend(score("f", "p", "c", "a", 1, "all", 1.0, 0.3));
        let blocks = blocks(&samples);
        let models: Vec<&str> = blocks[0].rows.iter().map(|row| row.model.as_str()).collect();
        assert_eq!(models, ["f", "z", "c", "b"]);
        assert_eq!(in_short(&blocks).as_deref(), Some("nll f 9.000 · z 0.100 · c 0.300"));
    }

    #[test]
    fn raw_scores_of_several_targets_stay_apart() {
        let mut samples = score("f", "p", "f", "b", 1, "all", 4.0, 2.0);
        samples.extend(score("f", "p", "f", "a", 1, "all", 4.0, 1.0));
        samples.extend(score("f", "p", "ar", "a", 1, "all", 4.0, 0.5));
        let blocks = blocks(&samples);
        assert_eq!(line(&blocks), ["f a 4 1.000 1.000", "ar a 4 0.500 0.500", "f b 4 2.000 2.000"]);
        assert_eq!(in_short(&blocks), None);
    }

    #[test]
    fn ranges_and_horizons_have_blocks_of_their_own_in_order() {
        let mut samples = Vec::new();
        for (range, horizon) in [("scored", 24), ("scored", 3), ("learning", 3)] {
            samples.extend(score("f", "p", "f", "a", horizon, range, 1.0, 1.0));
        }
        let order: Vec<String> = blocks(&samples).iter().map(|b| format!("{} {}", b.range, b.horizon)).collect();
        assert_eq!(order, ["learning 3", "scored 3", "scored 24"]);
    }

    #[test]
    fn in_short_scored_events_are_preferred_as_soon_as_there_are_any() {
        let mut samples = score("f", "p", "f", "a", 1, "learning", 5.0, 2.0);
        samples.extend(score("f", "p", "f", "a", 1, "scored", 0.0, f64::NAN));
        assert_eq!(in_short(&blocks(&samples)).as_deref(), Some("nll f 2.000"));
        samples.extend(score("f", "p", "f", "a", 1, "scored", 1.0, 1.0));
        assert_eq!(in_short(&blocks(&samples)).as_deref(), Some("nll f 1.000"));
        assert_eq!(blocks(&[]), []);
    }
}
