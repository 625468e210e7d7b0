//! Checks settings, and fills in defaults. Reads nothing but the host's name, and the variables that documents may name.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use url::Url;

use crate::api::Process;
use crate::api::access::Rules;
use crate::api::access::rates::CallRate;
use crate::model::{Keyring, Lookup};
use crate::registry::{Registry, consul};
use crate::store::{Store, etcd};
use crate::telemetry::traces::Collector;
use crate::tls::{self, Listener};
use crate::xds::{Clients, Limits};

use super::{Config, Error, Settings, Xds};

/// How long etcd keeps the audit trail and what became of documents unless told.
const LEDGER_KEEP: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long instances stay that were lost all at once unless told.
const KEEP_LOST: Duration = Duration::from_secs(60);

impl Settings {
    /// Checks the settings and fills in defaults.
    pub fn check(self) -> Result<Config, Error> {
        let insecure = self.insecure.unwrap_or_default();
        let xds = self.xds()?;
        let admin = self
            .admin
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9180)));
        let admin_tls = files_of(
            Listener::Admin,
            (&self.admin_cert, &self.admin_key),
            &self.admin_client_ca,
            &self.admin_client_crl,
        )?;
        let clients_known = |tls: &Option<tls::Files>| {
            let authorities = tls.as_ref().and_then(|tls| tls.client_ca.as_ref());
            authorities.is_some()
        };
        let exposed = |address: SocketAddr| !address.ip().is_loopback() && !insecure;
        if exposed(xds.address) && !clients_known(&xds.tls) {
            return Err(Error::Contradiction(format!(
                "--xds {} can be reached from other machines, and nothing says who may connect: use a loopback address, \
                 demand certificates (xds-cert, xds-key, xds-client-ca), or add --insecure if the network itself is trusted",
                xds.address
            )));
        }
        let access = self.access()?;
        if exposed(admin) && access.keys.is_empty() && !clients_known(&admin_tls) {
            return Err(Error::Contradiction(format!(
                "--admin {admin} can be reached from other machines, and nothing says who may call: use a loopback \
                 address, set api-keys, demand certificates (admin-cert, admin-key, admin-client-ca), or add --insecure if the network itself is trusted"
            )));
        }
        let consul = self.consul_settings()?;
        let audit_keep = ledger_keep("audit-keep", self.audit_keep.as_deref())?;
        let history_keep = ledger_keep("history-keep", self.history_keep.as_deref())?;
        let keep_lost = self.keep_lost()?;
        let keep_lost_from = self.keep_lost_from()?;
        let consul_agent = self.consul_agent()?;
        let replica = self.replica(admin.port())?;
        let traces = self.traces()?;
        let keyring = keyring(self.data_encryption_keyring.as_deref())?;
        let lookup = lookup(self.secrets_env.as_deref())?;
        let (state, dashboard) = (self.state.clone(), self.apisix_dashboard.clone());
        let accept_store = self.accept_store.unwrap_or_default();
        let store = self.store()?;
        let registries = files(&store).into_iter();
        Ok(Config {
            registries: registries.chain(consul.map(Registry::Consul)).collect(),
            store,
            keyring,
            lookup,
            state,
            access: watch::channel(access).1,
            dashboard,
            audit_keep,
            history_keep,
            accept_store,
            keep_lost,
            keep_lost_from,
            consul_agent,
            replica,
            supervised: false,
            traces,
            process: Process::default(),
            xds,
            admin,
            admin_tls,
        })
    }

    fn traces(&self) -> Result<Option<Collector>, Error> {
        let protocol = self.otlp_traces_protocol;
        // An empty variable is one that is not set, as compose files have it.
        let Some(url) = self.otlp_traces.clone().filter(|url| !url.is_empty()) else {
            return match protocol {
                Some(_) => Err(Error::Contradiction(
                    "otlp-traces-protocol says how a collector is spoken to: give otlp-traces, its URL, too".into(),
                )),
                None => Ok(None),
            };
        };
        let read = Url::parse(&url).ok();
        let is_http = |read: &Url| matches!(read.scheme(), "http" | "https");
        if !read.is_some_and(|read| is_http(&read) && read.has_host()) {
            return Err(Error::Contradiction(
                "--otlp-traces: found no URL of a collector, allowed is http:// or https:// with host and port, as \
                 http://127.0.0.1:4317"
                    .into(),
            ));
        }
        Ok(Some(Collector {
            url,
            protocol: protocol.unwrap_or_default(),
        }))
    }

    fn xds(&self) -> Result<Xds, Error> {
        let tls = files_of(
            Listener::Xds,
            (&self.xds_cert, &self.xds_key),
            &self.xds_client_ca,
            &self.xds_client_crl,
        )?;
        if self.xds_clients.is_some() && self.xds_client_ca.is_none() {
            return Err(Error::Contradiction(
                "xds-clients goes by the names in clients' certificates: give xds-client-ca too, so that they are demanded"
                    .into(),
            ));
        }
        Ok(Xds {
            address: self
                .xds
                .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 18000))),
            tls,
            clients: Clients(self.xds_clients.clone().unwrap_or_default()),
            limits: self.limits()?,
        })
    }

    fn limits(&self) -> Result<Limits, Error> {
        for (flag, value) in [
            ("max-streams", self.max_streams),
            (
                "max-connections-per-address",
                self.max_connections_per_address,
            ),
            ("max-connection-rate", self.max_connection_rate),
            ("max-request-rate", self.max_request_rate),
            ("slow-reader", self.slow_reader),
        ] {
            if value == Some(0) {
                return Err(zero(flag));
            }
        }
        let defaults = Limits::default();
        let streams = self.max_streams.and_then(|most| usize::try_from(most).ok());
        let per_address = self.max_connections_per_address;
        let slow_reader = self
            .slow_reader
            .map(|seconds| Duration::from_secs(seconds.into()));
        Ok(Limits {
            streams: streams.unwrap_or(defaults.streams),
            connection_rate: self.max_connection_rate.unwrap_or(defaults.connection_rate),
            request_rate: self.max_request_rate.unwrap_or(defaults.request_rate),
            slow_reader: slow_reader.unwrap_or(defaults.slow_reader),
            connections_per_address: per_address.and_then(|most| usize::try_from(most).ok()),
            connection_age: self.connection_age()?,
            ..defaults
        })
    }

    fn connection_age(&self) -> Result<Option<Duration>, Error> {
        let Some(text) = &self.max_connection_age else {
            return Ok(None);
        };
        let age = humantime::parse_duration(text).ok();
        let age = age.filter(|age| *age >= Duration::from_secs(60));
        age.map(Some).ok_or_else(|| {
            Error::Contradiction(format!(
                "--max-connection-age: found {text:?}, allowed are times from 1m on, such as 12h or 7d"
            ))
        })
    }

    fn access(&self) -> Result<Rules, Error> {
        let keys = self.api_keys.clone().unwrap_or_default();
        for (at, key) in keys.iter().enumerate() {
            let name = &key.name;
            if name.is_empty() || keys.iter().take(at).any(|other| other.name == *name) {
                return Err(Error::Contradiction(format!(
                    "api-keys[{at}].name: found {name:?}, allowed is a name that no other key has"
                )));
            }
        }
        let metrics_need_key = self.metrics_need_key.unwrap_or_default();
        if metrics_need_key && keys.is_empty() {
            return Err(Error::Contradiction(
                "--metrics-need-key: found true and no api-keys, allowed with it: one key at least, which has the role metrics \
                 or another"
                    .into(),
            ));
        }
        if self.max_call_rate == Some(0) {
            return Err(zero("max-call-rate"));
        }
        Ok(Rules {
            call_rate: self.max_call_rate.map_or_else(CallRate::default, CallRate),
            metrics_need_key,
            keys,
            networks: self.drain_networks.clone().unwrap_or_default(),
            parameter_refused: self.api_key_parameter == Some(false),
        })
    }

    fn keep_lost(&self) -> Result<Duration, Error> {
        let Some(text) = &self.keep_lost else {
            return Ok(KEEP_LOST);
        };
        let longest = Duration::from_secs(24 * 3600);
        let keep = humantime::parse_duration(text).ok();
        keep.filter(|keep| *keep <= longest).ok_or_else(|| {
            Error::Contradiction(format!(
                "--keep-lost: found {text:?}, allowed are times up to 24h, such as 30s or 5m, and 0"
            ))
        })
    }

    fn keep_lost_from(&self) -> Result<u32, Error> {
        let percent = self.keep_lost_from.unwrap_or(100);
        if (1..=100).contains(&percent) {
            Ok(percent)
        } else {
            Err(Error::Contradiction(format!(
                "--keep-lost-from: found {percent}, allowed are 1 to 100"
            )))
        }
    }

    fn consul_agent(&self) -> Result<Option<String>, Error> {
        let Some(template) = &self.consul_agent else {
            return Ok(None);
        };
        let example = template
            .replace("{node}", "node")
            .replace("{address}", "127.0.0.1");
        checked_url("consul-agent", &example)?;
        Ok(Some(template.trim_end_matches('/').to_owned()))
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
        let Some(urls) = &self.consul else {
            return self.check_without_consul().map(|()| None);
        };
        if self.consul_token.is_some() && self.consul_token_file.is_some() {
            return Err(Error::Contradiction(
                "--consul-token and --consul-token-file both give Consul's token: give one".into(),
            ));
        }
        let addresses = self.consul_addresses(urls)?;
        pair("consul", &self.consul_cert, &self.consul_key)?;
        Ok(Some(consul::Settings {
            addresses,
            token: self.consul_token.clone(),
            token_file: self.consul_token_file.clone(),
            ca: self.consul_ca.clone(),
            cert: self.consul_cert.clone(),
            key: self.consul_key.clone(),
            wait: consul::WAIT,
            connections: consul::CONNECTIONS,
        }))
    }

    fn check_without_consul(&self) -> Result<(), Error> {
        let others = [
            ("consul-token", self.consul_token.is_some()),
            ("consul-token-file", self.consul_token_file.is_some()),
            ("consul-ca", self.consul_ca.is_some()),
            ("consul-cert", self.consul_cert.is_some()),
            ("consul-key", self.consul_key.is_some()),
        ];
        match others.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((flag, _)) => Err(Error::Contradiction(format!(
                "--{flag} is given, and no Consul: give --consul URL too"
            ))),
        }
    }

    fn consul_addresses(&self, urls: &[String]) -> Result<Vec<String>, Error> {
        let addresses = urls
            .iter()
            .map(|one| checked_url("consul", one))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(position) = addresses.iter().position(|one| one.contains('@')) {
            return Err(Error::Contradiction(format!(
                "--consul: URL {} of {} holds a user or a password, allowed is none: Consul takes a token, see \
                 --consul-token-file",
                position + 1,
                addresses.len()
            )));
        }
        let encrypted = |address: &&String| address.starts_with("https:");
        let tls = self.consul_ca.is_some() || self.consul_cert.is_some();
        if tls && let Some(plain) = addresses.iter().find(|one| !encrypted(one)) {
            return Err(Error::Contradiction(format!(
                "--consul: found {plain:?} beside consul-ca or consul-cert, allowed with those: https URLs"
            )));
        }
        Ok(addresses)
    }
}

