//! Which route gets a request, and where that goes: the reference matcher over the routes in force, and what proxies are sent
//! of the winner's clusters.

use std::net::{IpAddr, Ipv4Addr};

use tonic::Status;
use url::{Host as UrlHost, Url};

use super::json::shown;
use super::{Api, documents, pb, snapshots};
use crate::control::question::Question;
use crate::envoy::view::{endpoints, host_and_port};
use crate::explain::{Candidate, Verdict, explain as tried};
use crate::model::{Cluster, Host, Id, Members, Request};
use crate::snapshot::{ResourceType, Snapshot};

/// The longest URL and header.
const LENGTH: usize = 64 * 1024;

pub async fn explain(api: &Api, asked: &pb::ExplainRequest) -> Result<pb::Explanation, Status> {
    let name = match asked.gateway.as_str() {
        "" => "default",
        name => name,
    };
    let request = request(asked)?;
    let unknown = || snapshots::unknown_gateway(&api.gateways, name);
    let gateway: Id = name.parse().map_err(|_| unknown())?;
    let routes = api
        .ask(|answer| Question::Routes(gateway, answer))
        .await?
        .ok_or_else(unknown)?;
    let explanation = tried(&routes.in_force, &request);
    let snapshot = api.gateways.find(name);
    let clusters = explanation
        .winner()
        .into_iter()
        .flat_map(|route| route.clusters());
    let destination = |cluster: &std::sync::Arc<Cluster>| pb::Destination {
        cluster: cluster.name.to_string(),
        instances: instances(cluster, snapshot.as_deref()),
    };
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(pb::Explanation {
        revision: api.gateways.revision(),
        gateway: name.to_owned(),
        route: explanation
            .winner()
            .map(|route| format!("routes/{}", route.id))
            .unwrap_or_default(),
        destinations: clusters.map(destination).collect(),
        candidates: explanation.candidates.iter().map(candidate).collect(),
        other_host: count(explanation.other_host),
        other_path: count(explanation.other_path),
        not_in_force: routes.others.into_iter().map(documents::fares).collect(),
    })
}

fn candidate(candidate: &Candidate) -> pb::Candidate {
    let (verdict, reason) = match &candidate.verdict {
        Verdict::Wins => ("wins", ""),
        Verdict::Later => ("later", ""),
        Verdict::Method => ("method", ""),
        Verdict::Address => ("remote_addr", ""),
        Verdict::Vars(reason) => ("vars", reason.as_str()),
    };
    pb::Candidate {
        route: format!("routes/{}", candidate.route.id),
        host: match candidate.host {
            None => "*".to_owned(),
            Some(Host::Exact(name)) => name.to_string(),
            Some(Host::Suffix(suffix)) => format!("*{suffix}"),
        },
        path: candidate.path.to_string().replace('`', ""),
        priority: candidate.route.priority,
        verdict: verdict.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Where proxies are told that a cluster's instances are.
fn instances(cluster: &Cluster, snapshot: Option<&Snapshot>) -> Vec<String> {
    let told = snapshot.and_then(|snapshot| {
        let set = snapshot.set(ResourceType::LoadAssignment);
        endpoints(&set.find(&cluster.load_assignment())?.value())
    });
    match (told, &cluster.upstream.members) {
        (Some(told), _) => told,
        (None, Members::Nodes(nodes)) => nodes
            .iter()
            .map(|node| host_and_port(&node.host, node.port.into()))
            .collect(),
        (None, _) => Vec::new(),
    }
}

/// The request as Envoy would read it: the path normalised, slashes merged.
fn request(asked: &pb::ExplainRequest) -> Result<Request, Status> {
    let wrong = |field: &str, found: &str, allowed: &str| {
        Status::invalid_argument(format!(
            "{field}: found `{}`, allowed: {allowed}",
            shown(found)
        ))
    };
    let size: usize = asked.header.iter().map(String::len).sum();
    if asked.url.len() + size > LENGTH {
        return Err(wrong("url", "a longer one", "64 KiB with all headers"));
    }
    let allowed = "an http or https URL, or a path that starts with `/`";
    let absolute = if asked.url.starts_with('/') {
        format!("http://localhost{}", asked.url)
    } else {
        asked.url.clone()
    };
    let url = Url::parse(&absolute).map_err(|_| wrong("url", &asked.url, allowed))?;
    let (Some(host), Some(port), "http" | "https") =
        (url.host(), url.port_or_known_default(), url.scheme())
    else {
        return Err(wrong("url", &asked.url, allowed));
    };
    let mut authority = match (host, url.port()) {
        (UrlHost::Ipv6(address), _) => format!("[{address}]"),
        (host, _) => host.to_string(),
    };
    if let Some(port) = url.port() {
        authority = format!("{authority}:{port}");
    }
    let mut headers = Vec::new();
    for header in &asked.header {
        let Some((name, value)) = header.split_once(':') else {
            return Err(wrong("header", header, "`Name: value`"));
        };
        match (name.trim().to_ascii_lowercase(), value.trim().to_owned()) {
            (name, value) if name == "host" => authority = value,
            header => headers.push(header),
        }
    }
    let address = match asked.from.as_str() {
        "" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        from => from
            .parse()
            .map_err(|_| wrong("from", from, "an IP address"))?,
    };
    Ok(Request {
        method: match asked.method.as_str() {
            "" => "GET".to_owned(),
            method => method.to_ascii_uppercase(),
        },
        scheme: url.scheme().to_owned(),
        authority,
        path: merged(url.path()),
        query: url.query().unwrap_or_default().to_owned(),
        headers,
        address,
        port,
    })
}

fn merged(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter != '/' || !merged.ends_with('/') {
            merged.push(letter);
        }
    }
    merged
}
