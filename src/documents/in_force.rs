//! What was told to be in force.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Route;
use crate::model::gateway::RealIp;
use crate::model::{Cluster, Gateway, Host, Ssl, StreamRoute};

/// By path.
#[derive(Debug, Default)]
pub(super) struct InForce {
    pub routes: HashMap<Arc<str>, Arc<Route>>,
    /// How many of them have strangers be somebody.
    pub welcoming: usize,
    pub gateways: HashMap<Arc<str>, Arc<Gateway>>,
    /// These become part of gateways.
    pub ssls: BTreeMap<Arc<str>, Arc<Ssl>>,
    pub stream_routes: BTreeMap<Arc<str>, Arc<StreamRoute>>,
}

impl InForce {
    /// The clusters that traffic may go to, each with the path of the document that sends it there.
    pub fn clusters(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Cluster>)> {
        let of_routes = self
            .routes
            .iter()
            .flat_map(|(path, route)| route.clusters().map(move |one| (path, one)));
        let of_streams = self
            .stream_routes
            .iter()
            .map(|(path, stream)| (path, &stream.cluster));
        let gateways = self.gateways.iter();
        let helpers =
            gateways.flat_map(|(path, gateway)| gateway.helpers().map(move |one| (path, one)));
        of_routes.chain(of_streams).chain(helpers)
    }

    /// The gateway with its ssls and stream routes, and what a global rule says of its clients.
    pub fn with_edge(&self, gateway: &Gateway, real_ip_of_rules: Option<RealIp>) -> Arc<Gateway> {
        let mut taken = BTreeSet::new();
        let candidates = self.ssls.values().filter(|ssl| ssl.belongs_to(&gateway.id));
        let ssls = candidates.filter_map(|ssl| {
            let free: BTreeSet<_> = names(ssl).filter(|name| taken.insert(*name)).collect();
            if free.len() == names(ssl).count() {
                return Some(ssl.clone());
            }
            let own = ssl.names.iter().filter(|name| free.contains(&Some(*name)));
            (!free.is_empty()).then(|| {
                Arc::new(Ssl {
                    names: own.cloned().collect(),
                    any_name: free.contains(&None),
                    ..Ssl::clone(ssl)
                })
            })
        });
        let routes = self
            .stream_routes
            .values()
            .filter(|route| route.gateways.contains(&gateway.id));
        Arc::new(Gateway {
            real_ip_of_rules,
            ssls: ssls.collect(),
            stream_routes: routes.cloned().collect(),
            ..gateway.clone()
        })
    }
}

/// What an ssl answers to; nothing stands for any name.
pub(super) fn names(ssl: &Ssl) -> impl Iterator<Item = Option<&Host>> {
    let any = ssl.any_name.then_some(None);
    ssl.names.iter().map(Some).chain(any)
}
