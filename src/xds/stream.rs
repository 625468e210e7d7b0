//! One ADS stream as a state machine: requests and snapshots in, responses out. No sockets, no tasks; time is an argument.
//!
//! Make before break: clusters go first, at once to the newest snapshot, their load assignments and secrets right behind
//! them, as the client settles no cluster without; extension configs, listeners and routes follow to the snapshot whose
//! clusters are settled, routes never ahead of the extension configs. A cluster is taken away when nothing that the client
//! uses, or is about to use, can name it; a secret or an extension config never is. At most one response of a type is on its
//! way.

mod entries;
mod removal;
pub mod view;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::snapshot::{Accepted, ResourceType, Snapshot, Version};

use super::channel::{Channel, Diff, InFlight, Meaning};
use super::request::{Protocol, Request};
use super::response::{self, Response};

/// How long routes wait for what the client does not acknowledge (a cluster warms as long as a name takes to resolve, or a
/// first health check), so that a client is never kept waiting for good.
pub const GATE: Duration = Duration::from_secs(15);

/// The types whose answer others wait for.
const GATED: [ResourceType; 2] = [ResourceType::Cluster, ResourceType::ExtensionConfig];

/// What a request answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    pub resource_type: ResourceType,
    /// The version of what the client has, or refused.
    pub version: Version,
    /// The store's revision of the snapshot that the response brought.
    pub revision: i64,
    /// That snapshot.
    pub sequence: u64,
    /// The snapshot that the client had accepted before.
    pub after: Option<u64>,
    /// From the hand-out of the response to its answer.
    pub took: Duration,
    /// Why it was refused, if it was.
    pub error: Option<String>,
}

#[derive(Debug)]
pub struct Stream {
    protocol: Protocol,
    latest: Option<Arc<Snapshot>>,
    channels: [Channel; ResourceType::ALL.len()],
    nonces: u64,
    /// Until when a client that came back with clusters may still say which routes and listeners it uses.
    resuming_until: Option<Instant>,
    /// Whether the last response of clusters took some away: adding and taking away never share a response.
    removed_last: bool,
}

