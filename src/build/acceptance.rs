//! What the proxies of a cohort have accepted of what they are served, kept over a restart: it is no suspect after it, and what
//! they refuse keeps its accepted form.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::trial::Refusal;
use super::{Builder, Inputs};
use crate::cohort::Cohort;
use crate::documents::Route;
use crate::model::{Document, Id};
use crate::snapshot::{Resource, ResourceType, Snapshot, Version};

/// What the proxies of a cohort have accepted: all that they are served, but for what is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    pub gateway: Id,
    pub cohort: Cohort,
    /// Who is there, or was a moment ago, by `node.id`.
    pub nodes: BTreeSet<Arc<str>>,
    /// By type, the version of all that is served: another Chancery may make something else of the same documents, and of
    /// that nothing is known.
    pub versions: [Version; ResourceType::ALL.len()],
    /// Routes whose newest form nobody has accepted; an accepted one is known by what it was made of.
    pub routes: Vec<(Id, Unproven<Vec<Document>>)>,
    /// The same of other resources.
    pub resources: Vec<UnprovenResource>,
}

/// A resource whose wanted form no proxy has accepted, by type and name.
pub type UnprovenResource = (ResourceType, Arc<str>, Unproven<Arc<Resource>>);

/// A thing whose wanted form no proxy has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven<F> {
    /// The last form that one has accepted.
    pub good: Option<F>,
    /// Whether the wanted one was held as a suspect, in the search for what is refused.
    pub searched: bool,
    /// Why the wanted one is held, where it was found.
    pub refusal: Option<Refusal>,
}

impl<F> Unproven<F> {
    /// The same with another kind of form.
    pub fn map<G>(self, form: impl FnOnce(F) -> Option<G>) -> Unproven<G> {
        Unproven {
            good: self.good.and_then(form),
            searched: self.searched,
            refusal: self.refusal,
        }
    }
}

/// The versions of all that is served, by type.
fn versions(snapshot: &Snapshot) -> [Version; ResourceType::ALL.len()] {
    ResourceType::ALL.map(|of| snapshot.set(of).version())
}

impl Builder {
    /// What its proxies have accepted; nothing of those that are nobody, or may be anybody.
    pub fn acceptance(&self, gateway: &Id, nodes: BTreeSet<Arc<str>>) -> Option<Acceptance> {
        let cohort = self.cohort().filter(|cohort| !cohort.is_foreign())?;
        Some(Acceptance {
            gateway: gateway.clone(),
            cohort: cohort.clone(),
            nodes,
            versions: versions(&self.current),
            routes: self.routes.unproven().collect(),
            resources: self.trials.unproven().collect(),
        })
    }

    /// Takes what its proxies had accepted in an earlier process, whose documents are known and no others yet.
    pub fn restore(
        &mut self,
        known: &Acceptance,
        remade: impl Fn(&Id, Vec<Document>) -> Option<Arc<Route>>,
        inputs: &Inputs<'_>,
        other: Option<&Snapshot>,
    ) {
        let routes = known.routes.iter().cloned().map(|(id, unproven)| {
            let unproven = unproven.map(|texts| remade(&id, texts));
            (id, unproven)
        });
        let (next, uses) = (self.next_sequence(), &mut self.uses);
        self.routes.restore_unproven(routes.collect(), next, uses);
        // Now the resources are wanted that can be held.
        self.advance(inputs, other);
        self.trials.restore(&known.resources, self.next_sequence());
        self.edge.touch();
        self.advance(inputs, other);
        let (next, now) = (self.next_sequence(), versions(&self.current));
        let is_same = |of: ResourceType| {
            // Which instances there are is no matter of forms.
            let is_same = now[of.index()] == known.versions[of.index()];
            is_same || of == ResourceType::LoadAssignment
        };
        for of in ResourceType::ALL {
            let resources = &known.resources;
            self.trials.judge_restored(of, is_same(of), resources, next);
        }
        let ids: Vec<Id> = known.routes.iter().map(|(id, _)| id.clone()).collect();
        let is_same = is_same(ResourceType::RouteConfiguration);
        self.routes
            .judge_restored(is_same, &ids, next, &mut self.uses);
        self.edge.touch();
    }
}
