//! A table of figures: on the terminal, and as a Parquet file.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use comfy_table::{Cell, CellAlignment};
use parquet::arrow::ArrowWriter;
use sluicegate::BoxError;

use super::picture::Picture;
use crate::layout::{self, grouped};

/// More rows than this are not printed; the file has all.
const ROWS_MAX: usize = 16;

/// What was found.
pub(super) struct Report {
    /// Of the files.
    pub(super) name: &'static str,
    /// What the figures are.
    pub(super) about: String,
    pub(super) columns: Vec<Column>,
    /// The rows that are printed.
    pub(super) shown: Vec<usize>,
    /// What follows from the figures.
    pub(super) notes: Vec<String>,
    pub(super) picture: Picture,
}

/// A column of figures.
pub(super) struct Column {
    name: String,
    values: Values,
}

enum Values {
    Text(Vec<String>),
    Numbers(Vec<f64>, fn(f64) -> String),
}

impl Column {
    pub(super) fn text(name: &str, values: Vec<String>) -> Self {
        Self { name: name.to_owned(), values: Values::Text(values) }
    }

    /// Of whole numbers.
    pub(super) fn whole(name: &str, values: impl IntoIterator<Item = f64>) -> Self {
        Self {
            name: name.to_owned(),
            values: Values::Numbers(values.into_iter().collect(), |value| grouped(value.round() as u64)),
        }
    }

    /// Of numbers about 1.
    pub(super) fn plain(name: &str, values: Vec<f64>) -> Self {
        Self { name: name.to_owned(), values: Values::Numbers(values, |value| known(value, format!("{value:.4}"))) }
    }

    /// Of numbers that may be very small.
    pub(super) fn small(name: &str, values: Vec<f64>) -> Self {
        let show = |value: f64| known(value, if value < 1e-3 { format!("{value:.1e}") } else { format!("{value:.4}") });
        Self { name: name.to_owned(), values: Values::Numbers(values, show) }
    }

    fn cell(&self, row: usize) -> Cell {
        match &self.values {
            Values::Text(values) => Cell::new(values.get(row).map_or("", String::as_str)),
            Values::Numbers(values, show) => {
                let text = values.get(row).map_or(String::new(), |value| show(*value));
                Cell::new(text).set_alignment(CellAlignment::Right)
            }
        }
    }

    fn array(&self) -> ArrayRef {
        match &self.values {
            Values::Text(values) => Arc::new(StringArray::from(values.clone())),
            Values::Numbers(values, _) => Arc::new(Float64Array::from_iter(
                values.iter().map(|value| Some(*value).filter(|value| !value.is_nan())),
            )),
        }
    }
}

fn known(value: f64, text: String) -> String {
    match value {
        value if value.is_nan() => "–".to_owned(),
        value if value.is_infinite() => "∞".to_owned(),
        _ => text,
    }
}

impl Report {
    /// The table and what follows from it.
    pub(super) fn text(&self) -> String {
        let mut table = layout::table();
        table.set_header(self.columns.iter().map(|column| column.name.as_str()));
        for row in &self.shown {
            table.add_row(self.columns.iter().map(|column| column.cell(*row)));
        }
        let notes: String = self.notes.iter().map(|note| format!("{note}\n")).collect();
        layout::text(&table) + &notes
    }

    /// Writes all rows.
    pub(super) fn write_parquet(&self, path: &Path) -> Result<(), BoxError> {
        let columns = self.columns.iter().map(|column| (column.name.as_str(), column.array(), true));
        let records = RecordBatch::try_from_iter_with_nullable(columns)?;
        let mut writer = ArrowWriter::try_new(File::create(path)?, records.schema(), None)?;
        writer.write(&records)?;
        writer.close()?;
        Ok(())
    }
}

/// Some of so many rows: all where they are few, else denser where lags are short.
pub(super) fn spread_out(count: usize) -> Vec<usize> {
    if count <= ROWS_MAX {
        return (0..count).collect();
    }
    let last = (count - 1) as f64;
    let place = |row: usize| (last * (row as f64 / (ROWS_MAX - 1) as f64).powf(1.5)).round() as usize;
    let mut rows: Vec<usize> = (0..ROWS_MAX).map(place).collect();
    rows.dedup();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_row_are_shown_of_many_and_none_twice() {
        for count in [1, 16, 17, 40, 1000] {
            let rows = spread_out(count);
            assert_eq!((rows[0], rows[rows.len() - 1]), (0, count - 1));
            assert!(rows.len() <= ROWS_MAX && rows.windows(2).all(|pair| pair[0] < pair[1]), "{rows:?}");
        }
    }
}
