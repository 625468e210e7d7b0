//! The server as a library: from settings and open listeners to tasks that run until a token says otherwise. Reads no
//! flags, sets up no log, hears no signals: that is for whoever starts it.

#![warn(missing_docs)]

pub mod descriptors;
mod draining;
mod ports;
mod replicas;
mod sources;
mod supervisor;
mod tasks;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::admin::Admin;
use crate::api::access::Access;
use crate::api::expected::{self, Expected};
use crate::api::{Api, Writers};
use crate::config::{self, Config};
use crate::control;
use crate::documents::Reader;
use crate::editing::{Editor, recorder};
use crate::model::Discovery;
use crate::registry::Registry;
use crate::state::{self, SaveRequest, Saved};
use crate::store::Told;
use crate::store::ledger::Journal;
use crate::store::replicas::Records;
use crate::telemetry::traces::{self, Export};
use crate::telemetry::{Metrics, Source, Tracer};
use crate::tls::{self, Certificates};
use crate::xds::admission::Admission;
use crate::xds::gateways::Heard;
use crate::xds::nodes::Identity;
use crate::xds::{Ads, Gateways, Nodes};

use tasks::Tasks;

/// How many events of a source may wait for the loop.
const QUEUE: usize = 1024;
/// How long what is open may take to end once the server is to end.
pub const GRACE: Duration = Duration::from_secs(3);

/// Where the server is reached: bound, and of this process alone.
#[derive(Debug)]
pub struct Listeners {
    /// For health, readiness, metrics and the control API.
    pub admin: TcpListener,
    /// For proxies.
    pub xds: TcpListener,
}