/// The keys that encrypted fields of documents are opened and sealed with.
pub fn keyring(keys: Option<&[String]>) -> Result<Keyring, Error> {
    let keys = keys.unwrap_or_default();
    // An empty variable is one that is not set, as compose files have it.
    if keys.iter().all(String::is_empty) {
        return Ok(Keyring::default());
    }
    Keyring::new(keys).map_err(|said| {
        let setting = "data-encryption-keyring";
        Error::Contradiction(format!("--{setting}: {said}, as APISIX has it"))
    })
}

/// What references to secrets in documents stand for: these variables of the environment.
pub fn lookup(names: Option<&[String]>) -> Result<Lookup, Error> {
    let names = names.unwrap_or_default();
    // An empty variable is one that is not set, as compose files have it.
    if names.iter().all(String::is_empty) {
        return Ok(Lookup::default());
    }
    let variables = std::env::vars_os();
    let texts = variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Lookup::new(names, texts).map_err(|said| Error::Contradiction(format!("--secrets-env: {said}")))
}

/// The registry that comes with a store.
fn files(store: &Store) -> Option<Registry> {
    match store {
        Store::Files(folder) => Some(Registry::Files(folder.clone())),
        Store::Etcd(_) => None,
    }
}

/// How long etcd keeps something of a ledger.
fn ledger_keep(flag: &str, said: Option<&str>) -> Result<Duration, Error> {
    let Some(text) = said else {
        return Ok(LEDGER_KEEP);
    };
    let keep = humantime::parse_duration(text).ok();
    // etcd's leases end at 285 years.
    let longest = Duration::from_secs(3650 * 24 * 3600);
    keep.filter(|keep| (Duration::from_secs(60)..=longest).contains(keep))
        .ok_or_else(|| {
            Error::Contradiction(format!(
                "--{flag}: found {text:?}, allowed are times from 1m to 3650d, such as 12h or 30d"
            ))
        })
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
    if name.is_empty() {
        "chancery".to_owned()
    } else {
        name
    }
}

