//! `chancery undrain`: puts an instance back.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{self, Output, Remote};
use crate::api::{json, pb};

/// What `undrain` takes.
#[derive(Debug, clap::Args)]
pub struct Undrain {
    /// The drain's id, as `drain` and `drains` show it
    id: String,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(undrain: Undrain) -> Result<ExitCode> {
    let mut client = undrain.remote.connect().await?;
    let request = pb::UndrainRequest { id: undrain.id };
    let answer = client.undrain(request).await?.into_inner();
    match undrain.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table => print(&answer),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(answer: &pb::UndrainResponse) {
    for drain in &answer.drains {
        let place = remote::place(&drain.address, drain.port);
        say!("{} {place} is no longer drained", drain.service);
    }
    if !answer.pending.is_empty() {
        say!(
            "the registry is told as soon as it can be: {}",
            answer.pending
        );
    }
}
