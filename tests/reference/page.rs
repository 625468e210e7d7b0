//! Markdown: a page, its tables and its blocks.

use std::fmt::Write;

/// A page that grows from top to bottom.
pub struct Page(String);

impl Page {
    pub fn new(title: &str) -> Self {
        Self(format!(
            "# {title}\n\n<!-- Written by `UPDATE_GOLDEN=1 cargo test --test reference`; do not edit. -->\n"
        ))
    }

    pub fn heading(&mut self, text: &str) {
        self.line(&format!("\n## {text}"));
    }

    pub fn paragraph(&mut self, text: &str) {
        self.line(&format!("\n{}", folded(text)));
    }

    pub fn list(&mut self, items: impl IntoIterator<Item = String>) {
        self.line("");
        for item in items {
            self.line(&format!("* {item}"));
        }
    }

    /// A table, unless it has no rows.
    pub fn table<const N: usize>(&mut self, head: [&str; N], rows: Vec<[String; N]>) {
        if rows.is_empty() {
            return;
        }
        self.line(&format!(
            "\n| {} |\n|{}",
            head.join(" | "),
            "---|".repeat(N)
        ));
        for row in rows {
            self.line(&format!(
                "| {} |",
                row.map(|cell| cell_of(&cell)).join(" | ")
            ));
        }
    }

    pub fn block(&mut self, language: &str, text: &str) {
        self.line(&format!("\n```{language}\n{}\n```", text.trim_end()));
    }

    pub fn text(self) -> String {
        self.0
    }

    fn line(&mut self, text: &str) {
        writeln!(self.0, "{text}").expect("a text grows");
    }
}

/// A text on one line, with what would end a cell or begin a tag escaped.
fn cell_of(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let text = words.join(" ").replace('|', "\\|");
    let parts = text.split('`').enumerate().map(|(at, part)| {
        let is_code = at % 2 == 1;
        if is_code {
            part.to_owned()
        } else {
            part.replace('<', "&lt;")
        }
    });
    parts.collect::<Vec<_>>().join("`")
}

/// A text as code.
pub fn code(text: &str) -> String {
    format!("`{text}`")
}

/// With a full stop at its end, and a capital letter at its start; names keep the form that they have.
pub fn sentence(text: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    let end = if text.ends_with('…') { "" } else { "." };
    let first = text.split_whitespace().next().unwrap_or_default();
    let is_name = first.starts_with("etcd") || first.contains(char::is_uppercase);
    if is_name {
        return format!("{text}{end}");
    }
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    format!("{}{end}", first.chain(letters).collect::<String>())
}

/// A paragraph in lines of the width that pages have.
fn folded(text: &str) -> String {
    const WIDTH: usize = 120;
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}
