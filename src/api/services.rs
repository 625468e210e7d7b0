//! What registries answered, who uses it, and who of it gets no traffic for which reason.

use tonic::Status;

use super::{Api, confirmed, pb};
use crate::control::question::{Question, Watched};
use crate::model::Instance;

/// The services that documents name, or those of one name.
pub async fn list(
    api: &Api,
    asked: &pb::ListServicesRequest,
) -> Result<pb::ListServicesResponse, Status> {
    let watched = api.ask(Question::Services).await?;
    let named = |one: &Watched| asked.name.is_empty() || *one.service.name == *asked.name;
    let services = watched.into_iter().filter(named).map(service);
    Ok(pb::ListServicesResponse {
        services: services.collect(),
    })
}

fn service(watched: Watched) -> pb::Discovered {
    let instances = watched.instances.as_deref().unwrap_or_default();
    let uses = watched.uses.iter().map(|(name, of)| {
        let selected = instances
            .iter()
            .filter(|one| watched.leaves_out(one, of).is_none());
        pb::Use {
            load_assignment: name.to_string(),
            clusters: of.clusters.iter().map(ToString::to_string).collect(),
            routes: of.routes.iter().cloned().collect(),
            others: of.others.iter().cloned().collect(),
            selected: u32::try_from(selected.count()).unwrap_or(u32::MAX),
        }
    });
    pb::Discovered {
        service: watched.service.to_string(),
        answered: watched.instances.is_some(),
        confirmed: watched.confirmed.map(confirmed::seconds),
        uses: uses.collect(),
        instances: instances
            .iter()
            .map(|one| instance(one, &watched))
            .collect(),
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
    }
}
