//! A look at all nodes: what is registered, and when it was last written.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::super::budget::{Budget, IMMEDIATE};
use super::super::client::Client;
use super::super::error::Error;
use super::super::query::Query;
use super::super::written::Registrations;
use super::catalog::{self, Node};
use crate::model::service_key::Scope;

/// What there is.
#[derive(Debug)]
pub enum Nodes {
    /// What all nodes have.
    All(Registrations),
    /// There are more nodes than services that anybody wants: it is cheaper to read those.
    TooMany,
}

/// Looks at all nodes, unless there are more than `most`.
pub async fn sweep(
    client: &Client,
    budget: &Budget,
    scope: &Scope,
    most: usize,
) -> Result<Nodes, Error> {
    let listed = {
        let _place = budget.immediate().await;
        client.ask(Query::Nodes(scope)).await?
    };
    let nodes: Vec<Node> = catalog::list(&listed.body)
        .map_err(|error| super::unusable("the list of nodes", &error))?;
    // Others are to have its turn.
    drop(listed);
    if nodes.len() > most {
        return Ok(Nodes::TooMany);
    }
    let look = async |node: Node| {
        let _place = budget.immediate().await;
        let answer = client.ask(Query::Node(scope, &node.node)).await?;
        let services = catalog::services(&answer.body, &node).unwrap_or_else(|error| {
            // One node that cannot be read hides no other: what is on it is taken for gone here, and so read.
            tracing::warn!(node = node.node, %error, "Consul's answer about a node cannot be used");
            Vec::new()
        });
        Ok(services)
    };
    let mut looks = stream::iter(nodes).map(look).buffer_unordered(IMMEDIATE);
    let mut all = Registrations::default();
    while let Some(services) = looks.try_next().await? {
        for (service, written) in services {
            all.entry(service).or_default().add(written);
        }
    }
    Ok(Nodes::All(all))
}
