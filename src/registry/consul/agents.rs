//! Consul's agents, each told of the instances that are registered with it: `PUT /v1/agent/service/maintenance/ID`.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::{Instant, timeout};
use url::Url;

use super::settings::Settings;
use super::transport::{self, Transport};

/// How long an agent may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// The agents that the settings lead to.
#[derive(Debug)]
pub struct Agents {
    settings: Settings,
    template: Option<String>,
    /// Which nodes the addresses of the settings are, and when they said so.
    own: Mutex<Option<(Instant, HashMap<String, String>)>>,
    /// Made with the first agent that is told something: a file that it needs may still be missing before.
    transport: Mutex<Option<Arc<Transport>>>,
}

/// Why an agent was not told.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    text: String,
    /// Whether it may have done what it was told.
    pub reached: bool,
}

impl Failure {
    pub(crate) fn unreached(text: String) -> Self {
        let reached = false;
        Self { text, reached }
    }
}

/// How long it may take to learn whether a node is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(4);

/// How long an agent is taken for that of the node that it said. What it answers is long, and drains come by the thousand.
const SAME: Duration = Duration::from_secs(5);

/// The part of `/v1/agent/self` that matters.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Own {
    config: OwnConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OwnConfig {
    node_name: String,
}

/// The part of one of `/v1/agent/checks` that matters.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    /// Why, in a check that stands for maintenance.
    notes: Option<String>,
}

impl Agents {
    /// Reached like the agent of `settings`, or as `template` says, in which `{node}` and `{address}` stand for the node's name
    /// and address.
    pub fn new(settings: Settings, template: Option<String>) -> Self {
        Self {
            settings,
            template,
            own: Mutex::default(),
            transport: Mutex::default(),
        }
    }

    /// By node, the addresses of the settings, as far as their agents say whose they are. All are asked at the same time.
    pub async fn own_nodes(&self) -> HashMap<String, String> {
        if self.template.is_some() {
            return HashMap::new();
        }
        if let Some(own) = self.said_before() {
            return own;
        }
        let asked = self.settings.addresses.iter().map(|address| async {
            let node = self.node_of(address).await?;
            Some((node, address.clone()))
        });
        let answered = join_all(asked).await;
        let all = answered.iter().all(Option::is_some);
        // Of two addresses of one agent the first one counts, as it does for queries.
        let own: HashMap<_, _> = answered.into_iter().flatten().rev().collect();
        if all {
            let mut known = self.own.lock().unwrap_or_else(PoisonError::into_inner);
            *known = Some((Instant::now(), own.clone()));
        }
        own
    }

    fn said_before(&self) -> Option<HashMap<String, String>> {
        let known = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let (said, own) = known.as_ref()?;
        (said.elapsed() < SAME).then(|| own.clone())
    }

    async fn node_of(&self, address: &str) -> Option<String> {
        let url = below(address, &["v1", "agent", "self"]).ok()?;
        let transport = self.transport().ok()?;
        let answer = transport.call(Method::GET, url, DEADLINE).await.ok()?;
        let own: Own = serde_json::from_slice(&answer.1).ok()?;
        Some(own.config.node_name)
    }

    /// The URL of a node's agent. The one of the settings where it is the node's; otherwise one at the node's address, with
    /// the scheme and the port of the first of the settings.
    pub fn url(
        &self,
        own: &HashMap<String, String>,
        node: &str,
        address: &str,
    ) -> Result<String, String> {
        if let Some(template) = &self.template {
            return Ok(template
                .replace("{node}", node)
                .replace("{address}", address));
        }
        if let Some(own) = own.get(node) {
            return Ok(own.clone());
        }
        let first = self
            .settings
            .addresses
            .first()
            .map(String::as_str)
            .unwrap_or_default();
        let mut url = Url::parse(first).map_err(|error| error.to_string())?;
        let bracketed = if address.contains(':') {
            format!("[{address}]")
        } else {
            address.to_owned()
        };
        url.set_host(Some(&bracketed)).map_err(|_| {
            format!("the registry has no address of node `{node}`: set consul-agent to how agents are reached")
        })?;
        Ok(url.to_string().trim_end_matches('/').to_owned())
    }

