//! Snapshots, with and without their resources.

use std::sync::Arc;

use prost_types::Any;
use tonic::Status;

use crate::snapshot::{ResourceType, Snapshot};
use crate::xds::Gateways;

use super::json::shown;
use super::redact::Headers;
use super::{pb, redact};

/// The newest snapshot of every gateway, without resources.
pub fn list(gateways: &Gateways) -> pb::ListSnapshotsResponse {
    let mut newest = gateways.newest();
    newest.sort_by(|a, b| a.gateway.cmp(&b.gateway));
    let sets = |snapshot: &Snapshot| {
        ResourceType::ALL.map(|resource_type| set(snapshot, resource_type, Vec::new()))
    };
    pb::ListSnapshotsResponse {
        revision: gateways.revision(),
        snapshots: newest
            .iter()
            .map(|snapshot| head(snapshot, sets(snapshot).into()))
            .collect(),
    }
}

/// The newest snapshot of one gateway, with the resources that are asked for.
pub fn read(
    gateways: &Gateways,
    asked: &pb::ReadSnapshotRequest,
    headers: Headers,
) -> Result<pb::Snapshot, Status> {
    let types = types(&asked.r#type)?;
    let Some(snapshot) = gateways.find(&asked.gateway) else {
        return Err(unknown_gateway(gateways, &asked.gateway));
    };
    let sets: Result<Vec<_>, Status> = types
        .iter()
        .map(|resource_type| {
            let resources = resources(&snapshot, *resource_type, &asked.name, headers)?;
            Ok(set(&snapshot, *resource_type, resources))
        })
        .collect();
    let message = head(&snapshot, sets?);
    let nothing = message.sets.iter().all(|set| set.resources.is_empty());
    if nothing && !asked.name.is_empty() {
        let (name, gateway) = (shown(&asked.name), &message.gateway);
        return Err(Status::not_found(format!(
            "gateway `{gateway}` has no such resource: `{name}`"
        )));
    }
    Ok(message)
}

fn types(name: &str) -> Result<Vec<ResourceType>, Status> {
    if name.is_empty() {
        return Ok(ResourceType::ALL.into());
    }
    let found = ResourceType::ALL
        .into_iter()
        .find(|each| each.as_str() == name);
    found.map(|found| vec![found]).ok_or_else(|| {
        let allowed = ResourceType::ALL.map(ResourceType::as_str).join(", ");
        Status::invalid_argument(format!("type: found `{}`, allowed: {allowed}", shown(name)))
    })
}

pub(super) fn unknown_gateway(gateways: &Gateways, asked: &str) -> Status {
    let mut known: Vec<_> = gateways
        .newest()
        .iter()
        .map(|newest| newest.gateway.to_string())
        .collect();
    known.sort();
    known.truncate(20);
    let hint = if known.is_empty() {
        "nothing is published yet".to_owned()
    } else {
        format!("there are: {}", known.join(", "))
    };
    Status::not_found(format!("no gateway `{}` is served; {hint}", shown(asked)))
}

fn head(snapshot: &Snapshot, sets: Vec<pb::ResourceSet>) -> pb::Snapshot {
    pb::Snapshot {
        gateway: snapshot.gateway.to_string(),
        version: snapshot.version().to_string(),
        revision: snapshot.revision,
        sets,
    }
}

fn set(
    snapshot: &Snapshot,
    resource_type: ResourceType,
    resources: Vec<pb::Resource>,
) -> pb::ResourceSet {
    let set = snapshot.set(resource_type);
    pb::ResourceSet {
        r#type: resource_type.as_str().to_owned(),
        version: set.version().to_string(),
        count: u32::try_from(set.len()).unwrap_or(u32::MAX),
        resources,
    }
}

/// The resources of a type: all of them, or the one of that name.
fn resources(
    snapshot: &Arc<Snapshot>,
    resource_type: ResourceType,
    name: &str,
    headers: Headers,
) -> Result<Vec<pb::Resource>, Status> {
    let set = snapshot.set(resource_type);
    let one = |(name, resource): (&Arc<str>, &Arc<crate::snapshot::Resource>)| {
        Ok(pb::Resource {
            name: name.to_string(),
            version: resource.version.to_string(),
            full_name: resource.full_name.as_deref().unwrap_or_default().to_owned(),
            resource: Some(Any {
                type_url: resource_type.type_url().to_owned(),
                value: redact::resource(resource_type, &resource.value(), headers)?,
            }),
        })
    };
    match name {
        "" => set.iter().map(one).collect(),
        name => set
            .name(name)
            .zip(set.find(name))
            .into_iter()
            .map(one)
            .collect(),
    }
}