impl Stream {
    /// A stream on which nothing was said yet.
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            latest: None,
            channels: ResourceType::ALL.map(Channel::new),
            nonces: 0,
            resuming_until: None,
            removed_last: false,
        }
    }

    /// Takes the newest snapshot; what it changes goes out with the next responses.
    pub fn handle_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        self.latest = Some(snapshot);
    }

    /// Whether a request answers a response that is not the last one of its type.
    pub fn is_outdated(&self, request: &Request) -> bool {
        let channel = self.channel(request.resource_type);
        channel.started && !request.nonce.is_empty() && request.nonce != channel.nonce
    }

    /// Takes a request, and tells which response it answered, if any.
    pub fn handle_request(&mut self, request: Request, now: Instant) -> Option<Acknowledgement> {
        let resource_type = request.resource_type;
        let channel = &mut self.channels[resource_type.index()];
        let first = !channel.started;
        let in_flight = channel.in_flight.as_ref();
        let response = in_flight.map(|one| (one.snapshot.clone(), one.version, one.since));
        let after = channel.acked.as_ref().map(|acked| acked.sequence);
        let meaning = channel.handle(request, self.latest.as_ref(), now);
        if first && resource_type == ResourceType::Cluster && channel.resumed {
            self.resuming_until = Some(now + GATE);
        }
        let error = match meaning {
            Meaning::Wish => return None,
            Meaning::Ack => None,
            Meaning::Nack(error) => Some(error),
        };
        let (snapshot, version, since) = response?;
        Some(Acknowledgement {
            resource_type,
            version,
            revision: snapshot.revision,
            sequence: snapshot.sequence,
            after,
            took: now.saturating_duration_since(since),
            error,
        })
    }

    /// When to call [`poll_response`](Self::poll_response) again though nothing came in.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let awaited = GATED.map(|each| self.channel(each).awaited());
        let gates = awaited
            .into_iter()
            .chain([self.extensions_on_their_way()])
            .flatten()
            .map(|in_flight| in_flight.since + GATE);
        let clusters = self.channel(ResourceType::Cluster);
        let resuming = self
            .resuming_until
            .filter(|_| !clusters.stale.is_empty() || self.defers_unheard());
        gates
            .chain(resuming)
            .chain(clusters.refused_until(GATE))
            .min()
    }

    /// The next response, or nothing until something comes in.
    pub fn poll_response(&mut self, now: Instant) -> Option<Response> {
        self.open_gate(now);
        // Routes once more, as scopes may need them anew; and clusters: types that had nothing to say may have moved on, and
        // name fewer clusters now.
        ResourceType::ALL
            .into_iter()
            .chain([ResourceType::RouteConfiguration, ResourceType::Cluster])
            .find_map(|resource_type| self.poll_type(resource_type, now))
    }

    /// Whether the client was sent all of the newest snapshot that it wants, and accepted it.
    pub fn is_synced(&self) -> bool {
        let Some(latest) = &self.latest else {
            return false;
        };
        let mut channels = self.channels.iter().filter(|channel| channel.started);
        channels.all(|channel| {
            let acked = channel.acked.as_ref();
            acked.is_some_and(|acked| acked.sequence == latest.sequence)
                && channel.in_flight.is_none()
                && channel.stale.is_empty()
                && !channel.is_deferring()
        })
    }

    /// The store's revision of the snapshot that the client has accepted all of; 0 when of none.
    pub fn revision(&self) -> i64 {
        let started = self.channels.iter().filter(|channel| channel.started);
        let acked = started.map(|channel| channel.acked.as_ref().map_or(0, |acked| acked.revision));
        acked.min().unwrap_or_default()
    }

    /// The snapshot up to which the client has accepted all that it wants; 0 when none.
    pub fn sequence(&self) -> u64 {
        let started = self.channels.iter().filter(|channel| channel.started);
        let acked = started.map(|channel| channel.acked.as_ref().map_or(0, |acked| acked.sequence));
        acked.min().unwrap_or_default()
    }

    /// What the client accepted of a type since this was last asked.
    pub fn take_accepted(&mut self, resource_type: ResourceType) -> Option<Accepted> {
        self.channels[resource_type.index()].take_accepted()
    }

    /// Up to which snapshot the client has answered what it was sent of a type; nothing while a response is on its way.
    pub fn answered(&self, resource_type: ResourceType) -> Option<u64> {
        let channel = self.channel(resource_type);
        if !channel.started {
            return Some(u64::MAX);
        }
        let sent = channel.sent.as_ref().map_or(0, |sent| sent.sequence);
        channel.in_flight.is_none().then_some(sent)
    }

    /// How many names of a type the client wants by name.
    pub fn names(&self, resource_type: ResourceType) -> usize {
        self.channel(resource_type).subscription.names().len()
    }

    fn channel(&self, resource_type: ResourceType) -> &Channel {
        &self.channels[resource_type.index()]
    }

    fn open_gate(&mut self, now: Instant) {
        for each in GATED {
            let channel = &mut self.channels[each.index()];
            if let Some(in_flight) = &mut channel.in_flight
                && now.saturating_duration_since(in_flight.since) >= GATE
            {
                in_flight.overdue = true;
                channel.settled = Some(in_flight.snapshot.clone());
            }
        }
        let clusters = &mut self.channels[ResourceType::Cluster.index()];
        if clusters
            .refused_until(GATE)
            .is_some_and(|until| now >= until)
        {
            clusters.wait_no_more();
        }
        self.resuming_until = self.resuming_until.filter(|until| now < *until);
    }

    fn poll_type(&mut self, resource_type: ResourceType, now: Instant) -> Option<Response> {
        let channel = self.channel(resource_type);
        if !channel.started || channel.in_flight.is_some() {
            return None;
        }
        let target = self.target(resource_type)?;
        if channel
            .sent
            .as_ref()
            .is_some_and(|sent| sent.sequence > target.sequence)
        {
            return None;
        }
        if channel.rests_at(&target) {
            return None;
        }
        if resource_type == ResourceType::Cluster {
            return self.poll_clusters(&target, now);
        }
        let mut diff = self.advance(resource_type, &target);
        diff.remove.extend(self.take_removable(resource_type));
        self.respond(resource_type, &target, diff, now)
    }

    fn poll_clusters(&mut self, target: &Arc<Snapshot>, now: Instant) -> Option<Response> {
        const CLUSTER: ResourceType = ResourceType::Cluster;
        if !self.removed_last {
            let response = self.poll_removed_clusters(now);
            if response.is_some() {
                return response;
            }
        }
        let diff = self.advance(CLUSTER, target);
        let response = self.respond(CLUSTER, target, diff, now);
        if response.is_some() {
            self.removed_last = false;
            return response;
        }
        self.poll_removed_clusters(now)
    }

    fn poll_removed_clusters(&mut self, now: Instant) -> Option<Response> {
        let clusters = self.channel(ResourceType::Cluster);
        if self.protocol == Protocol::Sotw && clusters.is_refused() {
            // The state of the world would bring what was refused once more.
            return None;
        }
        let sent = clusters.sent.clone()?;
        let remove = self.take_removable(ResourceType::Cluster);
        let diff = Diff {
            remove,
            ..Diff::default()
        };
        if diff.is_empty() {
            return None;
        }
        self.removed_last = true;
        self.respond(ResourceType::Cluster, &sent, diff, now)
    }

    /// The extension configs that are on their way, while routes wait for them.
    fn extensions_on_their_way(&self) -> Option<&InFlight> {
        let in_flight = self
            .channel(ResourceType::ExtensionConfig)
            .in_flight
            .as_ref();
        in_flight.filter(|one| !one.overdue)
    }

    /// The snapshot that a type may move on to.
    fn target(&self, resource_type: ResourceType) -> Option<Arc<Snapshot>> {
        let clusters = self.channel(ResourceType::Cluster);
        let waits = match resource_type {
            ResourceType::Cluster | ResourceType::LoadAssignment | ResourceType::Secret => false,
            ResourceType::ExtensionConfig
            | ResourceType::Listener
            | ResourceType::RouteConfiguration
            | ResourceType::ScopedRouteConfiguration => clusters.started,
        };
        let target = if waits {
            clusters.settled.as_ref()?
        } else {
            self.latest.as_ref()?
        };
        // What is on its way arrives first, and what is newer goes behind it: also where it brings nothing that is not settled, as a
        // client that asked for more is sent it.
        let extensions = self.channel(ResourceType::ExtensionConfig);
        let sent = self.extensions_on_their_way().and(extensions.sent.as_ref());
        let bound = sent.filter(|sent| {
            resource_type == ResourceType::RouteConfiguration && sent.sequence < target.sequence
        });
        Some(bound.unwrap_or(target).clone())
    }

    fn advance(&mut self, resource_type: ResourceType, target: &Arc<Snapshot>) -> Diff {
        let earlier = self.earlier(resource_type);
        let protocol = self.protocol;
        let awaited = resource_type.awaits().filter(|awaited| {
            // A client that came back may still say what it has of it, and one that was sent something is about to ask for it.
            let channel = self.channel(resource_type);
            let asks = !channel.resumed || channel.acked.is_some();
            self.channel(*awaited).started
                || (self.channel(ResourceType::Listener).started && asks)
                || self.resuming_until.is_some()
        });
        let (before, channel) = self.channels.split_at_mut(resource_type.index());
        let [channel, ..] = channel else {
            return Diff::default();
        };
        let awaited = awaited.and_then(|awaited| before.get_mut(awaited.index()));
        let diff = channel.advance(target, &earlier, awaited, protocol);
        if resource_type.awaits().is_some() {
            // What is named by something new is asked for, and what is named by something changed is there.
            return diff;
        }
        let sent = diff.send.iter();
        for (child, name) in sent.flat_map(|(_, resource)| resource.children.iter()) {
            self.channels[child.index()].forced.insert(name.clone());
        }
        diff
    }

    /// Whether something is deferred for want of types that the client has not asked for yet.
    fn defers_unheard(&self) -> bool {
        let scopes = self.channel(ResourceType::ScopedRouteConfiguration);
        scopes.is_deferring() && !self.channel(ResourceType::RouteConfiguration).started
    }

    /// The snapshots of parents that the client uses, or is sent: they are not warm without their children, even if these
    /// are gone since.
    fn earlier(&self, resource_type: ResourceType) -> Vec<Arc<Snapshot>> {
        if !self.channel(resource_type).is_asked() {
            return Vec::new();
        }
        let parents = resource_type.parents().iter();
        let used = parents
            .map(|parent| self.channel(*parent))
            .flat_map(|parent| {
                let in_flight = parent
                    .in_flight
                    .as_ref()
                    .map(|in_flight| &in_flight.snapshot);
                let kept = parent.kept_from();
                in_flight.into_iter().chain(&parent.acked).chain(kept)
            });
        used.cloned().collect()
    }

    fn respond(
        &mut self,
        resource_type: ResourceType,
        target: &Arc<Snapshot>,
        diff: Diff,
        now: Instant,
    ) -> Option<Response> {
        let protocol = self.protocol;
        let channel = &mut self.channels[resource_type.index()];
        let first_wildcard = channel.subscription.is_wildcard() && !channel.answered;
        if diff.is_empty() && !first_wildcard {
            channel.hold(target.clone());
            channel.settle(target);
            channel.rest();
            return None;
        }
        let (entries, resources, version) = match protocol {
            Protocol::Delta => entries::delta(resource_type, target, &diff),
            Protocol::Sotw => entries::sotw(channel, resource_type, target, &diff),
        };
        let whole = protocol == Protocol::Sotw && resource_type.is_full_state();
        if whole {
            channel.replace_all();
        }
        let names = diff.send.iter().map(|(name, _)| name.clone());
        let brings = (!diff.sends_all(target.set(resource_type))).then(|| names.collect());
        self.nonces += 1;
        channel.nonce = self.nonces.to_string();
        channel.answered = true;
        channel.in_flight = Some(InFlight {
            snapshot: target.clone(),
            version,
            since: now,
            overdue: false,
            whole,
            brings,
            removes: diff.remove.clone(),
        });
        let removed: &[Arc<str>] = match protocol {
            Protocol::Delta => &diff.remove,
            Protocol::Sotw => &[],
        };
        Some(Response {
            resource_type,
            version,
            revision: target.revision,
            nonce: channel.nonce.clone(),
            resources,
            removed: diff.remove.len(),
            pieces: response::encode(
                resource_type.type_url(),
                version,
                &channel.nonce,
                &entries,
                removed,
            ),
        })
    }
}

#[cfg(test)]
mod tests;
