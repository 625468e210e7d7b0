//! SIGHUP: settings that can change while Chancery runs are read again. What cannot is said; what cannot be used changes
//! nothing. Signals that mean nothing here end nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::api::access::Rules;
use crate::api::pb::Setting;
use crate::config::Settings;
use crate::telemetry::logs::Levels;

use super::Unusable;

/// The settings that can change, by their names.
const LIVE: [&str; 6] = [
    "api-keys",
    "api-key-parameter",
    "drain-networks",
    "log-level",
    "max-call-rate",
    "metrics-need-key",
];

/// What reading the settings again takes, and where they go.
pub struct Reread {
    pub file: Option<PathBuf>,
    pub flags: Settings,
    /// The names of those that are variables of the environment.
    pub variables: BTreeSet<String>,
    /// Those in force.
    pub settings: Settings,
    /// The same for callers.
    pub shown: watch::Sender<Vec<Setting>>,
    pub access: watch::Sender<Rules>,
    pub levels: Levels,
}

impl Reread {
    /// Reads the settings again at each SIGHUP.
    pub async fn at_signals(mut self) {
        let signals = (
            signal(SignalKind::hangup()),
            signal(SignalKind::user_defined1()),
            signal(SignalKind::user_defined2()),
        );
        let (Ok(mut hangup), Ok(mut one), Ok(mut two)) = signals else {
            error!("cannot watch signals: SIGHUP, SIGUSR1 and SIGUSR2 end this process");
            return;
        };
        loop {
            tokio::select! {
                () = came(&mut hangup) => if let Err(error) = self.reread() {
                    warn!(%error, "SIGHUP: the settings cannot be used; those before stay in force");
                },
                () = came(&mut one) => info!(signal = "SIGUSR1", "the signal means nothing here and is passed over"),
                () = came(&mut two) => info!(signal = "SIGUSR2", "the signal means nothing here and is passed over"),
            }
        }
    }

    fn reread(&mut self) -> Result<(), Unusable> {
        let weaker = self.file.as_deref().map(Settings::from_file).transpose()?;
        let settings = self.flags.clone().or(weaker.unwrap_or_default());
        let config = settings.clone().check()?;
        let (changed, for_restart): (Vec<_>, Vec<_>) = settings
            .differing(&self.settings)
            .into_iter()
            .partition(|name| LIVE.contains(&name.as_str()));
        self.levels.set(settings.level())?;
        let rules = config.access.borrow().clone();
        self.access.send_replace(rules);
        self.settings.api_keys = settings.api_keys;
        self.settings.api_key_parameter = settings.api_key_parameter;
        self.settings.drain_networks = settings.drain_networks;
        self.settings.log_level = settings.log_level;
        self.settings.max_call_rate = settings.max_call_rate;
        self.settings.metrics_need_key = settings.metrics_need_key;
        let shown = self.settings.shown(&self.flags, &self.variables);
        self.shown.send_replace(shown);
        info!(
            changed = %list(&changed),
            needs_restart = %list(&for_restart),
            "SIGHUP: the settings were read again; certificates and Consul's token are, whenever their files change"
        );
        Ok(())
    }
}

/// Waits for the signal.
async fn came(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending().await
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}
