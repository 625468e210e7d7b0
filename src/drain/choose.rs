//! Which instance an order is about, and whether it may go. Pure.

#[cfg(test)]
mod tests;

use super::entry::Entries;
use super::{DrainError, Order};
use crate::model::drain::{self, Drain};
use crate::model::instance::Status;
use crate::model::{Instance, ServiceKey};
use crate::registry::Answer;

/// What an order is about.
#[derive(Debug, PartialEq)]
pub enum Choice<'a> {
    /// An instance that is being drained already.
    Drained(&'a Drain),
    /// An instance that is not.
    Instance(ServiceKey, &'a Instance),
}

/// The answers for services that an order is about, as far as it names one.
pub fn named<'a>(answers: &'a [Answer], order: &Order) -> impl Iterator<Item = &'a Answer> {
    answers
        .iter()
        .filter(|answer| is_named(&answer.service, order))
}

fn is_named(service: &ServiceKey, order: &Order) -> bool {
    let wanted = order.service.as_deref();
    wanted.is_none_or(|wanted| wanted == &*service.name || wanted == service.to_string())
}

/// Chooses among what the registries answered, and what is drained: a registry may not name the latter any more.
pub fn choose<'a>(
    answers: &'a [Answer],
    entries: &'a Entries,
    order: &Order,
) -> Result<Choice<'a>, DrainError> {
    let matching: Vec<_> = named(answers, order).collect();
    let at =
        |address, port| address == order.address && order.port.is_none_or(|wanted| wanted == port);
    let registrations = matching
        .iter()
        .flat_map(|answer| answer.instances.iter().map(|it| (&answer.service, it)))
        .filter(|(_, instance)| at(instance.address, instance.port));
    // A service may be asked for in several ways, and each answer has the instance.
    let known: Vec<(ServiceKey, &Instance)> =
        registrations.fold(Vec::new(), |mut known, (of, it)| {
            let same = |(service, other): &(ServiceKey, &Instance)| {
                *service == of.plain() && drain::identity(other) == drain::identity(it)
            };
            if !known.iter().any(same) {
                known.push((of.plain(), it));
            }
            known
        });
    // One that was registered anew in the same place is another instance.
    let replaced = |drain: &Drain| {
        let same = |(service, instance): &(ServiceKey, &Instance)| {
            *service == drain.service && instance.port == drain.port
        };
        known.iter().any(same)
    };
    let drained = entries
        .drains()
        .filter(|drain| {
            is_named(&drain.service, order) && at(drain.address, drain.port) && !replaced(drain)
        })
        .map(Choice::Drained);
    let serving = known.iter().any(|(_, instance)| serves(instance));
    // Of several registrations of one place, those that fail were left behind.
    let here = known.iter().filter(|(_, it)| !serving || serves(it));
    let mut choices: Vec<_> = here
        .map(|(service, instance)| of(entries, service, instance))
        .chain(drained)
        .collect();
    let choice = match choices.len() {
        0 => return Err(unknown(order)),
        1 => choices.remove(0),
        _ => return Err(unclear(&choices, order)),
    };
    if let Choice::Instance(service, instance) = &choice
        && !order.force
        && is_last(&matching, entries, service, instance)
    {
        return Err(DrainError::Conflict(format!(
            "{}:{} is the last healthy instance of {service}: nothing would answer its clients; \
             add `force` if that is meant",
            instance.address, instance.port
        )));
    }
    Ok(choice)
}

fn of<'a>(entries: &'a Entries, service: &ServiceKey, instance: &'a Instance) -> Choice<'a> {
    let same =
        |drain: &&Drain| drain.service == *service && drain.identity() == drain::identity(instance);
    let drain = entries.drains().find(same);
    drain.map_or_else(
        || Choice::Instance(service.clone(), instance),
        Choice::Drained,
    )
}

/// Whether an instance is healthy, and has a share of the traffic.
fn serves(instance: &Instance) -> bool {
    matches!(instance.status, Status::Passing | Status::Warning) && instance.weight > 0
}

/// Whether nobody else of the service would be left.
fn is_last(
    answers: &[&Answer],
    entries: &Entries,
    service: &ServiceKey,
    instance: &Instance,
) -> bool {
    let taken = entries.taken(service);
    let of_service = answers
        .iter()
        .filter(|answer| answer.service.plain() == *service);
    let mut others = of_service
        .flat_map(|answer| answer.instances.iter())
        .filter(|other| drain::identity(other) != drain::identity(instance));
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
        None => "no service that documents name has an instance".to_owned(),
    };
    DrainError::Unknown(format!("{services} at {address}{port} in the registry"))
}

fn unclear(choices: &[Choice], order: &Order) -> DrainError {
    let name = |choice: &Choice| match choice {
        Choice::Drained(drain) => format!("port {} of {}", drain.port, drain.service),
        Choice::Instance(service, instance) => format!("port {} of {service}", instance.port),
    };
    let names: Vec<_> = choices.iter().map(name).collect();
    DrainError::Unclear(format!(
        "several instances are at {}: {}; give `port`, and `service` where that is not enough",
        order.address,
        names.join(", ")
    ))
}
