//! A task per source of inputs, connected to the loop. Names no kind of store or registry: their tables are
//! [`crate::store::Store`] and [`crate::registry::Registry`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use crate::asking;
use crate::config::Config;
use crate::control::question::Question;
use crate::control::{Arrived, Inputs, KeepLost, Wanted};
use crate::model::{Asked, Discovery, Keyring, Lookup, Subject, Verdict};
use crate::registry::Answer;
use crate::registry::freshness::Freshness;
use crate::state::{SaveRequest, Saved};
use crate::store::replicas::Membership;
use crate::store::{Event, PriorRevision, Told};
use crate::telemetry::Source;
use crate::xds::gateways::Heard;

use super::QUEUE;
use super::tasks::Tasks;

/// The loop's ends of all sources.
pub struct Sources {
    store: Source,
    events: mpsc::Receiver<Arrived<Event>>,
    earlier: mpsc::Sender<PriorRevision>,
    /// In the order in which they are shown.
    registries: Vec<(Discovery, Source, watch::Sender<Wanted>)>,
    answers: mpsc::Receiver<Arrived<Answer>>,
    freshness: Freshness,
    keyring: Keyring,
    lookup: Lookup,
    others: [Source; 2],
    asked: watch::Sender<Arc<Asked>>,
    outside: mpsc::Receiver<Arrived<Vec<(Subject, Verdict)>>>,
    accept_store: bool,
    keep_lost: KeepLost,
}

/// Starts a task per source.
pub fn watch(config: &Config, membership: Membership, told: Told, tasks: &mut Tasks) -> Sources {
    let (event_sender, events) = mpsc::channel(QUEUE);
    let (earlier, asked) = mpsc::channel(QUEUE);
    let (answer_sender, answers) = mpsc::channel(QUEUE);
    let freshness = Freshness::default();
    let store = Source::new(config.store.name());
    let watching_store = config.store.clone().watch(
        store.clone(),
        asked,
        event_sender,
        membership,
        told,
        tasks.shutdown.clone(),
    );
    tasks.spawn(store.name(), watching_store);
    let mut registries = Vec::new();
    for registry in &config.registries {
        let source = Source::new(registry.name());
        let wanted = watch::Sender::default();
        let watching = registry.clone().watch(
            source.clone(),
            freshness.clone(),
            wanted.subscribe(),
            answer_sender.clone(),
            tasks.shutdown.clone(),
        );
        tasks.spawn(source.name(), watching);
        registries.push((registry.discovery(), source, wanted));
    }
    let asked = watch::Sender::<Arc<Asked>>::default();
    let (sender, answered) = mpsc::channel(QUEUE);
    let others = asking::Whom::ALL.map(|whom| {
        let source = Source::new(whom.name());
        source.asked(false);
        let asking = asking::watch(
            whom,
            source.clone(),
            asked.subscribe(),
            sender.clone(),
            tasks.shutdown.clone(),
        );
        tasks.spawn(source.name(), asking);
        source
    });
    Sources {
        store,
        events: stamped("events", events, tasks),
        earlier,
        registries,
        answers: stamped("answers", answers, tasks),
        freshness,
        keyring: config.keyring.clone(),
        lookup: config.lookup.clone(),
        others,
        asked,
        outside: stamped("outside", answered, tasks),
        accept_store: config.accept_store,
        keep_lost: KeepLost {
            time: config.keep_lost,
            percent: config.keep_lost_from,
        },
    }
}

/// The same, each with the moment in which it came.
fn stamped<T: Send + 'static>(
    name: &'static str,
    mut told: mpsc::Receiver<T>,
    tasks: &mut Tasks,
) -> mpsc::Receiver<Arrived<T>> {
    let (stamped, arrived) = mpsc::channel(QUEUE);
    let shutdown = tasks.shutdown.clone();
    tasks.spawn(name, async move {
        while let Some(what) = told.recv().await {
            let at = Instant::now();
            if stamped.send(Arrived { at, what }).await.is_err() {
                break;
            }
        }
        // Without a registry nobody ever answers, and that is no failure.
        shutdown.cancelled().await;
    });
    arrived
}

impl Sources {
    /// How each of them fares.
    pub fn all(&self) -> Vec<Source> {
        let registries = self.registries.iter().map(|(_, source, _)| source);
        std::iter::once(&self.store)
            .chain(registries)
            .chain(&self.others)
            .cloned()
            .collect()
    }

    /// What the loop is connected to, the sources and what it has from within the process.
    pub fn into_inputs(
        self,
        said: Heard,
        saved: Option<Saved>,
        wishes: mpsc::Receiver<SaveRequest>,
        questions: mpsc::Receiver<Question>,
    ) -> Inputs {
        let mut wanted = HashMap::new();
        let mut registries = HashMap::new();
        for (discovery, source, services) in self.registries {
            registries.insert(discovery, source);
            wanted.insert(discovery, services);
        }
        Inputs {
            events: self.events,
            earlier: self.earlier,
            answers: self.answers,
            wanted,
            said,
            store: self.store,
            registries,
            freshness: self.freshness,
            keyring: self.keyring,
            lookup: self.lookup,
            asked: self.asked,
            outside: self.outside,
            others: self.others,
            accept_store: self.accept_store,
            keep_lost: self.keep_lost,
            saved,
            wishes,
            questions,
        }
    }
}
