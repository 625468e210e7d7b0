//! Pages, what stands in them, and how a check is held to them.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// A page, and where it stands in the repository.
pub struct Page {
    pub path: PathBuf,
    pub text: String,
}

/// A fenced block, or an indented one.
pub struct Block {
    pub line: usize,
    pub info: String,
    pub text: String,
}

impl Page {
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    pub fn at(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{}: {what}", self.path.display(), line + 1)
    }

    /// Lines outside fenced blocks, and the blocks.
    pub fn parts(&self) -> (Vec<(usize, &str)>, Vec<Block>) {
        let (mut prose, mut blocks) = (Vec::new(), Vec::new());
        let mut open: Option<(usize, Block)> = None;
        for (line, text) in self.text.lines().enumerate() {
            let indent = text.len() - text.trim_start().len();
            match (&mut open, text.trim_start().strip_prefix("```")) {
                (None, Some(info)) => {
                    let (info, text) = (info.to_owned(), String::new());
                    open = Some((indent, Block { line, info, text }));
                }
                (Some(_), Some(_)) => blocks.extend(open.take().map(|(_, block)| block)),
                (Some((fence, block)), None) => {
                    block
                        .text
                        .push_str(text.get((*fence).min(indent)..).unwrap_or_default());
                    block.text.push('\n');
                }
                (None, None) => match text.strip_prefix("    ") {
                    Some(code) => blocks.push(Block {
                        line,
                        info: "sh".into(),
                        text: format!("{}\n", code.trim_start_matches("$ ")),
                    }),
                    None => prose.push((line, text)),
                },
            }
        }
        if let Some((_, block)) = open {
            panic!("{}", self.at(block.line, "this block has no end"));
        }
        (prose, blocks)
    }

    /// What stands in `spans`, in blocks, and each command of it, with the line that it begins at.
    pub fn code(&self) -> Vec<(usize, String)> {
        let (prose, blocks) = self.parts();
        let span = Regex::new("`([^`]+)`").unwrap();
        let mut code = Vec::new();
        for (line, text) in prose {
            let spans = span.captures_iter(text);
            code.extend(spans.map(|found| (line, found[1].to_owned())));
        }
        for block in blocks {
            code.push((block.line, block.text));
        }
        code
    }

    /// The commands: spans, and the lines of blocks of commands, those that `\` continues as one.
    pub fn commands(&self) -> Vec<(usize, String)> {
        let (prose, blocks) = self.parts();
        let span = Regex::new("`([^`]+)`").unwrap();
        let mut commands = Vec::new();
        for (line, text) in prose {
            let spans = span.captures_iter(text);
            commands.extend(spans.map(|found| (line, found[1].to_owned())));
        }
        for block in blocks {
            let whole = block.text.replace("\\\n", " ");
            let lines = whole.lines().map(str::trim_start);
            let lines: Vec<&str> = match block.info.as_str() {
                "sh" | "bash" => lines.collect(),
                "console" => lines.filter_map(|line| line.strip_prefix("$ ")).collect(),
                "ini" => lines
                    .filter_map(|line| line.strip_prefix("ExecStart="))
                    .collect(),
                _ => Vec::new(),
            };
            commands.extend(lines.into_iter().map(|line| (block.line, line.to_owned())));
        }
        commands
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The files below a folder, with this extension.
pub fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

pub fn pages() -> Vec<Page> {
    let mut paths = files("docs", "md");
    paths.insert(0, root().join("README.md"));
    let pages = paths.into_iter().map(|path| Page {
        text: fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(root()).unwrap().to_owned(),
    });
    pages.collect()
}

/// What a check finds on a page.
type Check = fn(&Page) -> Vec<String>;

/// Fails with everything that a check finds on any page, and when it does not find what is wrong with `example`.
pub fn holds(check: Check, example: &str) {
    let seen = check(&Page::new("docs/example.md", example));
    assert!(
        !seen.is_empty(),
        "the check finds nothing wrong with: {example}"
    );
    let found: Vec<_> = pages().iter().flat_map(check).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}
