//! `checks` as it is written.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Active, Checks, Header, HttpProbe, Passive, Probe, Verify};
use crate::model::decode::quoted;
use crate::model::problem::Remark;
use crate::model::scalar::{AnswerStatus, Port, Quantity, Seconds, Times, TimesOrNever};
use crate::model::upstream::nodes::Address;
use crate::model::upstream::{Members, PassHost, Tls};

/// `checks` of an upstream.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(in crate::model::upstream) struct ChecksForm {
    /// Asks every node at intervals.
    active: Option<ActiveForm>,
    /// Counts what becomes of requests. A node that is taken out is back after 30 s, after 60 s the second time and so on,
    /// or with the first good answer to `active`.
    passive: Option<PassiveForm>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Type {
    #[default]
    Http,
    Https,
    Tcp,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct ActiveForm {
    /// What is asked for: an answer over HTTP or HTTPS, or a connection.
    #[serde(default, rename = "type")]
    kind: Type,
    /// Seconds that a node may take; 1 if not written.
    timeout: Option<Seconds>,
    /// Has no effect: Envoy asks each node by its own clock.
    concurrency: Option<Quantity>,
    /// The Host that nodes see; if not written their own, or the service's name where they are discovered.
    host: Option<Address>,
    /// The port that is asked; the node's own if not written.
    port: Option<Port>,
    /// The path that is asked for; `/` if not written.
    http_path: Option<String>,
    /// Whether certificates are verified, where `tls.verify` of the upstream is true; true if not written.
    https_verify_certificate: Option<bool>,
    /// Further headers, as `Name: value`.
    #[serde(default)]
    req_headers: Vec<String>,
    /// What is asked of a healthy node, and what makes one healthy.
    #[serde(default)]
    healthy: ActiveHealthy,
    /// What is asked of an ill node, and what makes one ill.
    #[serde(default)]
    unhealthy: ActiveUnhealthy,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct ActiveHealthy {
    /// Seconds between two questions to a healthy node; 1 if not written.
    interval: Option<Quantity>,
    /// 200 and 302 if not written.
    http_statuses: Option<Statuses>,
    /// 2 if not written.
    successes: Option<Times>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct ActiveUnhealthy {
    /// Seconds between two questions to an ill node; 1 if not written.
    interval: Option<Quantity>,
    /// 404, 429, 500 to 505 if not written.
    http_statuses: Option<Statuses>,
    /// 5 if not written.
    http_failures: Option<Times>,
    /// 2 if not written, and only of type `tcp`: others count all failures by `http_failures`.
    tcp_failures: Option<Times>,
    /// Time-outs count as the other failures do.
    timeouts: Option<Times>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct PassiveForm {
    /// Whether answers count (`http`, `https`), or only connections (`tcp`).
    #[serde(default, rename = "type")]
    kind: Type,
    /// Has no effect: a node that is taken out gets no requests that could succeed.
    healthy: Option<PassiveHealthy>,
    /// What makes a node ill.
    #[serde(default)]
    unhealthy: PassiveUnhealthy,
}

/// Has no effect: a node that is taken out gets no requests that could succeed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct PassiveHealthy {
    /// Statuses of good answers.
    #[serde(rename = "http_statuses")]
    _http_statuses: Option<Statuses>,
    /// How many of them in a row.
    #[serde(rename = "successes")]
    _successes: Option<TimesOrNever>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct PassiveUnhealthy {
    /// 429, 500 and 503 if not written.
    http_statuses: Option<Statuses>,
    /// 5 if not written; 0 is never.
    http_failures: Option<TimesOrNever>,
    /// 2 if not written; 0 is never.
    tcp_failures: Option<TimesOrNever>,
    /// Time-outs count as `tcp_failures` do.
    timeouts: Option<TimesOrNever>,
}

impl ChecksForm {
    /// Checks what is written, and tells the nodes what they are asked differently from each other.
    pub(in crate::model::upstream) fn checked(
        &self,
        members: &mut Members,
        tls: Option<&Tls>,
        pass_host: &PassHost,
        warnings: &mut Vec<Remark>,
    ) -> Result<Checks, Remark> {
        if self.active.is_none() && self.passive.is_none() {
            let message = "holds no check, allowed: active, passive";
            return Err(Remark::new("checks", message));
        }
        let mut own = Vec::new();
        let active = match &self.active {
            None => None,
            Some(active) => {
                active.warn(tls, &mut own);
                Some(active.checked(members, pass_host)?)
            }
        };
        if let Some(passive) = &self.passive {
            passive.warn(&mut own);
        }
        warnings.extend(own.into_iter().map(|remark| remark.under("checks")));
        Ok(Checks {
            active,
            passive: self.passive.as_ref().map(PassiveForm::checked),
        })
    }
}

impl ActiveForm {
    fn checked(&self, members: &mut Members, pass_host: &PassHost) -> Result<Active, Remark> {
        self.tell(members, pass_host);
        let seconds = |interval: Option<Quantity>| {
            Duration::from_secs(interval.map_or(1, |interval| interval.0.into()))
        };
        let unhealthy = &self.unhealthy;
        let (failures, default) = match self.kind {
            Type::Tcp => (unhealthy.tcp_failures, 2),
            Type::Http | Type::Https => (unhealthy.http_failures, 5),
        };
        Ok(Active {
            probe: self.probe(members, pass_host)?,
            timeout: self
                .timeout
                .map_or(Duration::from_secs(1), |timeout| timeout.0),
            healthy_interval: seconds(self.healthy.interval),
            unhealthy_interval: seconds(unhealthy.interval),
            successes: self.healthy.successes.map_or(2, |times| times.0),
            failures: failures.map_or(default, |times| times.0),
        })
    }

    /// What stands with the nodes in Envoy: the port that is asked, and the Host where each sees its own.
    fn tell(&self, members: &mut Members, pass_host: &PassHost) {
        let port = self.port.map(|port| port.0);
        let own_host = self.host.is_none()
            && self.kind != Type::Tcp
            && !matches!(pass_host, PassHost::Rewrite(_));
        match members {
            Members::Service(discovered) => discovered.selection.check_port = port,
            Members::Nodes(nodes) => {
                for node in nodes {
                    node.check.port = port;
                    node.check.host = own_host.then(|| node.host.clone());
                }
            }
        }
    }

    fn probe(&self, members: &Members, pass_host: &PassHost) -> Result<Probe, Remark> {
        let tls = match (self.kind, self.https_verify_certificate) {
            (Type::Tcp, _) => return Ok(Probe::Tcp),
            (Type::Http, _) => None,
            (Type::Https, Some(false)) => Some(Verify::Never),
            (Type::Https, _) => Some(Verify::AsUpstream),
        };
        let host = match (&self.host, pass_host, members) {
            (Some(host), ..) => Some(host.0.clone()),
            (None, PassHost::Rewrite(host), _) => Some(host.clone()),
            (None, _, Members::Service(discovered)) => Some(discovered.service.name.clone()),
            (None, _, Members::Nodes(_)) => None,
        };
        let healthy = statuses(self.healthy.http_statuses.as_ref(), &[200, 302]);
        let unhealthy = statuses(
            self.unhealthy.http_statuses.as_ref(),
            &[404, 429, 500, 501, 502, 503, 504, 505],
        );
        Ok(Probe::Http(HttpProbe {
            tls,
            host,
            path: path(self.http_path.as_deref().unwrap_or("/"))?,
            headers: self.headers()?,
            unhealthy: unhealthy.difference(&healthy).copied().collect(),
        }))
    }

    fn headers(&self) -> Result<Vec<Header>, Remark> {
        let header = |(at, text): (usize, &String)| {
            let read = text.split_once(':').and_then(|(before, after)| {
                let name: http::HeaderName = before.trim().parse().ok()?;
                let printable = |value: &&str| value.chars().all(|c| matches!(c, ' '..='~'));
                let value = Some(after.trim()).filter(printable)?;
                Some((name.as_str().into(), value.into()))
            });
            // The value may be a credential: it is not shown.
            let place = format!("checks.active.req_headers[{at}]");
            match read {
                None => Err(Remark::new(
                    place,
                    "cannot be read, allowed: `Name: value`, in ASCII",
                )),
                Some((name, _)) if name == Arc::from("host") => Err(Remark::new(
                    place,
                    "found the header Host, allowed: `checks.active.host`",
                )),
                Some(header) => Ok(header),
            }
        };
        self.req_headers.iter().enumerate().map(header).collect()
    }

    fn warn(&self, tls: Option<&Tls>, warnings: &mut Vec<Remark>) {
        let mut warn = |field: &str, message: &str| {
            warnings.push(Remark::new(format!("active.{field}"), message));
        };
        if self.concurrency.is_some() {
            let message = "has no effect: Envoy asks each node by its own clock";
            warn("concurrency", message);
        }
        if self.https_verify_certificate == Some(true)
            && self.kind == Type::Https
            && tls.is_none_or(|tls| tls.verify.is_none())
        {
            let message = "has no effect: `tls.verify` of the upstream is not true";
            warn("https_verify_certificate", message);
        }
        let unhealthy = &self.unhealthy;
        if self.kind == Type::Tcp {
            if differs(unhealthy.timeouts, unhealthy.tcp_failures, 2) {
                let message = "has no effect: Envoy counts time-outs as `tcp_failures`";
                warn("unhealthy.timeouts", message);
            }
            return;
        }
        for (field, times) in [
            ("unhealthy.tcp_failures", unhealthy.tcp_failures),
            ("unhealthy.timeouts", unhealthy.timeouts),
        ] {
            if differs(times, unhealthy.http_failures, 5) {
                let message = "has no effect: Envoy counts all failures as `http_failures`";
                warn(field, message);
            }
        }
        let listed = [&self.healthy.http_statuses, &unhealthy.http_statuses];
        if listed.iter().any(|list| list.is_some()) {
            let message =
                "a status that neither list names counts as healthy: Envoy ignores no answer";
            warn("healthy.http_statuses", message);
        }
    }
}

fn differs(times: Option<Times>, counted: Option<Times>, default: u32) -> bool {
    times.is_some_and(|times| times.0 != counted.map_or(default, |counted| counted.0))
}

impl PassiveForm {
    fn checked(&self) -> Passive {
        let times = |times: Option<TimesOrNever>, default| times.map_or(default, |times| times.0);
        let http_failures = match self.kind {
            Type::Tcp => 0,
            Type::Http | Type::Https => times(self.unhealthy.http_failures, 5),
        };
        Passive {
            unhealthy: statuses(self.unhealthy.http_statuses.as_ref(), &[429, 500, 503]),
            http_failures,
            tcp_failures: times(self.unhealthy.tcp_failures, 2),
        }
    }

    fn warn(&self, warnings: &mut Vec<Remark>) {
        if self.healthy.is_some() {
            let message = "has no effect: a node that is taken out gets no requests that could succeed, and is back after a time";
            warnings.push(Remark::new("passive.healthy", message));
        }
        let counted = self.unhealthy.tcp_failures.map_or(2, |times| times.0);
        if self
            .unhealthy
            .timeouts
            .is_some_and(|times| times.0 != counted)
        {
            let message = "has no effect: Envoy counts time-outs as `tcp_failures`";
            warnings.push(Remark::new("passive.unhealthy.timeouts", message));
        }
    }
}

/// Statuses, at least one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<AnswerStatus>")]
#[schemars(with = "Vec<AnswerStatus>", extend("minItems" = 1))]
struct Statuses(BTreeSet<u32>);

impl TryFrom<Vec<AnswerStatus>> for Statuses {
    type Error = String;

    fn try_from(written: Vec<AnswerStatus>) -> Result<Self, String> {
        if written.is_empty() {
            Err("found an empty list, allowed: at least one status".into())
        } else {
            Ok(Self(written.iter().map(|status| status.0).collect()))
        }
    }
}

fn statuses(written: Option<&Statuses>, default: &[u32]) -> BTreeSet<u32> {
    match written {
        None => default.iter().copied().collect(),
        Some(written) => written.0.clone(),
    }
}

fn path(text: &str) -> Result<Arc<str>, Remark> {
    if text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(text.into());
    }
    Err(Remark::new(
        "checks.active.http_path",
        format!(
            "found {}, allowed: a path that starts with `/`, in ASCII",
            quoted(text)
        ),
    ))
}
