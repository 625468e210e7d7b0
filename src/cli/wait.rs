//! `chancery wait`: returns when every connected proxy of every live replica has accepted a revision.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use super::remote::{self, Output, Remote};
use crate::api::{json, pb};

/// What `wait` takes.
#[derive(Debug, clap::Args)]
pub struct Wait {
    /// The revision that etcd answered the write with
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..), value_name = "REVISION")]
    revision: i64,
    /// How long to wait
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration, value_name = "TIME")]
    timeout: Duration,
    /// Succeed also where no proxy is expected at all
    #[arg(long)]
    allow_none: bool,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(wait: Wait) -> Result<ExitCode> {
    let mut client = wait.remote.connect().await?;
    let request = pb::WaitRequest {
        revision: wait.revision,
        timeout: Some(wait.timeout.try_into()?),
        allow_none: wait.allow_none,
    };
    let answer = client.wait(request).await?.into_inner();
    match wait.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table => print(&answer),
    }
    Ok(if answer.confirmed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(answer: &pb::WaitResponse) {
    let pb::WaitResponse {
        revision,
        nodes,
        replicas,
        ..
    } = answer;
    if answer.confirmed {
        say!("revision {revision} is confirmed (nodes: {nodes}, replicas: {replicas})");
        return;
    }
    if answer.expected == 0 {
        say!(
            "revision {revision} is not confirmed: no proxy is connected (--allow-none accepts that)"
        );
        return;
    }
    say!("revision {revision} is not confirmed:\n");
    for rejected in &answer.rejected {
        say!("{} is not in force: {}", rejected.document, rejected.reason);
    }
    if !answer.behind.is_empty() {
        behind(&answer.behind);
    }
}

/// Prints who is behind.
pub fn behind(behind: &[pb::Behind]) {
    let row = |behind: &pb::Behind| {
        let or_dash = |text: &String| {
            if text.is_empty() {
                "-".to_owned()
            } else {
                text.clone()
            }
        };
        [
            or_dash(&behind.replica),
            or_dash(&behind.node),
            or_dash(&behind.gateway),
            behind.revision.to_string(),
            or_dash(&remote::time(behind.since)),
            behind.reason.clone(),
        ]
    };
    let rows: Vec<_> = behind.iter().map(row).collect();
    remote::table(
        ["REPLICA", "NODE", "GATEWAY", "HAS", "SINCE", "REASON"],
        &rows,
    );
}
