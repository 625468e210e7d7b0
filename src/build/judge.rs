//! What proxies say of resources: rolled back, withdrawn, let out again. And whose document it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::trial::{Trial, Verdict};
use crate::model::Kind;
use crate::snapshot::{Change, Outcome, Resource, ResourceType};

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

    /// The resources that proxies refuse, and why.
    pub(super) fn refused(&self) -> impl Iterator<Item = (ResourceType, &Arc<str>, &Arc<str>)> {
        let trials = ResourceType::ALL.into_iter().zip(&self.by_type);
        trials.flat_map(|(resource_type, trial)| {
            let refused: &BTreeMap<_, _> = trial.refused();
            refused
                .iter()
                .map(move |(name, error)| (resource_type, name, error))
        })
    }

    /// A proxy accepted or refused a snapshot; `next` is the sequence of the one in which that has consequences.
    pub(super) fn handle_outcome(&mut self, outcome: &Outcome, next: u64) -> Verdict<Arc<str>> {
        let (after, sequence) = (outcome.after, outcome.sequence);
        let trial = &mut self.by_type[outcome.resource_type.index()];
        let verdict = match &outcome.error {
            None => Verdict {
                touched: trial.handle_ack(sequence, next),
                refused: Vec::new(),
            },
            Some(error) => {
                let named = |name: &Arc<str>| mentions(error, name);
                trial.handle_nack(after, sequence, error, next, named)
            }
        };
        let touched = verdict.touched.iter();
        self.touched
            .extend(touched.map(|name| (outcome.resource_type, name.clone())));
        verdict
    }

    /// Rolls the nodes of refused clusters back with them, as one document holds both.
    pub(super) fn refuse_nodes(&mut self, clusters: &[Arc<str>], error: &Arc<str>, next: u64) {
        const NODES: ResourceType = ResourceType::LoadAssignment;
        let trial = &mut self.by_type[NODES.index()];
        let theirs: Vec<_> = clusters
            .iter()
            .filter(|name| trial.wanted(name).is_some())
            .cloned()
            .collect();
        let touched = trial.refuse(theirs, error, next).touched.into_iter();
        self.touched.extend(touched.map(|name| (NODES, name)));
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
