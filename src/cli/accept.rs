//! `chancery accept`: gives up the documents that the store has lost.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{Output, Remote};
use crate::api::{json, pb};

/// What `accept` takes.
#[derive(Debug, clap::Args)]
pub struct Accept {
    /// Only show which documents they are
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(accept: Accept) -> Result<ExitCode> {
    let mut client = accept.remote.connect().await?;
    let dry_run = accept.dry_run;
    let answer = client.accept(pb::AcceptRequest { dry_run }).await?;
    let answer = answer.into_inner();
    match accept.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table => print(&answer, dry_run),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(answer: &pb::AcceptResponse, dry_run: bool) {
    if answer.documents.is_empty() {
        say!("no document is missing in the store");
        return;
    }
    let count = answer.documents.len();
    if dry_run {
        say!("{count} documents are missing in the store and still in force:");
    } else {
        say!("{count} documents were missing in the store and are no longer in force:");
    }
    for document in &answer.documents {
        say!("{document}");
    }
}
