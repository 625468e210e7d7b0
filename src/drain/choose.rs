//! Which instance an order is about, and whether it may go. Pure.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::entry::Entries;
use super::{DrainError, Order};
use crate::control::question::{Listed, There};
use crate::model::drain::{self, Drain, Of};
use crate::model::instance::Status;
use crate::model::{Instance, ServiceKey};
use crate::registry::Answer;

/// In how many services one place is drained by one order: all of them are one transaction of etcd's.
const NAMES: usize = 32;

/// What an order is about.
#[derive(Debug, PartialEq)]
pub enum Choice<'a> {
    /// What is being drained already.
    Drained(&'a Drain),
    /// An instance that is not.
    Instance(ServiceKey, &'a Instance),
    /// A node of documents that is not.
    Node(SocketAddr),
}

impl<'a> Choice<'a> {
    pub fn is_new(&self) -> bool {
        !matches!(self, Self::Drained(_))
    }

    pub fn drained(&self) -> Option<&'a Drain> {
        match self {
            Self::Drained(drain) => Some(drain),
            Self::Instance(..) | Self::Node(_) => None,
        }
    }

    fn of(&self) -> Of {
        match self {
            Self::Drained(drain) => drain.of.clone(),
            Self::Instance(service, _) => Of::Service(service.clone()),
            Self::Node(_) => Of::Nodes,
        }
    }

    fn port(&self) -> u16 {
        match self {
            Self::Drained(drain) => drain.port,
            Self::Instance(_, instance) => instance.port,
            Self::Node(place) => place.port(),
        }
    }
}

/// Who has to do with an order, as far as it names one: their decisions take turns.
pub fn concerned(there: &There, order: &Order) -> BTreeSet<Of> {
    let named = there
        .answers
        .iter()
        .map(|answer| Of::Service(answer.service.plain()))
        .filter(|of| is_named(of, order));
    let listed = !there.listed.is_empty() && is_named(&Of::Nodes, order);
    named.chain(listed.then_some(Of::Nodes)).collect()
}

fn is_named(of: &Of, order: &Order) -> bool {
    let Some(wanted) = order.service.as_deref() else {
        return true;
    };
    let named = |service: &ServiceKey| wanted == &*service.name || wanted == service.to_string();
    of.service().is_some_and(named)
}

/// Chooses among what the registries answered, what documents list, and what is drained: a registry may not name the latter any
/// more. All are at one address and port, and all of them are meant. Sorted by who names them; never empty.
pub fn choose<'a>(
    there: &'a There,
    entries: &'a Entries,
    order: &Order,
) -> Result<Vec<Choice<'a>>, DrainError> {
    let matching: Vec<_> = there
        .answers
        .iter()
        .filter(|answer| is_named(&Of::Service(answer.service.plain()), order))
        .collect();
    let mut choices: Vec<_> = registered(&matching, entries, order)
        .chain(listed(&there.listed, entries, order))
        .collect();
    let at = |drain: &&Drain| is_named(&drain.of, order) && is_at(order, drain.place());
    for drain in entries.drains().filter(at) {
        // One that was registered anew in the same place is another instance.
        let same = |choice: &Choice| choice.of() == drain.of && choice.port() == drain.port;
        if !choices.iter().any(same) {
            choices.push(Choice::Drained(drain));
        }
    }
    let ports: BTreeSet<u16> = choices.iter().map(Choice::port).collect();
    if choices.is_empty() {
        return Err(unknown(order));
    }
    if ports.len() > 1 || choices.len() > NAMES {
        return Err(unclear(&choices, order));
    }
    choices.sort_by_cached_key(|choice| (choice.of(), identity(choice)));
    if !order.force {
        may_go(&choices, &matching, &there.listed, entries)?;
    }
    Ok(choices)
}

fn is_at(order: &Order, place: SocketAddr) -> bool {
    place.ip() == order.address && order.port.is_none_or(|wanted| wanted == place.port())
}

fn identity(choice: &Choice) -> String {
    match choice {
        Choice::Drained(drain) => drain.instance.to_string(),
        Choice::Instance(_, instance) => instance.id.to_string(),
        Choice::Node(place) => place.to_string(),
    }
}

/// The instances that registries have there.
fn registered<'a>(
    matching: &[&'a Answer],
    entries: &'a Entries,
    order: &Order,
) -> impl Iterator<Item = Choice<'a>> {
    let registrations = matching
        .iter()
        .flat_map(|answer| answer.instances.iter().map(|it| (&answer.service, it)))
        .filter(|(_, it)| is_at(order, SocketAddr::new(it.address, it.port)));
    // A service may be asked for in several ways, and each answer has the instance.
    let mut known: Vec<(ServiceKey, &Instance)> = Vec::new();
    for (of, it) in registrations {
        let same = |(service, other): &(ServiceKey, &Instance)| {
            *service == of.plain() && drain::identity(other) == drain::identity(it)
        };
        if !known.iter().any(same) {
            known.push((of.plain(), it));
        }
    }
    // Of several registrations in a service, those that fail were left behind; and so were those on other ports, where none is
    // asked for.
    let serving: Vec<_> = known.iter().filter(|(_, it)| serves(it)).collect();
    let ports: BTreeSet<u16> = serving.iter().map(|(_, it)| it.port).collect();
    let services: BTreeSet<_> = serving.iter().map(|(service, _)| service.clone()).collect();
    let is_meant = move |service: &ServiceKey, it: &Instance| {
        serves(it)
            || (!services.contains(service) && (ports.is_empty() || ports.contains(&it.port)))
    };
    let here = known
        .into_iter()
        .filter(move |(service, it)| is_meant(service, it));
    here.map(move |(service, instance)| of(entries, service, instance))
}

