//! The loop: one task, sole owner of all inputs. Takes what the store and the registries say, derives snapshots, publishes
//! them. Knows "not yet known" from "empty": nothing is published before both have answered.
//!
//! *Architecture Invariant:* no I/O here; an error of a source never reaches this loop, so it cannot empty anything.

mod drains;
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

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::build::{Builder, Instances};
use crate::documents::{Changes, Documents};
use crate::model::{Consumers, Discovery, Drains, Id, ServiceKey};
use crate::registry::Answer;
use crate::registry::freshness::Freshness;
use crate::state::{Saved, Wish};
use crate::store::{self, Earlier};
use crate::telemetry::{Metrics, Source};
use crate::xds::gateways::{Gateways, Heard, Said, Settled};

use pace::Pace;
use question::Question;
use readiness::Readiness;
use recall::Recall;
use restored::Restored;

/// The services that one registry is to watch.
pub type Wanted = Arc<BTreeSet<ServiceKey>>;

/// What the loop is connected to.
#[derive(Debug)]
pub struct Inputs {
    /// What the store tells.
    pub events: mpsc::Receiver<store::Event>,
    /// Asks the store for earlier forms.
    pub earlier: mpsc::Sender<Earlier>,
    /// What the registries tell.
    pub answers: mpsc::Receiver<Answer>,
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
    /// What an earlier process saved.
    pub saved: Option<Saved>,
    /// Asks for what is to be saved.
    pub wishes: mpsc::Receiver<Wish>,
    /// What others ask.
    pub questions: mpsc::Receiver<Question>,
}

/// What came in.
enum Input {
    Store(store::Event),
    Registry(Answer),
    Proxy(Said),
}

