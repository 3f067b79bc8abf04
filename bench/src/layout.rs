//! How tables are laid out.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, LineStyle, Table};
use indicatif::HumanCount;

/// A table whose first column is text and whose other columns are numbers, as text.
pub(crate) fn table<H: ToString, C: ToString>(
    header: impl IntoIterator<Item = H>,
    rows: impl IntoIterator<Item = Vec<C>>,
) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    table.set_header(header.into_iter().enumerate().map(|(place, text)| cell(place, text)));
    for row in rows {
        table.add_row(row.into_iter().enumerate().map(|(place, text)| cell(place, text)));
    }
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn cell(place: usize, text: impl ToString) -> Cell {
    let alignment = if place == 0 { CellAlignment::Left } else { CellAlignment::Right };
    Cell::new(text.to_string()).set_alignment(alignment)
}

/// A number, rounded to a whole one, with commas between thousands.
pub(crate) fn grouped(number: f64) -> String {
    HumanCount(number.max(0.0).round_ties_even() as u64).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0.0, 12.4, 123.0, 1234.0, 1_234_567.0].map(grouped), ["0", "12", "123", "1,234", "1,234,567"]);
    }
}
