//! What one stream knows of one type: what the client wants, what it has, and what is on its way.
//!
//! What the client has is not kept name by name: it is "all I was sent comes from that snapshot" plus the exceptions, so
//! that an idle channel costs little and a diff costs what changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use crate::snapshot::{Accepted, Resource, ResourceType, Set, Snapshot, Version};

use super::request::listed::{Claims, Listed};
use super::request::{Names, Protocol, Request};
use super::subscription::{Subscription, WILDCARD};

mod deferred;
mod diff;
mod held;
mod in_flight;
mod settled;

use deferred::Deferred;
pub use diff::Diff;
pub use in_flight::InFlight;
use settled::Wait;

/// What a request meant, besides what it wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It answers nothing, or not the last response.
    Wish,
    /// The last response is accepted.
    Ack,
    /// The last response is refused, for this reason.
    Nack(String),
}

/// What one stream knows of one type.
#[derive(Debug)]
pub struct Channel {
    resource_type: ResourceType,
    /// What the client wants.
    pub subscription: Subscription,
    /// Whether the client asked for this type at all.
    pub started: bool,
    /// Whether the client uses what it has from an earlier stream.
    pub resumed: bool,
    /// Whether a first answer was given or is not needed.
    pub answered: bool,
    /// Where all that was sent comes from.
    pub sent: Option<Arc<Snapshot>>,
    /// What the client surely uses.
    pub acked: Option<Arc<Snapshot>>,
    /// What others need not wait for any longer: the client accepted it, or had time enough.
    pub settled: Option<Arc<Snapshot>>,
    /// Whether others wait for another form of what the client refused.
    wait: Wait,
    /// The one response on its way.
    pub in_flight: Option<InFlight>,
    /// The nonce of the last response.
    pub nonce: String,
    /// Whether there was nothing to say of `sent`, and no request came since.
    rests: bool,
    /// Names that the client asked for and has no answer to yet.
    asked: BTreeSet<Arc<str>>,
    /// Names to be sent even unchanged, because a resource that refers to them was; some may not be wanted (yet).
    pub forced: BTreeSet<Arc<str>>,
    /// Names in refused responses: what the client has of them is not known. Sent again with the next change of content.
    owed: BTreeSet<Arc<str>>,
    /// Whether `acked` is not all that the client may use, since it refused a part.
    pub mixed: bool,
    /// What the client still has though the snapshot has it no more, until it may be taken away.
    pub stale: BTreeMap<Arc<str>, Option<Arc<Resource>>>,
    /// The last snapshots that had these, until their removal is accepted: they may name what is gone as well.
    stale_from: Vec<Arc<Snapshot>>,
    /// Where resources came from that the client was sent though the snapshot had them no more, until it has another form.
    borrowed: BTreeMap<Arc<str>, Arc<Snapshot>>,
    /// All that the client has though `sent` does not: the stale, and what is never taken away. Its versions, where known.
    left: BTreeMap<Arc<str>, Option<Version>>,
    /// What the client has in another form than `sent` has, until it has accepted the children of that.
    deferred: BTreeMap<Arc<str>, Deferred>,
    /// Where others await this type: what was sent, and the client has accepted in no form yet.
    unproven: BTreeSet<Arc<str>>,
    /// Where this type awaits another: what was sent, not accepted yet, and the client has in another form.
    changing: BTreeSet<Arc<str>>,
    /// What the client says it has from an earlier stream, until the first answer.
    claimed: HashMap<String, Option<Version>>,
    claimed_version: Option<Version>,
    /// What the client accepted, and nobody was told of yet.
    accepted: Accepted,
    /// The versions of all parents with which the client was last found to want every child.
    wants_all_of: Option<[Version; 2]>,
}

impl Channel {
    /// A channel that the client has not used yet.
    pub fn new(resource_type: ResourceType) -> Self {
        Self {
            resource_type,
            subscription: Subscription::default(),
            started: false,
            resumed: false,
            answered: false,
            sent: None,
            acked: None,
            settled: None,
            wait: Wait::default(),
            in_flight: None,
            nonce: String::new(),
            rests: false,
            asked: BTreeSet::new(),
            forced: BTreeSet::new(),
            owed: BTreeSet::new(),
            mixed: false,
            stale: BTreeMap::new(),
            stale_from: Vec::new(),
            borrowed: BTreeMap::new(),
            left: BTreeMap::new(),
            deferred: BTreeMap::new(),
            unproven: BTreeSet::new(),
            changing: BTreeSet::new(),
            claimed: HashMap::new(),
            claimed_version: None,
            accepted: Accepted::nothing(resource_type),
            wants_all_of: None,
        }
    }

