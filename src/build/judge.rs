//! What proxies say of resources: rolled back, withdrawn, let out again. And whose document it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::acceptance::UnprovenResource;
use super::trial::{Refusal, Trial, Verdict};
use crate::model::Kind;
use crate::snapshot::{Accepted, Change, Refused, Resource, ResourceType};

/// Resources of every type but route tables, and which of them proxies refuse.
#[derive(Debug, Default)]
pub(super) struct Trials {
    by_type: [Trial<Arc<str>, Resource>; ResourceType::ALL.len()],
    /// Resources whose wanted form is the same, and whose form in force is another one.
    touched: Vec<(ResourceType, Arc<str>)>,
}

impl Trials {
    /// Whether a form of the resource is in force.
    pub(super) fn is_placed(&self, resource_type: ResourceType, name: &Arc<str>) -> bool {
        self.by_type[resource_type.index()].placed(name).is_some()
    }

    /// The resource of this name as it is to be.
    pub(super) fn wanted(&self, of: ResourceType, name: &str) -> Option<&Arc<Resource>> {
        self.by_type[of.index()].wanted(&name.into())
    }

    /// The resources that proxies refuse, and why.
    pub(super) fn refused(&self) -> impl Iterator<Item = (ResourceType, &Arc<str>, &Refusal)> {
        let trials = ResourceType::ALL.into_iter().zip(&self.by_type);
        trials.flat_map(|(resource_type, trial)| {
            let refused: &BTreeMap<_, _> = trial.refused();
            let refused = refused.iter();
            refused.map(move |(name, refusal)| (resource_type, name, refusal))
        })
    }

    /// Whether anything that becomes of a document is in force, and nothing of it is refused.
    pub(super) fn have_in_force(&self, document: &str) -> bool {
        let is_of = |of: ResourceType, name: &str| document_of(of, name) == document;
        let mut refused = self.refused();
        if refused.any(|(of, name, _)| is_of(of, name)) {
            return false;
        }
        let mut trials = ResourceType::ALL.into_iter().zip(&self.by_type);
        trials.any(|(of, trial)| trial.all_wanted().any(|(name, _)| is_of(of, name)))
    }

    /// Those whose wanted form no proxy has accepted.
    pub(super) fn unproven(&self) -> impl Iterator<Item = UnprovenResource> {
        let trials = ResourceType::ALL.into_iter().zip(&self.by_type);
        trials.flat_map(|(of, trial)| {
            let unproven = trial.unproven();
            unproven.map(move |(name, unproven)| (of, name.clone(), unproven))
        })
    }

    /// Takes what an earlier process knew of these.
    pub(super) fn restore(&mut self, unproven: &[UnprovenResource], next: u64) {
        for of in ResourceType::ALL {
            let theirs = unproven.iter().filter(|(one, ..)| *one == of);
            let theirs = theirs.map(|(_, name, unproven)| (name.clone(), unproven.clone()));
            let held = self.by_type[of.index()].restore(theirs.collect(), next);
            self.touch(of, held);
        }
    }

    /// Whether what is served of a type is what the earlier process served.
    pub(super) fn judge_restored(
        &mut self,
        of: ResourceType,
        is_same: bool,
        unproven: &[UnprovenResource],
        next: u64,
    ) {
        let theirs = unproven.iter().filter(|(one, ..)| *one == of);
        let names: Vec<_> = theirs.map(|(_, name, _)| name.clone()).collect();
        let tried = self.by_type[of.index()].judge_restored(is_same, &names, next);
        self.touch(of, tried);
    }

    /// A proxy accepted what it was sent; `next` is the sequence of the snapshot in which that has consequences. Tells which
    /// resources have another form in force.
    pub(super) fn handle_accepted(&mut self, accepted: &Accepted, next: u64) -> Vec<Arc<str>> {
        let resource_type = accepted.resource_type;
        let trial = &mut self.by_type[resource_type.index()];
        let mut touched = Vec::new();
        for (name, version) in &accepted.has {
            let is_it = |resource: &Resource| resource.version == *version;
            let is_newest = trial.wanted(name).is_some_and(|wanted| is_it(wanted));
            let is_other_now = if is_newest {
                trial.acquit(name, next)
            } else {
                trial.accept_other(name, is_it, next)
            };
            if is_other_now {
                touched.push(name.clone());
            }
        }
        if let Some(sequence) = accepted.sequence {
            touched.extend(trial.handle_ack(sequence, accepted.whole, next));
        }
        self.touch(resource_type, touched.iter().cloned());
        touched
    }

    /// A proxy refused what it was sent; `next` is the sequence of the snapshot in which that has consequences.
    pub(super) fn handle_refused(&mut self, refused: &Refused, next: u64) -> Verdict<Arc<str>> {
        let named = |name: &Arc<str>| mentions(&refused.error, name);
        let trial = &mut self.by_type[refused.resource_type.index()];
        let (after, sequence) = (refused.after, refused.sequence);
        let verdict = trial.handle_nack(after, sequence, &Refusal::from(refused), next, named);
        self.touch(refused.resource_type, verdict.touched.iter().cloned());
        verdict
    }

