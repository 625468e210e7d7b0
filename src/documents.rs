//! All documents, with the last good form of each, and what follows from a change.
//!
//! A document that is bad keeps its last good form, and a route that refers to nothing keeps the form in which it was
//! last resolved, with the upstream it had then. Only a deletion forgets. Must not do I/O: what a store should be asked
//! for is in [`Changes::formless`].

mod consumers;
mod edge;
pub mod effective;
mod ends;
mod entry;
mod global_rules;
mod helpers;
mod in_force;
mod no_route;
mod plugin_config;
mod reader;
mod references;
mod resolve;
mod route;
pub mod schema;
mod secrets;
mod service;
mod settle;
mod shown;
mod sources;
mod status;
pub(crate) mod stream_route;
mod text;
mod told;
mod uses;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::model::document::Change;
use crate::model::problem::Remark;
use crate::model::{
    Asked, Cluster, Consumers, Discovery, Document, Gateway, Id, Keyring, Lookup, Problem,
    ServiceKey,
};

use consumers::Registered;
use ends::Ends;
use entry::{Entry, GoodForm};
use global_rules::GlobalRules;
use in_force::InForce;
pub use reader::Reader;
use references::References;
pub use route::Route;
use secrets::Secrets;
pub use sources::remade;
pub use status::DocumentStatus;
pub(crate) use text::{json, read as text};
use told::Told;

use uses::Uses;

/// What [`Documents::settle`] found different from the last time.
#[derive(Debug, Default)]
pub struct Changes {
    /// Routes that came, changed or went.
    pub routes: Vec<(Id, Option<Arc<Route>>)>,
    /// Gateways that came, changed or went, with their ssls and stream routes; `default` is there without being written.
    pub gateways: Vec<(Id, Option<Arc<Gateway>>)>,
    /// All consumers, when they are others than before.
    pub consumers: Option<Arc<Consumers>>,
    /// Services that a document names now and none did before.
    pub services_added: Vec<ServiceKey>,
    /// Services that no document names any more.
    pub services_removed: Vec<ServiceKey>,
    /// What others are to be asked, when it is something else than before.
    pub secrets: Option<Arc<Asked>>,
    /// Documents that wait for an answer and did not, or for something else.
    pub waiting: Vec<Problem>,
    /// Whether others wait than before.
    pub others_wait: bool,
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
#[derive(Debug)]
pub struct Documents {
    reader: Reader,
    /// By the store's path, as everything here.
    entries: HashMap<Arc<str>, Entry>,
    references: References,
    uses: Uses,
    secrets: Secrets,
    /// Documents whose good form came, changed or went since the last time.
    dirty: BTreeSet<Arc<str>>,
    /// Documents of which something else is to be told, while their good form is the same.
    reworded: BTreeSet<Arc<str>>,
    rules: GlobalRules,
    /// The texts that these were made of.
    rule_texts: Arc<[Document]>,
    consumers: Registered,
    in_force: InForce,
    ends: Ends,
    told: Told,
}

impl Documents {
    /// No documents yet. Those to come may name services of `registries`, and are in the clear.
    pub fn new(registries: Vec<Discovery>) -> Self {
        Self::read_by(Reader::new(
            registries,
            Keyring::default(),
            Lookup::default(),
        ))
    }

    /// No documents yet.
    pub fn read_by(reader: Reader) -> Self {
        Self {
            reader,
            entries: HashMap::new(),
            references: References::default(),
            uses: Uses::default(),
            secrets: Secrets::default(),
            dirty: BTreeSet::new(),
            reworded: BTreeSet::new(),
            rules: GlobalRules::default(),
            rule_texts: Arc::default(),
            consumers: Registered::default(),
            in_force: InForce::default(),
            ends: Ends::default(),
            told: Told::default(),
        }
    }

