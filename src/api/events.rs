//! The stream of what happens.

use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tonic::Status;

use crate::snapshot::{ResourceType, Tallies, Tally};
use crate::xds::events::{Event, What};

use super::listing::one_of;
use super::shares::count;
use super::{Api, pb};

/// How long nothing may be said: what is written to a client that is gone fails, which gives its place back.
pub const ALIVE: Duration = Duration::from_secs(30);

/// The kinds of events, as the contract names them.
const KINDS: &[&str] = &["published", "answer", "written"];
/// How many documents of a change are named.
const NAMED: usize = 100;

/// What happens from now on of what is asked for, until the process ends.
pub fn watch(
    api: &Api,
    asked: pb::WatchRequest,
) -> Result<BoxStream<'static, Result<pb::Event, Status>>, Status> {
    for kind in &asked.kind {
        one_of("kind", kind, KINDS)?;
    }
    let place = api.lasting.events.take()?;
    let watch = api.gateways.events().watch();
    let over = api.shutdown.clone().cancelled_owned();
    let begun = (watch, asked, place);
    let events = stream::unfold(begun, async |(mut watch, asked, place)| {
        let event = next(&mut watch, &asked).await?;
        Some((Ok(event), (watch, asked, place)))
    });
    Ok(events.take_until(over).boxed())
}

async fn next(events: &mut Receiver<Event>, asked: &pb::WatchRequest) -> Option<pb::Event> {
    let wanted = async {
        loop {
            match events.recv().await {
                Ok(event) if !is_asked(asked, &event.what) => {}
                other => return other,
            }
        }
    };
    let (at, event) = match tokio::time::timeout(ALIVE, wanted).await {
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

/// Whether an event is among what is asked for.
fn is_asked(asked: &pb::WatchRequest, what: &What) -> bool {
    let (kind, of, by) = match what {
        What::Published { gateway, .. } => ("published", &**gateway, ""),
        What::Answered { gateway, node, .. } => ("answer", &**gateway, &**node),
        What::Written { .. } => ("written", "", ""),
    };
    (asked.kind.is_empty() || asked.kind.iter().any(|one| one == kind))
        && (asked.gateway.is_empty() || asked.gateway == of)
        && (asked.node.is_empty() || asked.node == by)
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
        What::Written { revision, paths } => pb::event::Event::Written(pb::Written {
            revision,
            documents: paths.iter().take(NAMED).map(ToString::to_string).collect(),
            count: count(paths.len()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_some_events_hears_of_no_others() {
        let written = What::Written {
            revision: 7,
            paths: ["routes/a".into()].into(),
        };
        let published = |gateway: &str| What::Published {
            gateway: gateway.into(),
            version: Default::default(),
            revision: 7,
            tallies: Default::default(),
        };
        let asked = |kinds: &[&str], gateway: &str| pb::WatchRequest {
            kind: kinds.iter().map(ToString::to_string).collect(),
            gateway: gateway.to_owned(),
            node: String::new(),
        };
        let all = asked(&[], "");
        assert!(is_asked(&all, &written) && is_asked(&all, &published("a")));
        let some = asked(&["written", "answer"], "");
        assert!(is_asked(&some, &written) && !is_asked(&some, &published("a")));
        let of = asked(&[], "a");
        assert!(is_asked(&of, &published("a")) && !is_asked(&of, &published("b")));
        assert!(!is_asked(&of, &written));
        let node = pb::WatchRequest {
            node: "envoy-1".to_owned(),
            ..all
        };
        assert!(!is_asked(&node, &published("a")));
    }
}
