//! `chancery audit`: who took which instance out, and which calls were refused.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{self, Output, Remote};
use crate::api::{json, pb};

/// What `audit` takes.
#[derive(Debug, clap::Args)]
pub struct Audit {
    /// How many records, the newest ones
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "NUMBER")]
    limit: u32,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(audit: Audit) -> Result<ExitCode> {
    let mut client = audit.remote.connect().await?;
    let request = pb::ListAuditRequest { limit: audit.limit };
    let answer = client.list_audit(request).await?.into_inner();
    match audit.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table => print(&answer.records),
    }
    Ok(ExitCode::SUCCESS)
}

/// The oldest first, as in a log.
fn print(records: &[pb::AuditRecord]) {
    let row = |record: &pb::AuditRecord| {
        [
            remote::time(record.time),
            record.who.clone(),
            record.from.clone(),
            record.action.clone(),
            record.step.clone(),
            record.what.clone(),
            record.result.clone(),
            record.detail.clone(),
        ]
    };
    let rows: Vec<_> = records.iter().rev().map(row).collect();
    let head = [
        "TIME", "WHO", "FROM", "ACTION", "STEP", "WHAT", "RESULT", "DETAIL",
    ];
    remote::table(head, &rows);
}
