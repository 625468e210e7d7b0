//! `chancery serve`: reads documents and instances, serves them to proxies.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::admin::{self, Admin};
use crate::api::access::Access;
use crate::api::replicas::{self, Others};
use crate::api::{self, Api, lag};
use crate::config::{self, Config, Settings, Store};
use crate::control::question::Question;
use crate::control::{self, Inputs};
use crate::drain::audit::{self, Trail};
use crate::drain::{Drainer, repair};
use crate::model::Discovery;
use crate::registry::freshness::Freshness;
use crate::registry::{self, Agents};
use crate::state::{self, Saved, Wish};
use crate::store;
use crate::store::Ledger;
use crate::store::ledger::Journal;
use crate::store::replicas::Membership;
use crate::telemetry::logs::{self, Logs};
use crate::telemetry::{Metrics, Source};
use crate::xds::admission::Admission;
use crate::xds::gateways::Heard;
use crate::xds::tls::{self, Certificates};
use crate::xds::{self, Ads, Gateways, Nodes};

/// How many events of a source may wait for the loop.
const QUEUE: usize = 1024;
/// How many connections may wait to be accepted: after a restart all proxies come at the same moment.
const BACKLOG: u32 = 4096;

/// Why the command cannot start.
type Unusable = Box<dyn std::error::Error>;

/// Puts the settings together, and starts logging as they say.
pub fn prepare(file: Option<PathBuf>, flags: Settings) -> Result<(Config, Logs), Unusable> {
    let weaker = file.as_deref().map(Settings::from_file).transpose()?;
    let settings = flags.or(weaker.unwrap_or_default());
    let logs = logs::init(&logs::Destinations {
        level: settings.log_level.as_deref().unwrap_or("info"),
        format: settings.log_format.unwrap_or_default(),
        output: settings.log_output.unwrap_or_default(),
        folder: settings.log_dir.as_deref(),
        // An empty variable is one that is not set, as compose files have it.
        otlp: settings.otlp.as_deref().filter(|url| !url.is_empty()),
    })?;
    Ok((settings.check()?, logs))
}

/// Runs the command.
pub async fn run(config: Config) -> ExitCode {
    let certificates = match load_certificates(&config.xds).await {
        Ok(certificates) => certificates,
        Err(error) => {
            error!(%error, "the certificates of the xds port cannot be used");
            return ExitCode::FAILURE;
        }
    };
    let shutdown = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let metrics = Arc::new(Metrics::default());
    let (gateways, said) = Gateways::new();
    let gateways = Arc::new(gateways);
    let nodes = Arc::new(Nodes::default());
    let saved = restore(&config).await;
    let wishes = keep_state(&config, &metrics, &mut tasks, &shutdown);
    let (others, membership) = join_replicas(&config, &gateways, &nodes, &mut tasks, &shutdown);
    let (questions, asked) = mpsc::channel(QUEUE);
    let journal = watch::Sender::default();
    let drained = journal.subscribe();
    let within = Within {
        said,
        saved,
        wishes,
        questions: asked,
        journal,
    };
    let (inputs, sources) = watch_sources(&config, membership, within, &mut tasks, &shutdown);
    tasks.spawn(control::run(
        inputs,
        gateways.clone(),
        metrics.clone(),
        shutdown.clone(),
    ));
    let (drainer, trail) =
        start_draining(&config, questions.clone(), drained, &mut tasks, &shutdown);
    let access = Access {
        keys: config.access.keys.clone(),
        networks: config.access.networks.clone(),
        trail,
    };
    let api = Api::new(
        gateways.clone(),
        nodes.clone(),
        others,
        questions,
        drainer,
        access,
        shutdown.clone(),
    );
    let admin = Admin {
        gateways: gateways.clone(),
        nodes: nodes.clone(),
        metrics: metrics.clone(),
        sources,
    };
    tasks.spawn(serve_admin(config.admin, admin, api, shutdown.clone()));
    let ads = Ads {
        gateways,
        nodes,
        metrics,
        admission: Arc::new(Admission::new(config.xds.limits.clone())),
        limits: config.xds.limits,
        clients: Arc::new(config.xds.clients),
        shutdown: shutdown.clone(),
    };
    tasks.spawn(serve_xds(config.xds.address, certificates, ads));
    let code = tokio::select! {
        signal = super::terminated() => {
            info!(%signal, "shutting down: streams end, proxies keep what they have");
            ExitCode::SUCCESS
        }
        Some(ended) = tasks.join_next() => {
            error!(?ended, "a task ended unexpectedly");
            ExitCode::FAILURE
        }
    };
    shutdown.cancel();
    let all_ended = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(super::GRACE, all_ended).await.is_err() {
        warn!("some connections did not end in time");
    }
    code
}

