//! How tables are laid out.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, LineStyle, Table};

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

/// A whole number with commas between thousands.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0.0, 12.4, 123.0, 1234.0, 1_234_567.0].map(grouped), ["0", "12", "123", "1,234", "1,234,567"]);
    }
}
