//! Settings of the process: flags, `CHANCERY_*` variables and a YAML file, in that order of strength, parsed once.

#![warn(missing_docs)]

mod check;
mod shown;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

use crate::api::{Process, access};
use crate::model::{Keyring, Lookup};
use crate::registry::Registry;
use crate::state::{Origin, Place};
use crate::store::Store;
use crate::telemetry::logs::{LogFormat, LogOutput};
use crate::telemetry::traces;
use crate::tls;
use crate::xds::{Clients, Limits};

pub use check::{keyring, lookup};

/// Declares the settings once, for the command line, the environment and the file.
macro_rules! settings {
    ($($(#[$meta:meta])* $field:ident: $kind:ty,)*) => {
        /// Settings as they were given; what was not given is empty.
        #[derive(Clone, Default, PartialEq, Args, Deserialize)]
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

            /// The names of the settings that are not the same in both.
            pub fn differing(&self, other: &Self) -> Vec<String> {
                let mut names = Vec::new();
                $(if self.$field != other.$field {
                    names.push(stringify!($field).replace('_', "-"));
                })*
                names
            }

            /// The settings that were given, by their names, as they are.
            fn given(&self) -> Vec<(String, Value)> {
                let mut given = Vec::new();
                $(if let Some(value) = &self.$field {
                    // A path that is no text is none in JSON.
                    let value = serde_json::to_value(value).unwrap_or_default();
                    given.push((stringify!($field).replace('_', "-"), value));
                })*
                given
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
    /// Believe etcd's first listing, also where its revision went back and most of the saved documents are not there
    #[arg(long, env = "CHANCERY_ACCEPT_STORE", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", help_heading = "etcd")]
    accept_store: bool,
    /// The HTTP address of Consul, or of several agents of it, separated by commas: when one is at fault the next is asked.
    /// Instances of services with `discovery_type: consul` are read from there
    #[arg(long, env = "CHANCERY_CONSUL", value_name = "URL,…", value_delimiter = ',', help_heading = "Consul")]
    consul: Vec<String>,
    /// The token for Consul; it needs service:read and node:read. Other users of the machine can read flags, so prefer
    /// the variable or a file
    #[arg(long, env = "CHANCERY_CONSUL_TOKEN", hide_env_values = true, value_name = "TOKEN", help_heading = "Consul")]
    consul_token: String,
    /// A file that holds the token for Consul, read again when it changes
    #[arg(long, env = "CHANCERY_CONSUL_TOKEN_FILE", value_name = "FILE", help_heading = "Consul")]
    consul_token_file: PathBuf,
    /// The authorities that Consul's certificate may come from (PEM)
    #[arg(long, env = "CHANCERY_CONSUL_CA", value_name = "FILE", help_heading = "Consul")]
    consul_ca: PathBuf,
    /// The certificate to show to Consul (PEM)
    #[arg(long, env = "CHANCERY_CONSUL_CERT", value_name = "FILE", help_heading = "Consul")]
    consul_cert: PathBuf,
    /// The key of that certificate (PEM)
    #[arg(long, env = "CHANCERY_CONSUL_KEY", value_name = "FILE", help_heading = "Consul")]
    consul_key: PathBuf,
    /// How agents are reached, to take an instance out at its own; `{node}` and `{address}` stand for its node's name and
    /// address [default: Consul's scheme and port at the node's address]
    #[arg(long, env = "CHANCERY_CONSUL_AGENT", value_name = "URL", help_heading = "Consul")]
    consul_agent: String,
    /// How long the last healthy instances of a service stay that Consul took away all at once; 0 is not at all [default: 60s]
    #[arg(long, env = "CHANCERY_KEEP_LOST", value_name = "TIME", help_heading = "Consul")]
    keep_lost: String,
    /// How many of a hundred healthy instances of a service have to be gone at once for that [default: 100]
    #[arg(long, env = "CHANCERY_KEEP_LOST_FROM", value_name = "PERCENT", help_heading = "Consul")]
    keep_lost_from: u32,
    /// A folder to read documents (DIR/<kind>/<id>.yaml) and instances (DIR/instances/<service>.yaml) from, instead of etcd
    #[arg(long, env = "CHANCERY_FILES", value_name = "DIR")]
    files: PathBuf,
    /// Keys of 16 or 32 bytes, separated by commas, that secrets in documents are encrypted with, as `data_encryption.keyring` of
    /// APISIX: each opens what is read, and the first seals what is written. Other users of the machine can read flags, so
    /// prefer the variable or the file
    #[arg(long, env = "CHANCERY_DATA_ENCRYPTION_KEYRING", hide_env_values = true, value_name = "KEY,…", value_delimiter = ',')]
    data_encryption_keyring: Vec<String>,
    /// Variables of the environment that documents may name in place of secrets, as `$env://NAME`; with a `*` behind, all whose
    /// names begin so. Of all others documents learn nothing [default: none]
    #[arg(long, env = "CHANCERY_SECRETS_ENV", value_name = "NAME,…", value_delimiter = ',')]
    secrets_env: Vec<String>,
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
    /// Lists of proxies' certificates that their authorities have taken back (PEM), read again when it changes; one of each
    /// authority that issues them
    #[arg(long, env = "CHANCERY_XDS_CLIENT_CRL", value_name = "FILE", help_heading = "xDS")]
    xds_client_crl: PathBuf,
    /// Which proxies may act as which gateways, by a DNS name or URI in their certificates; in the file only
    #[arg(skip)]
    xds_clients: BTreeMap<String, Vec<String>>,
    /// Open xDS streams, of all proxies together, and connections likewise [default: 10000]
    #[arg(long, env = "CHANCERY_MAX_STREAMS", value_name = "NUMBER", help_heading = "xDS")]
    max_streams: u32,
    /// Open xDS connections from one address [default: half of --max-streams]
    #[arg(long, env = "CHANCERY_MAX_CONNECTIONS_PER_ADDRESS", value_name = "NUMBER", help_heading = "xDS")]
    max_connections_per_address: u32,
    /// New xDS connections a second, of all proxies together [default: 1000]
    #[arg(long, env = "CHANCERY_MAX_CONNECTION_RATE", value_name = "NUMBER", help_heading = "xDS")]
    max_connection_rate: u32,
    /// How old an xDS connection becomes, up to a tenth less, before its proxy is told to connect again [default: none]
    #[arg(long, env = "CHANCERY_MAX_CONNECTION_AGE", value_name = "TIME", help_heading = "xDS")]
    max_connection_age: String,
    /// Requests a second on one stream, answers to responses aside; ten times as many at once [default: 100]
    #[arg(long, env = "CHANCERY_MAX_REQUEST_RATE", value_name = "NUMBER", help_heading = "xDS")]
    max_request_rate: u32,
    /// Seconds that a proxy may leave unread what it was sent [default: 60]
    #[arg(long, env = "CHANCERY_SLOW_READER", value_name = "SECONDS", help_heading = "xDS")]
    slow_reader: u32,
    /// Where health, readiness, metrics and the control API are [default: 127.0.0.1:9180]
    #[arg(long, env = "CHANCERY_ADMIN", value_name = "ADDRESS:PORT")]
    admin: SocketAddr,
    /// The certificate to show to callers of the admin port (PEM), read again when it changes; the port speaks HTTPS alone then
    #[arg(long, env = "CHANCERY_ADMIN_CERT", value_name = "FILE")]
    admin_cert: PathBuf,
    /// The key of that certificate (PEM)
    #[arg(long, env = "CHANCERY_ADMIN_KEY", value_name = "FILE")]
    admin_key: PathBuf,
    /// The authorities that callers' certificates must come from (PEM), those of probes and scrapers too
    #[arg(long, env = "CHANCERY_ADMIN_CLIENT_CA", value_name = "FILE")]
    admin_client_ca: PathBuf,
    /// Lists of callers' certificates that their authorities have taken back (PEM), read again when it changes; one of each
    /// authority that issues them
    #[arg(long, env = "CHANCERY_ADMIN_CLIENT_CRL", value_name = "FILE")]
    admin_client_crl: PathBuf,
    /// API keys by their hashes, with names and roles; in the file only
    #[arg(skip)]
    api_keys: Vec<access::ApiKey>,
    /// Whether a call of the Admin API may show its key as the parameter `api_key`, which logs of proxies on its way may keep
    /// [default: true]
    #[arg(long, env = "CHANCERY_API_KEY_PARAMETER", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    api_key_parameter: bool,
    /// Calls a second with one API key, and without a known one from one address; ten times as many at once [default: 1000]
    #[arg(long, env = "CHANCERY_MAX_CALL_RATE", value_name = "NUMBER")]
    max_call_rate: u32,
    /// Whether `/metrics` is for callers with an API key alone, of any role, such as `metrics`; scrapers may show it as a bearer token
    /// [default: false]
    #[arg(long, env = "CHANCERY_METRICS_NEED_KEY", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    metrics_need_key: bool,
    /// A folder with a build of APISIX's dashboard, which is served at /ui/ of the admin port
    #[arg(long, env = "CHANCERY_APISIX_DASHBOARD", value_name = "DIR")]
    apisix_dashboard: PathBuf,
    /// Networks that instances may be taken out from [default: all]
    #[arg(long, env = "CHANCERY_DRAIN_NETWORKS", value_name = "NETWORK,…", value_delimiter = ',')]
    drain_networks: Vec<IpNet>,
    /// How long etcd keeps the audit trail [default: 30d]
    #[arg(long, env = "CHANCERY_AUDIT_KEEP", value_name = "TIME")]
    audit_keep: String,
    /// How long etcd keeps what became of documents, of which at most 100 changes each are kept [default: 30d]
    #[arg(long, env = "CHANCERY_HISTORY_KEEP", value_name = "TIME")]
    history_keep: String,
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
    /// Where log lines go [default: stderr]
    #[arg(long, env = "CHANCERY_LOG_OUTPUT", value_enum, value_name = "OUTPUT", help_heading = "Logs")]
    log_output: LogOutput,
    /// A folder to log to as well, as JSON: a file a day, of which 14 are kept
    #[arg(long, env = "CHANCERY_LOG_DIR", value_name = "DIR", help_heading = "Logs")]
    log_dir: PathBuf,
    /// An OpenTelemetry collector to log to as well, over OTLP's gRPC
    #[arg(long, env = "CHANCERY_OTLP", value_name = "URL", help_heading = "Logs")]
    otlp: String,
    /// An OpenTelemetry collector to send a trace of each change of documents to, from its write to the last proxy that has it.
    /// Headers for it are read from the variable OTEL_EXPORTER_OTLP_HEADERS
    #[arg(long, env = "CHANCERY_OTLP_TRACES", value_name = "URL", help_heading = "Traces")]
    otlp_traces: String,
    /// How that collector is spoken to: over gRPC, or as protobuf over HTTP [default: grpc]
    #[arg(long, env = "CHANCERY_OTLP_TRACES_PROTOCOL", value_enum, value_name = "PROTOCOL", help_heading = "Traces")]
    otlp_traces_protocol: traces::Protocol,
}

/// Settings, complete and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where documents live.
    pub store: Store,
    /// What encrypted fields of documents are opened and sealed with.
    pub keyring: Keyring,
    /// What references to secrets in documents stand for.
    pub lookup: Lookup,
    /// Where instances live; each kind once at most.
    pub registries: Vec<Registry>,
    /// Whether the store's first listing is believed, however little is left of what was saved.
    pub accept_store: bool,
    /// How long healthy instances of a service stay that Consul took away at once.
    pub keep_lost: Duration,
    /// How many of a hundred have to be gone for that.
    pub keep_lost_from: u32,
    /// The folder of the last good state, if one is to be kept.
    pub state: Option<PathBuf>,
    /// Where and how proxies connect.
    pub xds: Xds,
    /// Where health, readiness, metrics and the control API are.
    pub admin: SocketAddr,
    /// The certificates of the admin port; nothing for plain text.
    pub admin_tls: Option<tls::Files>,
    /// Who may call the control API.
    pub access: watch::Receiver<access::Rules>,
    /// A build of APISIX's dashboard, if one is to be served.
    pub dashboard: Option<PathBuf>,
    /// How long etcd keeps the audit trail.
    pub audit_keep: Duration,
    /// How long etcd keeps what became of documents.
    pub history_keep: Duration,
    /// How Consul's agents are reached, where that is said.
    pub consul_agent: Option<String>,
    /// What this process is called among the replicas.
    pub replica: Arc<str>,
    /// Whether the supervisor that `NOTIFY_SOCKET` of the environment names is told how the server fares.
    pub supervised: bool,
    /// Where traces go, if anywhere.
    pub traces: Option<traces::Collector>,
    /// What is told of this process to who may ask.
    pub process: Process,
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
    /// What to log.
    pub fn level(&self) -> &str {
        self.log_level.as_deref().unwrap_or("info")
    }

    /// Reads a settings file: YAML, with the flags' names as keys.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::Unreadable(path.to_owned(), error))?;
        // The place and not the lines themselves: there are secrets in them.
        serde_saphyr::from_str(&text)
            .map_err(|error| Error::Malformed(path.to_owned(), error.without_snippet().to_string()))
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
        let registries = self
            .registries
            .iter()
            .filter_map(|registry| match registry {
                Registry::Consul(consul) => {
                    let agents = consul.addresses.iter().map(|url| public(url));
                    Some((registry.discovery(), agents.collect()))
                }
                // Beside the documents: where those are the same, these are.
                Registry::Files(_) => None,
            });
        Origin {
            store,
            registries: registries.collect(),
        }
    }
}

/// A URL without the user and the password that may be in it.
fn public(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{host}")
}

impl fmt::Debug for Settings {
    /// Without values: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
