//! The loop: one task, sole owner of all inputs. Takes what the store and the registries say, derives snapshots, publishes
//! them. Knows "not yet known" from "empty": nothing is published before both have answered.
//!
//! *Architecture Invariant:* no I/O here; an error of a source never reaches this loop, so it cannot empty anything.

mod arrival;
mod builders;
mod drains;
pub mod foresight;
mod kept;
mod large;
mod missing;
mod outside;
mod pace;
mod problems;
mod publish;
pub mod question;
mod readiness;
mod recall;
mod refused;
mod report;
mod restored;
mod saved;
mod services;
mod since;
mod traced;
mod unjudged;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::documents::{Documents, Reader};
use crate::model::document::Change;
use crate::model::{
    Asked, Discovery, Document, Drains, Keyring, Lookup, ServiceKey, Subject, Verdict,
};
use crate::registry::Answer;
use crate::registry::freshness::Freshness;
use crate::state::{SaveRequest, Saved};
use crate::store::{self, PriorRevision};
use crate::telemetry::{Metrics, Source};
use crate::xds::gateways::{Gateways, Heard, Said};

pub use arrival::Arrived;
use builders::Builders;
pub use kept::KeepLost;
use kept::Turn;
use large::LargeTables;
use missing::Missing;
use outside::Outside;
use publish::Publication;
use question::{Doubted, Question};
use readiness::Readiness;
use recall::Recall;
use refused::Refused;
use restored::Restored;
use services::Services;
pub use services::Wanted;
use unjudged::Unjudged;

/// What the loop is connected to.
#[derive(Debug)]
pub struct Inputs {
    /// What the store tells.
    pub events: mpsc::Receiver<Arrived<store::Event>>,
    /// Asks the store for earlier forms.
    pub earlier: mpsc::Sender<PriorRevision>,
    /// What the registries tell.
    pub answers: mpsc::Receiver<Arrived<Answer>>,
    /// Tells each registry that there is what to watch.
    pub wanted: HashMap<Discovery, watch::Sender<Wanted>>,
    /// What proxies say of snapshots.
    pub said: Heard,
    /// How the store fares.
    pub store: Source,
    /// How the registries fare.
    pub registries: HashMap<Discovery, Source>,
    /// When each service was last known to be as it was answered.
    pub freshness: Freshness,
    /// Whether the store's first listing is believed, however little is left of what was saved.
    pub accept_store: bool,
    /// When instances stay that Consul took away, and how long.
    pub keep_lost: KeepLost,
    /// What opens encrypted fields of documents.
    pub keyring: Keyring,
    /// What references to secrets in documents stand for.
    pub lookup: Lookup,
    /// Tells what others are to be asked, and what they say.
    pub asked: watch::Sender<Arc<Asked>>,
    pub outside: mpsc::Receiver<Arrived<Vec<(Subject, Verdict)>>>,
    /// How secret managers and identity providers fare.
    pub others: [Source; 2],
    /// What an earlier process saved.
    pub saved: Option<Saved>,
    /// Asks for what is to be saved.
    pub wishes: mpsc::Receiver<SaveRequest>,
    /// What others ask.
    pub questions: mpsc::Receiver<Question>,
}

enum Input {
    Store(store::Event),
    Registry(Answer),
    Outside(Vec<(Subject, Verdict)>),
    Proxy(Said),
}

/// The loop's state: all inputs, what follows from them, and what is told of that.
struct Control {
    documents: Documents,
    missing: Missing,
    drains: Drains,
    services: Services,
    outside: Outside,
    builders: Builders,
    large: LargeTables,
    refused: Refused,
    unjudged: Unjudged,
    /// What the store is still to be asked.
    recall: Recall,
    readiness: Readiness,
    restored: Restored,
    /// Whether what was told differs from what was saved last.
    unsaved: bool,
    publication: Publication,
    metrics: Arc<Metrics>,
}

