//! Written forecasts, read back by the columns that every long table has.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::running::Done;

/// A row: what was forecast for the event at `offset`, and what the event brought. NaN is null.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) offset: i64,
    pub(crate) key: Option<&'a str>,
    pub(crate) target: &'a str,
    /// How many events of its key ago it was forecast.
    pub(crate) horizon: i64,
    pub(crate) model: &'a str,
    /// Scale parameter of what is forecast at this event.
    pub(crate) scale: f64,
    /// Degrees of freedom of it.
    pub(crate) shape: f64,
    pub(crate) observed: f64,
    /// The mean that was forecast for it.
    pub(crate) forecast: f64,
    pub(crate) nll: f64,
    pub(crate) crps: f64,
    pub(crate) pit: f64,
}

const COLUMNS: [&str; 12] =
    ["offset", "key", "target", "horizon", "model", "scale", "shape", "observed", "forecast", "nll", "crps", "pit"];

/// Shows every row of the Parquet files in `folder` to `visit`, file by file in the order of their names.
pub(crate) fn each_row(folder: &Path, mut visit: impl FnMut(Row<'_>) -> Done) -> Done {
    each_batch(folder, &COLUMNS, |records| rows(records, &mut visit))
}

/// Shows the Parquet files in `folder` to `visit`, by these columns.
pub(crate) fn each_batch(folder: &Path, columns: &[&str], mut visit: impl FnMut(&RecordBatch) -> Done) -> Done {
    for path in files(folder)? {
        let failed = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
        let file = File::open(&path).map_err(|error| failed(&error))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(&error))?;
        let wanted = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        let reader = builder.with_projection(wanted).build().map_err(|error| failed(&error))?;
        for records in reader {
            let records = records.map_err(|error| failed(&error))?;
            visit(&records).map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> Done<Vec<PathBuf>> {
    let failed = |error| format!("cannot list {}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(format!("there is no Parquet file in {}", folder.display()).into());
    }
    Ok(files)
}

fn rows(records: &RecordBatch, visit: &mut impl FnMut(Row<'_>) -> Done) -> Done {
    let column = |name: &str, to: &DataType| -> Done<ArrayRef> {
        let column = records.column_by_name(name).ok_or_else(|| format!("there is no column `{name}`"))?;
        Ok(cast(column, to)?)
    };
    let text = |name| -> Done<StringArray> { Ok(column(name, &DataType::Utf8)?.as_string::<i32>().clone()) };
    let number =
        |name| -> Done<Float64Array> { Ok(column(name, &DataType::Float64)?.as_primitive::<Float64Type>().clone()) };
    let whole = |name| -> Done<Int64Array> { Ok(column(name, &DataType::Int64)?.as_primitive::<Int64Type>().clone()) };
    let (offsets, horizons) = (whole("offset")?, whole("horizon")?);
    let (keys, targets, models) = (text("key")?, text("target")?, text("model")?);
    let numbers = [
        number("scale")?,
        number("shape")?,
        number("observed")?,
        number("forecast")?,
        number("nll")?,
        number("crps")?,
        number("pit")?,
    ];
    for row in 0..records.num_rows() {
        let [scale, shape, observed, forecast, nll, crps, pit] =
            numbers.each_ref().map(|numbers| if numbers.is_null(row) { f64::NAN } else { numbers.value(row) });
        visit(Row {
            offset: offsets.value(row),
            key: keys.is_valid(row).then(|| keys.value(row)),
            target: targets.value(row),
            horizon: horizons.value(row),
            model: models.value(row),
            scale,
            shape,
            observed,
            forecast,
            nll,
            crps,
            pit,
        })?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod testing {
    use std::sync::Arc;

    use super::*;

    /// Writes rows as a pipeline would, as far as the columns go.
    pub(crate) fn write(path: &Path, rows: &[Row<'_>]) {
        let number = |get: fn(&Row<'_>) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter(rows.iter().map(|row| Some(get(row)).filter(|value| !value.is_nan()))))
        };
        let text = |get: fn(&Row<'_>) -> Option<String>| -> ArrayRef {
            let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            cast(&StringArray::from_iter(rows.iter().map(get)), &dictionary).unwrap()
        };
        let records = RecordBatch::try_from_iter_with_nullable([
            ("offset", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.offset))) as ArrayRef, false),
            ("key", text(|row| row.key.map(str::to_owned)), true),
            ("target", text(|row| Some(row.target.to_owned())), false),
            ("horizon", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.horizon))) as ArrayRef, false),
            ("model", text(|row| Some(row.model.to_owned())), false),
            ("scale", number(|row| row.scale), true),
            ("shape", number(|row| row.shape), true),
            ("observed", number(|row| row.observed), true),
            ("forecast", number(|row| row.forecast), true),
            ("nll", number(|row| row.nll), true),
            ("crps", number(|row| row.crps), true),
            ("pit", number(|row| row.pit), true),
        ])
        .unwrap();
        let file = File::create(path).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, records.schema(), None).unwrap();
        writer.write(&records).unwrap();
        writer.close().unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::testing::write;
    use super::*;

    #[test]
    fn rows_come_back_in_the_order_of_the_files_with_nulls_as_nan() {
        let folder = tempfile::tempdir().unwrap();
        let row = |offset, key, forecast| Row {
            offset,
            key,
            target: "y",
            horizon: 1,
            model: "ar",
            scale: 2.0,
            shape: f64::NAN,
            observed: 1.0,
            forecast,
            nll: 0.5,
            crps: 0.25,
            pit: 0.125,
        };
        write(&folder.path().join("part-p-00001.parquet"), &[row(2, None, 4.0)]);
        write(&folder.path().join("part-p-00000.parquet"), &[row(0, Some("a"), f64::NAN), row(1, Some("b"), 3.0)]);
        std::fs::write(folder.path().join(".part-p-00002.parquet.tmp"), "no Parquet").unwrap();
        let mut seen = Vec::new();
        each_row(folder.path(), |row| {
            assert_eq!((row.target, row.model, row.nll, row.crps, row.pit), ("y", "ar", 0.5, 0.25, 0.125));
            seen.push(format!("{} {:?} {}", row.offset, row.key, row.forecast));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, ["0 Some(\"a\") NaN", "1 Some(\"b\") 3", "2 None 4"]);
    }

    #[test]
    fn a_folder_without_forecasts_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = each_row(folder.path(), |_| Ok(())).unwrap_err().to_string();
        assert_eq!(error, format!("there is no Parquet file in {}", folder.path().display()));
    }
}
