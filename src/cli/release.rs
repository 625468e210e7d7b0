//! `chancery release`: lets a document out again that proxies refuse.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{Output, Remote};
use crate::api::{json, pb};

/// What `release` takes.
#[derive(Debug, clap::Args)]
pub struct Release {
    /// The document's kind and id, as `problems` shows them
    #[arg(value_name = "KIND/ID")]
    document: String,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(release: Release) -> Result<ExitCode> {
    let mut client = release.remote.connect().await?;
    let document = release.document;
    let request = pb::ReleaseRequest {
        document: document.clone(),
    };
    let answer = client.release(request).await?.into_inner();
    match release.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table if answer.released => {
            say!("{document} is sent to proxies again");
        }
        Output::Table => say!("no proxy of this replica refuses {document}"),
    }
    Ok(if answer.released {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