/// The nodes that documents list there.
fn listed<'a>(
    listed: &[Listed],
    entries: &'a Entries,
    order: &Order,
) -> impl Iterator<Item = Choice<'a>> {
    let places = listed.iter().flat_map(|of| of.places.iter().flatten());
    let here = |place: &&SocketAddr| is_named(&Of::Nodes, order) && is_at(order, **place);
    let here: BTreeSet<_> = places.filter(here).copied().collect();
    here.into_iter().map(|place| {
        let same = |drain: &&Drain| drain.of == Of::Nodes && drain.place() == place;
        let drain = entries.drains().find(same);
        drain.map_or(Choice::Node(place), Choice::Drained)
    })
}

/// Whether somebody is left to answer in the place of each.
fn may_go(
    choices: &[Choice],
    matching: &[&Answer],
    listed: &[Listed],
    entries: &Entries,
) -> Result<(), DrainError> {
    for choice in choices {
        let last = match choice {
            Choice::Drained(_) => None,
            Choice::Instance(service, instance) => is_last(matching, entries, service, instance)
                .then(|| {
                    let Instance { address, port, .. } = instance;
                    let place = SocketAddr::new(*address, *port);
                    format!("{place} is the last healthy instance of {service}")
                }),
            Choice::Node(place) => last_of(listed, entries, *place).map(|cluster| {
                format!("{place} is the last node of {cluster} that is not drained")
            }),
        };
        if let Some(last) = last {
            return Err(DrainError::Conflict(format!(
                "{last}: nothing would answer its clients; add `force` if that is meant"
            )));
        }
    }
    Ok(())
}

/// A cluster that would have nobody else.
fn last_of<'a>(
    listed: &'a [Listed],
    entries: &Entries,
    place: SocketAddr,
) -> Option<&'a std::sync::Arc<str>> {
    let drained = entries.drains().filter(|drain| drain.of == Of::Nodes);
    let taken: BTreeSet<_> = drained.map(|drain| Some(drain.place())).collect();
    let mut having = listed.iter().filter(|of| of.places.contains(&Some(place)));
    let last = having.find(|of| {
        let mut others = of.places.iter().filter(|other| **other != Some(place));
        others.all(|other| taken.contains(other))
    });
    last.map(|of| &of.cluster)
}

fn of<'a>(entries: &'a Entries, service: ServiceKey, instance: &'a Instance) -> Choice<'a> {
    let same = |drain: &&Drain| {
        drain.of.service() == Some(&service) && drain.identity() == drain::identity(instance)
    };
    let drain = entries.drains().find(same);
    drain.map_or_else(|| Choice::Instance(service, instance), Choice::Drained)
}

/// Whether an instance is healthy, and has a share of the traffic.
fn serves(instance: &Instance) -> bool {
    matches!(instance.status, Status::Passing | Status::Warning) && instance.weight > 0
}

/// Whether nobody else of the service would be left; whoever is in the same place goes as well.
fn is_last(
    answers: &[&Answer],
    entries: &Entries,
    service: &ServiceKey,
    instance: &Instance,
) -> bool {
    let taken = entries.taken(&Of::Service(service.clone()));
    let of_service = answers
        .iter()
        .filter(|answer| answer.service.plain() == *service);
    let mut others = of_service
        .flat_map(|answer| answer.instances.iter())
        .filter(|other| (other.address, other.port) != (instance.address, instance.port));
    let somebody = others.any(|other| serves(other) && !taken.contains(&drain::identity(other)));
    serves(instance) && !somebody
}

fn unknown(order: &Order) -> DrainError {
    let Order { address, .. } = order;
    let port = order
        .port
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let services = match &order.service {
        Some(service) => format!("service `{service}`, if a document names it, has no instance"),
        None => {
            "no service that documents name has an instance, and no document a node,".to_owned()
        }
    };
    DrainError::Unknown(format!("{services} at {address}{port}"))
}

fn unclear(choices: &[Choice], order: &Order) -> DrainError {
    let name = |choice: &Choice| format!("port {} of {}", choice.port(), choice.of());
    let names: Vec<_> = choices.iter().take(NAMES).map(name).collect();
    DrainError::Unclear(format!(
        "several instances are at {}: {}; give `port`, and `service` where that is not enough",
        order.address,
        names.join(", ")
    ))
}
