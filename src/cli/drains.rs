//! `chancery drains`: which instances are taken out.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{self, Output, Remote};
use crate::api::{json, pb};

/// What `drains` takes.
#[derive(Debug, clap::Args)]
pub struct Drains {
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(drains: Drains) -> Result<ExitCode> {
    let mut client = drains.remote.connect().await?;
    let answer = client
        .list_drains(pb::ListDrainsRequest {})
        .await?
        .into_inner();
    match drains.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table => print(&answer.drains),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(drains: &[pb::InstanceDrain]) {
    let row = |drain: &pb::InstanceDrain| {
        [
            drain.id.clone(),
            drain.service.clone(),
            remote::place(&drain.address, drain.port),
            remote::time(drain.expires),
            drain.by.clone(),
            drain.reason.clone(),
        ]
    };
    let rows: Vec<_> = drains.iter().map(row).collect();
    remote::table(
        ["ID", "SERVICE", "INSTANCE", "UNTIL", "BY", "REASON"],
        &rows,
    );
}
