//! `chancery rollback`: documents become what they were.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use super::apply;
use super::diff::DIFFERS;
use super::remote::{Client, Output, Remote};
use super::texts::plan;
use crate::api::{json, pb};

/// What `rollback` takes.
#[derive(Debug, clap::Args)]
pub struct Rollback {
    /// Only these documents: routes/echo
    #[arg(value_name = "KIND/ID")]
    documents: Vec<String>,
    /// Back to what all documents were at this revision
    #[arg(
        long,
        value_name = "REVISION",
        conflicts_with = "change",
        required_unless_present = "change"
    )]
    to: Option<i64>,
    /// Back to what the documents of this change were before it
    #[arg(long, value_name = "REVISION")]
    change: Option<i64>,
    /// Write nothing; have everything checked, and tell what would change
    #[arg(long)]
    dry_run: bool,
    /// Why, for the history
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
    /// Wait until every proxy has it, so long at most
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    wait: Option<Duration>,
    /// Delete also what others name, and write what makes others wrong, which keep their last good form
    #[arg(long)]
    force: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(rollback: Rollback) -> Result<ExitCode> {
    let mut client = rollback.remote.connect().await?;
    let planned = send(&mut client, &rollback, true).await?;
    show(&planned, rollback.remote.output)?;
    if planned.documents.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if rollback.dry_run {
        return Ok(ExitCode::from(DIFFERS));
    }
    let count = planned.documents.len();
    if !rollback.yes && !apply::is_agreed(&format!("{count} documents to roll back"))? {
        eprintln!("nothing was changed");
        return Ok(ExitCode::FAILURE);
    }
    let done = send(&mut client, &rollback, false).await?;
    if done.revision == 0 {
        eprintln!("somebody else has rolled it back meanwhile: nothing was changed");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "{} documents are written by revision {}",
        done.documents.len(),
        done.revision
    );
    match rollback.wait {
        Some(patience) => apply::confirm(&mut client, done.revision, patience).await,
        None => Ok(ExitCode::SUCCESS),
    }
}

async fn send(
    client: &mut Client,
    rollback: &Rollback,
    dry_run: bool,
) -> Result<pb::RollBackResponse> {
    let request = pb::RollBackRequest {
        to: rollback.to.unwrap_or_default(),
        change: rollback.change.unwrap_or_default(),
        documents: rollback.documents.clone(),
        dry_run,
        force: rollback.force,
        reason: rollback.reason.clone(),
        wait: None,
    };
    match client.roll_back(request).await {
        Ok(answer) => Ok(answer.into_inner()),
        // Refused is not the same as called wrongly.
        Err(status) => bail!("{}", status.message()),
    }
}

fn show(planned: &pb::RollBackResponse, output: Output) -> Result<()> {
    if output == Output::Json {
        say!("{}", json::whole(planned)?);
        return Ok(());
    }
    let fields = |text: &str| serde_json::from_str::<Map<String, Value>>(text).ok();
    for one in &planned.documents {
        let (before, after) = (fields(&one.before), fields(&one.after));
        say!(
            "{}",
            plan::lines(&one.document, before.as_ref(), after.as_ref())
        );
    }
    if planned.documents.is_empty() {
        say!("all is as it was: there is nothing to roll back");
    }
    apply::tell_envoys(&planned.envoys);
    for warning in &planned.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(())
}
