//! `chancery problems`: what is wrong with which document now.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{self, Output, Remote};
use crate::api::{json, pb};

/// What `problems` takes.
#[derive(Debug, clap::Args)]
pub struct Problems {
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(problems: Problems) -> Result<ExitCode> {
    let mut client = problems.remote.connect().await?;
    let answer = client
        .list_problems(pb::ListProblemsRequest::default())
        .await?
        .into_inner();
    match problems.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table => print(&answer.problems),
    }
    Ok(if answer.problems.iter().all(|problem| problem.warning) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(problems: &[pb::Problem]) {
    let row = |problem: &pb::Problem| {
        [
            problem.document.clone(),
            problem.revision.to_string(),
            problem.kind.clone(),
            problem.reason.clone(),
        ]
    };
    let rows: Vec<_> = problems.iter().map(row).collect();
    remote::table(["DOCUMENT", "REVISION", "PROBLEM", "REASON"], &rows);
}
