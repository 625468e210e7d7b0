//! `chancery undrain`: puts an instance back.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{Output, Remote};
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
    let drain = answer.drain.clone().unwrap_or_default();
    say!(
        "{} {}:{} is no longer drained",
        drain.service,
        drain.address,
        drain.port
    );
    if !answer.pending.is_empty() {
        say!(
            "the registry is told as soon as it can be: {}",
            answer.pending
        );
    }
}
