//! What a source file holds of each key, read to know deviations, and written again in another order.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow::compute::{cast, concat_batches, take};
use arrow::datatypes::{DataType, Float64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluicegate::model::Random;

use super::data_set::{DataSet, Rows, Units};
use super::figures::{Series, deviation};
use crate::running::Done;

/// The rows of a source file.
pub(super) struct Values {
    /// Time, key and targets.
    records: RecordBatch,
    key: Option<&'static str>,
    targets: &'static [&'static str],
}

/// Reads time, key and targets of all rows.
pub(super) fn read(path: &Path, of: &DataSet) -> Done<Values> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
    let file = File::open(path).map_err(|error| failed(&error))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
    let batches =
        reader.map_err(|error| failed(&error))?.collect::<Result<Vec<_>, _>>().map_err(|error| failed(&error))?;
    let first = batches.first().ok_or_else(|| failed(&"it has no rows"))?;
    let all = concat_batches(&first.schema(), &batches).map_err(|error| failed(&error))?;
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    for name in [of.time].iter().chain(of.key.iter()).chain(of.targets) {
        let column = all.column_by_name(name).ok_or_else(|| failed(&format!("it has no column {name}")))?;
        columns.push((name, column.clone()));
    }
    let records = RecordBatch::try_from_iter(columns).map_err(|error| failed(&error))?;
    Ok(Values { records, key: of.key, targets: of.targets })
}

impl Values {
    pub(super) fn rows(&self) -> usize {
        self.records.num_rows()
    }

    /// The rows of each key, in their order; of no name where there is no key.
    fn by_key(&self) -> Done<BTreeMap<String, Vec<u64>>> {
        let mut rows: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let Some(key) = self.key else {
            return Ok(BTreeMap::from([(String::new(), (0..self.rows() as u64).collect())]));
        };
        let keys = self.records.column_by_name(key).ok_or("the key is gone")?;
        let keys: StringArray = cast(keys, &DataType::Utf8)?.as_string::<i32>().clone();
        for row in 0..keys.len() {
            match rows.get_mut(keys.value(row)) {
                Some(rows) => rows.push(row as u64),
                None => drop(rows.insert(keys.value(row).to_owned(), vec![row as u64])),
            }
        }
        Ok(rows)
    }

    fn target(&self, name: &str) -> Done<Float64Array> {
        let column = self.records.column_by_name(name).ok_or("a target is gone")?;
        Ok(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
    }

    /// What the scores of each key's target are stated in.
    pub(super) fn units(&self, units: Units) -> Done<BTreeMap<Series, f64>> {
        let mut all = BTreeMap::new();
        for target in self.targets {
            let column = self.target(target)?;
            for (key, rows) in self.by_key()? {
                let values: Vec<f64> = rows.iter().map(|row| column.value(*row as usize)).collect();
                let unit = match units {
                    Units::Own => 1.0,
                    Units::FirstDeviation(count) => deviation(&values[..count.min(values.len())]),
                    Units::Deviation => deviation(&values),
                };
                all.insert(Series { key, target: (*target).to_owned() }, unit);
            }
        }
        Ok(all)
    }

    /// Writes the rows in an order drawn at random within each key, with every timestamp left in its place.
    pub(super) fn write_shuffled(&self, what: Rows, seed: u64, path: &Path) -> Done {
        let mut random = Random::new(seed);
        let mut order: Vec<u64> = (0..self.rows() as u64).collect();
        let keys = self.by_key()?;
        for places in keys.values() {
            let mut drawn = places.clone();
            // Returns belong to the price after them, and the first price has none.
            let fixed = usize::from(what == Rows::Returns);
            for last in (fixed + 1..drawn.len()).rev() {
                let other = fixed + (f64::from(random.unit()) * (last + 1 - fixed) as f64) as usize;
                drawn.swap(last, other.min(last));
            }
            for (place, row) in places.iter().zip(drawn) {
                order[*place as usize] = row;
            }
        }
        let order = UInt64Array::from(order);
        let mut columns = Vec::new();
        for field in self.records.schema().fields() {
            let column = self.records.column_by_name(field.name()).ok_or("a column is gone")?;
            let column = match self.targets.iter().find(|target| *target == field.name()) {
                None => column.clone(),
                Some(target) => {
                    let values = self.target(target)?;
                    let moved: Float64Array = match what {
                        Rows::Values => take(&values, &order, None)?.as_primitive::<Float64Type>().clone(),
                        Rows::Returns => returns_moved(&values, &order, keys.values()),
                    };
                    Arc::new(moved)
                }
            };
            columns.push((field.name().clone(), column));
        }
        let records = RecordBatch::try_from_iter(columns)?;
        let mut writer = ArrowWriter::try_new(File::create(path)?, records.schema(), None)?;
        writer.write(&records)?;
        writer.close()?;
        Ok(())
    }
}

/// Prices from the first one of each key on, by log returns in another order.
fn returns_moved<'a>(
    values: &Float64Array,
    order: &UInt64Array,
    keys: impl Iterator<Item = &'a Vec<u64>>,
) -> Float64Array {
    let mut prices: Vec<f64> = values.values().to_vec();
    for rows in keys {
        let place: BTreeMap<u64, usize> = rows.iter().enumerate().map(|(place, row)| (*row, place)).collect();
        for (before, now) in rows.iter().zip(&rows[1..]) {
            let from = place.get(&order.value(*now as usize)).copied().unwrap_or(0);
            let of = |place: usize| values.value(rows[place] as usize);
            let ratio = if from == 0 { 1.0 } else { of(from) / of(from - 1) };
            prices[*now as usize] = prices[*before as usize] * ratio;
        }
    }
    Float64Array::from(prices)
}

