//! `chancery health`: whether a Chancery serves, for whoever restarts it or sends proxies to it. No shell, no key.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use super::place::Place;

/// What `health` takes.
#[derive(Debug, clap::Args)]
pub struct Health {
    #[command(flatten)]
    place: Place,
    /// Only whether it lives: it answers, whether it has anything to serve or not
    #[arg(long)]
    alive: bool,
    /// How long it may take
    #[arg(long, default_value = "1s", value_parser = humantime::parse_duration, value_name = "TIME")]
    timeout: Duration,
}

pub async fn run(health: Health) -> Result<ExitCode> {
    let web = health.place.web(None, health.timeout)?;
    if health.alive {
        let answer = web.get(&["healthz"], &[]).await?;
        if answer.status != 200 {
            bail!("{} answers with {}", web.place(), answer.refusal());
        }
        say!("alive");
        return Ok(ExitCode::SUCCESS);
    }
    let answer = web.get(&["readyz"], &[]).await?;
    if answer.status != 200 {
        let reason = why_not(&answer.body);
        let reason = reason.unwrap_or_else(|| answer.refusal());
        bail!("{} is not ready: {reason}", web.place());
    }
    say!("ready");
    Ok(ExitCode::SUCCESS)
}

/// What `/readyz` is still waiting for, on one line.
fn why_not(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let sources = body.get("sources")?.as_array()?;
    let missing = sources
        .iter()
        .filter(|source| source["answered_seconds_ago"].is_null());
    let told = missing.filter_map(|source| {
        let name = source["name"].as_str()?;
        Some(match source["error"].as_str() {
            Some(error) => format!("{name} has not answered yet: {error}"),
            None => format!("{name} has not answered yet"),
        })
    });
    let told = told.collect::<Vec<_>>().join("; ");
    let said = if told.is_empty() {
        "nothing is published yet"
    } else {
        &told
    };
    Some(said.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_reason_names_the_sources_that_are_missing_on_one_line() {
        let source = |name: &str, age: Option<f64>, error: Option<&str>| {
            let mut source = json!({ "name": name, "answered_seconds_ago": age });
            if let Some(error) = error {
                source["error"] = error.into();
            }
            source
        };
        for (sources, said) in [
            (
                json!([
                    source("etcd", None, Some("refused:\n os error")),
                    source("consul", None, None)
                ]),
                "etcd has not answered yet: refused: os error; consul has not answered yet",
            ),
            (
                json!([source("etcd", Some(1.5), Some("away"))]),
                "nothing is published yet",
            ),
        ] {
            let body = json!({ "ready": false, "gateways": [], "sources": sources }).to_string();
            assert_eq!(why_not(&body).unwrap(), said);
        }
        assert_eq!(why_not("<html>"), None);
    }
}
