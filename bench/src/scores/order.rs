//! Does order matter? The same rows in an order drawn at random within each key, with every timestamp in its place, forecast by
//! the same network from the same start.

use std::time::Instant;

use super::data_set::DataSet;
use super::seeds::Seeds;
use crate::bar::Bar;
use crate::running::Done;

/// The bar that the first copy of the network scores worse without the order, by more than twice the standard error of the
/// difference over seeds. Each seed draws an order, too.
pub(super) fn bar(of: &DataSet, ordered: &Seeds) -> Done<Bar> {
    let begun = Instant::now();
    let copies = |model: &&String| model.contains('@') && !model.contains("zero");
    let copy = ordered.models().iter().find(copies).ok_or("the mixture shows no copy of its network")?;
    let (_, rate) = copy.split_once('@').ok_or("a copy of the network is named without its rate")?;
    let values = of.values()?;
    let units = values.units(of.units)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shuffled.parquet");
    let mut differences = Vec::new();
    for (seed, pass) in (0..).zip(ordered.passes()) {
        values.write_shuffled(of.rows, seed, &path)?;
        let more = [
            format!("source.{}.path={}", of.source, path.display()),
            // A copy alone is what it is among others.
            format!("operator.forecast.mixture.rates=[{rate}]"),
        ];
        let shuffled = of.run(seed, &more)?;
        let nll = |scores: &super::figures::Scores| Ok::<_, sluicegate::BoxError>(scores.figures(copy, 1, &units)?.nll);
        differences.push(nll(&shuffled.scores)? - nll(&pass.scores)?);
    }
    eprintln!("{}, without its order: {:.0} s", of.name, begun.elapsed().as_secs_f64());
    let (mean, error) = mean_and_error(&differences);
    let note = format!("{copy}: {mean:.4}, standard error {error:.4}, {} seeds", differences.len());
    Ok(Bar::at_least(format!("{}, NLL lost without the order, less 2 errors", of.name), mean - 2.0 * error, 0.0)
        .note(note))
}

/// The mean, and its standard error; of one value that is taken as 0.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    if values.len() < 2 {
        return (mean, 0.0);
    }
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_is_that_of_the_textbook() {
        // python3 -c "import statistics as s; print(s.stdev([1, 2, 4]) / 3 ** .5)"
        let (mean, error) = mean_and_error(&[1.0, 2.0, 4.0]);
        assert!((mean - 7.0 / 3.0).abs() < 1e-12 && (error - 0.881_917_103_688_197).abs() < 1e-12);
    }
}