    /// Sets an instance's maintenance mode at its agent, with a reason, or ends it. One that the agent does not know any more
    /// needs neither.
    pub async fn maintain(
        &self,
        agent: &str,
        service: &str,
        reason: Option<&str>,
    ) -> Result<(), Failure> {
        let path = ["v1", "agent", "service", "maintenance", service];
        let mut url = below(agent, &path)?;
        let transport = self.transport()?;
        let enable = reason.is_some().to_string();
        url.query_pairs_mut().append_pair("enable", &enable);
        if let Some(reason) = reason {
            url.query_pairs_mut().append_pair("reason", reason);
        }
        let (status, body) =
            transport
                .call(Method::PUT, url, DEADLINE)
                .await
                .map_err(|(error, reached)| Failure {
                    text: error.to_string(),
                    reached,
                })?;
        match status {
            StatusCode::OK => Ok(()),
            StatusCode::NOT_FOUND if reason.is_none() => Ok(()),
            status => Err(Failure {
                text: format!(
                    "Consul's agent at {agent} did not set the maintenance mode of `{service}` ({status}: {}); the token \
                     needs service:write",
                    super::client::first_line(&body)
                ),
                // What stands before an agent may have lost its answer.
                reached: status.is_server_error(),
            }),
        }
    }

    /// Whether an instance's own maintenance mode is set, as its agent says now.
    pub async fn is_in_maintenance(&self, agent: &str, service: &str) -> Result<bool, Failure> {
        Ok(self.in_maintenance(agent).await?.contains_key(service))
    }

    /// The instances whose own maintenance mode is set, as their agent says now: by their ids there, the reasons.
    pub async fn in_maintenance(&self, agent: &str) -> Result<HashMap<String, String>, Failure> {
        let path = ["v1", "agent", "checks"];
        let checks: HashMap<String, Check> = self.read(agent, &path, None).await?;
        let set = checks.into_iter().filter_map(|(id, check)| {
            let service = id.strip_prefix("_service_maintenance:")?;
            Some((service.to_owned(), check.notes.unwrap_or_default()))
        });
        Ok(set.collect())
    }

    /// Whether no datacenter has a node of that name: it has left, or it failed days ago. Not when anybody does not say.
    pub async fn is_forgotten(&self, node: &str) -> bool {
        let asking = async {
            let agent = self.settings.addresses.first()?;
            let datacenters = ["v1", "catalog", "datacenters"];
            let all: Vec<String> = self.read(agent, &datacenters, None).await.ok()?;
            let path = ["v1", "catalog", "node", node];
            for datacenter in &all {
                let asked = self.read::<Option<IgnoredAny>>(agent, &path, Some(datacenter));
                if asked.await.ok()?.is_some() {
                    return Some(false);
                }
            }
            Some(!all.is_empty())
        };
        let forgotten = timeout(FORGOTTEN, asking).await;
        forgotten.ok().flatten().unwrap_or_default()
    }

    async fn read<T: DeserializeOwned>(
        &self,
        agent: &str,
        path: &[&str],
        datacenter: Option<&str>,
    ) -> Result<T, Failure> {
        let unreached = |error: &dyn fmt::Display| Failure::unreached(error.to_string());
        let mut url = below(agent, path)?;
        if let Some(datacenter) = datacenter {
            url.query_pairs_mut().append_pair("dc", datacenter);
        }
        let transport = self.transport()?;
        let answer = transport.call(Method::GET, url, DEADLINE).await;
        let (status, body) = answer.map_err(|(error, _)| unreached(&error))?;
        let read = (status == StatusCode::OK).then(|| serde_json::from_slice(&body).ok());
        read.flatten().ok_or_else(|| {
            let said = super::client::first_line(&body);
            unreached(&format!(
                "Consul's agent at {agent} did not answer {} ({status}: {said})",
                path.join("/")
            ))
        })
    }

    /// One pool for all agents, with the token and the certificates of now.
    fn transport(&self) -> Result<Arc<Transport>, Failure> {
        let mut transport = self
            .transport
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(transport) = &*transport {
            if let Err(error) = transport.refresh() {
                tracing::warn!(%error, "what was read before it stays");
            }
            return Ok(transport.clone());
        }
        let made = Transport::new(&self.settings)
            .map_err(|error| Failure::unreached(error.to_string()))?;
        Ok(transport.insert(Arc::new(made)).clone())
    }
}

/// The URL of what is below an agent's address.
fn below(agent: &str, path: &[&str]) -> Result<Url, Failure> {
    let mut url =
        transport::address(agent).map_err(|error| Failure::unreached(error.to_string()))?;
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    Ok(url)
}
