//! What Chancery tells exists: paths of the control API, metrics, log lines.

use std::fs;

use regex::Regex;

use crate::observed;
use crate::page::{Page, files, holds, read};
use crate::shape::cells;

fn unknown_paths(page: &Page) -> Vec<String> {
    let contract = read("proto/chancery/v1/control.proto");
    let declared = Regex::new(r"// (?:GET|POST|DELETE) (/v1/[a-z{}/]+)").unwrap();
    // A part in braces stands for anything, and so does a shell's variable for a part.
    let known = declared.captures_iter(&contract).map(|found| {
        let part = Regex::new(r"\\\{[a-z]+\\\}").unwrap();
        let pattern = regex::escape(&found[1]);
        Regex::new(&format!("^{}$", part.replace_all(&pattern, "[^/]+"))).unwrap()
    });
    let known: Vec<_> = known.collect();
    let path = Regex::new(r"(?:^|[^a-z])(/v1/[\w{}$/-]+)").unwrap();
    let lines = page.text.lines().enumerate();
    let found = lines.flat_map(|(line, text)| {
        path.captures_iter(text)
            .map(move |found| (line, found[1].to_owned()))
    });
    // Those of an Open Policy Agent begin so.
    let own = found.filter(|(_, path)| !path.starts_with("/v1/data/"));
    let wrong = own.filter(|(_, path)| !known.iter().any(|known| known.is_match(path)));
    wrong
        .map(|(line, path)| page.at(line, format!("the control API has no {path}")))
        .collect()
}

#[test]
fn paths_of_the_control_api_exist() {
    holds(unknown_paths, "`GET /v1/gateways`");
    holds(unknown_paths, "curl http://127.0.0.1:9180/v1/drains/1/2");
}

fn unknown_metrics(page: &Page) -> Vec<String> {
    // Cookies of logins have digits behind.
    let metric = Regex::new(r"\b(?:chancery|process)_[a-z_]+\b").unwrap();
    // A histogram has a name of its own, besides those of its samples.
    let mut known = observed::samples();
    let histograms = known.iter().filter_map(|name| name.strip_suffix("_bucket"));
    let histograms: Vec<_> = histograms.map(str::to_owned).collect();
    known.extend(histograms);
    let mut wrong = Vec::new();
    for (line, text) in page.code() {
        let found = metric.find_iter(&text).map(|found| found.as_str());
        let unknown = found.filter(|name| !known.contains(*name));
        wrong.extend(unknown.map(|name| page.at(line, format!("there is no metric {name}"))));
    }
    wrong
}

#[test]
fn metrics_exist() {
    holds(unknown_metrics, "`chancery_happiness_total{type}`");
    holds(unknown_metrics, "`chancery_xds_acks`");
}

/// Messages that stand in a table of the page about log lines, and nowhere in the sources.
fn unknown_messages(page: &Page) -> Vec<String> {
    if !page.text.starts_with("# Log lines") {
        return Vec::new();
    }
    let sources = files("src", "rs")
        .into_iter()
        .map(|file| fs::read_to_string(file).unwrap());
    let sources: String = sources.collect();
    let span = Regex::new("`([^`]+)`").unwrap();
    let (prose, _) = page.parts();
    let mut wrong = Vec::new();
    for (line, text) in prose.into_iter().filter(|(_, text)| text.starts_with('|')) {
        let cells = cells(text);
        // The level stands first, where a table has it.
        let level = usize::from(["INFO", "WARN", "ERROR"].contains(&cells[0].as_str()));
        let said = span.captures_iter(&cells[level]);
        for message in said.map(|found| found[1].to_owned()) {
            if !sources.contains(&format!("\"{message}")) {
                wrong.push(page.at(line, format!("nothing logs {message:?}")));
            }
        }
    }
    wrong
}

#[test]
fn messages_of_the_log_exist() {
    holds(
        unknown_messages,
        "# Log lines\n| INFO | `nobody says this` | x |",
    );
}
