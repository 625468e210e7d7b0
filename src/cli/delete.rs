//! `chancery delete`: deletes a document that no other names.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{Output, Remote};
use super::texts;
use crate::api::{json, pb};

/// What `delete` takes.
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// The document's kind and id: routes/echo
    #[arg(value_name = "KIND/ID")]
    document: String,
    /// Delete it also where others name it
    #[arg(long)]
    force: bool,
    /// Why, for the history
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(delete: Delete) -> Result<ExitCode> {
    let mut client = delete.remote.connect().await?;
    let write = pb::Write {
        document: delete.document.clone(),
        text: String::new(),
        expected: None,
    };
    let request = pb::ApplyRequest {
        writes: vec![write],
        dry_run: false,
        force: delete.force,
        reason: delete.reason,
    };
    let answer = texts::send(&mut client, request).await?;
    match delete.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table => say!(
            "{} is deleted by revision {}",
            delete.document,
            answer.revision
        ),
    }
    Ok(ExitCode::SUCCESS)
}