#[cfg(test)]
mod tests {
    use super::super::data_set::Scored;
    use super::super::power;
    use super::*;
    use crate::running::workspace_root;

    #[test]
    fn units_are_the_deviations_of_the_first_rows_of_the_source() {
        let units = power::data_set().values().unwrap().units(Units::FirstDeviation(2880)).unwrap();
        // python3 -c "import pyarrow.parquet as pq, statistics
        // print(statistics.pstdev(pq.read_table('etth1.parquet')['OT'].to_pylist()[:2880]))"
        let oil = Series { key: String::new(), target: "OT".to_owned() };
        assert_eq!(units.len(), 7);
        assert!((units[&oil] - 7.783_434_130_824_361).abs() < 1e-12, "{units:?}");
    }

    fn two_keys() -> DataSet {
        DataSet {
            name: "two",
            about: "",
            pipeline: "",
            source: "",
            file: "",
            time: "t",
            key: Some("k"),
            targets: &["y"],
            scored: Scored::OfKeyFrom(0),
            units: Units::Own,
            rows: Rows::Values,
            sinks: &[],
            overrides: &[],
        }
    }

    /// Forty rows of two keys in turn, and the same shuffled.
    fn shuffled(rows: Rows) -> [(Vec<f64>, Vec<f64>); 2] {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from.parquet"), folder.path().join("to.parquet"));
        let numbers = |of: fn(u32) -> f64| -> ArrayRef { Arc::new(Float64Array::from_iter_values((0..40).map(of))) };
        let keys: ArrayRef = Arc::new(StringArray::from_iter_values((0..40).map(|row| ["a", "b"][row % 2])));
        let y = numbers(|row| f64::from(1 + row * row) * if row % 2 == 0 { 1.0 } else { 1000.0 });
        let records = RecordBatch::try_from_iter([("t", numbers(f64::from)), ("k", keys), ("y", y)]).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&from).unwrap(), records.schema(), None).unwrap();
        writer.write(&records).unwrap();
        writer.close().unwrap();
        let values = read(&from, &two_keys()).unwrap();
        values.write_shuffled(rows, 7, &to).unwrap();
        let moved = read(&to, &two_keys()).unwrap();
        assert_eq!(moved.records.column(0), values.records.column(0), "times stay in their places");
        assert_eq!(moved.by_key().unwrap(), values.by_key().unwrap(), "and so do keys");
        let of = |all: &Values, key: &str| -> Vec<f64> {
            let column = all.target("y").unwrap();
            all.by_key().unwrap()[key].iter().map(|row| column.value(*row as usize)).collect()
        };
        ["a", "b"].map(|key| (of(&values, key), of(&moved, key)))
    }

    fn sorted(mut values: Vec<f64>) -> Vec<f64> {
        values.sort_by(f64::total_cmp);
        values
    }

    #[test]
    fn a_shuffle_moves_values_within_their_key() {
        for (before, after) in shuffled(Rows::Values) {
            assert_ne!(before, after);
            assert_eq!(sorted(before), sorted(after));
        }
    }

    #[test]
    fn a_shuffle_of_returns_begins_and_ends_at_the_same_price() {
        for (before, after) in shuffled(Rows::Returns) {
            assert_ne!(before, after);
            assert_eq!(before[0], after[0]);
            let returns = |prices: &[f64]| sorted(prices.windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect());
            let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-9;
            assert!(returns(&before).iter().zip(&returns(&after)).all(near));
        }
    }

    #[test]
    fn a_column_that_is_not_there_is_named() {
        let path = workspace_root().join("pipelines/data/etth1.parquet");
        let error = read(&path, &two_keys()).err().unwrap().to_string();
        assert!(error.ends_with("etth1.parquet: it has no column t"), "{error}");
    }
}
