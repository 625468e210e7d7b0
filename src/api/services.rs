//! What registries answered, who uses it, and who of it gets no traffic for which reason.

use std::collections::{BTreeSet, HashMap};

use tonic::Status;

use super::listing::{Listing, Rank};
use super::shares::count;
use super::{Api, confirmed, pb};
use crate::control::question::{Question, Use, Watched};
use crate::model::Instance;

/// What services can be sorted by.
const SORTS: &[&str] = &["service", "taken"];

/// How many instances there are, and how many of them get traffic.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    pub all: u32,
    pub taken: u32,
}

/// By that: who has least of what it could have comes first, and last who has nothing.
pub fn rank_of(health: Option<&Health>) -> i64 {
    match health {
        Some(Health { all, taken }) if *all > 0 => i64::from(*taken) * 1_000_000 / i64::from(*all),
        _ => i64::MAX,
    }
}

/// The services that documents name, or those of them that are asked for.
pub async fn list(
    api: &Api,
    asked: &pb::ListServicesRequest,
) -> Result<pb::ListServicesResponse, Status> {
    let page = (asked.page, asked.page_size);
    let listing = Listing::read(&asked.search, &asked.sort, page, SORTS)?;
    let mut watched = api.ask(Question::Services).await?;
    watched.retain(|one| {
        let mut uses = one.uses.values();
        (asked.name.is_empty() || *one.service.name == *asked.name)
            && (asked.document.is_empty() || uses.any(|of| documents(of).contains(&asked.document)))
    });
    let services = watched.into_iter().map(service);
    let found = services.filter_map(|service| found(&listing, service));
    let (services, total) = listing.page(found.collect(), |one| rank(one, &listing.sort));
    Ok(pb::ListServicesResponse { services, total })
}

/// A service with those of its instances that are found, if it is, or any is.
fn found(listing: &Listing, mut service: pb::Discovered) -> Option<pb::Discovered> {
    if !listing.searches() || listing.finds(std::slice::from_ref(&service.service)) {
        return Some(service);
    }
    let name = service.service.clone();
    service.instances.retain(|one| {
        let texts = [
            &name,
            &one.id,
            &one.address,
            &one.status,
            &one.region,
            &one.zone,
            &one.node,
        ];
        let more = one.tags.iter().chain(one.left_out.values());
        let texts: Vec<_> = texts.into_iter().chain(more).cloned().collect();
        listing.finds(&texts)
    });
    (!service.instances.is_empty()).then_some(service)
}

fn rank(service: &pb::Discovered, by: &str) -> Rank {
    let health = Health {
        all: service.registered,
        taken: service.taken,
    };
    match by {
        "taken" => (rank_of(Some(&health)), String::new()),
        _ => (0, service.service.clone()),
    }
}

/// The documents whose requests go to a load assignment, by path.
fn documents(of: &Use) -> BTreeSet<String> {
    let routes = of.routes.iter().map(|id| format!("routes/{id}"));
    // What a document becomes is called like it.
    let clusters = of.clusters.iter().filter_map(|name| {
        let (kind, id) = name.split_once('/')?;
        (!id.contains('/')).then(|| format!("{kind}s/{id}"))
    });
    let others = of.others.iter().cloned();
    routes.chain(clusters).chain(others).collect()
}

/// By document, how its instances fare.
pub fn health(services: &[Watched]) -> HashMap<String, Health> {
    let mut health: HashMap<String, Health> = HashMap::new();
    for watched in services {
        let all = watched.instances.as_deref().unwrap_or_default().len();
        for of in watched.uses.values() {
            let taken = selected(watched, of);
            for document in documents(of) {
                let one = health.entry(document).or_default();
                one.all += count(all);
                one.taken += taken;
            }
        }
    }
    health
}

/// How many instances get traffic from one of those who take some.
fn selected(watched: &Watched, of: &Use) -> u32 {
    let instances = watched.instances.as_deref().unwrap_or_default().iter();
    let selected = instances.filter(|one| watched.leaves_out(one, of).is_none());
    count(selected.count())
}

fn service(watched: Watched) -> pb::Discovered {
    let uses = watched.uses.iter().map(|(name, of)| pb::Use {
        load_assignment: name.to_string(),
        clusters: of.clusters.iter().map(ToString::to_string).collect(),
        routes: of.routes.iter().cloned().collect(),
        others: of.others.iter().cloned().collect(),
        selected: selected(&watched, of),
    });
    let instances = watched.instances.as_deref().unwrap_or_default().iter();
    let instances: Vec<_> = instances.map(|one| instance(one, &watched)).collect();
    let taken = instances.iter().filter(|one| one.left_out.is_empty());
    pb::Discovered {
        service: watched.service.to_string(),
        answered: watched.instances.is_some(),
        confirmed: watched.confirmed.map(confirmed::seconds),
        uses: uses.collect(),
        registered: count(instances.len()),
        taken: count(taken.count()),
        instances,
    }
}

fn instance(instance: &Instance, watched: &Watched) -> pb::Instance {
    let left_out = watched.uses.iter().filter_map(|(name, of)| {
        let reason = watched.leaves_out(instance, of)?;
        Some((name.to_string(), reason.to_string()))
    });
    pb::Instance {
        id: instance.id.to_string(),
        address: std::net::SocketAddr::new(instance.address, instance.port).to_string(),
        status: instance.status.as_str().to_owned(),
        weight: instance.weight,
        region: instance.region.to_string(),
        zone: instance.zone.to_string(),
        node: instance.node.to_string(),
        tags: instance.tags.iter().map(ToString::to_string).collect(),
        metadata: instance.metadata.clone().into_iter().collect(),
        left_out: left_out.collect(),
        kept: watched.keeps(instance),
        since: watched.since(instance).map(confirmed::seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_service_those_instances_are_told_that_are_found() {
        let instance = |id: &str, status: &str| pb::Instance {
            id: id.to_owned(),
            status: status.to_owned(),
            tags: vec!["v1".to_owned()],
            ..pb::Instance::default()
        };
        let service = pb::Discovered {
            service: "consul/echo".to_owned(),
            instances: vec![instance("one", "passing"), instance("two", "critical")],
            ..pb::Discovered::default()
        };
        for (search, told) in [
            ("", "one two"),
            ("echo", "one two"),
            ("critical", "two"),
            ("echo v1 one", "one"),
            ("echo v2", "none"),
        ] {
            let listing = Listing::read(search, "", (0, 0), SORTS).unwrap();
            let found = found(&listing, service.clone());
            let ids = found.map(|one| {
                let ids = one.instances.iter().map(|one| one.id.as_str());
                ids.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(ids.as_deref().unwrap_or("none"), told, "{search}");
        }
    }

    #[test]
    fn who_has_least_of_its_instances_comes_first() {
        let rank = |all, taken| rank_of(Some(&Health { all, taken }));
        assert!(rank(4, 0) < rank(4, 1) && rank(4, 1) < rank(2, 1));
        assert!(rank(2, 2) < rank(0, 0) && rank(0, 0) == rank_of(None));
    }
}
