//! `chancery prolong`: has a drain last longer.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{self, Output, Remote};
use crate::api::{json, pb};

/// What `prolong` takes.
#[derive(Debug, clap::Args)]
pub struct Prolong {
    /// The drain's id, as `drain` and `drains` show it
    id: String,
    /// When it is put back by itself, from now: no earlier than without [default: 1h]
    #[arg(long, value_name = "TIME")]
    ttl: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(prolong: Prolong) -> Result<ExitCode> {
    let mut client = prolong.remote.connect().await?;
    let request = pb::ProlongRequest {
        id: prolong.id,
        ttl: prolong.ttl.unwrap_or_default(),
    };
    let answer = client.prolong(request).await?.into_inner();
    match prolong.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table => {
            for drain in &answer.drains {
                let place = remote::place(&drain.address, drain.port);
                let until = remote::time(drain.expires);
                say!("{} {place} is drained until {until}", drain.service);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