    /// A proxy is gone. Tells which types have other forms in force.
    pub(super) fn handle_left(&mut self, node: &str, next: u64) -> Vec<ResourceType> {
        let mut concerned = Vec::new();
        for resource_type in ResourceType::ALL {
            let touched = self.by_type[resource_type.index()].handle_left(node, next);
            if !touched.is_empty() {
                concerned.push(resource_type);
            }
            self.touch(resource_type, touched);
        }
        concerned
    }

    /// Tries the resources of a document again. Tells which types have other forms in force.
    pub(super) fn release(&mut self, document: &str, next: u64) -> Vec<ResourceType> {
        let refused = self.refused();
        let theirs = refused.filter(|(of, name, _)| document_of(*of, name) == document);
        let theirs: Vec<_> = theirs.map(|(of, name, _)| (of, name.clone())).collect();
        for (resource_type, name) in &theirs {
            self.by_type[resource_type.index()].release(name, next);
            self.touch(*resource_type, [name.clone()]);
        }
        theirs.into_iter().map(|(of, _)| of).collect()
    }

    fn touch(&mut self, of: ResourceType, names: impl IntoIterator<Item = Arc<str>>) {
        let touched = names.into_iter().map(|name| (of, name));
        self.touched.extend(touched);
    }

    /// Rolls the nodes of refused clusters back with them, as one document holds both.
    pub(super) fn refuse_nodes(&mut self, clusters: &[Arc<str>], refusal: &Refusal, next: u64) {
        const NODES: ResourceType = ResourceType::LoadAssignment;
        let came = |of: ResourceType, name| self.by_type[of.index()].came(name);
        let trial = &self.by_type[NODES.index()];
        // Those that were accepted before have nothing to be rolled back to; those that came with the cluster go with it, also if
        // the proxy that refuses the cluster accepted them.
        let theirs = clusters.iter().filter(|name| {
            trial.is_unproven(name) || came(NODES, name) == came(ResourceType::Cluster, name)
        });
        let theirs: Vec<_> = theirs.cloned().collect();
        let touched = self.by_type[NODES.index()].refuse_for_need(theirs, refusal, next);
        self.touch(NODES, touched);
    }

    /// What was to be in the next snapshot is in this one.
    pub(super) fn handle_snapshot(&mut self, sequence: u64) {
        for trial in &mut self.by_type {
            trial.handle_snapshot(sequence);
        }
    }

    /// What of the wanted changes is to be in force, and what else is to be since proxies spoke. `revision` tells how recent
    /// the wanted forms are.
    pub(super) fn place(&mut self, wanted: Vec<Change>, revision: i64, next: u64) -> Vec<Change> {
        let mut changes = Vec::with_capacity(wanted.len() + self.touched.len());
        for change in wanted {
            let Change {
                resource_type,
                name,
                resource,
            } = change;
            let trial = &mut self.by_type[resource_type.index()];
            let version =
                |resource: Option<&Arc<Resource>>| resource.map(|resource| resource.version);
            if version(trial.wanted(&name)) != version(resource.as_ref()) {
                trial.want(&name, resource, revision, next);
                if resource_type == ResourceType::Cluster {
                    let nodes = &mut self.by_type[ResourceType::LoadAssignment.index()];
                    if nodes.release(&name, next) {
                        changes.push((ResourceType::LoadAssignment, name.clone()));
                    }
                }
            }
            changes.push((resource_type, name));
        }
        changes.append(&mut self.touched);
        let in_force = changes.into_iter().filter_map(|(resource_type, name)| {
            let trial = &self.by_type[resource_type.index()];
            let resource = trial.placed(&name).cloned();
            // What others name is never withdrawn: proxies keep what they have of it, and would wait for it without.
            let stays = resource_type.is_secret() && trial.wanted(&name).is_some();
            (resource.is_some() || !stays).then_some(Change {
                resource_type,
                name,
                resource,
            })
        });
        in_force.collect()
    }
}

impl From<&Refused> for Refusal {
    fn from(refused: &Refused) -> Self {
        Self::new(refused.error.clone(), refused.node.clone(), refused.at)
    }
}

/// Whether a proxy's words name a thing: as a whole word, for `route/a` is not `route/ab`.
pub(super) fn mentions(words: &str, name: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    words.match_indices(name).any(|(at, _)| {
        let after = &words[at + name.len()..];
        // A sentence may end in a full stop.
        let after = after
            .strip_prefix('.')
            .filter(|rest| !rest.starts_with(inside))
            .unwrap_or(after);
        !words[..at].ends_with(inside) && !after.starts_with(inside)
    })
}

/// The document that a resource comes from.
pub(super) fn document_of(resource_type: ResourceType, name: &str) -> String {
    match (resource_type, name.split_once('/')) {
        (ResourceType::Listener, Some((gateway, _))) => format!("gateways/{gateway}"),
        // What a plugin adds is named after its document as well: `route/echo/traffic-split/0`.
        (_, Some((kind, rest))) if Kind::ALL.iter().any(|one| one.singular() == kind) => {
            let id = rest.split('/').next().unwrap_or(rest);
            format!("{kind}s/{id}")
        }
        _ => name.to_owned(),
    }
}
