//! `chancery history`: who changed documents, when, and what they were before.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Map, Value};

use super::remote::{self, Output, Remote};
use super::texts::plan;
use crate::api::{json, pb};

/// What `history` takes.
#[derive(Debug, clap::Args)]
pub struct History {
    /// Only the changes of this document: routes/echo
    #[arg(value_name = "KIND/ID")]
    document: Option<String>,
    /// Show the lines that each change replaced
    #[arg(short, long, requires = "document")]
    patch: bool,
    /// How many changes, newest first; at most 1000
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "NUMBER")]
    limit: u32,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(history: History) -> Result<ExitCode> {
    let mut client = history.remote.connect().await?;
    let request = pb::ListHistoryRequest {
        document: history.document.clone().unwrap_or_default(),
        limit: history.limit,
        forms: history.patch || history.remote.output == Output::Json,
        ..pb::ListHistoryRequest::default()
    };
    let answer = client.list_history(request).await?.into_inner();
    if history.remote.output == Output::Json {
        say!("{}", json::whole(&answer)?);
        return Ok(ExitCode::SUCCESS);
    }
    let Some(document) = history.document.filter(|_| history.patch) else {
        print(&answer.entries);
        return Ok(ExitCode::SUCCESS);
    };
    // What the newest change made is what is there.
    let request = pb::ListTextsRequest {
        kind: String::new(),
    };
    let texts = client.list_texts(request).await?.into_inner().texts;
    let mut after = texts
        .into_iter()
        .find(|text| text.document == document)
        .and_then(|text| fields(&text.text));
    for entry in &answer.entries {
        let before = fields(&entry.before);
        say!(
            "revision {} of {}, {}",
            entry.revision,
            time(entry),
            by(entry)
        );
        if entry.lost.is_empty() {
            say!(
                "{}",
                plan::lines(&document, before.as_ref(), after.as_ref())
            );
        } else {
            say!("  what there was before is not kept: {}\n", entry.lost);
        }
        after = before;
    }
    Ok(ExitCode::SUCCESS)
}

fn fields(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

fn print(entries: &[pb::Entry]) {
    let row = |entry: &pb::Entry| {
        [
            entry.revision.to_string(),
            time(entry),
            by(entry),
            entry.change.clone(),
            entry.document.clone(),
            entry.reason.clone(),
        ]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    remote::table(
        ["REVISION", "TIME", "BY", "CHANGE", "DOCUMENT", "REASON"],
        &rows,
    );
}

fn time(entry: &pb::Entry) -> String {
    entry
        .time
        .map_or_else(|| "-".to_owned(), |time| time.to_string())
}

fn by(entry: &pb::Entry) -> String {
    match (entry.who.as_str(), entry.from.as_str()) {
        ("", "") => "-".to_owned(),
        ("", from) => from.to_owned(),
        (who, _) => who.to_owned(),
    }
}