/// Starts what draining needs beside the calls. Without etcd nothing can be drained.
fn start_draining(
    config: &Config,
    questions: mpsc::Sender<Question>,
    journal: watch::Receiver<Journal>,
    tasks: &mut JoinSet<()>,
    shutdown: &CancellationToken,
) -> (Option<Arc<Drainer>>, Trail) {
    let Store::Etcd(etcd) = &config.store else {
        return (None, Trail::to_log());
    };
    let ledger = Arc::new(Ledger::new(etcd.clone()));
    let (trail, records) = Trail::new();
    let keep = config.audit_keep;
    tasks.spawn(audit::write(
        ledger.clone(),
        records,
        keep,
        shutdown.clone(),
    ));
    let consul = config.consul.clone();
    let agents = consul.map(|consul| Agents::new(consul, config.consul_agent.clone()));
    let drainer = Arc::new(Drainer::new(
        ledger,
        agents,
        questions,
        trail.clone(),
        config.replica.clone(),
    ));
    tasks.spawn(repair::run(drainer.clone(), journal, shutdown.clone()));
    (Some(drainer), trail)
}

/// What an earlier process saved.
async fn restore(config: &Config) -> Option<Saved> {
    let (folder, origin) = (config.state.clone()?, config.origin());
    let load = move || state::load(&folder, &origin);
    tokio::task::spawn_blocking(load).await.ok().flatten()
}

/// Starts the task that saves what the loop is told. Without a folder nobody ever wishes for it.
fn keep_state(
    config: &Config,
    metrics: &Arc<Metrics>,
    tasks: &mut JoinSet<()>,
    shutdown: &CancellationToken,
) -> mpsc::Receiver<Wish> {
    let (wisher, wishes) = mpsc::channel(1);
    if let Some(folder) = config.state.clone() {
        tasks.spawn(state::keep(
            folder,
            config.origin(),
            wisher,
            metrics.clone(),
            shutdown.clone(),
        ));
    }
    wishes
}

async fn load_certificates(xds: &config::Xds) -> Result<Option<Certificates>, tls::Error> {
    match xds.tls.clone() {
        Some(files) => Certificates::load(files).await.map(Some),
        None => Ok(None),
    }
}

/// Takes this process's place among the replicas. Where documents are files it is the only one.
fn join_replicas(
    config: &Config,
    gateways: &Arc<Gateways>,
    nodes: &Arc<Nodes>,
    tasks: &mut JoinSet<()>,
    shutdown: &CancellationToken,
) -> (Others, Membership) {
    let (sender, own) = watch::channel(Bytes::new());
    let membership = Membership {
        id: config.replica.clone(),
        own,
        records: watch::Sender::default(),
    };
    if let Store::Files(_) = config.store {
        return (Others::none(), membership);
    }
    let others = Others::new(membership.records.subscribe());
    let address = format!("http://{}", config.admin);
    let telling = replicas::tell(gateways.clone(), nodes.clone(), address, sender);
    tasks.spawn(telling);
    let (lag, shutdown) = (
        lag::watch(gateways.clone(), others.clone()),
        shutdown.clone(),
    );
    tasks.spawn(async move {
        shutdown.run_until_cancelled(lag).await;
    });
    (others, membership)
}

