//! This process's place among the replicas.

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::sync::watch;

use crate::api::lag;
use crate::api::replicas::{self, Others};
use crate::config::Config;
use crate::store::replicas::Membership;

use super::Shared;
use super::tasks::Tasks;

/// Takes the place, reached at `admin`. Where a store is this process's own there are no others.
pub fn join(
    config: &Config,
    admin: SocketAddr,
    shared: &Shared,
    tasks: &mut Tasks,
) -> (Others, Membership) {
    let (sender, own) = watch::channel(Bytes::new());
    let membership = Membership {
        id: config.replica.clone(),
        own,
        records: watch::Sender::default(),
    };
    if !config.store.is_shared() {
        return (Others::none(), membership);
    }
    let others = Others::new(membership.records.subscribe());
    let (gateways, nodes) = (shared.gateways.clone(), shared.nodes.clone());
    let lag = lag::watch(gateways.clone(), others.clone());
    let telling = replicas::tell(gateways, nodes, format!("http://{admin}"), sender);
    tasks.spawn("replicas", telling);
    tasks.spawn_dropped("lag", lag);
    (others, membership)
}
