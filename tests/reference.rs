//! The pages of `docs/reference/` that follow from the types: written from them, and compared with what is there.
//!
//! `UPDATE_GOLDEN=1 cargo test --test reference` writes what is true now, for `git diff` to judge.

#![allow(clippy::expect_used, clippy::panic)]

#[path = "golden"]
#[allow(dead_code)]
mod golden {
    pub mod case;
    pub mod descriptors;
    pub mod pem;
    pub mod resource;
}

mod reference {
    pub mod api;
    pub mod commands;
    pub mod documents;
    pub mod example;
    pub mod fields;
    pub mod metrics;
    pub mod page;
    pub mod plugins;
    pub mod settings;
    pub mod told;
}

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every page that is written here, by its path below `docs/reference`.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::from([
        ("settings.md".to_owned(), reference::settings::page()),
        ("commands.md".to_owned(), reference::commands::page()),
        ("metrics.md".to_owned(), reference::metrics::page()),
        ("api.md".to_owned(), reference::api::page()),
    ]);
    pages.extend(reference::documents::pages());
    pages.extend(reference::plugins::pages());
    pages
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference")
}

/// The files of the folders that hold nothing but pages written here.
fn found() -> Vec<String> {
    let folders = ["documents", "plugins"].into_iter();
    let files = folders.flat_map(|folder| {
        let entries = fs::read_dir(root().join(folder)).into_iter().flatten();
        entries.map(move |entry| {
            let name = entry.expect("an entry").file_name();
            format!("{folder}/{}", name.to_string_lossy())
        })
    });
    files.collect()
}

#[test]
fn the_reference_is_what_the_types_say() {
    let pages = pages();
    let stale = found().into_iter().filter(|path| !pages.contains_key(path));
    let stale: Vec<_> = stale.collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        for path in stale {
            fs::remove_file(root().join(path)).expect("a page can be removed");
        }
        for (path, text) in pages {
            let file = root().join(path);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder can be made");
            fs::write(file, text).expect("a page can be written");
        }
        return;
    }
    let differ = pages.iter().filter_map(|(path, text)| {
        let written = fs::read_to_string(root().join(path)).unwrap_or_default();
        let line = difference(&written, text)?;
        Some(format!("{path}: {line}"))
    });
    let gone = stale
        .iter()
        .map(|path| format!("{path}: nothing is called so"));
    let wrong: Vec<_> = differ.chain(gone).collect();
    assert!(
        wrong.is_empty(),
        "docs/reference is not what the types say: run UPDATE_GOLDEN=1 cargo test --test reference, and look at `git \
         diff`\n{}",
        wrong.join("\n"),
    );
}

/// The first line that differs.
fn difference(written: &str, text: &str) -> Option<String> {
    if written == text {
        return None;
    }
    let same = written.lines().zip(text.lines());
    let line = same.take_while(|(written, text)| written == text).count();
    let at = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_owned();
    Some(format!(
        "line {}:\n- {}\n+ {}",
        line + 1,
        at(written),
        at(text)
    ))
}
