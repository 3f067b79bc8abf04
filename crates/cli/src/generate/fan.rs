//! Many paths as a fan: at each step their mean and quantiles.

use std::sync::Arc;

use sluicegate::arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use sluicegate::arrow::buffer::OffsetBuffer;
use sluicegate::arrow::datatypes::{DataType, Field};
use sluicegate::arrow::error::ArrowError;
use sluicegate::model::score::LEVELS;

/// Paths of numbers, each equally probable.
pub(super) struct Paths {
    pub(super) targets: Vec<String>,
    /// Of each step.
    pub(super) times: Vec<Option<i64>>,
    /// Of each path `[steps, targets]`.
    pub(super) values: Vec<Vec<f64>>,
}

/// One target at one step.
pub(super) struct Rib {
    /// From 1.
    pub(super) step: usize,
    pub(super) target: usize,
    pub(super) mean: f64,
    /// At [`LEVELS`].
    pub(super) quantiles: [f64; LEVELS.len()],
}

impl Paths {
    /// The values of all paths at a step, counted from 0.
    fn at(&self, step: usize, target: usize) -> Vec<f64> {
        self.values.iter().map(|path| path[step * self.targets.len() + target]).collect()
    }

    /// Of every target at every step, in the order of the steps.
    pub(super) fn fan(&self) -> impl Iterator<Item = Rib> + '_ {
        let cells = (0..self.times.len()).flat_map(|step| (0..self.targets.len()).map(move |target| (step, target)));
        cells.map(|(step, target)| {
            let mut values = self.at(step, target);
            values.sort_unstable_by(f64::total_cmp);
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            Rib { step: step + 1, target, mean, quantiles: LEVELS.map(|level| quantile(&values, level)) }
        })
    }

    /// A row per step and target: `step`, `time`, `target`, `mean`, `q025` to `q975`, and where asked for `paths`, a list with the
    /// value of each path.
    pub(super) fn table(&self, with_paths: bool) -> Result<RecordBatch, ArrowError> {
        let ribs: Vec<Rib> = self.fan().collect();
        let numbers =
            |of: &dyn Fn(&Rib) -> f64| -> ArrayRef { Arc::new(ribs.iter().map(of).collect::<Float64Array>()) };
        let times: TimestampMicrosecondArray = ribs.iter().map(|rib| self.times[rib.step - 1]).collect();
        let targets = ribs.iter().map(|rib| self.targets[rib.target].as_str());
        let mut columns: Vec<(String, ArrayRef)> = vec![
            ("step".to_owned(), Arc::new(ribs.iter().map(|rib| rib.step as i64).collect::<Int64Array>())),
            ("time".to_owned(), Arc::new(times.with_timezone("UTC"))),
            ("target".to_owned(), Arc::new(StringArray::from_iter_values(targets))),
            ("mean".to_owned(), numbers(&|rib| rib.mean)),
        ];
        for (place, level) in LEVELS.iter().enumerate() {
            columns.push((name(*level), numbers(&|rib| rib.quantiles[place])));
        }
        if with_paths {
            let values: Float64Array =
                ribs.iter().flat_map(|rib| self.at(rib.step - 1, rib.target)).map(Some).collect();
            let offsets = OffsetBuffer::from_lengths(ribs.iter().map(|_| self.values.len()));
            let item = Arc::new(Field::new_list_field(DataType::Float64, true));
            columns.push(("paths".to_owned(), Arc::new(ListArray::try_new(item, offsets, Arc::new(values), None)?)));
        }
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| {
            let nullable = name == "time";
            (name, column, nullable)
        }))
    }
}

/// The name of the column of a level.
pub(super) fn name(level: f64) -> String {
    format!("q{:03.0}", level * 1000.0)
}

/// The quantile of sorted values, between neighbours in proportion (type 7 of Hyndman & Fan 1996, "Sample quantiles in statistical
/// packages"); NaN of none.
fn quantile(sorted: &[f64], level: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = level * last as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate::arrow::array::{Array as _, AsArray as _};

    #[test]
    fn a_fan_is_made_of_the_paths_at_each_step() {
        let values = (0..=40).map(|path| vec![f64::from(path), 0.0, 100.0 - f64::from(path), 7.0]).collect();
        let paths = Paths { targets: vec!["a".into(), "b".into()], times: vec![Some(1), Some(2)], values };
        let ribs: Vec<Rib> = paths.fan().collect();
        assert_eq!(ribs[0].quantiles, [1.0, 4.0, 10.0, 20.0, 30.0, 36.0, 39.0]);
        assert_eq!((ribs[2].step, ribs[2].target, ribs[2].mean), (2, 0, 80.0));
        assert_eq!(ribs[3].quantiles, [7.0; 7]);
        let table = paths.table(true).unwrap();
        assert_eq!(table.num_rows(), 4);
        assert_eq!(table["q975"].as_primitive::<sluicegate::arrow::datatypes::Float64Type>().value(2), 99.0);
        assert_eq!(table["paths"].as_list::<i32>().value(2).len(), 41);
        assert!(paths.table(false).unwrap().column_by_name("paths").is_none());
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(quantile(&[1.0, 2.0], 0.25), 1.25);
        assert_eq!(quantile(&[3.0], 0.975), 3.0);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
