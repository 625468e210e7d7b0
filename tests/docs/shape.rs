//! Tables are full, and README is short.

use crate::page::{Page, holds, read};

/// How many lines README may have: it is for the first hour.
const README_LINES: usize = 140;

/// The cells of a row. `\|` is no border.
pub fn cells(row: &str) -> Vec<String> {
    let row = row.trim().replace("\\|", "\u{1}");
    let inner = row.strip_prefix('|').unwrap_or(&row);
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    inner
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect()
}

/// Rows with a cell that says nothing, or refers to another, or with other columns than their table's head.
fn poor_rows(page: &Page) -> Vec<String> {
    let (prose, _) = page.parts();
    let mut wrong = Vec::new();
    let mut columns = None;
    for (line, text) in prose {
        if !text.starts_with('|') {
            columns = None;
            continue;
        }
        let cells = cells(text);
        if *columns.get_or_insert(cells.len()) != cells.len() {
            wrong.push(page.at(line, "this row has other columns than the table's head"));
        }
        for cell in cells {
            let says_nothing = ["", "-", "–", "…"].contains(&cell.as_str());
            if says_nothing || cell.to_lowercase().starts_with("as above") {
                wrong.push(page.at(line, format!("a cell that says nothing: {cell:?}")));
            }
        }
    }
    wrong
}

#[test]
fn no_cell_of_a_table_is_empty() {
    holds(poor_rows, "| a | b |\n|---|---|\n| x | |");
    holds(poor_rows, "| a | b |\n|---|---|\n| x | As above; more |");
    holds(poor_rows, "| a | b |\n|---|---|\n| x |");
}

#[test]
fn readme_is_for_the_first_hour() {
    let lines = read("README.md").lines().count();
    assert!(
        lines <= README_LINES,
        "README.md has {lines} lines; {README_LINES} are allowed: the rest belongs to docs/"
    );
}