/// What the loop has from within the process.
struct Within {
    said: Heard,
    saved: Option<Saved>,
    wishes: mpsc::Receiver<Wish>,
    questions: mpsc::Receiver<Question>,
    journal: watch::Sender<Journal>,
}

/// Starts a task per source, and connects them to the loop.
fn watch_sources(
    config: &Config,
    membership: Membership,
    within: Within,
    tasks: &mut JoinSet<()>,
    shutdown: &CancellationToken,
) -> (Inputs, Vec<Source>) {
    let (event_sender, events) = mpsc::channel(QUEUE);
    let (earlier, asked) = mpsc::channel(QUEUE);
    let (answer_sender, answers) = mpsc::channel(QUEUE);
    let mut wanted = HashMap::new();
    let mut registries = HashMap::new();
    let mut sources = Vec::new();
    let freshness = Freshness::default();
    let store = match config.store.clone() {
        Store::Etcd(settings) => {
            let source = Source::new("etcd");
            sources.push(source.clone());
            tasks.spawn(store::etcd::watch(
                settings,
                source.clone(),
                asked,
                event_sender,
                membership,
                within.journal,
                shutdown.clone(),
            ));
            source
        }
        Store::Files(folder) => {
            let source = Source::new("files");
            sources.push(source.clone());
            let services = watch::Sender::default();
            let watched = services.subscribe();
            wanted.insert(Discovery::File, services);
            let instances = Source::new("instance files");
            sources.push(instances.clone());
            registries.insert(Discovery::File, instances.clone());
            tasks.spawn(registry::file::watch(
                folder.clone(),
                instances,
                watched,
                answer_sender.clone(),
                shutdown.clone(),
            ));
            tasks.spawn(store::file::watch(
                folder,
                source.clone(),
                asked,
                event_sender,
                shutdown.clone(),
            ));
            source
        }
    };
    if let Some(settings) = config.consul.clone() {
        let source = Source::new("consul");
        sources.push(source.clone());
        registries.insert(Discovery::Consul, source.clone());
        let services = watch::Sender::default();
        let watched = services.subscribe();
        wanted.insert(Discovery::Consul, services);
        tasks.spawn(registry::consul::watch(
            settings,
            source,
            freshness.clone(),
            watched,
            answer_sender,
            shutdown.clone(),
        ));
    }
    (
        Inputs {
            events,
            earlier,
            answers,
            wanted,
            said: within.said,
            store,
            registries,
            saved: within.saved,
            wishes: within.wishes,
            questions: within.questions,
            freshness,
        },
        sources,
    )
}

async fn serve_admin(address: SocketAddr, admin: Admin, api: Api, shutdown: CancellationToken) {
    let Some(listener) = listen("admin", address, &shutdown).await else {
        return;
    };
    let router = admin::router(admin).merge(api::router(api));
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await;
    if let Err(error) = served {
        error!(%error, "the admin listener ended");
    }
}

async fn serve_xds(address: SocketAddr, tls: Option<Certificates>, ads: Ads) {
    let shutdown = ads.shutdown.clone();
    let Some(listener) = listen("xds", address, &shutdown).await else {
        return;
    };
    let current = tls.as_ref().map(Certificates::current);
    if let Some(certificates) = tls {
        tokio::spawn(certificates.watch(shutdown));
    }
    if let Err(error) = xds::server::serve(listener, current, ads).await {
        error!(%error, "the xds listener ended");
    }
}

/// tokio's own `TcpListener::bind` lets 128 connections wait, and the kernel resets what comes beyond.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As tokio does: a restart must not wait for the old connections' last packets.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Listens, however long it takes until the address is free.
async fn listen(
    name: &str,
    address: SocketAddr,
    shutdown: &CancellationToken,
) -> Option<TcpListener> {
    let mut said = String::new();
    loop {
        match bind(address) {
            Ok(listener) => {
                info!(listener = %name, %address, "listening");
                return Some(listener);
            }
            Err(error) => {
                let error = error.to_string();
                if error != said {
                    warn!(listener = %name, %address, error, "cannot listen; trying again every half second");
                    said = error;
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            () = shutdown.cancelled() => return None,
        }
    }
}
