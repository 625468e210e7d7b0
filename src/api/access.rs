//! Who may call: API keys with roles, and networks for what changes something. A key is known by its hash only.

pub mod failures;
pub mod page;
pub mod rates;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, Uri, header};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::drain::Caller;
use crate::drain::audit::{self, Deed, Trail};

use super::answer;

use failures::{Failures, Verdict};
use rates::{By, CallRate, Rates};

/// The header that shows a key.
pub const HEADER: &str = "x-api-key";

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reading `/metrics`. Every key has it.
    Metrics,
    /// Reading. Every key has it, but one that is for `/metrics` alone.
    #[serde(alias = "viewer")]
    Read,
    /// Taking instances out, and putting them back.
    Drain,
    /// Settling what only a person can decide.
    Operate,
    /// Writing documents, and all else.
    Admin,
}

impl Role {
    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Read => "read",
            Self::Drain => "drain",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

/// A key, by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// What the audit trail calls its holder.
    pub name: String,
    /// `sha256:` and the hash of the key in hex, as `printf %s KEY | sha256sum` says.
    #[serde(skip_serializing)]
    pub hash: Hash,
    pub roles: Vec<Role>,
}

impl ApiKey {
    fn may(&self, role: Role) -> bool {
        let has = |role| self.roles.contains(&role);
        match role {
            Role::Metrics => true,
            Role::Read => self.roles.is_empty() || self.roles.iter().any(|it| *it != Role::Metrics),
            Role::Drain | Role::Operate | Role::Admin => has(role) || has(Role::Admin),
        }
    }
}

/// SHA-256 of a key.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Hash([u8; 32]);

impl Hash {
    pub fn of(key: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, key);
        let mut hash = [0; 32];
        hash.copy_from_slice(digest.as_ref());
        Self(hash)
    }
}

impl FromStr for Hash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text
            .strip_prefix("sha256:")
            .map(str::as_bytes)
            .filter(|digits| digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit));
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = digits.and_then(|digits| digits.chunks(2).map(byte).collect());
        let hash = bytes.and_then(|bytes| bytes.try_into().ok());
        // What was found may be the key itself: it is not repeated.
        hash.map(Self)
            .ok_or_else(|| "allowed is `sha256:` and 64 hexadecimal digits".to_owned())
    }
}

impl TryFrom<String> for Hash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hash)")
    }
}

/// Where a call shows its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the header.
    Header,
    /// In the header, as the parameter `api_key`, or as the cookie `x_api_key`: wherever APISIX looks for it.
    Apisix,
    /// In the header, or as a bearer token: as scrapers show what they have.
    Scraper,
}

impl Place {
    fn key<'a>(self, uri: &'a Uri, headers: &'a HeaderMap) -> Option<Shown<'a>> {
        let shown = |key| Shown {
            key,
            as_parameter: false,
        };
        if let Some(key) = headers.get(HEADER) {
            return Some(shown(Cow::Borrowed(key.as_bytes())));
        }
        match self {
            Self::Header => return None,
            Self::Scraper => return bearer(headers).map(shown),
            Self::Apisix => {}
        }
        let query = uri.query().unwrap_or_default();
        let mut parameters = url::form_urlencoded::parse(query.as_bytes());
        let parameter = parameters.find(|(name, _)| name == "api_key");
        let parameter = parameter.map(|(_, key)| Shown {
            key: Cow::Owned(key.into_owned().into_bytes()),
            as_parameter: true,
        });
        parameter.or_else(|| cookie(headers).map(shown))
    }
}

/// A key as a call shows it.
struct Shown<'a> {
    key: Cow<'a, [u8]>,
    /// It is part of the URL.
    as_parameter: bool,
}

fn bearer(headers: &HeaderMap) -> Option<Cow<'_, [u8]>> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    let token = token.trim().as_bytes();
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(Cow::Borrowed(token))
}

fn cookie(headers: &HeaderMap) -> Option<Cow<'_, [u8]>> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let mut pairs = all
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == "x_api_key").then(|| Cow::Borrowed(value.trim().as_bytes()))
    })
}

/// Who may call, as the settings say.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// All keys; without any, everybody may call.
    pub keys: Vec<ApiKey>,
    /// Where drains may be called from; from everywhere when it is empty.
    pub networks: Vec<IpNet>,
    /// Whether a key in a URL opens nothing.
    pub parameter_refused: bool,
    /// Whether `/metrics` is for callers with a key.
    pub metrics_need_key: bool,
    /// How many calls anybody may make.
    pub call_rate: CallRate,
}

/// Who may call.
#[derive(Debug, Clone)]
pub struct Access {
    /// What the settings say now.
    pub rules: watch::Receiver<Rules>,
    /// Where refusals are noted.
    pub trail: Trail,
    /// Where the port is bound to: what callers may call it by.
    pub port: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Who showed keys that nobody has.
    pub failures: Arc<Mutex<Failures>>,
    /// Who has called how often.
    pub rates: Arc<Mutex<Rates>>,
}

/// Why a caller may not, and how late it is told.
#[derive(Debug)]
pub struct Denied {
    status: Status,
    late: Duration,
}

