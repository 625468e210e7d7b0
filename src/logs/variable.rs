//! nginx's variables, of a request that is over. Which there are, the plugin knows that lets them pass.

use std::time::{Duration, UNIX_EPOCH};

use super::entry::{Entry, port};

/// Nothing where the request has none of it.
pub fn value(entry: &Entry, name: &str) -> Option<String> {
    let header = |name: &str| entry.request.get(name).map(|values| values.join(", "));
    match name {
        "remote_addr" => entry.client().map(|client| client.address.clone()),
        "remote_port" => entry.client().map(|client| port(client).to_string()),
        "server_addr" => entry.server().map(|server| server.address.clone()),
        "server_port" => entry.server().map(|server| port(server).to_string()),
        "upstream_addr" => entry.instance().map(|instance| {
            let port = port(instance);
            match &instance.address {
                six if six.contains(':') => format!("[{six}]:{port}"),
                other => format!("{other}:{port}"),
            }
        }),
        "scheme" => header(":scheme"),
        "request_method" => header(":method"),
        "request_uri" => header(":path"),
        "uri" => header(":path").map(|path| before(&path, '?').to_owned()),
        "host" => header(":authority").map(|authority| host(&authority)),
        "http_host" => header(":authority"),
        "status" => Some(entry.status().to_string()),
        "time_iso8601" => Some(time(entry.start())),
        "route_id" => entry.route(),
        "consumer_name" => entry.consumer().map(ToOwned::to_owned),
        _ => part(entry, name),
    }
}

/// A part of a request that its own name names.
fn part(entry: &Entry, name: &str) -> Option<String> {
    let (kind, name) = name.split_once('_')?;
    let values = |header: &str| entry.request.get(header);
    match kind {
        "http" => values(&name.to_ascii_lowercase().replace('_', "-")).map(|all| all.join(", ")),
        "arg" => {
            let path = values(":path")?.first()?;
            let (_, query) = path.split_once('?')?;
            named(query.split('&'), name)
        }
        "cookie" => {
            let mut all = values("cookie")?.iter().flat_map(|text| text.split(';'));
            let mut found = all.by_ref().map(str::trim_start);
            named(&mut found, name)
        }
        _ => None,
    }
}

/// The value of the first of this name, as it is written.
fn named<'a>(mut all: impl Iterator<Item = &'a str>, name: &str) -> Option<String> {
    all.find_map(|one| {
        let (own, value) = one.split_once('=')?;
        own.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

/// Without a port, in small letters.
fn host(authority: &str) -> String {
    let end = match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => colon,
        _ => authority.len(),
    };
    authority[..end].to_ascii_lowercase()
}

fn before(text: &str, end: char) -> &str {
    text.split(end).next().unwrap_or_default()
}

/// As nginx writes it in UTC.
fn time(since: Duration) -> String {
    let seconds = Duration::from_secs(since.as_secs());
    let shown = UNIX_EPOCH
        .checked_add(seconds)
        .map(|time| humantime::format_rfc3339_seconds(time).to_string());
    shown.unwrap_or_default().replace('Z', "+00:00")
}
