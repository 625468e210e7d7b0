//! The stream of what happens.

use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tonic::Status;

use crate::snapshot::{ResourceType, Tallies, Tally};
use crate::xds::events::{Event, What};

use super::{Api, pb};

/// How long nothing may be said: what is written to a client that is gone fails, which gives its place back.
pub const ALIVE: Duration = Duration::from_secs(30);

/// What happens from now on, until the process ends.
pub fn watch(api: &Api) -> Result<BoxStream<'static, Result<pb::Event, Status>>, Status> {
    let place = api.lasting.events.take()?;
    let watch = api.gateways.events().watch();
    let over = api.shutdown.clone().cancelled_owned();
    let events = stream::unfold((watch, place), async |(mut watch, place)| {
        let event = next(&mut watch).await?;
        Some((Ok(event), (watch, place)))
    });
    Ok(events.take_until(over).boxed())
}

async fn next(events: &mut Receiver<Event>) -> Option<pb::Event> {
    let (at, event) = match tokio::time::timeout(ALIVE, events.recv()).await {
        Ok(Ok(event)) => (event.at, Some(message(event.what))),
        Ok(Err(RecvError::Lagged(events))) => {
            let missed = pb::event::Event::Missed(pb::Missed { events });
            (SystemTime::now(), Some(missed))
        }
        Ok(Err(RecvError::Closed)) => return None,
        Err(_) => (SystemTime::now(), None),
    };
    Some(pb::Event {
        time: Some(at.into()),
        event,
    })
}

fn message(what: What) -> pb::event::Event {
    match what {
        What::Published {
            gateway,
            version,
            revision,
            tallies,
        } => pb::event::Event::Published(pb::Published {
            gateway: gateway.to_string(),
            version: version.to_string(),
            revision,
            changes: changes(&tallies),
        }),
        What::Answered {
            node,
            gateway,
            answer,
        } => pb::event::Event::Answer(pb::Answer {
            node: node.to_string(),
            gateway: gateway.to_string(),
            r#type: answer.resource_type.as_str().to_owned(),
            version: answer.version.to_string(),
            revision: answer.revision,
            took: answer.took.try_into().ok(),
            error: answer.error.clone().unwrap_or_default(),
        }),
    }
}

fn changes(tallies: &Tallies) -> Vec<pb::Tally> {
    let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
    let changed = tallies
        .iter()
        .zip(ResourceType::ALL)
        .filter(|(tally, _)| **tally != Tally::default());
    changed
        .map(|(tally, resource_type)| pb::Tally {
            r#type: resource_type.as_str().to_owned(),
            added: count(tally.added),
            changed: count(tally.changed),
            removed: count(tally.removed),
        })
        .collect()
}