/// Runs until `shutdown`, or until the store is gone.
pub async fn run(
    mut inputs: Inputs,
    gateways: Arc<Gateways>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) {
    let mut control = Control::new(&inputs, gateways, metrics);
    if let Some(saved) = inputs.saved.take() {
        control.restore(saved);
    }
    loop {
        let due = control.due(Instant::now());
        let input = tokio::select! {
            event = inputs.events.recv() => match event {
                Some(event) => Some((Input::Store(event.what), event.at)),
                None => break,
            },
            Some(answer) = inputs.answers.recv() => Some((Input::Registry(answer.what), answer.at)),
            Some(told) = inputs.outside.recv() => Some((Input::Outside(told.what), told.at)),
            Some(said) = inputs.said.recv() => Some((Input::Proxy(said), Instant::now())),
            () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => None,
            Ok(place) = inputs.earlier.reserve(), if !control.recall.is_empty() => {
                control.recall.ask(place, &inputs.earlier);
                None
            }
            Some(wish) = inputs.wishes.recv(), if control.is_to_be_saved() => {
                control.grant(wish);
                None
            }
            Some(question) = inputs.questions.recv() => {
                control.answer(question);
                None
            }
            () = shutdown.cancelled() => break,
        };
        let now = Instant::now();
        if let Some((input, at)) = input {
            control.arrive(input, at, now);
            while let Ok(event) = inputs.events.try_recv() {
                control.arrive(Input::Store(event.what), event.at, now);
            }
            while let Ok(answer) = inputs.answers.try_recv() {
                control.arrive(Input::Registry(answer.what), answer.at, now);
            }
            while let Ok(told) = inputs.outside.try_recv() {
                control.arrive(Input::Outside(told.what), told.at, now);
            }
            while let Ok(said) = inputs.said.try_recv() {
                control.handle(Input::Proxy(said), now);
            }
            control.settle();
        }
        control.let_go(Instant::now());
        if control.hear_out(now) {
            while let Ok(said) = inputs.said.try_recv() {
                control.handle(Input::Proxy(said), now);
            }
            control.settle();
            control.judge();
        }
        control.publish_if_due(Instant::now());
    }
    // Once more at the end, so that the next start knows how fresh it is.
    if control.is_worth_saving()
        && let Some(wish) = inputs.wishes.recv().await
    {
        control.grant(wish);
    }
}

impl Control {
    fn new(inputs: &Inputs, gateways: Arc<Gateways>, metrics: Arc<Metrics>) -> Self {
        let (store, registries) = (inputs.store.clone(), inputs.registries.clone());
        let watched = inputs.wanted.keys().copied().collect();
        let reader = Reader::new(watched, inputs.keyring.clone(), inputs.lookup.clone());
        Self {
            documents: Documents::read_by(reader),
            missing: Missing::new(inputs.accept_store),
            drains: Drains::default(),
            services: Services::new(
                inputs.wanted.clone(),
                inputs.freshness.clone(),
                inputs.keep_lost,
            ),
            outside: Outside::new(
                inputs.asked.clone(),
                inputs.others.clone(),
                inputs.saved.as_ref().map(|saved| saved.secrets.clone()),
            ),
            builders: Builders::default(),
            large: LargeTables::default(),
            refused: Refused::default(),
            unjudged: Unjudged::default(),
            recall: Recall::default(),
            readiness: Readiness::default(),
            restored: Restored::new(store, registries, inputs.saved.as_ref()),
            unsaved: false,
            publication: Publication::new(gateways),
            metrics,
        }
    }

    /// When to look again though nothing came in.
    fn due(&self, now: Instant) -> Option<Instant> {
        let publishing = if self.readiness.is_open() {
            let touched = self.builders.are_touched();
            touched.then(|| self.publication.pace.due(now))
        } else {
            self.readiness.deadline()
        };
        let kept = self.services.kept().deadline();
        let judging = self.unjudged.due(now);
        publishing.into_iter().chain(kept).chain(judging).min()
    }

    fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Store(event) => self.handle_store(event, now),
            Input::Registry(answer) => self.handle_answer(answer, now),
            Input::Outside(told) => self.handle_outside(told, now),
            Input::Proxy(said) => self.hear(said, now),
        }
    }

    fn handle_store(&mut self, event: store::Event, now: Instant) {
        self.unsaved |= !matches!(event, store::Event::Progress { .. });
        match event {
            store::Event::Listed {
                revision,
                documents,
            } => {
                info!(revision, documents = documents.len(), "documents listed");
                let documents = self.list_drains(documents);
                self.list(documents, revision);
                self.publication.reach(revision);
                self.readiness.handle_listed(now);
                let is_believed = self.missing.paths().is_empty();
                self.restored.handle_listed(revision, is_believed);
            }
            store::Event::Changed {
                revision, changes, ..
            } => {
                self.publication.reach(revision);
                let paths = changes.iter().map(|change| change.path().clone());
                let events = self.publication.gateways.events();
                events.written(revision, paths);
                for change in changes {
                    self.apply(change);
                }
            }
            store::Event::Progress { revision } => self.publication.pass(revision),
            store::Event::PriorRevision { path, document } => {
                self.readiness.handle_earlier(&path, now);
                if let Some(document) = document {
                    self.documents.earlier(document);
                }
            }
        }
    }

    /// Takes all documents that the store has; those that it lost stay.
    fn list(&mut self, documents: Vec<Document>, revision: i64) {
        let before = self.publication.settled.revision;
        let texts = self.documents.texts();
        let known = texts.map(|(document, _)| &document.path);
        let outcome = self
            .missing
            .handle_listed(known, before, &documents, revision);
        if outcome.begins {
            report::missing(&self.missing, before, revision, documents.len());
        }
        let gone = outcome.gone.into_iter();
        let gone = gone.map(|path| Change::Deleted { path });
        for change in gone.chain(documents.into_iter().map(Change::Put)) {
            self.documents.apply(change);
        }
        self.count_missing();
    }

    /// What sources took away, and what stays all the same.
    fn doubted(&self) -> Doubted {
        let missing = self.missing.paths().iter();
        let documents = missing.map(|path| {
            let revision = self.documents.revision(path);
            (path.clone(), revision.unwrap_or_default())
        });
        let folders = self.restored.sources().filter_map(Source::emptied_folder);
        Doubted {
            documents: documents.collect(),
            folders: folders.collect(),
        }
    }

    /// Gives that up, or only what was in folders.
    fn accept(&mut self, only_folders: bool) -> Doubted {
        let mut given_up = self.doubted();
        for folder in &given_up.folders {
            warn!(%folder, "a folder that had files and has none is meant to be empty: what it held is given up");
        }
        for source in self.restored.sources() {
            if source.emptied_folder().is_some() {
                source.accept_empty();
            }
        }
        if only_folders {
            given_up.documents.clear();
        }
        if given_up.documents.is_empty() {
            return given_up;
        }
        warn!(
            documents = given_up.documents.len(),
            "the documents that the store has lost are given up: what it says is in force"
        );
        for path in self.missing.take() {
            self.documents.apply(Change::Deleted { path });
        }
        self.count_missing();
        self.publication.reworded = true;
        self.unsaved = true;
        self.settle();
        given_up
    }

    fn count_missing(&self) {
        let count = i64::try_from(self.missing.paths().len());
        self.metrics
            .documents_missing
            .set(count.unwrap_or(i64::MAX));
    }

    fn handle_answer(&mut self, answer: Answer, now: Instant) {
        let service = answer.service.clone();
        self.readiness.handle_answer(&service, now);
        self.restored.handle_known(&service);
        let (differs, turn) = self.services.handle_answer(answer, now);
        if let Some(turn) = turn {
            report::kept(&self.metrics, &service, turn, self.services.kept());
        }
        if differs {
            self.follow(&service);
        }
    }

    /// Lets instances go that were kept long enough.
    fn let_go(&mut self, now: Instant) {
        for service in self.services.handle_time(now) {
            report::kept(&self.metrics, &service, Turn::Late, self.services.kept());
            self.follow(&service);
        }
    }

    /// Other instances of a service are in force.
    fn follow(&mut self, service: &ServiceKey) {
        self.unsaved = true;
        self.builders
            .handle_answer(service, self.services.instances());
    }

    /// Follows the documents' changes to the builders and the registries.
    fn settle(&mut self) {
        let changes = self.documents.settle();
        report::documents(&self.metrics, &changes, self.documents.rejected());
        self.publication.reword(&changes);
        if let Some(ends) = self.documents.take_ends(publish::ENDS) {
            self.publication.settled.ends = ends.into();
        }
        for document in &changes.formless {
            self.recall.want(document.path.clone(), document.revision);
            self.readiness.handle_wanted_earlier(document.path.clone());
        }
        if let Some(asked) = &changes.secrets {
            self.ask(asked);
        }
        self.services.handle_changes(&changes);
        for service in &changes.services_removed {
            self.restored.handle_known(service);
            self.readiness.handle_unwanted(service);
        }
        for service in &changes.services_added {
            self.readiness.handle_wanted(service.clone());
        }
        if let Some(consumers) = &changes.consumers {
            self.builders.handle_consumers(consumers);
        }
        let instances = self.services.instances();
        for (id, gateway) in changes.gateways {
            self.builders.handle_gateway(&id, gateway, instances);
        }
        for (id, route) in changes.routes {
            self.builders.handle_route(&id, route, instances);
        }
    }
}

#[cfg(test)]
mod tests;
