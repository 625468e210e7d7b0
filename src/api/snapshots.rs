//! Snapshots, with and without their resources.

use std::sync::Arc;

use prost_types::Any;
use tonic::Status;

use crate::model::Lookup;
use crate::snapshot::{Resource, ResourceType, Snapshot};
use crate::xds::Gateways;

use super::json::shown;
use super::redact::Headers;
use super::{pb, redact};

/// How many names an error tells.
const NAMED: usize = 20;

/// The newest snapshot of every cohort of every gateway, without resources.
pub fn list(gateways: &Gateways) -> pb::ListSnapshotsResponse {
    let mut newest = gateways.all();
    newest.sort_by(|a, b| (&a.gateway, &a.cohort).cmp(&(&b.gateway, &b.cohort)));
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
    lookup: &Lookup,
) -> Result<pb::Snapshot, Status> {
    let types = types(&asked.r#type)?;
    let Some(newest) = gateways.find(&asked.gateway) else {
        return Err(unknown_gateway(gateways, &asked.gateway));
    };
    let snapshot = if asked.cohort.is_empty() {
        newest
    } else {
        of_cohort(gateways, &asked.gateway, &asked.cohort)?
    };
    let sets: Result<Vec<_>, Status> = types
        .iter()
        .map(|resource_type| {
            let resources = resources(&snapshot, *resource_type, &asked.name, (headers, lookup))?;
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

/// The newest snapshot of the cohort of this name, or of the only one whose name begins so.
fn of_cohort(gateways: &Gateways, gateway: &str, asked: &str) -> Result<Arc<Snapshot>, Status> {
    let mut all = gateways.all();
    all.retain(|one| &*one.gateway == gateway);
    all.sort_by(|a, b| a.cohort.cmp(&b.cohort));
    let name = |one: &Arc<Snapshot>| one.cohort.as_ref().map(ToString::to_string);
    let begins = |one: &&Arc<Snapshot>| name(one).is_some_and(|name| name.starts_with(asked));
    let exact = all.iter().find(|one| name(one).as_deref() == Some(asked));
    let found: Vec<_> = all.iter().filter(begins).collect();
    if let Some(one) = exact.or(found.first().copied().filter(|_| found.len() == 1)) {
        return Ok(one.clone());
    }
    let names: Vec<_> = all.iter().filter_map(name).take(NAMED).collect();
    let there = match names.as_slice() {
        [] => "no proxy has come yet".to_owned(),
        names => format!("there are: {}", names.join(", ")),
    };
    let asked = shown(asked);
    Err(if found.is_empty() {
        Status::not_found(format!(
            "gateway `{gateway}` has no cohort `{asked}`; {there}"
        ))
    } else {
        Status::invalid_argument(format!(
            "cohort: `{asked}` is how several names begin; {there}"
        ))
    })
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
    known.truncate(NAMED);
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
        cohort: snapshot
            .cohort
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
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

/// A resource without what is secret.
pub(super) fn resource(
    resource_type: ResourceType,
    name: &str,
    resource: &Resource,
    (headers, lookup): (Headers, &Lookup),
) -> Result<pb::Resource, Status> {
    Ok(pb::Resource {
        name: name.to_owned(),
        version: resource.version.to_string(),
        full_name: resource.full_name.as_deref().unwrap_or_default().to_owned(),
        resource: Some(Any {
            type_url: resource_type.type_url().to_owned(),
            value: redact::resource(resource_type, &resource.value(), headers, lookup)?,
        }),
    })
}

/// The resources of a type: all of them, or the one of that name.
fn resources(
    snapshot: &Arc<Snapshot>,
    resource_type: ResourceType,
    name: &str,
    shown: (Headers, &Lookup),
) -> Result<Vec<pb::Resource>, Status> {
    let set = snapshot.set(resource_type);
    let one = |(name, one): (&Arc<str>, &Arc<Resource>)| resource(resource_type, name, one, shown);
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

#[cfg(test)]
mod tests;
