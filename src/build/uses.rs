//! Clusters and load assignments: there as long as somebody uses them. Notes which of them are to be translated anew.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::model::drain::Touched;
use crate::model::{Cluster, Members, Node, ServiceKey};
use crate::translate;

/// Clusters and load assignments, and who uses them.
#[derive(Debug, Default)]
pub(super) struct Uses {
    clusters: HashMap<Arc<str>, Used<Arc<Cluster>>>,
    assignments: HashMap<Arc<str>, Used<Members>>,
    /// The load assignments of each service's instances.
    assigned: BTreeMap<ServiceKey, BTreeSet<Arc<str>>>,
    dirty_clusters: HashSet<Arc<str>>,
    dirty_assignments: HashSet<Arc<str>>,
}

/// Something that is there as long as it is used.
#[derive(Debug)]
struct Used<T> {
    by: usize,
    what: T,
}

impl Uses {
    /// One more uses the cluster, which is in this form now if it is the newest.
    pub(super) fn retain(&mut self, cluster: &Arc<Cluster>, newest: bool) {
        self.dirty_clusters.insert(cluster.name.clone());
        let used = self
            .clusters
            .entry(cluster.name.clone())
            .or_insert_with(|| Used {
                by: 0,
                what: cluster.clone(),
            });
        used.by += 1;
        if newest {
            used.what = cluster.clone();
        }
    }

    /// One that used the cluster does no longer.
    pub(super) fn release(&mut self, name: &Arc<str>) {
        if let Some(used) = self.clusters.get_mut(name) {
            used.by -= 1;
        }
        self.dirty_clusters.insert(name.clone());
    }

    pub(super) fn users(&self, name: &str) -> usize {
        self.clusters.get(name).map_or(0, |used| used.by)
    }

    /// A service has other instances. Tells whether a load assignment is of them.
    pub(super) fn handle_answer(&mut self, service: &ServiceKey) -> bool {
        let assigned = self.assigned.get(service);
        let names = assigned.into_iter().flatten();
        self.dirty_assignments.extend(names.cloned());
        assigned.is_some()
    }

    /// Instances of services, wherever these are asked for, or nodes were taken out or put back. Tells whether a load assignment,
    /// or a cluster in which its nodes stand, has them.
    pub(super) fn handle_drained(&mut self, touched: &Touched) -> bool {
        let mut concerned = false;
        for service in &touched.services {
            let plain = service.plain();
            // Wherever a service is asked for, it comes right behind the one that says nothing but its name.
            let assigned = self.assigned.range(plain.clone()..);
            for (_, names) in assigned.take_while(|(of, _)| of.plain() == plain) {
                concerned = true;
                self.dirty_assignments.extend(names.iter().cloned());
            }
        }
        if touched.nodes.is_empty() {
            return concerned;
        }
        let is_touched = |members: &Members| match members {
            Members::Nodes(nodes) => {
                let mut places = nodes.iter().filter_map(Node::place);
                places.any(|place| touched.nodes.contains(&place))
            }
            Members::Service(_) => false,
        };
        for (name, used) in &self.clusters {
            if !is_touched(&used.what.upstream.members) {
                continue;
            }
            concerned = true;
            let assignment = load_assignment_of(&used.what);
            match assignment.filter(|name| self.assignments.contains_key(name)) {
                Some(assignment) => drop(self.dirty_assignments.insert(assignment)),
                None => drop(self.dirty_clusters.insert(name.clone())),
            }
        }
        concerned
    }

    /// The clusters that are to be translated anew; from here on they are not.
    pub(super) fn take_clusters(&mut self) -> HashSet<Arc<str>> {
        std::mem::take(&mut self.dirty_clusters)
    }

    /// The same of load assignments.
    pub(super) fn take_assignments(&mut self) -> HashSet<Arc<str>> {
        std::mem::take(&mut self.dirty_assignments)
    }

    /// The cluster as it is wanted, if anybody still uses it. Brings the use of its load assignment in line, where it used
    /// `before`.
    pub(super) fn settle_cluster(
        &mut self,
        name: &Arc<str>,
        before: Option<Arc<str>>,
    ) -> Option<Arc<Cluster>> {
        if self.users(name) == 0 {
            self.clusters.remove(name);
        }
        let cluster = self.clusters.get(name).map(|used| used.what.clone());
        let after = cluster.as_deref().and_then(load_assignment_of);
        if before != after {
            self.release_assignment(before);
            self.retain_assignment(after, cluster.as_deref());
        } else if let (Some(assignment), Some(cluster)) = (&after, &cluster)
            && let Some(used) = self.assignments.get_mut(assignment)
            && used.what != cluster.upstream.members
        {
            // One name, one service: nodes only.
            used.what = cluster.upstream.members.clone();
            self.dirty_assignments.insert(assignment.clone());
        }
        cluster
    }

    /// Who is in a load assignment, if anybody still uses it.
    pub(super) fn settle_assignment(&mut self, name: &Arc<str>) -> Option<&Members> {
        if self.assignments.get(name).is_some_and(|used| used.by == 0)
            && let Some(unused) = self.assignments.remove(name)
        {
            self.forget_assigned(name, &unused.what);
        }
        self.assignments.get(name).map(|used| &used.what)
    }

    fn retain_assignment(&mut self, name: Option<Arc<str>>, cluster: Option<&Cluster>) {
        if let (Some(name), Some(cluster)) = (name, cluster) {
            for service in cluster.services() {
                let assigned = self.assigned.entry(service.clone());
                assigned.or_default().insert(name.clone());
            }
            let what = cluster.upstream.members.clone();
            let used = self
                .assignments
                .entry(name.clone())
                .or_insert(Used { by: 0, what });
            used.by += 1;
            self.dirty_assignments.insert(name);
        }
    }

    fn release_assignment(&mut self, name: Option<Arc<str>>) {
        if let Some(name) = name
            && let Some(used) = self.assignments.get_mut(&name)
        {
            used.by -= 1;
            self.dirty_assignments.insert(name);
        }
    }

    fn forget_assigned(&mut self, name: &Arc<str>, members: &Members) {
        let Members::Service(discovered) = members else {
            return;
        };
        for service in discovered.services() {
            if let Some(assigned) = self.assigned.get_mut(service)
                && assigned.remove(name)
                && assigned.is_empty()
            {
                self.assigned.remove(service);
            }
        }
    }
}

/// The load assignment that a cluster asks for; none when Envoy resolves its nodes' names itself.
pub(super) fn load_assignment_of(cluster: &Cluster) -> Option<Arc<str>> {
    match &cluster.upstream.members {
        Members::Nodes(nodes) if translate::resolved_by_envoy(nodes) => None,
        _ => Some(cluster.load_assignment()),
    }
}
