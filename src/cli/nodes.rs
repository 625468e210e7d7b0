//! `chancery nodes`: which proxies are connected, and what each of them has.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{self, Output, Remote};
use crate::api::{json, pb};

/// What `nodes` takes.
#[derive(Debug, clap::Args)]
pub struct Nodes {
    #[command(flatten)]
    remote: Remote,
}

pub async fn run(nodes: Nodes) -> Result<ExitCode> {
    let mut client = nodes.remote.connect().await?;
    let answer = client
        .list_nodes(pb::ListNodesRequest::default())
        .await?
        .into_inner();
    match nodes.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table => print(&answer),
    }
    let behind = answer.nodes.iter().any(|node| !node.synced)
        || answer
            .replicas
            .iter()
            .any(|replica| !replica.behind.is_empty());
    Ok(if behind {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn print(answer: &pb::ListNodesResponse) {
    let head = [
        "NODE",
        "GATEWAY",
        "ADDRESS",
        "AGENT",
        "PROTOCOL",
        "TYPE",
        "SENT",
        "ACKNOWLEDGED",
        "SINCE",
        "STATE",
    ];
    let rows: Vec<_> = answer.nodes.iter().flat_map(rows).collect();
    remote::table(head, &rows);
    for replica in &answer.replicas {
        let nodes: u32 = replica.nodes.values().sum();
        say!(
            "\nreplica {} at {}: {nodes} nodes, confirmed revision {} of {}",
            replica.id,
            replica.address,
            replica.confirmed,
            replica.revision,
        );
        for behind in &replica.behind {
            let since = match behind.since {
                None => String::new(),
                since => format!(", since {}", remote::time(since)),
            };
            say!(
                "  {} ({}){since}: {}",
                behind.node,
                behind.gateway,
                behind.reason
            );
        }
    }
}

/// A row for the node, then one for each of its types.
fn rows(node: &pb::Node) -> Vec<[String; 10]> {
    let state = if node.synced {
        "up to date".to_owned()
    } else {
        format!("behind: {}", node.behind)
    };
    let own = [
        node.id.clone(),
        node.gateway.clone(),
        node.address.clone(),
        node.agent.clone(),
        node.protocol.clone(),
        String::new(),
        String::new(),
        String::new(),
        remote::time(node.connected),
        state,
    ];
    let unserved = node.unserved.iter().map(|url| {
        let mut row: [String; 10] = Default::default();
        row[5].clone_from(url);
        row[9] = "not served: it was told that nothing of it exists".to_owned();
        row
    });
    let types = node.types.iter().map(of_type);
    std::iter::once(own).chain(types).chain(unserved).collect()
}

fn of_type(of: &pb::NodeType) -> [String; 10] {
    let version = |mark: &Option<pb::Mark>| {
        mark.as_ref()
            .map_or("-".to_owned(), |mark| remote::short(&mark.version))
    };
    let last = [&of.refused, &of.acknowledged, &of.sent]
        .into_iter()
        .find_map(Option::as_ref);
    let state = match &of.refused {
        Some(refused) => format!("refused {}: {}", remote::short(&refused.version), of.reason),
        None => String::new(),
    };
    let mut row: [String; 10] = Default::default();
    row[5].clone_from(&of.r#type);
    row[6] = version(&of.sent);
    row[7] = version(&of.acknowledged);
    row[8] = remote::time(last.and_then(|mark| mark.at));
    row[9] = state;
    row
}
