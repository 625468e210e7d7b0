//! `chancery services`: what registries answered, and who of it gets no traffic for which reason.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Result;

use super::remote::{self, Output, Remote};
use crate::api::{json, pb};

/// What `services` takes.
#[derive(Debug, clap::Args)]
pub struct Services {
    /// Only services of this name
    name: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(services: Services) -> Result<ExitCode> {
    let mut client = services.remote.connect().await?;
    let name = services.name.unwrap_or_default();
    let answer = client
        .list_services(pb::ListServicesRequest {
            name,
            ..pb::ListServicesRequest::default()
        })
        .await?
        .into_inner();
    match services.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table => print(&answer.services),
    }
    Ok(if answer.services.iter().all(|service| service.answered) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(services: &[pb::Discovered]) {
    let head = [
        "SERVICE",
        "CONFIRMED",
        "INSTANCE",
        "ADDRESS",
        "STATUS",
        "WEIGHT",
        "TAGS",
        "LEFT OUT",
    ];
    let rows: Vec<_> = services.iter().flat_map(rows).collect();
    remote::table(head, &rows);
}

/// A row for the service and who uses it, then one for each instance.
fn rows(service: &pb::Discovered) -> Vec<[String; 8]> {
    let documents = service.uses.iter().flat_map(|of| {
        let routes = of.routes.iter().map(|id| format!("routes/{id}"));
        routes.chain(of.others.iter().cloned())
    });
    let distinct: BTreeSet<_> = documents.collect();
    let users: Vec<_> = distinct.into_iter().collect();
    let mut own: [String; 8] = Default::default();
    own[0].clone_from(&service.service);
    own[1] = if service.answered {
        remote::time(service.confirmed)
    } else {
        "never".to_owned()
    };
    own[2] = format!("{} for {}", service.instances.len(), users.join(", "));
    let instance = |one: &pb::Instance| {
        let mut reasons: Vec<_> = one.left_out.iter().collect();
        reasons.sort();
        let left_out = reasons.into_iter().map(|(of, why)| format!("{of}: {why}"));
        [
            String::new(),
            String::new(),
            one.id.clone(),
            one.address.clone(),
            if one.kept {
                format!("{} (kept)", one.status)
            } else {
                one.status.clone()
            },
            one.weight.to_string(),
            one.tags.join(","),
            left_out.collect::<Vec<_>>().join("; "),
        ]
    };
    std::iter::once(own)
        .chain(service.instances.iter().map(instance))
        .collect()
}