    /// Takes a request in; `latest` is the newest snapshot.
    pub fn handle(
        &mut self,
        request: Request,
        latest: Option<&Arc<Snapshot>>,
        now: Instant,
    ) -> Meaning {
        let first = !self.started;
        let answers_last = !first && request.nonce == self.nonce;
        // A nonce dies with its stream: the first request of a type answers nothing here.
        if !first
            && !answers_last
            && let Names::All { names, .. } = &request.names
        {
            // It has dropped what it does not name: if the next answer names that again, it is wanted anew.
            self.asked.extend(self.subscription.lacking(names));
            return Meaning::Wish;
        }
        self.started = true;
        self.rests = false;
        let meaning = match request.error {
            _ if !answers_last => Meaning::Wish,
            error => self.resolve(error, now),
        };
        self.want(request.names, first, latest);
        meaning
    }

    fn resolve(&mut self, error: Option<String>, now: Instant) -> Meaning {
        let Some(in_flight) = self.in_flight.take() else {
            return Meaning::Wish;
        };
        let all = in_flight.snapshot.set(self.resource_type);
        let Some(error) = error else {
            if in_flight.brings.is_none() {
                self.owed.retain(|name| all.find(name).is_none());
                self.unproven.retain(|name| all.find(name).is_none());
                self.changing.retain(|name| all.find(name).is_none());
            }
            for name in in_flight.brings.iter().flatten().chain(&in_flight.removes) {
                self.owed.remove(name);
                self.unproven.remove(name);
                self.changing.remove(name);
            }
            if in_flight.whole {
                self.owed.clear();
            }
            let partly = !self.owed.is_empty() || self.is_deferring();
            match &in_flight.brings {
                _ if !partly && self.wants_all(all) => {}
                Some(brings) => self.accept(brings.iter(), &in_flight.snapshot),
                None => self.accept_all(&in_flight.snapshot),
            }
            if self.owed.is_empty() {
                self.wait = Wait::Not;
            }
            self.settled = Some(in_flight.snapshot.clone());
            self.hold(in_flight.snapshot);
            return Meaning::Ack;
        };
        match self.wait {
            Wait::Not => self.wait = Wait::Since(now),
            Wait::Since(_) => {}
            Wait::Over => self.settled = Some(in_flight.snapshot.clone()),
        }
        self.mixed = true;
        self.owed.extend(in_flight.removes);
        match in_flight.brings {
            Some(brings) => self.owed.extend(brings),
            None => self.owed.extend(all.iter().map(|(name, _)| name.clone())),
        }
        Meaning::Nack(error)
    }

    fn want(&mut self, names: Names, first: bool, latest: Option<&Arc<Snapshot>>) {
        let full_state = self.resource_type.is_full_state();
        let forgets = matches!(names, Names::Change { .. });
        let difference = match names {
            Names::All { names, version } => {
                if first {
                    self.resumed = version.is_some();
                    self.claimed_version = version;
                }
                self.subscription.replace(names, full_state)
            }
            Names::Change {
                subscribe,
                unsubscribe,
                initial,
            } => {
                if first {
                    self.resumed = !initial.is_empty();
                    self.answered = self.resumed;
                    let latest = latest.filter(|_| unsubscribe.is_empty());
                    if let Some(latest) = latest
                        && self.is_all(&subscribe, &initial, latest.set(self.resource_type))
                    {
                        let set = latest.set(self.resource_type);
                        self.subscription.want_all(set, full_state);
                        self.sent = Some(latest.clone());
                        self.accept_all(latest);
                        return;
                    }
                    self.claimed = initial.by_name();
                }
                self.subscription
                    .change(&subscribe, unsubscribe, full_state, first)
            }
        };
        if !difference.dropped.is_empty() {
            self.wants_all_of = None;
        }
        for name in difference.dropped {
            self.asked.remove(&name);
            if forgets && self.subscription.is_wildcard() {
                // A delta client forgot it with the name, but still wants it as part of everything.
                self.asked.insert(name);
            }
        }
        if let Some(latest) = latest {
            self.subscription.share_all(latest.set(self.resource_type));
        }
        let subscription = &self.subscription;
        self.stale.retain(|name, _| subscription.has(name));
        self.left.retain(|name, _| subscription.has(name));
        self.borrowed.retain(|name, _| subscription.has(name));
        self.deferred.retain(|name, _| subscription.has(name));
        self.unproven.retain(|name| subscription.has(name));
        self.changing.retain(|name| subscription.has(name));
        let claimed = &self.claimed;
        let news = difference.asked.into_iter();
        self.asked
            .extend(news.filter(|name| !(first && claimed.contains_key(&**name))));
        if !self.owed.is_empty() {
            self.owed.retain(|name| subscription.has(name));
            if let Some(settled) = self.settled.clone() {
                self.hold(settled);
            }
        }
        if difference.wildcard_began && !first {
            self.look_again();
        }
    }