/// Why the server could not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody could be let in safely at the listener of this name.
    #[error("the certificates of a port cannot be used: {0}: {1}")]
    Certificates(&'static str, tls::Error),
    /// Traces could not be sent.
    #[error(transparent)]
    Traces(#[from] traces::Error),
    /// The listener of this name is none.
    #[error("the {0} listener has no address: {1}")]
    Listener(&'static str, std::io::Error),
    /// A task that should run as long as the server has returned or panicked: a fault of Chancery, or of a listener.
    #[error("a task ended unexpectedly: {task}: {why}")]
    Ended {
        /// What the task does.
        task: &'static str,
        /// How it ended.
        why: String,
    },
}

/// What all tasks share.
struct Shared {
    gateways: Arc<Gateways>,
    nodes: Arc<Nodes>,
    metrics: Arc<Metrics>,
}

/// What each port shows; nothing for plain text.
struct PortCertificates {
    admin: Option<Certificates>,
    xds: Option<Certificates>,
}

/// Serves until `shutdown` is cancelled; that is a success, after what is open has had [`GRACE`] to end. Anything else that
/// ends it is an error, and then `shutdown` is left as it is.
pub async fn run(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    tls::install();
    let certificates = PortCertificates {
        admin: load_certificates(config.admin_tls.as_ref()).await?,
        xds: load_certificates(config.xds.tls.as_ref()).await?,
    };
    let mut tasks = Tasks::new(shutdown.child_token());
    // Also where this future is dropped: tasks have started tasks of their own.
    let _all = tasks.shutdown.clone().drop_guard();
    start(config, listeners, certificates, &mut tasks).await?;
    let ended = tokio::select! {
        // Where both are true, the tasks ended because they were told to.
        biased;
        () = shutdown.cancelled() => Ok(()),
        ended = tasks.first_ended() => Err(ended),
    };
    if !tasks.end(GRACE).await {
        warn!("some connections did not end in time");
    }
    ended
}

async fn start(
    mut config: Config,
    listeners: Listeners,
    certificates: PortCertificates,
    tasks: &mut Tasks,
) -> Result<(), Error> {
    let bounds = descriptors::share(descriptors::allowed(), &mut config);
    let address = listeners
        .admin
        .local_addr()
        .map_err(|error| Error::Listener("admin", error))?;
    let metrics = Arc::<Metrics>::default();
    let tracer = trace(&config, &metrics, tasks)?;
    let (shared, said) = Shared::new(metrics, tracer.clone());
    let (others, membership) = replicas::join(&config, address, &shared, tasks);
    let (questions, asked) = mpsc::channel(QUEUE);
    let (journal, drained) = watch::channel(Journal::default());
    let (noticed, unrecorded) = mpsc::channel(recorder::QUEUE);
    let (drainer, trail) = draining::start(&config, questions.clone(), drained, tasks);
    let saved = restore(&config).await;
    let expected = Arc::<Expected>::default();
    if let Some(saved) = &saved {
        expect(saved, &shared.nodes, &expected, &others.own());
    }
    let wishes = keep_state(&config, &shared, tasks);
    let told = Told {
        journal,
        noticed,
        traces: tracer.is_on(),
    };
    let sources = sources::watch(&config, membership, told, tasks);
    let all_sources = sources.all();
    if config.supervised {
        supervisor::start(&shared, all_sources.clone(), questions.clone(), tasks);
    }
    let dashboard = config.dashboard.clone();
    let admin = shared.admin(all_sources.clone(), others.changes(), dashboard);
    let inputs = sources.into_inputs(said, saved, wishes, asked);
    let (gateways, metrics) = (shared.gateways.clone(), shared.metrics.clone());
    let control = control::run(inputs, gateways, metrics, tasks.shutdown.clone());
    tasks.spawn_apart("control", control);
    let (keyring, lookup) = (config.keyring.clone(), config.lookup.clone());
    let reader = Reader::new(registries(&config), keyring, lookup);
    let writer = || config.store.writer(config.history_keep);
    if let Some(writer) = writer() {
        let keyring = config.keyring.clone();
        tasks.spawn_dropped("history", recorder::run(writer, keyring, unrecorded));
    }
    let editor = writer();
    let writers = Writers {
        drainer,
        editor: editor.map(|writer| Editor::new(writer, reader.clone(), tracer)),
        reader,
    };
    let access = Access {
        rules: config.access,
        trail,
        port: address,
        tls: certificates.admin.is_some(),
        failures: Arc::default(),
        rates: Arc::default(),
    };
    let (nodes, shutdown) = (shared.nodes.clone(), tasks.shutdown.clone());
    let watching = expected::watch(expected.clone(), nodes, others.clone(), shutdown);
    tasks.spawn_dropped("expected", watching);
    let api = Api::new(
        shared.gateways.clone(),
        shared.nodes.clone(),
        (others, expected),
        questions,
        writers,
        access,
        tasks.shutdown.clone(),
    )
    .telling_of(all_sources, config.process);
    let (listener, tls) = (listeners.admin, certificates.admin);
    ports::serve_admin(listener, tls, (admin, api), bounds, tasks);
    let ads = shared.ads(config.xds, tasks.shutdown.clone());
    ports::serve_xds(listeners.xds, certificates.xds, ads, tasks);
    Ok(())
}

fn registries(config: &Config) -> Vec<Discovery> {
    config.registries.iter().map(Registry::discovery).collect()
}

impl Shared {
    /// Nothing is served yet. What proxies will say is for the loop to hear.
    fn new(metrics: Arc<Metrics>, tracer: Tracer) -> (Self, Heard) {
        let (gateways, said) = Gateways::counting(metrics.change_seconds.clone(), tracer);
        let shared = Self {
            gateways: Arc::new(gateways),
            nodes: Arc::default(),
            metrics,
        };
        (shared, said)
    }

    fn admin(
        &self,
        sources: Vec<Source>,
        replicas: watch::Receiver<Records>,
        dashboard: Option<PathBuf>,
    ) -> Admin {
        Admin {
            gateways: self.gateways.clone(),
            nodes: self.nodes.clone(),
            metrics: self.metrics.clone(),
            sources,
            replicas,
            dashboard,
        }
    }

    fn ads(self, xds: config::Xds, shutdown: CancellationToken) -> Ads {
        Ads {
            gateways: self.gateways,
            nodes: self.nodes,
            metrics: self.metrics,
            admission: Arc::new(Admission::new(xds.limits.clone())),
            limits: xds.limits,
            clients: Arc::new(xds.clients),
            shutdown,
        }
    }
}

/// Starts the task that sends traces, if there is a collector.
fn trace(config: &Config, metrics: &Metrics, tasks: &mut Tasks) -> Result<Tracer, Error> {
    let Some(collector) = &config.traces else {
        return Ok(Tracer::default());
    };
    let dropped = &metrics.trace_spans_dropped;
    let (tracer, spans) = Tracer::new(dropped.clone());
    let export = Export::new(collector, &config.replica, spans, dropped.clone())?;
    tasks.spawn("traces", export.run(tasks.shutdown.clone()));
    Ok(tracer)
}

async fn load_certificates(files: Option<&tls::Files>) -> Result<Option<Certificates>, Error> {
    let Some(files) = files else {
        return Ok(None);
    };
    let loaded = Certificates::load(files.clone()).await;
    let loaded = loaded.map_err(|error| Error::Certificates(files.listener.as_str(), error))?;
    Ok(Some(loaded))
}

/// What an earlier process saved.
async fn restore(config: &Config) -> Option<Saved> {
    let (folder, origin) = (config.state.clone()?, config.origin());
    let load = move || state::load(&folder, &origin);
    tokio::task::spawn_blocking(load).await.ok().flatten()
}

/// Who was connected to an earlier process may still serve what it had, and come back.
fn expect(saved: &Saved, nodes: &Nodes, expected: &Expected, own: &str) {
    let now = Instant::now();
    for known in &saved.acceptances {
        let gateway: Arc<str> = known.gateway.to_string().into();
        for id in &known.nodes {
            let identity = Identity {
                gateway: gateway.clone(),
                cohort: known.cohort.clone(),
                id: id.clone(),
            };
            nodes.expect(identity, now);
        }
        let name = |id: &Arc<str>| ((gateway.to_string(), id.to_string()), own.to_owned());
        expected.expect(known.nodes.iter().map(name), now);
    }
}

/// Starts the task that saves what the loop is told. Without a folder nobody ever wishes for it.
fn keep_state(config: &Config, shared: &Shared, tasks: &mut Tasks) -> mpsc::Receiver<SaveRequest> {
    let (wisher, wishes) = mpsc::channel(1);
    if let Some(folder) = config.state.clone() {
        let (origin, metrics) = (config.origin(), shared.metrics.clone());
        let keeping = state::keep(folder, origin, wisher, metrics, tasks.shutdown.clone());
        tasks.spawn("state", keeping);
    }
    wishes
}
