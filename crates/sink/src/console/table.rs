//! Rows as a table for people.
//!
//! A column begins as wide as its name and type ask for and grows when a wider cell comes; it never shrinks. That depends on
//! the rows that came before and not on how they come in batches.

use std::io;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};

use super::json;
use super::value::{Value, value};

/// Rows between two headers: about one screen.
const PAGE_ROWS: u64 = 40;
/// Longer texts are cut; numbers never are.
const TEXT_CHARS_MAX: usize = 32;
const GAP: &str = "  ";

/// A table that is being written.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: u64,
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    name: String,
    width: usize,
    right: bool,
}

impl Table {
    /// Appends row `row`, with a header before it where one is due.
    ///
    /// # Errors
    /// When a nested value cannot be shown.
    pub(super) fn write_row(
        &mut self,
        rows: &RecordBatch,
        columns: &[usize],
        row: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        if self.columns.is_empty() {
            self.columns = columns.iter().map(|column| Column::new(rows.schema_ref(), *column)).collect();
        }
        let mut cells = Vec::with_capacity(columns.len());
        for (column, shown) in columns.iter().zip(&mut self.columns) {
            let cell = cell(&value(rows.column(*column).as_ref(), row))?;
            shown.width = shown.width.max(cell.chars().count());
            cells.push(cell);
        }
        if self.rows.is_multiple_of(PAGE_ROWS) {
            if self.rows > 0 {
                out.push(b'\n');
            }
            self.write_line(self.columns.iter().map(|column| column.name.as_str()), out);
        }
        self.write_line(cells.iter().map(String::as_str), out);
        self.rows += 1;
        Ok(())
    }

    fn write_line<'a>(&self, cells: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
        let mut line = String::new();
        for (place, (cell, Column { width, right, .. })) in cells.zip(&self.columns).enumerate() {
            if place > 0 {
                line.push_str(GAP);
            }
            let padded = if *right { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            line.push_str(&padded);
        }
        out.extend_from_slice(line.trim_end().as_bytes());
        out.push(b'\n');
    }
}

impl Column {
    fn new(schema: &Schema, column: usize) -> Self {
        let field = schema.field(column);
        let usual = match field.data_type() {
            DataType::Boolean => 5,
            DataType::Timestamp(_, _) => "2017-01-01T00:00:00Z".len(),
            DataType::Date32 => "2017-01-01".len(),
            data_type if data_type.is_numeric() => 8,
            _ => 4,
        };
        Self {
            name: cut(field.name().clone()),
            width: usual.max(field.name().chars().count().min(TEXT_CHARS_MAX)),
            right: field.data_type().is_numeric(),
        }
    }
}

fn cell(value: &Value<'_>) -> io::Result<String> {
    Ok(match value {
        Value::Null => "-".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Float32(value) => number(f64::from(*value)),
        Value::Float64(value) => number(*value),
        Value::Text(text) => cut(on_one_line(text)),
        nested @ (Value::List(_) | Value::Struct(_, _)) => {
            let mut text = Vec::new();
            json::write_value(nested, &mut text)?;
            cut(String::from_utf8_lossy(&text).into_owned())
        }
    })
}

/// Six significant digits.
fn number(value: f64) -> String {
    const DIGITS: i32 = 6;
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if !value.is_finite() {
        value.to_string()
    } else if (1e-4..1e9).contains(&size) {
        let decimals = (DIGITS - 1 - size.log10().floor() as i32).max(0) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.5e}")
    }
}

fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn cut(text: String) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some(_) => text.chars().take(TEXT_CHARS_MAX - 1).chain(['…']).collect(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_six_digits_whatever_their_size() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1.00000"),
            (-12.345678, "-12.3457"),
            (0.000123456789, "0.000123457"),
            (0.00001, "1.00000e-5"),
            (123456789.0, "123456789"),
            (-1.5e300, "-1.50000e300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("é".repeat(32)).chars().count(), 32);
        assert_eq!(cut("é".repeat(33)), format!("{}…", "é".repeat(31)));
    }
}