/// The loop's state: all inputs, and a builder per gateway.
struct Control {
    gateways: Arc<Gateways>,
    metrics: Arc<Metrics>,
    recall: Recall,
    wanted: HashMap<Discovery, watch::Sender<Wanted>>,
    documents: Documents,
    instances: Instances,
    drains: Drains,
    settled: Settled,
    consumers: Arc<Consumers>,
    builders: HashMap<Id, Builder>,
    /// The gateways that each route was placed in.
    placed: HashMap<Id, Vec<Id>>,
    /// Gateways whose builder may have a next snapshot.
    touched: HashSet<Id>,
    /// Documents that proxies refuse, and why.
    refused: BTreeMap<String, Arc<str>>,
    /// Those of them whose earlier form was looked for.
    recalled: BTreeSet<String>,
    readiness: Readiness,
    restored: Restored,
    freshness: Freshness,
    /// Whether what was told differs from what was saved last.
    unsaved: bool,
    pace: Pace,
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
        let due = control.due();
        let input = tokio::select! {
            event = inputs.events.recv() => match event {
                Some(event) => Some(Input::Store(event)),
                None => break,
            },
            Some(answer) = inputs.answers.recv() => Some(Input::Registry(answer)),
            Some(said) = inputs.said.recv() => Some(Input::Proxy(said)),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => None,
            Ok(place) = inputs.earlier.reserve(), if !control.recall.is_empty() => {
                control.recall.ask(place, &inputs.earlier);
                None
            }
            Some(wish) = inputs.wishes.recv(), if control.unsaved && control.is_worth_saving() => {
                control.grant(wish);
                None
            }
            Some(question) = inputs.questions.recv() => {
                control.answer(question);
                None
            }
            () = shutdown.cancelled() => break,
        };
        if let Some(input) = input {
            control.handle(input);
            while let Ok(event) = inputs.events.try_recv() {
                control.handle(Input::Store(event));
            }
            while let Ok(answer) = inputs.answers.try_recv() {
                control.handle(Input::Registry(answer));
            }
            while let Ok(said) = inputs.said.try_recv() {
                control.handle(Input::Proxy(said));
            }
            control.settle();
        }
        control.publish_if_due();
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
        Self {
            gateways,
            metrics,
            recall: Recall::default(),
            wanted: inputs.wanted.clone(),
            documents: Documents::new(inputs.wanted.keys().copied().collect()),
            instances: Instances::new(),
            drains: Drains::default(),
            settled: Settled::default(),
            consumers: Arc::default(),
            builders: HashMap::new(),
            placed: HashMap::new(),
            touched: HashSet::new(),
            refused: BTreeMap::new(),
            recalled: BTreeSet::new(),
            readiness: Readiness::default(),
            freshness: inputs.freshness.clone(),
            restored: Restored::new(store, registries, inputs.saved.as_ref()),
            unsaved: false,
            pace: Pace::default(),
        }
    }

    /// When to look again though nothing came in.
    fn due(&self) -> Option<Instant> {
        match self.readiness.is_open() {
            true => (!self.touched.is_empty()).then(|| self.pace.due()),
            false => self.readiness.deadline(),
        }
    }

    fn handle(&mut self, input: Input) {
        match input {
            Input::Store(event) => self.handle_store(event),
            Input::Registry(answer) => self.handle_answer(answer),
            Input::Proxy(said) => self.handle_said(&said),
        }
    }

    fn handle_store(&mut self, event: store::Event) {
        self.unsaved |= !matches!(event, store::Event::Progress { .. });
        match event {
            store::Event::Listed {
                revision,
                documents,
            } => {
                self.reach(revision);
                info!(revision, documents = documents.len(), "documents listed");
                let documents = self.list_drains(documents);
                self.documents.list(documents);
                self.readiness.handle_listed();
                self.restored.handle_listed(revision);
            }
            store::Event::Changed { revision, changes } => {
                self.reach(revision);
                for change in changes {
                    self.apply(change);
                }
            }
            store::Event::Progress { revision } => self.settled.revision = revision,
            store::Event::Earlier { path, document } => {
                self.readiness.handle_earlier(&path);
                if let Some(document) = document {
                    self.documents.earlier(document);
                }
            }
        }
    }

    /// The store has reached a revision that is about documents.
    fn reach(&mut self, revision: i64) {
        self.settled.revision = revision;
        self.settled.documents = revision;
    }

    fn handle_answer(&mut self, answer: Answer) {
        self.readiness.handle_answer(&answer.service);
        self.restored.handle_known(&answer.service);
        let before = self.instances.get(&answer.service);
        if before.is_some_and(|before| *before == answer.instances) {
            return;
        }
        self.unsaved = true;
        tracing::debug!(service = %answer.service, instances = answer.instances.len(), "service answered");
        self.instances
            .insert(answer.service.clone(), answer.instances);
        for (gateway, builder) in &mut self.builders {
            if builder.handle_answer(&answer.service, &self.instances) {
                self.touched.insert(gateway.clone());
            }
        }
    }

    /// Follows the documents' changes to the builders and the registries.
    fn settle(&mut self) {
        let changes = self.documents.settle();
        report::documents(&self.metrics, &changes, self.documents.rejected());
        for document in &changes.formless {
            self.recall.want(document.path.clone(), document.revision);
            self.readiness.handle_wanted_earlier(document.path.clone());
        }
        self.settle_services(&changes);
        if let Some(consumers) = &changes.consumers {
            self.settle_consumers(consumers);
        }
        for (id, gateway) in changes.gateways {
            let (builder, instances) = self.builder(&id);
            builder.handle_gateway(gateway, instances);
        }
        for (id, route) in changes.routes {
            let before = self.placed.remove(&id).unwrap_or_default();
            let after = route
                .as_ref()
                .map(|route| route.gateways.clone())
                .unwrap_or_default();
            for gateway in before.iter().filter(|gateway| !after.contains(gateway)) {
                self.place(gateway, &id, None);
            }
            for gateway in &after {
                self.place(gateway, &id, route.clone());
            }
            if !after.is_empty() {
                self.placed.insert(id, after);
            }
        }
    }

    /// All gateways have the same consumers.
    fn settle_consumers(&mut self, consumers: &Arc<Consumers>) {
        self.consumers = consumers.clone();
        for (gateway, builder) in &mut self.builders {
            builder.handle_consumers(consumers);
            self.touched.insert(gateway.clone());
        }
    }

    fn place(&mut self, gateway: &Id, id: &Id, route: Option<Arc<crate::documents::Route>>) {
        let (builder, instances) = self.builder(gateway);
        builder.handle_route(id, route, instances);
    }

    /// The gateway's builder, which is about to have something to say, and what it may look at.
    fn builder(&mut self, gateway: &Id) -> (&mut Builder, &Instances) {
        self.touched.insert(gateway.clone());
        let builder = self.builders.entry(gateway.clone());
        let builder = builder.or_insert_with(|| {
            let mut builder = Builder::new(gateway);
            builder.handle_consumers(&self.consumers);
            builder
        });
        (builder, &self.instances)
    }

    fn settle_services(&mut self, changes: &Changes) {
        for service in &changes.services_removed {
            self.instances.remove(service);
            self.restored.handle_known(service);
            self.readiness.handle_unwanted(service);
        }
        for service in &changes.services_added {
            self.readiness.handle_wanted(service.clone());
        }
        for (discovery, wanted) in &self.wanted {
            let of = |service: &&ServiceKey| service.discovery == *discovery;
            let added: Vec<_> = changes.services_added.iter().filter(of).collect();
            let removed: Vec<_> = changes.services_removed.iter().filter(of).collect();
            if added.is_empty() && removed.is_empty() {
                continue;
            }
            wanted.send_modify(|wanted| {
                let wanted = Arc::make_mut(wanted);
                for service in removed {
                    wanted.remove(service);
                }
                wanted.extend(added.into_iter().cloned());
            });
        }
    }
}

#[cfg(test)]
mod tests;