    /// Whether a client that comes back wants just what `set` has, and has it all: one sum for the whole says so.
    fn is_all(&self, subscribe: &Listed, initial: &Claims, set: &Set) -> bool {
        let wants_all = || {
            if self.resource_type.is_full_state() {
                subscribe.iter().all(|name| name == WILDCARD)
            } else {
                subscribe.len() == set.len() && subscribe.digest() == set.names().digest
            }
        };
        !set.is_empty()
            && initial.len() == set.len()
            && initial.version() == Some(set.version())
            && wants_all()
    }

    /// What was sent by name so far says nothing of the rest: everything is compared once.
    fn look_again(&mut self) {
        let known = self
            .subscription
            .names()
            .filter_map(|name| Some((name, self.sent_resource(name)?.version)));
        self.claimed = known
            .map(|(name, version)| (name.to_string(), Some(version)))
            .collect();
        self.sent = None;
        self.answered = false;
    }

    /// Moves on to `target` and tells what the client has to be sent for it. What is gone becomes stale first; what the
    /// client waits for, though it is gone, is taken from `earlier`. What must not go out before the client has accepted
    /// its children, which are in `awaited`, is deferred.
    pub fn advance(
        &mut self,
        target: &Arc<Snapshot>,
        earlier: &[Arc<Snapshot>],
        mut awaited: Option<&mut Channel>,
        protocol: Protocol,
    ) -> Diff {
        let mut diff = Diff::default();
        if self.has_nothing_new(target) && !self.is_deferring() {
            return diff;
        }
        if self.sent.is_none() && self.claimed_version == Some(self.version(target)) {
            self.asked.clear();
            self.sent = Some(target.clone());
            self.answered = true;
            let names: Vec<_> = self.subscription.names().cloned().collect();
            self.accept(names.iter(), target);
        }
        if self.resource_type.is_left_at_last() {
            self.leave_or_return(target);
        }
        let mut candidates = self.candidates(target);
        let is_due = || candidates.iter().any(|name| self.differs(name, target));
        if !self.owed.is_empty() && (is_due() || self.is_back(target)) {
            candidates.append(&mut self.take_owed(target, protocol));
        }
        let named = awaited.is_some().then(|| self.named_children());
        for name in candidates {
            let wanted = target.set(self.resource_type).find(&name);
            if let (Some(awaited), Some(named), Some(resource)) = (&mut awaited, &named, wanted)
                && self.defer(&name, resource, target, (&mut **awaited, named), protocol)
            {
                continue;
            }
            self.compare(&name, target, earlier, protocol, &mut diff);
        }
        self.asked.clear();
        let subscription = &self.subscription;
        self.forced.retain(|name| !subscription.has(name));
        // Told only now that there is what it can be compared with.
        let claimed = std::mem::take(&mut self.claimed).into_iter();
        let has = claimed.filter_map(|(name, version)| Some((name.into(), version?)));
        self.accepted.has.extend(has);
        self.claimed_version = None;
        self.sent = Some(target.clone());
        diff
    }

    /// The version of all that the client wants, has not refused, and `snapshot` has.
    pub fn version(&self, snapshot: &Snapshot) -> Version {
        let set = snapshot.set(self.resource_type);
        if self.subscription.is_wildcard() {
            return set.version();
        }
        let full_state = self.resource_type.is_full_state();
        let names = self
            .subscription
            .names()
            .filter(|name| full_state || !self.owed.contains(*name));
        let found = names.filter_map(|name| Some((name, set.find(name)?)));
        found.fold(Version::default(), |sum, (name, resource)| {
            sum.with(name, resource.version)
        })
    }

