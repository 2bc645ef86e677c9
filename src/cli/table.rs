//! Tables for people: columns as wide as their widest cell, two blanks between them.

use std::fmt;

/// A table, with or without a header.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table under a header.
    pub(super) fn with_header(names: &[&str]) -> Self {
        Self { rows: vec![names.iter().map(|name| name.to_uppercase()).collect()] }
    }

    /// A table of names and values, without a header.
    pub(super) fn of_values() -> Self {
        Self::default()
    }

    /// Adds a row. An empty cell is shown as `-`.
    pub(super) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.iter().map(|cell| presentable(cell)).collect());
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let (last, cells) = row.split_last().map_or(("", [].as_slice()), |(l, c)| (l, c));
            for (cell, width) in cells.iter().zip(&widths) {
                write!(f, "{cell:width$}  ")?;
            }
            writeln!(f, "{last}")?;
        }
        Ok(())
    }
}

/// Text from outside for a terminal: without characters that would steer it, `-` if there is none.
pub(super) fn presentable(text: &str) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Control characters, and those that turn the direction of writing.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks() {
        let mut table = Table::with_header(&["request", "why"]);
        table.row(["r1", "a reason"]);
        table.row(["a-long-id", ""]);
        assert_eq!(
            table.to_string(),
            "REQUEST    WHY\n\
             r1         a reason\n\
             a-long-id  -\n"
        );
    }

    #[test]
    fn width_counts_characters_and_not_bytes() {
        let mut table = Table::of_values();
        table.row(["é", "1"]);
        table.row(["ab", "2"]);
        assert_eq!(table.to_string(), "é   1\nab  2\n");
    }

    #[test]
    fn a_value_cannot_steer_the_terminal() {
        assert_eq!(presentable("a\u{1b}[2Jb\nc\u{202e}"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
    }
}