fn zero(flag: &str) -> Error {
    Error::Contradiction(format!("--{flag}: found 0, allowed is 1 and more"))
}

/// The certificates of a port, where it has any.
fn files_of(
    listener: Listener,
    (cert, key): (&Option<PathBuf>, &Option<PathBuf>),
    client_ca: &Option<PathBuf>,
    client_crl: &Option<PathBuf>,
) -> Result<Option<tls::Files>, Error> {
    let of = listener.as_str();
    pair(of, cert, key)?;
    if client_crl.is_some() && client_ca.is_none() {
        return Err(Error::Contradiction(format!(
            "{of}-client-crl says which clients' certificates were taken back: give {of}-client-ca too, so that they are \
             demanded"
        )));
    }
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(tls::Files {
            listener,
            cert: cert.clone(),
            key: key.clone(),
            client_ca: client_ca.clone(),
            client_crl: client_crl.clone(),
        })),
        _ if client_ca.is_some() => Err(Error::Contradiction(format!(
            "{of}-client-ca demands certificates of clients, and TLS needs one of its own: give {of}-cert and {of}-key too"
        ))),
        _ => Ok(None),
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
        _ => {
            // Before an `@` there may be a password.
            let shown = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
            Err(Error::Contradiction(format!(
                "--{flag}: found {shown:?}, allowed is a URL such as http://127.0.0.1:2379"
            )))
        }
    }
}
