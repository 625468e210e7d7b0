//! Links lead somewhere, and some link leads to every page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use regex::Regex;

use crate::page::{Page, holds, pages, root};

/// The anchors of a page, as GitHub makes them of headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let page = Page::new("", text);
    let (prose, _) = page.parts();
    let headings = prose.into_iter().filter(|(_, line)| line.starts_with('#'));
    let anchors = headings.map(|(_, line)| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    });
    anchors.collect()
}

/// `docs/how-to/../x` as `docs/x`.
fn tidied(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

/// The links of a page to files of the repository: line, file, anchor.
fn links(page: &Page) -> Vec<(usize, PathBuf, Option<String>)> {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let span = Regex::new("`[^`]*`").unwrap();
    let (prose, _) = page.parts();
    let mut links = Vec::new();
    for (line, text) in prose {
        // A span may hold brackets; the text of a link may be a span.
        let text = span.replace_all(text, "code");
        for found in link.captures_iter(&text) {
            if found[1].contains("://") {
                continue;
            }
            let (file, anchor) = found[1].split_once('#').unwrap_or((&found[1], ""));
            let file = match file {
                "" => page.path.clone(),
                file => tidied(&page.path.parent().unwrap().join(file)),
            };
            let anchor = (!anchor.is_empty()).then(|| anchor.to_owned());
            links.push((line, file, anchor));
        }
    }
    links
}

fn broken_links(page: &Page) -> Vec<String> {
    let mut wrong = Vec::new();
    for (line, file, anchor) in links(page) {
        let target = root().join(&file);
        if !target.exists() {
            wrong.push(page.at(line, format!("there is no {}", file.display())));
        } else if let Some(anchor) = anchor {
            let text = fs::read_to_string(&target).unwrap_or_default();
            if !anchors(&text).contains(&anchor) {
                wrong.push(page.at(line, format!("{} has no #{anchor}", file.display())));
            }
        }
    }
    wrong
}

#[test]
fn links_lead_somewhere() {
    holds(broken_links, "[x](nowhere.md)");
    holds(broken_links, "[x](../README.md#no-such-heading)");
}

#[test]
fn every_page_can_be_reached_from_the_map() {
    let pages = pages();
    let mut reached: BTreeSet<PathBuf> = BTreeSet::from(["README.md".into()]);
    loop {
        let known = pages.iter().filter(|page| reached.contains(&page.path));
        let next: Vec<_> = known.flat_map(links).map(|(_, file, _)| file).collect();
        let before = reached.len();
        // A link to a folder is one to what it shows.
        reached.extend(next.iter().map(|file| file.join("README.md")));
        reached.extend(next);
        if reached.len() == before {
            break;
        }
    }
    let lost: Vec<_> = pages.iter().map(|page| &page.path).collect();
    let lost: Vec<_> = lost
        .into_iter()
        .filter(|path| !reached.contains(*path))
        .collect();
    assert!(lost.is_empty(), "no link leads to {lost:?}");
}
