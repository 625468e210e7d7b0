//! What the client has accepted, what it refuses, and how long others wait for it. Decides nothing about what is sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::snapshot::{Accepted, ResourceType, Set, Snapshot};

use super::{Channel, InFlight};

/// Whether others wait for another form of what the client refused.
#[derive(Debug, Default, Clone, Copy)]
pub(super) enum Wait {
    /// Nothing is refused.
    #[default]
    Not,
    /// Something has been, without a pause, since then.
    Since(Instant),
    /// It was waited for long enough.
    Over,
}

impl Channel {
    /// What the client accepted since this was last asked.
    pub fn take_accepted(&mut self) -> Option<Accepted> {
        if self.accepted.is_empty() {
            return None;
        }
        let nothing = Accepted::nothing(self.resource_type);
        Some(std::mem::replace(&mut self.accepted, nothing))
    }

    /// The response on its way, while others have to wait for its answer.
    pub fn awaited(&self) -> Option<&InFlight> {
        let settled = self.settled.as_ref().map(|settled| settled.sequence);
        let in_flight = self.in_flight.as_ref();
        in_flight.filter(|in_flight| settled.is_none_or(|at| at < in_flight.snapshot.sequence))
    }

    /// Until when others wait for another form of what the client refused, if they may for so long.
    pub fn refused_until(&self, patience: Duration) -> Option<Instant> {
        let (Wait::Since(since), Some(sent)) = (self.wait, &self.sent) else {
            return None;
        };
        let settled = self.settled.as_ref();
        let waits = settled.is_none_or(|settled| settled.sequence < sent.sequence);
        (waits && self.is_refused()).then_some(since + patience)
    }

    /// Others have waited long enough for what the client refused, and do not again before it accepts.
    pub fn wait_no_more(&mut self) {
        self.wait = Wait::Over;
        self.settled = self.sent.clone();
    }

    /// There is nothing to send for this snapshot: others need not wait, unless for what the client refused.
    pub fn settle(&mut self, snapshot: &Arc<Snapshot>) {
        if self.owed.is_empty() {
            self.wait = Wait::Not;
        }
        if !matches!(self.wait, Wait::Since(_)) {
            self.settled = Some(snapshot.clone());
        }
    }

    /// The snapshots whose clusters the client may use by what it has, or is sent, of this type.
    pub fn used(&self) -> impl Iterator<Item = &Arc<Snapshot>> {
        let in_flight = self.in_flight.as_ref().map(|in_flight| &in_flight.snapshot);
        let accepted = self.acked.iter().chain(in_flight);
        accepted.chain(self.borrowed.values())
    }

    /// Whether some names are to be answered even if nothing changed.
    pub fn is_asked(&self) -> bool {
        !self.asked.is_empty() || !self.forced.is_empty()
    }

    /// There is nothing to say of what was sent, until something happens.
    pub fn rest(&mut self) {
        self.rests = true;
    }

    /// Whether it is known that there is nothing to say of `target`, as for most types of a stream whenever anything happens.
    pub fn rests_at(&self, target: &Arc<Snapshot>) -> bool {
        self.rests
            && self.has_nothing_new(target)
            && !self.is_deferring()
            && !self.is_refused()
            && self.stale.is_empty()
    }

    pub(super) fn has_nothing_new(&self, target: &Arc<Snapshot>) -> bool {
        let same = |sent| Arc::ptr_eq(sent, target);
        self.sent.as_ref().is_some_and(same) && !self.is_asked()
    }

    /// Whether something was refused that was not sent again.
    pub fn is_refused(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Whether a resource was refused and not sent again.
    pub fn owes(&self, name: &str) -> bool {
        self.owed.contains(name)
    }

    /// The client uses what `snapshot` has, unless something of it was refused or is not sent yet.
    pub fn hold(&mut self, snapshot: Arc<Snapshot>) {
        if self.owed.is_empty() && !self.is_deferring() {
            let set = snapshot.set(self.resource_type);
            let whole = self.wants_all(set) || self.has_every_table(&snapshot);
            let has_any = || {
                let mut names = self.subscription.names();
                names.any(|name| set.find(name).is_some())
            };
            // Whoever was sent nothing has accepted nothing.
            if whole || has_any() {
                self.accepted.whole = whole;
                self.accepted.sequence = Some(snapshot.sequence);
            }
            self.acked = Some(snapshot);
            self.mixed = false;
            self.release();
        }
    }

    /// Whether the client has all route tables that listeners name, or all that scopes do: each of them is enough for every request.
    fn has_every_table(&mut self, snapshot: &Snapshot) -> bool {
        const PARENTS: [ResourceType; 2] = [
            ResourceType::Listener,
            ResourceType::ScopedRouteConfiguration,
        ];
        let waits = !self.asked.is_empty() || self.in_flight.is_some();
        if self.resource_type != ResourceType::RouteConfiguration || waits {
            return false;
        }
        let sets = PARENTS.map(|parent| snapshot.set(parent));
        let versions = sets.map(|set| set.version());
        if self.wants_all_of == Some(versions) {
            return true;
        }
        let wants_all = sets.into_iter().any(|set| {
            let children = set.iter().flat_map(|(_, parent)| parent.children.iter());
            let mut tables = children
                .filter(|(of, _)| *of == self.resource_type)
                .peekable();
            tables.peek().is_some() && tables.all(|(_, name)| self.subscription.has(name))
        });
        self.wants_all_of = wants_all.then_some(versions);
        wants_all
    }

    /// The client has these as the snapshot has them.
    pub(super) fn accept<'a>(
        &mut self,
        names: impl Iterator<Item = &'a Arc<str>>,
        snapshot: &Snapshot,
    ) {
        let set = snapshot.set(self.resource_type);
        let found = names.filter_map(|name| Some((name.clone(), set.find(name)?.version)));
        self.accepted.has.extend(found);
    }

    /// The client has all of the type as the snapshot has it. Nothing is told by name of those that want all there is.
    pub(super) fn accept_all(&mut self, snapshot: &Snapshot) {
        let set = snapshot.set(self.resource_type);
        if !self.wants_all(set) || !self.owed.is_empty() || self.is_deferring() {
            self.accept(set.iter().map(|(name, _)| name), snapshot);
        }
    }

    /// Whether all that there is, is wanted: as a whole, or each instance's service by name, as there are thousands of them.
    pub(super) fn wants_all(&self, set: &Set) -> bool {
        let of_instances = self.resource_type == ResourceType::LoadAssignment;
        self.subscription.is_wildcard() || (of_instances && self.subscription.names_all(set))
    }
}
