//! `chancery documents`: every document, and what became of it.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{self, Output, Remote};
use crate::api::{json, pb};

/// What `documents` takes.
#[derive(Debug, clap::Args)]
pub struct Documents {
    /// Only this kind: routes, upstreams, services, …
    #[arg(long, default_value = "", hide_default_value = true)]
    kind: String,
    /// Only those in this state: accepted, warned, off, waiting, rejected, refused
    #[arg(long, default_value = "", hide_default_value = true)]
    state: String,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(documents: Documents) -> Result<ExitCode> {
    let mut client = documents.remote.connect().await?;
    let request = pb::ListDocumentsRequest {
        kind: documents.kind,
        state: documents.state,
        ..pb::ListDocumentsRequest::default()
    };
    let answer = client.list_documents(request).await?.into_inner();
    match documents.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table => print(&answer.documents),
    }
    let bad = |document: &pb::Document| !matches!(&*document.state, "accepted" | "warned" | "off");
    Ok(if answer.documents.iter().any(bad) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn print(documents: &[pb::Document]) {
    let row = |document: &pb::Document, said: &str| {
        [
            document.document.clone(),
            document.revision.to_string(),
            document.state.clone(),
            said.to_owned(),
        ]
    };
    let mut rows = Vec::new();
    for document in documents {
        rows.push(row(document, &document.reason));
        let warnings = document.warnings.iter();
        rows.extend(warnings.map(|warning| row(document, &format!("warning: {warning}"))));
    }
    remote::table(["DOCUMENT", "REVISION", "STATE", "WHAT IS SAID"], &rows);
}
