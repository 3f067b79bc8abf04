//! How tables and lists are laid out.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, LineStyle, Table};
use indicatif::HumanCount;

/// Nothing we print is wider than this, so that it fits a terminal and a web page.
pub(crate) const COLUMNS_MAX: usize = 100;

/// An empty table in the style of all our tables.
pub(crate) fn table() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(COLUMNS_MAX as u16);
    table
}

/// A table as text, without the spaces that would pad its last column.
pub(crate) fn text(table: &Table) -> String {
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// `items` one after the other with commas, on lines of at most [`COLUMNS_MAX`] that begin with `indent` spaces. The first
/// line begins with `label` instead, which is padded to the same width.
pub(crate) fn wrapped(label: &str, indent: usize, items: impl IntoIterator<Item = String>) -> String {
    let mut lines = vec![format!("{label:<indent$}")];
    let mut items = items.into_iter().peekable();
    while let Some(mut item) = items.next() {
        if items.peek().is_some() {
            item.push(',');
        }
        let Some(line) = lines.last_mut() else { continue };
        let (used, needed) = (line.chars().count(), item.chars().count());
        if used + needed + 1 > COLUMNS_MAX && used > indent {
            lines.push(format!("{:indent$}{item}", ""));
        } else {
            if used > indent {
                line.push(' ');
            }
            line.push_str(&item);
        }
    }
    lines.join("\n") + "\n"
}

/// A whole number with commas between thousands.
pub(crate) fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}

/// `count` of something: `1 row`, `2,000 rows`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 12, 123, 1234, 1_234_567].map(grouped), ["0", "12", "123", "1,234", "1,234,567"]);
    }

    #[test]
    fn no_line_of_a_list_is_too_wide() {
        let text = wrapped("  columns", 12, (0..60).map(|n| format!("column_{n}: Float64")));
        assert!(text.lines().count() > 5);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS_MAX));
        assert!(text.starts_with("  columns   column_0: Float64, column_1"));
        assert!(text.lines().skip(1).all(|line| line.starts_with("            column")));
    }
}
