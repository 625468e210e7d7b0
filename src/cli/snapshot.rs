//! `chancery snapshot`: what proxies are sent.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{self, Output, Remote};
use crate::api::{json, pb};

/// What `snapshot` takes.
#[derive(Debug, clap::Args)]
pub struct Snapshot {
    /// The gateway whose resources are shown; all gateways are listed without, and which cohorts of proxies each has
    gateway: Option<String>,
    /// What proxies of this cohort are sent, by its name or how that begins: "envoy 1.38"; of the one with the most proxies
    /// unless told
    #[arg(long, requires = "gateway", value_name = "COHORT")]
    cohort: Option<String>,
    /// Only this type: clusters, endpoints, secrets, extensions, listeners or routes
    #[arg(long = "type", requires = "gateway", value_name = "TYPE")]
    of_type: Option<String>,
    /// Only resources of this name
    #[arg(long, requires = "gateway", value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(snapshot: Snapshot) -> Result<ExitCode> {
    let mut client = snapshot.remote.connect().await?;
    let output = snapshot.remote.output;
    let Some(gateway) = snapshot.gateway else {
        let answer = client
            .list_snapshots(pb::ListSnapshotsRequest {})
            .await?
            .into_inner();
        match output {
            Output::Json => say!("{}", json::whole(&answer)?),
            Output::Table => print_gateways(&answer),
        }
        return Ok(ExitCode::SUCCESS);
    };
    let request = pb::ReadSnapshotRequest {
        gateway,
        r#type: snapshot.of_type.unwrap_or_default(),
        name: snapshot.name.unwrap_or_default(),
        cohort: snapshot.cohort.unwrap_or_default(),
    };
    let answer = client.read_snapshot(request).await?.into_inner();
    match output {
        Output::Json => say!("{}", json::terse(&answer)?),
        Output::Table => print_resources(&answer),
    }
    Ok(ExitCode::SUCCESS)
}

fn print_gateways(answer: &pb::ListSnapshotsResponse) {
    let row = |snapshot: &pb::Snapshot| {
        let count = |set: &pb::ResourceSet| format!("{} {}", set.count, set.r#type);
        let sets = snapshot.sets.iter().filter(|set| set.count > 0).map(count);
        [
            snapshot.gateway.clone(),
            snapshot.cohort.clone(),
            snapshot.version.clone(),
            snapshot.revision.to_string(),
            sets.collect::<Vec<_>>().join(", "),
        ]
    };
    let rows: Vec<_> = answer.snapshots.iter().map(row).collect();
    remote::table(
        ["GATEWAY", "COHORT", "VERSION", "REVISION", "RESOURCES"],
        &rows,
    );
}

fn print_resources(snapshot: &pb::Snapshot) {
    let cohort = match snapshot.cohort.as_str() {
        "" => String::new(),
        cohort => format!("cohort {cohort}, "),
    };
    say!(
        "gateway {}, {cohort}version {}, revision {}\n",
        snapshot.gateway,
        snapshot.version,
        snapshot.revision
    );
    let rows = snapshot.sets.iter().flat_map(|set| {
        let row = |resource: &pb::Resource| {
            [
                set.r#type.clone(),
                resource.name.clone(),
                resource.version.clone(),
            ]
        };
        set.resources.iter().map(row)
    });
    remote::table(["TYPE", "NAME", "VERSION"], &rows.collect::<Vec<_>>());
    let resources = snapshot.sets.iter().flat_map(|set| &set.resources);
    for resource in resources.filter(|resource| !resource.full_name.is_empty()) {
        say!("\n{} stands for {}", resource.name, resource.full_name);
    }
}
