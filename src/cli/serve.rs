//! `chancery serve`: flags, logs, ports and signals around [`crate::run`].

mod reread;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;
use clap::parser::ValueSource;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::api::Process;
use crate::config::{Config, Settings};
use crate::run::{Listeners, descriptors};
use crate::telemetry::logs::{self, Logs};

use reread::Reread;

/// How many connections may wait to be accepted: after a restart all proxies come at the same moment.
const BACKLOG: u32 = 4096;

type Unusable = Box<dyn std::error::Error>;

/// Settings that can be used, and logs under way.
pub struct Prepared {
    config: Config,
    logs: Logs,
    file: Option<PathBuf>,
    flags: Settings,
    variables: BTreeSet<String>,
    settings: Settings,
}

/// The names of the settings that were given as variables of the environment.
pub fn variables(matches: &ArgMatches) -> BTreeSet<String> {
    let Some(("serve", given)) = matches.subcommand() else {
        return BTreeSet::new();
    };
    let ids = given.ids().map(|id| id.as_str());
    let is_variable = |id: &&str| given.value_source(id) == Some(ValueSource::EnvVariable);
    ids.filter(is_variable)
        .map(|id| id.replace('_', "-"))
        .collect()
}

/// Puts the settings together, and starts logging as they say.
pub fn prepare(
    file: Option<PathBuf>,
    flags: Settings,
    variables: BTreeSet<String>,
) -> Result<Prepared, Unusable> {
    let weaker = file.as_deref().map(Settings::from_file).transpose()?;
    let settings = flags.clone().or(weaker.unwrap_or_default());
    let logs = logs::init(&logs::Destinations {
        level: settings.level(),
        format: settings.log_format.unwrap_or_default(),
        output: settings.log_output.unwrap_or_default(),
        folder: settings.log_dir.as_deref(),
        // An empty variable is one that is not set, as compose files have it.
        otlp: settings.otlp.as_deref().filter(|url| !url.is_empty()),
    })?;
    Ok(Prepared {
        config: settings.clone().check()?,
        logs,
        file,
        flags,
        variables,
        settings,
    })
}

pub async fn run(prepared: Prepared) -> ExitCode {
    descriptors::raise();
    let Prepared {
        mut config,
        logs,
        file,
        flags,
        variables,
        settings,
    } = prepared;
    let (access, rules) = watch::channel(config.access.borrow().clone());
    config.access = rules;
    config.supervised = true;
    let (shown, shown_now) = watch::channel(settings.shown(&flags, &variables));
    config.process = Process {
        settings: shown_now,
        log: logs.last.clone(),
    };
    let reread = Reread {
        file,
        flags,
        variables,
        settings,
        shown,
        access,
        levels: logs.levels.clone(),
    };
    tokio::spawn(reread.at_signals());
    let shutdown = CancellationToken::new();
    let ends = shutdown.clone();
    tokio::spawn(async move {
        let signal = super::terminated().await;
        info!(%signal, "shutting down: streams end, proxies keep what they have");
        ends.cancel();
    });
    let listening = listen(config.admin, config.xds.address);
    let Some(listeners) = shutdown.run_until_cancelled(listening).await else {
        return ExitCode::SUCCESS;
    };
    match crate::run(config, listeners, shutdown).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Listens, however long it takes until the addresses are free: on both, or on none, as nobody would answer on one alone.
async fn listen(admin: SocketAddr, xds: SocketAddr) -> Listeners {
    let mut said = String::new();
    loop {
        let bound = bind(admin)
            .map_err(|error| ("admin", admin, error))
            .and_then(|admin| match bind(xds) {
                Ok(xds) => Ok(Listeners { admin, xds }),
                Err(error) => Err(("xds", xds, error)),
            });
        let (listener, address, error) = match bound {
            Ok(listeners) => {
                info!(listener = "admin", address = %admin, "listening");
                info!(listener = "xds", address = %xds, "listening");
                return listeners;
            }
            Err(failure) => failure,
        };
        let failure = format!("{listener}: {error}");
        if failure != said {
            warn!(%listener, %address, %error, "cannot listen; trying again every half second");
            said = failure;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// tokio's own `TcpListener::bind` lets 128 connections wait, and the kernel resets what comes beyond.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As tokio does: a restart must not wait for the old connections' last packets.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
