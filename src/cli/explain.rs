//! `chancery explain`: which route gets a request, and why.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{self, Output, Remote};
use crate::api::{json, pb};

/// What `explain` takes.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The request's method
    method: String,
    /// Its URL, or only what stands behind the host
    url: String,
    /// A header of it, as `Name: value`; as often as needed
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// The client's address
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    from: String,
    /// The gateway that receives it
    #[arg(long, default_value = "default", value_name = "NAME")]
    gateway: String,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(explain: Explain) -> Result<ExitCode> {
    let mut client = explain.remote.connect().await?;
    let request = pb::ExplainRequest {
        gateway: explain.gateway,
        method: explain.method,
        url: explain.url,
        header: explain.headers,
        from: explain.from,
    };
    let answer = client.explain(request).await?.into_inner();
    match explain.remote.output {
        Output::Json => println!("{}", json::whole(&answer)?),
        Output::Table => print(&answer),
    }
    Ok(if answer.route.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn print(answer: &pb::Explanation) {
    match answer.route.as_str() {
        "" => println!("no route: 404"),
        route => println!("{route}"),
    }
    for destination in &answer.destinations {
        let instances = match destination.instances.as_slice() {
            [] => "no instances".to_owned(),
            instances => instances.join(", "),
        };
        println!("  to {}: {instances}", destination.cluster);
    }
    println!();
    let row = |candidate: &pb::Candidate| {
        let verdict = match (candidate.verdict.as_str(), candidate.reason.as_str()) {
            ("later", _) => "fits, but another comes first",
            ("method", _) => "is for other methods",
            ("remote_addr", _) => "is for other clients",
            ("vars", reason) => reason,
            (verdict, _) => verdict,
        };
        [
            candidate.route.clone(),
            candidate.host.clone(),
            candidate.path.clone(),
            candidate.priority.to_string(),
            verdict.to_owned(),
        ]
    };
    let rows: Vec<_> = answer.candidates.iter().map(row).collect();
    remote::table(
        ["ROUTE", "HOST", "PATH", "PRIORITY", "WHAT BECAME OF IT"],
        &rows,
    );
    println!(
        "\n{} more with another host, {} with another path",
        answer.other_host, answer.other_path
    );
    for document in &answer.not_in_force {
        println!("not in force: {document}");
    }
}
