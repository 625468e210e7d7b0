//! All documents, with the last good form of each, and what follows from a change.

use std::sync::Arc;

use crate::registry::ServiceKey;
use crate::store::{Change, Document};

use super::{Gateway, Id, Problem, Route};

/// What [`Documents::settle`] found different from the last time.
#[derive(Debug, Default)]
pub struct Changes {
    /// Routes that came, changed or went.
    pub routes: Vec<(Id, Option<Arc<Route>>)>,
    /// Gateways that came, changed or went; `default` is there without being written.
    pub gateways: Vec<(Id, Option<Arc<Gateway>>)>,
    /// Services that a document names now and none did before.
    pub services_added: Vec<ServiceKey>,
    /// Services that no document names any more.
    pub services_removed: Vec<ServiceKey>,
    /// Documents whose problem is new or another one.
    pub problems: Vec<Problem>,
    /// Sources of documents whose problem is gone.
    pub mended: Vec<Arc<str>>,
    /// Things accepted that Envoy does not do exactly, new since the last time.
    pub warnings: Vec<Problem>,
    /// Documents that are bad and of which no good form is known: their earlier form is worth asking for.
    pub formless: Vec<Document>,
}

/// All documents. Pure: told of changes, asked for what follows.
#[derive(Debug, Default)]
pub struct Documents {}

impl Documents {
    /// Takes all there is; a document that is not in it is gone.
    pub fn list(&mut self, _documents: Vec<Document>) {}

    /// Takes one change.
    pub fn apply(&mut self, _change: Change) {}

    /// Takes an earlier form of a document that has no good form; ignored when it has one by now, or is gone.
    pub fn earlier(&mut self, _document: Document) {}

    /// Follows references and tells what is different from the last time. Costs what changed.
    pub fn settle(&mut self) -> Changes {
        Changes::default()
    }

    /// How many documents are bad now.
    pub fn rejected(&self) -> usize {
        0
    }
}