    fn candidates(&self, target: &Arc<Snapshot>) -> BTreeSet<Arc<str>> {
        let set = target.set(self.resource_type);
        let wanted = |name: &&Arc<str>| self.subscription.has(name);
        let must = self.asked.iter().chain(&self.forced);
        let mut candidates: BTreeSet<Arc<str>> = must.filter(wanted).cloned().collect();
        candidates.extend(self.deferred.keys().cloned());
        let sent = self.sent.as_ref();
        let changed = sent.and_then(|sent| target.changed_since(sent.sequence, self.resource_type));
        if let Some(changed) = changed {
            candidates.extend(changed.filter(wanted).cloned());
            return candidates;
        }
        if self.subscription.is_wildcard() {
            let before = sent
                .iter()
                .flat_map(|sent| sent.set(self.resource_type).iter());
            candidates.extend(set.iter().chain(before).map(|(name, _)| name.clone()));
            candidates.extend(self.claimed.keys().map(|name| name.as_str().into()));
        }
        candidates.extend(self.subscription.names().cloned());
        candidates
    }

    /// Content changed: what was refused is due again in its new form. Its old form is never sent again, even for a while.
    fn take_owed(&mut self, target: &Snapshot, protocol: Protocol) -> BTreeSet<Arc<str>> {
        let owed = std::mem::take(&mut self.owed);
        for name in &owed {
            if target.set(self.resource_type).find(name).is_some() {
                self.forced.insert(name.clone());
                continue;
            }
            if self.takes_away(protocol) {
                self.stale.entry(name.clone()).or_insert(None);
            }
            self.left.insert(name.clone(), None);
        }
        owed
    }

    /// Whether what was refused was another in between, and may be again what it was: whoever tries it anew waits for an answer.
    fn is_back(&self, target: &Snapshot) -> bool {
        self.sent.as_ref().is_some_and(|sent| {
            let changed = target.changed_since(sent.sequence, self.resource_type);
            changed.is_none_or(|mut changed| changed.any(|name| self.owed.contains(name)))
        })
    }

    fn compare(
        &mut self,
        name: &Arc<str>,
        target: &Arc<Snapshot>,
        earlier: &[Arc<Snapshot>],
        protocol: Protocol,
        diff: &mut Diff,
    ) {
        let held = self.held_version(name);
        let asked = self.asked.contains(name);
        let must = asked || self.forced.contains(name);
        let set = target.set(self.resource_type);
        let full_state = self.resource_type.is_full_state();
        let takes_away = self.takes_away(protocol);
        // Of what is left to the client it hears only when it asks.
        let says_gone = if self.resource_type.is_left() {
            asked && protocol == Protocol::Delta
        } else {
            must && takes_away
        };
        let awaited = earlier.iter().filter(|_| must).find_map(|earlier| {
            let resource = earlier.set(self.resource_type).find(name)?;
            Some((earlier, resource))
        });
        match (set.find(name), awaited) {
            (Some(resource), _) => {
                self.forget(name);
                if must || held != Some(Some(resource.version)) {
                    let name = set.name(name).unwrap_or(name);
                    self.subscription.share(name);
                    if self.resource_type.is_awaited() && (asked || held.is_none()) {
                        self.unproven.insert(name.clone());
                    }
                    let was_refused = self.forced.contains(name);
                    if self.resource_type.awaits().is_some() && held.is_some() && !was_refused {
                        self.changing.insert(name.clone());
                    }
                    diff.send.push((name.clone(), resource.clone()));
                }
            }
            (None, Some((from, resource))) => {
                diff.borrows = true;
                self.borrowed.insert(name.clone(), from.clone());
                if self.resource_type.is_awaited() {
                    self.unproven.insert(name.clone());
                }
                if takes_away {
                    self.stale.insert(name.clone(), Some(resource.clone()));
                }
                self.left.insert(name.clone(), Some(resource.version));
                diff.send.push((name.clone(), resource.clone()));
            }
            (None, None) if says_gone && !(full_state && held.is_some()) => {
                self.forget(name);
                diff.remove.push(name.clone());
            }
            (None, None) if self.leaves_all(target) && held.is_some() => self.leave(name),
            (None, None) => {
                let Some(version) = held else { return };
                if takes_away {
                    self.outlast(name);
                }
                self.left.entry(name.clone()).or_insert(version);
            }
        }
    }
}
