//! The files of `src/` and what they import, as text: enough for one style of imports.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

/// A file below `src/`.
pub struct Source {
    /// `store/etcd.rs`
    pub name: String,
    /// Its text without comments.
    pub code: String,
    /// The paths that it names, from the root of the crate: `store::etcd::Etcd`.
    pub imports: Vec<String>,
}

impl Source {
    pub fn new(name: &str, text: &str) -> Self {
        static COMMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)(^|\s)//.*$").unwrap());
        let code = COMMENT.replace_all(text, "").into_owned();
        Self {
            imports: imports(&module(name), &code),
            name: name.to_owned(),
            code,
        }
    }

    /// `store` for `store.rs` and all of `store/`.
    pub fn room(&self) -> &str {
        let first = self.name.split('/').next().unwrap();
        first.trim_end_matches(".rs")
    }

    /// Whether it is `room.rs` or below `room/`.
    pub fn is_in(&self, room: &str) -> bool {
        let rest = self.name.strip_prefix(room);
        rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }
}

/// All of `src/` that is not a test.
pub static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.file_stem().unwrap() == "tests" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                sources.push(Source::new(name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    sources
});

/// `store::etcd` for `store/etcd.rs`; nothing for the crate's own.
fn module(name: &str) -> Vec<String> {
    match name.trim_end_matches(".rs") {
        "lib" | "main" => Vec::new(),
        path => path.split('/').map(ToOwned::to_owned).collect(),
    }
}

/// The paths that code of a module names beside its own children, in `use` and elsewhere.
fn imports(module: &[String], code: &str) -> Vec<String> {
    static ROOT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b(crate|chancery|(?:super::)*super)::").unwrap());
    let mut imports = Vec::new();
    for found in ROOT.find_iter(code) {
        let root = found.as_str().trim_end_matches("::");
        let up = root.matches("super").count();
        let Some(stays) = module.len().checked_sub(up) else {
            continue;
        };
        let base = if up == 0 { &[] } else { &module[..stays] };
        for path in paths(&code[found.end()..]) {
            let base = base.iter().map(String::as_str);
            imports.push(base.chain([path.as_str()]).collect::<Vec<_>>().join("::"));
        }
    }
    imports
}

/// The paths that stand at the beginning of a text: one, or those of a group.
fn paths(text: &str) -> Vec<String> {
    static SEGMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\s*(\w+)(::)?").unwrap());
    let Some(inner) = text.trim_start().strip_prefix('{') else {
        let Some(segment) = SEGMENT.captures(text) else {
            return Vec::new();
        };
        let name = segment[1].to_owned();
        if segment.get(2).is_none() {
            return vec![if name == "self" { String::new() } else { name }];
        }
        let rest = paths(&text[segment[0].len()..]);
        if rest.is_empty() {
            return vec![name];
        }
        let joined = rest.into_iter().map(|rest| match rest.as_str() {
            "" => name.clone(),
            rest => format!("{name}::{rest}"),
        });
        return joined.collect();
    };
    parts(inner).into_iter().flat_map(paths).collect()
}

/// The parts of `a::b, c::{d, e}}…`, up to the brace that closes.
fn parts(inner: &str) -> Vec<&str> {
    let (mut parts, mut open, mut start) = (Vec::new(), 0, 0);
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' => open += 1,
            '}' if open == 0 => {
                parts.push(&inner[start..at]);
                break;
            }
            '}' => open -= 1,
            ',' if open == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

/// Which files import which: by the module that a path leads to, through what modules export again.
pub fn arrows(sources: &[Source]) -> BTreeMap<&str, Vec<&str>> {
    let files: BTreeMap<String, &Source> = sources
        .iter()
        .map(|source| (module(&source.name).join("::"), source))
        .collect();
    let exports: BTreeMap<String, String> = files
        .iter()
        .flat_map(|(module, source)| exports(module, &source.code))
        .collect();
    let arrows = sources.iter().map(|source| {
        let own = module(&source.name).join("::");
        let children = source.code.lines().filter_map(|line| child(&own, line));
        let named = source.imports.iter().cloned().chain(children);
        let mut to: Vec<&str> = named
            .filter_map(|path| target(path, &files, &exports))
            .filter(|name| *name != source.name)
            .collect();
        to.sort_unstable();
        to.dedup();
        (source.name.as_str(), to)
    });
    arrows.collect()
}

/// The file in which a path ends.
fn target<'a>(
    mut path: String,
    files: &BTreeMap<String, &'a Source>,
    exports: &BTreeMap<String, String>,
) -> Option<&'a str> {
    // As often as a name may be exported again.
    for _ in 0..4 {
        match exports.get(&path) {
            Some(original) => path.clone_from(original),
            None => break,
        }
    }
    loop {
        if let Some(source) = files.get(&path) {
            return Some(&source.name);
        }
        path.truncate(path.rfind("::")?);
    }
}

/// What a module exports of its children: by the path that others use, the path where it is.
fn exports(module: &str, code: &str) -> Vec<(String, String)> {
    static EXPORT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)^pub(?:\([^)]*\))? use ([a-z_][^;]*);").unwrap());
    let within = |path: &str| match module {
        "" => path.to_owned(),
        module => format!("{module}::{path}"),
    };
    let found = EXPORT.captures_iter(code);
    let found = found.flat_map(|found| paths(&found[1]));
    let found = found.filter(|path| !path.starts_with("crate") && !path.starts_with("super"));
    let pairs = found.map(|path| {
        let name = path.rsplit("::").next().unwrap_or(&path);
        (within(name), within(&path))
    });
    pairs.collect()
}

/// A private import of something of a child's: `use trial::Trial;`.
fn child(module: &str, line: &str) -> Option<String> {
    let path = line.strip_prefix("use ")?;
    let first = path.split("::").next()?;
    let foreign = ["crate", "super", "self", "std"].contains(&first);
    (!foreign).then(|| paths(path).first().map(|path| format!("{module}::{path}")))?
}
