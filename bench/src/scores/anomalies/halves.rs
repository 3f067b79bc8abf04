//! What a threshold is worth that is chosen on other files.

use std::collections::BTreeMap;

use sluicegate::anomaly::AnomalyConfig;
use sluicegate::model::Random;
use sluicegate_score::NabTally;

use super::series::{Scores, Series};
use super::total;

/// How often the files are cut.
const CUTS: usize = 50;

/// The score of files at the threshold that is best for others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elsewhere {
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

/// Cuts the files into halves 50 times, each folder evenly, and scores each half at the threshold that is best on the other. The
/// cuts are the same every time.
pub(super) fn elsewhere(series: &[Series], scores: &[Scores]) -> Elsewhere {
    let thresholds = (2..=40).map(|fiftieths| f64::from(fiftieths) / 50.0);
    let by_threshold: Vec<Vec<NabTally>> = thresholds
        .map(|threshold| {
            let config = AnomalyConfig { threshold, ..AnomalyConfig::default() };
            series.iter().zip(scores).map(|(series, scores)| series.tally_of_benchmark(scores, &config)).collect()
        })
        .collect();
    let names: Vec<&str> = series.iter().map(|series| series.name.as_str()).collect();
    let mut random = Random::new(1);
    let mut all = Vec::new();
    for _ in 0..CUTS {
        let first = cut(&names, &mut random);
        let of = |tallies: &[NabTally], half: bool| {
            total(tallies.iter().zip(&first).filter(|(_, is_first)| **is_first == half).map(|(tally, _)| *tally))
        };
        for half in [true, false] {
            let best = by_threshold.iter().max_by(|a, b| of(a, !half).total_cmp(&of(b, !half)));
            all.extend(best.map(|tallies| of(tallies, half)));
        }
    }
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let deviation = (all.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / all.len() as f64).sqrt();
    Elsewhere { mean, deviation }
}

/// Whether each file belongs to the first half: of each folder half of the files, drawn at random, with the odd ones in turns.
fn cut(names: &[&str], random: &mut Random) -> Vec<bool> {
    let mut folders = BTreeMap::<&str, Vec<usize>>::new();
    for (place, name) in names.iter().enumerate() {
        folders.entry(name.split('/').next().unwrap_or_default()).or_default().push(place);
    }
    let mut below = |end: usize| ((f64::from(random.unit()) * end as f64) as usize).min(end - 1);
    let mut first = vec![false; names.len()];
    let mut more = below(2);
    for places in folders.values_mut() {
        for end in (1..places.len()).rev() {
            places.swap(end, below(end + 1));
        }
        let mut half = places.len() / 2;
        if places.len() % 2 == 1 {
            half += more;
            more = 1 - more;
        }
        places.iter().take(half).for_each(|place| first[*place] = true);
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_drawn_folder_by_folder() {
        let names: Vec<String> = (0..20).map(|file| format!("{}/{file}", ["a", "b", "c"][file % 3])).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut random = Random::new(3);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let first = cut(&names, &mut random);
            assert_eq!(first.iter().filter(|is_first| **is_first).count(), 10);
            for folder in 0..3 {
                let of_folder: Vec<bool> = first.iter().skip(folder).step_by(3).copied().collect();
                let count = of_folder.iter().filter(|is_first| **is_first).count();
                assert!(count.abs_diff(of_folder.len() - count) <= 1, "{of_folder:?}");
            }
            seen.insert(first);
        }
        assert!(seen.len() > 15);
    }
}
