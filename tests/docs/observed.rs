//! The alerts and the dashboard of contrib/ speak of metrics that there are, and each alert is tried.
//!
//! What an alert says of them is for `promtool`: `make rules`.

use std::collections::{BTreeMap, BTreeSet};

use chancery::telemetry::metrics::{Gauges, LogMetrics, Metrics, Process};
use regex::Regex;
use serde_json::Value;

use crate::page::read;

/// The names that samples in `/metrics` have.
pub fn samples() -> BTreeSet<String> {
    let all = Gauges::ALL.iter().chain(Metrics::ALL).chain(Process::ALL);
    let all = all.chain(LogMetrics::ALL);
    let names = all.flat_map(|(name, kept_in, _)| {
        let ends: &[&str] = match *kept_in {
            "CountedSeconds" => &["_total"],
            kind if kind.contains("Counter") => &["_total"],
            kind if kind.contains("Histogram") => &["_bucket", "_sum", "_count"],
            "ChangeSeconds" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        ends.iter().map(move |end| format!("{name}{end}"))
    });
    names.collect()
}

/// Words that expressions consist of besides metrics and labels.
const WORDS: &str = "absent and by count histogram_quantile increase max max_over_time min on or rate sort sum time vector";

/// What an expression names that no sample is called.
fn unknown(expression: &str) -> Vec<String> {
    // Labels stand in braces, and in the parentheses of these words.
    let labels = Regex::new(r#"\{(?:[^}"]|"[^"]*")*\}|\b(?:by|on) \([^)]*\)"#).unwrap();
    let range = Regex::new(r"\[[^\]]*\]").unwrap();
    let name = Regex::new(r"[A-Za-z_:][A-Za-z0-9_:]*").unwrap();
    let expression = labels.replace_all(expression, " ");
    let expression = range.replace_all(&expression, " ");
    let known = samples();
    let named = name.find_iter(&expression).map(|found| found.as_str());
    let words: Vec<_> = WORDS.split(' ').collect();
    let unknown = named.filter(|name| !known.contains(*name) && !words.contains(name));
    unknown.map(str::to_owned).collect()
}

/// A file of contrib/.
fn contributed(path: &str) -> Value {
    let text = read(&format!("contrib/{path}"));
    if path.ends_with(".json") {
        return serde_json::from_str(&text).unwrap();
    }
    serde_saphyr::from_str(&text).unwrap()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

#[test]
fn alerts_are_about_metrics_that_there_are_and_say_what_to_do() {
    let rules = contributed("prometheus/rules.yaml");
    let alerts: Vec<_> = list(&rules, "groups")
        .iter()
        .flat_map(|group| list(group, "rules"))
        .collect();
    assert!(alerts.len() >= 10);
    for alert in alerts {
        let expression = text(alert, "expr");
        assert!(!expression.is_empty(), "{alert}");
        assert_eq!(unknown(expression), [""; 0], "{expression}");
        assert!(!text(&alert["labels"], "severity").is_empty(), "{alert}");
        for words in ["summary", "action"] {
            assert!(!text(&alert["annotations"], words).is_empty(), "{alert}");
        }
    }
}

#[test]
fn each_alert_is_seen_to_fire_and_not_to_fire() {
    let rules = contributed("prometheus/rules.yaml");
    let groups = list(&rules, "groups").iter();
    let alerts = groups.flat_map(|group| list(group, "rules"));
    let alerts: BTreeSet<_> = alerts.map(|alert| text(alert, "alert")).collect();
    let mut tried: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    let tests = contributed("prometheus/rules_test.yaml");
    for test in list(&tests, "tests") {
        for series in list(test, "input_series") {
            let series = text(series, "series");
            assert_eq!(unknown(series), [""; 0], "{series}");
        }
        for case in list(test, "alert_rule_test") {
            let fires = !list(case, "exp_alerts").is_empty();
            tried
                .entry(text(case, "alertname"))
                .or_default()
                .insert(fires);
        }
    }
    let both: BTreeSet<_> = tried
        .into_iter()
        .filter(|(_, cases)| cases.len() == 2)
        .map(|(alert, _)| alert)
        .collect();
    assert_eq!(both, alerts);
}

#[test]
fn the_dashboard_shows_metrics_that_there_are() {
    let dashboard = contributed("grafana/chancery.json");
    assert_eq!(dashboard["schemaVersion"], 39);
    assert_eq!(dashboard["uid"], "chancery-control-plane");
    let variables = list(&dashboard["templating"], "list");
    let source = variables
        .iter()
        .find(|one| one["type"] == "datasource")
        .unwrap();
    assert_eq!(source["name"], "DS_PROMETHEUS");
    let (mut rows, mut expressions, mut ids) = (Vec::new(), 0, BTreeSet::new());
    for panel in list(&dashboard, "panels") {
        assert!(
            ids.insert(panel["id"].as_i64()),
            "two have this id: {panel}"
        );
        if panel["type"] == "row" {
            rows.push(text(panel, "title"));
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${DS_PROMETHEUS}");
        for target in list(panel, "targets") {
            let expression = text(target, "expr");
            assert!(!expression.is_empty(), "{panel}");
            assert_eq!(unknown(expression), [""; 0], "{expression}");
            expressions += 1;
        }
    }
    let wanted = [
        "Change latency",
        "Proxies",
        "NACKs",
        "Sources",
        "API",
        "Process",
    ];
    assert_eq!(rows, wanted);
    assert!(expressions > 30);
    // Of a variable, the metric stands first.
    for variable in variables.iter().filter(|one| one["type"] == "query") {
        let query = text(variable, "definition");
        let metric = query.split(['(', ',']).nth(1).unwrap();
        assert!(samples().contains(metric), "{query}");
    }
}

#[test]
fn what_is_no_metric_is_seen() {
    let expression = r#"sum by (le, gateway) (rate(chancery_nothing_total{a="b", c=~"d|e"}[5m])) > 0 and on (job) up"#;
    assert_eq!(unknown(expression), ["chancery_nothing_total", "up"]);
    assert_eq!(unknown("process_open_fds / process_max_fds > 0.8"), [""; 0]);
}
