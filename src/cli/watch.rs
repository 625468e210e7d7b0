//! `chancery watch`: one line for every snapshot that is published, and for every answer of a proxy.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use super::remote::{self, Output, Remote};
use crate::api::pb::event::Event;
use crate::api::{json, pb};
use crate::telemetry::millis;

/// What `watch` takes.
#[derive(Debug, clap::Args)]
pub struct Watch {
    #[command(flatten)]
    remote: Remote,
}

/// Runs the command, until it is interrupted or the stream ends.
pub async fn run(watch: Watch) -> Result<ExitCode> {
    let mut client = watch.remote.connect().await?;
    let mut events = client
        .watch(pb::WatchRequest::default())
        .await?
        .into_inner();
    while let Some(event) = events.message().await? {
        let Some(what) = &event.event else { continue };
        let line = match watch.remote.output {
            Output::Json => json::whole(&event)?,
            Output::Table => format!("{}  {}", remote::time(event.time), line(what)),
        };
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            // Whoever read has seen enough.
            return Ok(ExitCode::SUCCESS);
        }
    }
    bail!("the stream of events has ended")
}

fn line(event: &Event) -> String {
    match event {
        Event::Published(published) => {
            let changes = published.changes.iter().map(|tally| {
                format!(
                    " {}=+{}~{}-{}",
                    tally.r#type, tally.added, tally.changed, tally.removed
                )
            });
            format!(
                "published  gateway={} version={} revision={}{}",
                published.gateway,
                remote::short(&published.version),
                published.revision,
                changes.collect::<String>(),
            )
        }
        Event::Answer(answer) => {
            let word = if answer.error.is_empty() {
                "ACK"
            } else {
                "NACK"
            };
            let took = answer.took.and_then(|took| Duration::try_from(took).ok());
            let error = match answer.error.as_str() {
                "" => String::new(),
                error => format!(" error={error:?}"),
            };
            format!(
                "{word:9}  gateway={} node={} type={} version={} revision={} took_ms={}{error}",
                answer.gateway,
                answer.node,
                answer.r#type,
                remote::short(&answer.version),
                answer.revision,
                millis(took.unwrap_or_default()),
            )
        }
        Event::Written(written) => format!(
            "written    revision={} documents={}{}",
            written.revision,
            written.documents.join(","),
            if written.documents.len() < written.count as usize {
                ",…"
            } else {
                ""
            },
        ),
        Event::Missed(missed) => format!(
            "missed     {} events: this reader is too slow",
            missed.events
        ),
    }
}