    /// Takes all there is; a document that is not in it is gone.
    pub fn list(&mut self, documents: Vec<Document>) {
        let listed: HashSet<_> = documents.iter().map(|document| &document.path).collect();
        let gone: Vec<_> = self
            .entries
            .keys()
            .filter(|path| !listed.contains(path))
            .cloned()
            .collect();
        for path in gone {
            self.delete(&path);
        }
        for document in documents {
            self.put(document);
        }
    }

    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Put(document) => self.put(document),
            Change::Deleted { path } => self.delete(&path),
        }
    }

    /// Takes an earlier form of a document that has no good form, or whose form a proxy refused; ignored when it has one by now, or is gone.
    pub fn earlier(&mut self, document: Document) {
        let path = document.path.clone();
        self.reread(path, |entry, reader| entry.earlier(document, reader));
    }

    /// Has a document read something anew, which says whether its good form is another then.
    fn reread(&mut self, path: Arc<str>, read: impl FnOnce(&mut Entry, &Reader) -> bool) {
        let Some(entry) = self.entries.get_mut(&path) else {
            return;
        };
        let (before, names) = (entry.form().cloned(), entry.names());
        let is_another = read(entry, &self.reader);
        self.secrets.replace(&path, &names, &entry.names());
        if is_another {
            self.adopt(path, before);
        } else {
            self.reworded.insert(path);
        }
    }

    /// A proxy refused what a document becomes, and accepted no form of it that is still known: the form before it is
    /// worth asking for.
    pub fn refuse(&mut self, path: &str, error: &str) {
        if let Some((path, _)) = self.entries.get_key_value(path)
            && let path = path.clone()
            && let Some(entry) = self.entries.get_mut(&path)
        {
            let error = match self.reader.lookup().is_in(error) {
                true => "its words have a secret in them, and are not shown",
                false => error,
            };
            entry.refuse(Remark::whole(format!("a proxy refused it: {error}")));
            self.reworded.insert(path);
        }
    }

    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// How many documents are bad now.
    pub fn rejected(&self) -> usize {
        self.told.faults().count()
    }

    /// What is wrong now, in the order of paths.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.told.faults().map(|(_, problem)| problem)
    }

    /// Every document as it was last written, and its last good text where that is another.
    pub fn texts(&self) -> impl Iterator<Item = (&Document, Option<&Document>)> {
        self.entries.values().map(Entry::texts)
    }

    /// The last good text of each document that has one.
    pub fn forms(&self) -> impl Iterator<Item = &Document> {
        let good = self.entries.values().filter(|entry| entry.form().is_some());
        good.map(|entry| {
            let (newest, good) = entry.texts();
            good.unwrap_or(newest)
        })
    }

    /// The clusters that traffic may go to, each with the path of the document in force that sends it there.
    pub fn clusters(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Cluster>)> {
        self.in_force.clusters()
    }

    /// The paths of documents with a problem, and it.
    pub fn faults(&self) -> impl Iterator<Item = (&Arc<str>, &Problem)> {
        self.told.faults()
    }

    /// The revision that wrote the text of a document.
    pub fn revision(&self, path: &str) -> Option<i64> {
        self.entries.get(path).map(Entry::revision)
    }

    /// No proxy is left that refused the document, or it is to be tried again: where an earlier form took its place, its newest
    /// text is read anew. Tells whether one had.
    pub fn release(&mut self, path: &str) -> bool {
        let Some(entry) = self.entries.get_mut(path).filter(|entry| entry.given_up) else {
            return false;
        };
        let document = entry.texts().0.clone();
        let path = document.path.clone();
        self.reread(path, |entry, reader| entry.put(document, reader));
        true
    }

    fn put(&mut self, document: Document) {
        if is_bookkeeping(&document) {
            return;
        }
        let path = document.path.clone();
        let Some(held) = self.entries.get_mut(&path) else {
            let entry = Entry::new(document, &self.reader);
            self.secrets
                .replace(&path, &BTreeSet::new(), &entry.names());
            self.entries.insert(path.clone(), entry);
            return self.adopt(path, None);
        };
        if held.holds(&document) {
            return;
        }
        self.reread(path, |entry, reader| entry.put(document, reader));
    }

    fn delete(&mut self, path: &Arc<str>) {
        if let Some(entry) = self.entries.remove(path) {
            self.secrets.replace(path, &entry.names(), &BTreeSet::new());
            self.adopt(path.clone(), entry.form().cloned());
        }
    }

    /// A document has another good form than `before`: what it refers to is counted anew.
    fn adopt(&mut self, path: Arc<str>, before: Option<GoodForm>) {
        let now = self.entries.get(&path).and_then(Entry::form);
        for service in now.into_iter().flat_map(GoodForm::services) {
            self.uses.retain(service);
        }
        for service in before.iter().flat_map(GoodForm::services) {
            self.uses.release(service);
        }
        let references =
            |form: Option<&GoodForm>| form.map(GoodForm::references).unwrap_or_default();
        self.references
            .replace(&path, references(before.as_ref()), references(now));
        self.dirty.insert(path);
    }
}

/// What APISIX writes for itself: `routes/` with `init_dir` or `{}` in it for a folder, and `data_plane/…` about its nodes.
fn is_bookkeeping(document: &Document) -> bool {
    match document.path.split_once('/') {
        Some(("data_plane", _)) => true,
        None | Some((_, "")) => matches!(document.value.trim_ascii(), b"init_dir" | b"{}"),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests;
