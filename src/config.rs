//! Settings of the process: flags, `CHANCERY_*` variables and a YAML file, in that order of strength, parsed once.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use crate::registry::consul;
use crate::state::{Origin, Place};
use crate::store::etcd;
use crate::telemetry::LogFormat;
use crate::xds::{Clients, Limits, tls};

/// Declares the settings once, for the command line, the environment and the file.
macro_rules! settings {
    ($($(#[$meta:meta])* $field:ident: $kind:ty,)*) => {
        /// Settings as they were given; what was not given is empty.
        #[derive(Clone, Default, Args, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
        pub struct Settings {
            $($(#[$meta])* pub $field: Option<$kind>,)*
        }

        impl Settings {
            /// These settings, and `weaker` ones where these are silent.
            #[must_use]
            pub fn or(self, weaker: Self) -> Self {
                Self { $($field: self.$field.or(weaker.$field),)* }
            }
        }
    };
}

settings! {
    /// etcd's endpoints, separated by commas; documents are read from there
    #[arg(long, env = "CHANCERY_ETCD", value_name = "URL,…", value_delimiter = ',', help_heading = "etcd")]
    etcd: Vec<String>,
    /// The prefix of all keys [default: /chancery]
    #[arg(long, env = "CHANCERY_ETCD_PREFIX", value_name = "PREFIX", help_heading = "etcd")]
    etcd_prefix: String,
    /// The user to authenticate as
    #[arg(long, env = "CHANCERY_ETCD_USER", value_name = "NAME", help_heading = "etcd")]
    etcd_user: String,
    /// The user's password; other users of the machine can read flags, so prefer the variable or the file
    #[arg(long, env = "CHANCERY_ETCD_PASSWORD", hide_env_values = true, value_name = "PASSWORD", help_heading = "etcd")]
    etcd_password: String,
    /// The authorities that etcd's certificate may come from (PEM)
    #[arg(long, env = "CHANCERY_ETCD_CA", value_name = "FILE", help_heading = "etcd")]
    etcd_ca: PathBuf,
    /// The certificate to show to etcd (PEM)
    #[arg(long, env = "CHANCERY_ETCD_CERT", value_name = "FILE", help_heading = "etcd")]
    etcd_cert: PathBuf,
    /// The key of that certificate (PEM)
    #[arg(long, env = "CHANCERY_ETCD_KEY", value_name = "FILE", help_heading = "etcd")]
    etcd_key: PathBuf,
    /// Consul's HTTP address; instances of services with `discovery_type: consul` are read from there
    #[arg(long, env = "CHANCERY_CONSUL", value_name = "URL", help_heading = "Consul")]
    consul: String,
    /// The token for Consul; it needs service:read and node:read. Prefer the variable or the file to the flag
    #[arg(long, env = "CHANCERY_CONSUL_TOKEN", hide_env_values = true, value_name = "TOKEN", help_heading = "Consul")]
    consul_token: String,
    /// The authorities that Consul's certificate may come from (PEM)
    #[arg(long, env = "CHANCERY_CONSUL_CA", value_name = "FILE", help_heading = "Consul")]
    consul_ca: PathBuf,
    /// The certificate to show to Consul (PEM)
    #[arg(long, env = "CHANCERY_CONSUL_CERT", value_name = "FILE", help_heading = "Consul")]
    consul_cert: PathBuf,
    /// The key of that certificate (PEM)
    #[arg(long, env = "CHANCERY_CONSUL_KEY", value_name = "FILE", help_heading = "Consul")]
    consul_key: PathBuf,
    /// A folder to read documents (DIR/<kind>/<id>.yaml) and instances (DIR/instances/<service>.yaml) from, instead of etcd
    #[arg(long, env = "CHANCERY_FILES", value_name = "DIR")]
    files: PathBuf,
    /// A folder to keep the last good state in: a start while etcd or Consul is away serves it
    #[arg(long, env = "CHANCERY_STATE", value_name = "DIR")]
    state: PathBuf,
    /// Where proxies fetch their configuration [default: 127.0.0.1:18000]
    #[arg(long, env = "CHANCERY_XDS", value_name = "ADDRESS:PORT", help_heading = "xDS")]
    xds: SocketAddr,
    /// The certificate to show to proxies (PEM), read again when it changes
    #[arg(long, env = "CHANCERY_XDS_CERT", value_name = "FILE", help_heading = "xDS")]
    xds_cert: PathBuf,
    /// The key of that certificate (PEM)
    #[arg(long, env = "CHANCERY_XDS_KEY", value_name = "FILE", help_heading = "xDS")]
    xds_key: PathBuf,
    /// The authorities that proxies' certificates must come from (PEM)
    #[arg(long, env = "CHANCERY_XDS_CLIENT_CA", value_name = "FILE", help_heading = "xDS")]
    xds_client_ca: PathBuf,
    /// Which proxies may act as which gateways, by a DNS name or URI in their certificates; in the file only
    #[arg(skip)]
    xds_clients: BTreeMap<String, Vec<String>>,
    /// Open xDS streams, of all proxies together, and connections likewise [default: 10000]
    #[arg(long, env = "CHANCERY_MAX_STREAMS", value_name = "NUMBER", help_heading = "xDS")]
    max_streams: u32,
    /// New xDS connections a second, of all proxies together [default: 1000]
    #[arg(long, env = "CHANCERY_MAX_CONNECTION_RATE", value_name = "NUMBER", help_heading = "xDS")]
    max_connection_rate: u32,
    /// Requests a second on one stream, answers to responses aside; ten times as many at once [default: 100]
    #[arg(long, env = "CHANCERY_MAX_REQUEST_RATE", value_name = "NUMBER", help_heading = "xDS")]
    max_request_rate: u32,
    /// Seconds that a proxy may leave unread what it was sent [default: 60]
    #[arg(long, env = "CHANCERY_SLOW_READER", value_name = "SECONDS", help_heading = "xDS")]
    slow_reader: u32,
    /// Where health, readiness, metrics and the control API are [default: 127.0.0.1:9180]
    #[arg(long, env = "CHANCERY_ADMIN", value_name = "ADDRESS:PORT")]
    admin: SocketAddr,
    /// What this process is called among the replicas on one etcd [default: the host's name and the admin port]
    #[arg(long, env = "CHANCERY_REPLICA_ID", value_name = "ID")]
    replica_id: String,
    /// Allow listeners that other machines reach, without authentication
    #[arg(long, env = "CHANCERY_INSECURE", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    insecure: bool,
    /// What to log: a level, or targets with levels (`info,chancery::xds=debug`) [default: info]
    #[arg(long, env = "CHANCERY_LOG_LEVEL", value_name = "LEVEL", help_heading = "Logs")]
    log_level: String,
    /// How to log [default: text]
    #[arg(long, env = "CHANCERY_LOG_FORMAT", value_enum, value_name = "FORMAT", help_heading = "Logs")]
    log_format: LogFormat,
}

/// Where documents live.
#[derive(Debug, Clone)]
pub enum Store {
    /// In etcd.
    Etcd(etcd::Settings),
    /// In a folder, together with instances.
    Files(PathBuf),
}

/// Settings, complete and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where documents live.
    pub store: Store,
    /// Where instances live, if not in files.
    pub consul: Option<consul::Settings>,
    /// The folder of the last good state, if one is to be kept.
    pub state: Option<PathBuf>,
    /// Where and how proxies connect.
    pub xds: Xds,
    /// Where health, readiness, metrics and the control API are.
    pub admin: SocketAddr,
    /// What this process is called among the replicas.
    pub replica: Arc<str>,
}

/// Where and how proxies connect.
#[derive(Debug, Clone)]
pub struct Xds {
    /// The address.
    pub address: SocketAddr,
    /// The certificates; nothing for plain text.
    pub tls: Option<tls::Files>,
    /// Which clients may act as which gateways.
    pub clients: Clients,
    /// Bounds on clients.
    pub limits: Limits,
}

/// Why settings cannot be used. Says which, what was found and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("settings file {0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// The file does not say what it should; the text holds the line.
    #[error("settings file {0}: {1}")]
    Malformed(PathBuf, String),
    /// Settings that do not go together.
    #[error("{0}")]
    Contradiction(String),
}

impl Settings {
    /// Reads a settings file: YAML, with the flags' names as keys.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::Unreadable(path.to_owned(), error))?;
        serde_saphyr::from_str(&text)
            .map_err(|error| Error::Malformed(path.to_owned(), error.to_string()))
    }

    /// Checks the settings and fills in defaults.
    pub fn check(self) -> Result<Config, Error> {
        let insecure = self.insecure.unwrap_or_default();
        let xds = self.xds()?;
        let admin = self
            .admin
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9180)));
        let clients_known = xds.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        let exposed = |address: SocketAddr| !address.ip().is_loopback() && !insecure;
        if exposed(xds.address) && !clients_known {
            return Err(Error::Contradiction(format!(
                "--xds {} can be reached from other machines, and nothing says who may connect: use a loopback address, \
                 demand certificates (xds-cert, xds-key, xds-client-ca), or add --insecure if the network itself is trusted",
                xds.address
            )));
        }
        if exposed(admin) {
            return Err(Error::Contradiction(format!(
                "--admin {admin} can be reached from other machines, and this version authenticates nobody there: \
                 use a loopback address, or add --insecure if the network itself is trusted"
            )));
        }
        Ok(Config {
            consul: self.consul_settings()?,
            state: self.state.clone(),
            replica: self.replica(admin.port())?,
            store: self.store()?,
            xds,
            admin,
        })
    }

    fn xds(&self) -> Result<Xds, Error> {
        pair("xds", &self.xds_cert, &self.xds_key)?;
        let client_ca = self.xds_client_ca.clone();
        let tls = match (&self.xds_cert, &self.xds_key) {
            (Some(cert), Some(key)) => Some(tls::Files {
                cert: cert.clone(),
                key: key.clone(),
                client_ca,
            }),
            _ if client_ca.is_some() => {
                return Err(Error::Contradiction(
                    "xds-client-ca demands certificates of clients, and TLS needs one of its own: give xds-cert and xds-key too"
                        .into(),
                ));
            }
            _ => None,
        };
        if self.xds_clients.is_some() && self.xds_client_ca.is_none() {
            return Err(Error::Contradiction(
                "xds-clients goes by the names in clients' certificates: give xds-client-ca too, so that they are demanded"
                    .into(),
            ));
        }
        let defaults = Limits::default();
        let streams = self.max_streams.and_then(|most| usize::try_from(most).ok());
        let slow_reader = self
            .slow_reader
            .map(|seconds| Duration::from_secs(seconds.into()));
        for (flag, value) in [
            ("max-streams", self.max_streams),
            ("max-connection-rate", self.max_connection_rate),
            ("max-request-rate", self.max_request_rate),
            ("slow-reader", self.slow_reader),
        ] {
            if value == Some(0) {
                return Err(Error::Contradiction(format!(
                    "--{flag}: found 0, allowed is 1 and more"
                )));
            }
        }
        Ok(Xds {
            address: self
                .xds
                .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 18000))),
            tls,
            clients: Clients(self.xds_clients.clone().unwrap_or_default()),
            limits: Limits {
                streams: streams.unwrap_or(defaults.streams),
                connection_rate: self.max_connection_rate.unwrap_or(defaults.connection_rate),
                request_rate: self.max_request_rate.unwrap_or(defaults.request_rate),
                slow_reader: slow_reader.unwrap_or(defaults.slow_reader),
                ..defaults
            },
        })
    }

    fn replica(&self, port: u16) -> Result<Arc<str>, Error> {
        let Some(id) = &self.replica_id else {
            let id = format!("{}-{port}", host());
            return Ok(id.into());
        };
        if !(1..=64).contains(&id.len()) || !id.chars().all(is_of_an_id) {
            return Err(Error::Contradiction(format!(
                "--replica-id: found {id:?}, allowed: 1 to 64 letters, digits, `-`, `_` and `.`"
            )));
        }
        Ok(id.as_str().into())
    }

    fn store(self) -> Result<Store, Error> {
        match (self.etcd, self.files) {
            (Some(_), Some(_)) => Err(Error::Contradiction(
                "--etcd and --files both say where documents are: give one".into(),
            )),
            (None, None) => Err(Error::Contradiction(
                "nothing says where documents are: give --etcd URL or --files DIR".into(),
            )),
            (None, Some(folder)) => Ok(Store::Files(folder)),
            (Some(endpoints), None) => {
                let user = match (self.etcd_user, self.etcd_password) {
                    (None, None) => None,
                    (Some(user), Some(password)) => Some((user, password)),
                    _ => {
                        return Err(Error::Contradiction(
                            "etcd-user and etcd-password go together: give both or neither".into(),
                        ));
                    }
                };
                pair("etcd", &self.etcd_cert, &self.etcd_key)?;
                Ok(Store::Etcd(etcd::Settings {
                    endpoints: endpoints
                        .iter()
                        .map(|url| checked_url("etcd", url))
                        .collect::<Result<_, _>>()?,
                    prefix: self.etcd_prefix.unwrap_or_else(|| "/chancery".into()),
                    user,
                    ca: self.etcd_ca,
                    cert: self.etcd_cert,
                    key: self.etcd_key,
                }))
            }
        }
    }

    fn consul_settings(&self) -> Result<Option<consul::Settings>, Error> {
        let Some(address) = &self.consul else {
            return Ok(None);
        };
        pair("consul", &self.consul_cert, &self.consul_key)?;
        Ok(Some(consul::Settings {
            address: checked_url("consul", address)?,
            token: self.consul_token.clone(),
            ca: self.consul_ca.clone(),
            cert: self.consul_cert.clone(),
            key: self.consul_key.clone(),
            wait: consul::WAIT,
        }))
    }
}