impl Denied {
    /// Why, once it is time to say so.
    pub async fn told(self) -> Status {
        tokio::time::sleep(self.late).await;
        self.status
    }
}

impl Access {
    /// The caller of what needs this role, or why it may not. A refusal is noted.
    pub fn admit(
        &self,
        role: Role,
        request: &Request,
        address: SocketAddr,
        place: Place,
    ) -> Result<Caller, Denied> {
        let began = Instant::now();
        let key = place.key(request.uri(), request.headers());
        let from = address.ip().to_canonical().to_string();
        // One state of them, for all of the call.
        let rules = self.rules.borrow().clone();
        let call = page::Call {
            port: self.port,
            any_name: self.tls || !rules.keys.is_empty(),
            writes: !matches!(role, Role::Metrics | Role::Read),
        };
        let admitted = page::check(call, request.uri(), request.headers())
            .and_then(|()| rules.admit(role, key.as_ref(), address));
        self.count(admitted.as_deref().unwrap_or_default(), address, &rules)?;
        match admitted {
            Ok(name) => {
                let operates = rules.admit(Role::Operate, key.as_ref(), address).is_ok();
                let trace = request.headers().get("traceparent");
                let trace = trace.and_then(|value| value.to_str().ok());
                Ok(Caller {
                    name,
                    from,
                    trace: trace.unwrap_or_default().to_owned(),
                    drains: rules.admit(Role::Drain, key.as_ref(), address).is_ok(),
                    operates,
                    writes: rules.admit(Role::Admin, key.as_ref(), address).is_ok(),
                })
            }
            Err(status) => {
                let looked_at = key.is_some_and(|key| !rules.refuses(&key));
                let denied = if status.code() == Code::Unauthenticated && looked_at {
                    self.guessed(status, address)
                } else {
                    let late = Duration::ZERO;
                    Denied { status, late }
                };
                let mut deed = Deed::new(&self.trail, "call", "", &from);
                deed.what = format!("{} {}", request.method(), request.uri().path());
                deed.refused(audit::ACCESS, began, &denied.status.message());
                Err(denied)
            }
        }
    }

    /// Counts a call for its key, or for its address where that is not known. One that is too many stands in no trail: that
    /// would cost what the bound is to save.
    fn count(&self, name: &str, address: SocketAddr, rules: &Rules) -> Result<(), Denied> {
        let by = if name.is_empty() {
            By::Address(address.ip().to_canonical())
        } else {
            By::Key(name.to_owned())
        };
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = rates.count(by, rules.call_rate, Instant::now());
        counted.map_err(|too_many| {
            let status = later(&too_many.to_string(), too_many.rest);
            let late = Duration::ZERO;
            Denied { status, late }
        })
    }

    /// What whoever showed an unknown key is told. A known key is never held up, also where others of its address guess.
    fn guessed(&self, status: Status, address: SocketAddr) -> Denied {
        let ip = address.ip().to_canonical();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match failures.count(ip, Instant::now()) {
            Verdict::Told(late) => Denied { status, late },
            Verdict::TooMany(rest) => {
                let why =
                    format!("the API key is not known, and {ip} showed too many that are not");
                let status = later(&why, rest);
                let late = Duration::ZERO;
                Denied { status, late }
            }
        }
    }
}

/// A refusal that is over after some time.
fn later(why: &str, rest: Duration) -> Status {
    let seconds = rest.as_secs() + 1;
    let mut status = Status::resource_exhausted(format!("{why}: try again in {seconds} s"));
    let metadata = status.metadata_mut();
    metadata.insert(answer::RETRY_AFTER, seconds.into());
    status
}

impl Rules {
    /// Whether a key is not even looked at, for where it is shown.
    fn refuses(&self, shown: &Shown<'_>) -> bool {
        shown.as_parameter && self.parameter_refused
    }

    /// The name of the caller, if it may have this role.
    fn admit(
        &self,
        role: Role,
        key: Option<&Shown<'_>>,
        address: SocketAddr,
    ) -> Result<String, Status> {
        let ip = address.ip().to_canonical();
        let within = self.networks.iter().any(|network| network.contains(&ip));
        if role == Role::Drain && !self.networks.is_empty() && !within {
            return Err(Status::permission_denied(format!(
                "{ip} is in none of the networks that drains may be called from (drain-networks)"
            )));
        }
        if self.keys.is_empty() {
            return Ok(String::new());
        }
        let shown = key.ok_or_else(|| {
            let or = if role == Role::Metrics {
                " or as a bearer token"
            } else {
                ""
            };
            Status::unauthenticated(format!("an API key is needed: show it as `{HEADER}`{or}"))
        })?;
        if self.refuses(shown) {
            return Err(Status::unauthenticated(format!(
                "an API key as the parameter `api_key` is not accepted here (api-key-parameter): show it as `{HEADER}`"
            )));
        }
        let hash = Hash::of(&shown.key);
        let known = self
            .keys
            .iter()
            .find(|key| key.hash == hash)
            .ok_or_else(|| Status::unauthenticated("the API key is not known"))?;
        if !known.may(role) {
            let (name, role) = (&known.name, role.as_str());
            return Err(Status::permission_denied(format!(
                "the API key `{name}` has not the role `{role}`"
            )));
        }
        Ok(known.name.clone())
    }
}
