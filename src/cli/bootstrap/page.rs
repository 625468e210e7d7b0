//! A bootstrap file as its lines, in which values are replaced: all else that it says, and why, stays as it stands in the
//! repository.

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// How lines are marked that people have to look at.
const EDIT: &str = "EDIT: ";

/// Values by the name of their field, for one line.
pub type Filling = Vec<(&'static str, Value)>;

/// Lines of a file.
#[derive(Debug)]
pub struct Page(Vec<String>);

impl Page {
    /// A file without its heading, which tells how to edit it.
    pub fn read(text: &str) -> Self {
        let lines = text.lines().skip_while(|line| !line.is_empty()).skip(1);
        Self(lines.map(ToOwned::to_owned).collect())
    }

    pub fn text(&self) -> String {
        self.0.join("\n") + "\n"
    }

    /// A part of it: from the line that begins so to the next empty one.
    pub fn block(&self, begins: &str) -> Result<Self> {
        let at = self.find(begins)?;
        let lines = self.0.iter().skip(at).take_while(|line| !line.is_empty());
        Ok(Self(lines.cloned().collect()))
    }

    /// Puts a part behind the last line of another one.
    pub fn append_to(&mut self, begins: &str, block: Self) -> Result<()> {
        let at = self.find(begins)?;
        let rest = self.0.iter().skip(at);
        let end = at + rest.take_while(|line| !line.is_empty()).count();
        self.0.splice(end..end, block.0);
        Ok(())
    }

    /// Has the line that begins so once for each filling, with its values. Nobody has to look at these any more.
    pub fn fill(&mut self, begins: &str, fillings: &[Filling]) -> Result<()> {
        let at = self.find(begins)?;
        // What is said behind the value is about that one.
        let line = self.0[at].split(" #").next().unwrap_or_default().to_owned();
        let filled: Result<Vec<_>> = fillings
            .iter()
            .map(|values| filled(&line, values))
            .collect();
        self.0.splice(at..=at, filled?);
        let above = self.0[..at].iter_mut().rev();
        for comment in above.take_while(|line| line.trim_start().starts_with('#')) {
            unmark(comment);
        }
        Ok(())
    }

    /// Nobody has to look at any line of it any more.
    pub fn settle(&mut self) {
        self.0.iter_mut().for_each(unmark);
    }

    fn find(&self, begins: &str) -> Result<usize> {
        let is_it = |line: &String| {
            let content = line.trim_start();
            content
                .strip_prefix("- ")
                .unwrap_or(content)
                .starts_with(begins)
        };
        let mut found = (0..self.0.len()).filter(|at| is_it(&self.0[*at]));
        match (found.next(), found.next()) {
            (Some(at), None) => Ok(at),
            _ => bail!("the bootstrap file has not exactly one line that begins with `{begins}`"),
        }
    }
}

/// The line with other values. Texts are quoted, whatever is in them.
fn filled(line: &str, values: &Filling) -> Result<String> {
    let mut line = line.to_owned();
    for (field, value) in values {
        let (before, rest) = line
            .rsplit_once(&format!("{field}: "))
            .with_context(|| format!("the bootstrap file has no `{field}` in `{}`", line.trim()))?;
        let end = rest.find([',', ' ']).unwrap_or(rest.len());
        line = format!("{before}{field}: {value}{}", &rest[end..]);
    }
    Ok(line)
}

/// A comment that told what to edit tells what is there.
fn unmark(line: &mut String) {
    if let Some((before, rest)) = line.split_once(EDIT) {
        let mut letters = rest.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        *line = before.chars().chain(first).chain(letters).collect();
    }
}