impl Config {
    /// Where inputs come from, as a saved state remembers it.
    pub fn origin(&self) -> Origin {
        let store = match &self.store {
            Store::Etcd(settings) => Place::Etcd {
                endpoints: settings.endpoints.iter().map(|url| public(url)).collect(),
                prefix: settings.prefix.trim_end_matches('/').to_owned(),
            },
            Store::Files(folder) => {
                let absolute = std::path::absolute(folder);
                let folder = absolute.as_ref().unwrap_or(folder);
                Place::Files(folder.display().to_string())
            }
        };
        let consul = self.consul.as_ref().map(|consul| public(&consul.address));
        Origin { store, consul }
    }
}

/// A URL without the user and the password that may be in it.
fn public(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{host}")
}

fn is_of_an_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// The name of this host, as far as it can be part of an id.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_default();
    let name: String = name
        .trim()
        .chars()
        .filter(|c| is_of_an_id(*c))
        .take(48)
        .collect();
    match name.is_empty() {
        true => "chancery".to_owned(),
        false => name,
    }
}

fn pair(of: &str, cert: &Option<PathBuf>, key: &Option<PathBuf>) -> Result<(), Error> {
    if cert.is_some() == key.is_some() {
        return Ok(());
    }
    Err(Error::Contradiction(format!(
        "{of}-cert and {of}-key go together: give both or neither"
    )))
}

fn checked_url(flag: &str, text: &str) -> Result<String, Error> {
    let url = url::Url::parse(text);
    match url {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(Error::Contradiction(format!(
            "--{flag}: found {text:?}, allowed is a URL such as http://127.0.0.1:2379"
        ))),
    }
}

impl fmt::Debug for Settings {
    /// Without values: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
