//! What a page in somebody's browser may not do here, though the browser reaches the port and whoever sits before it may
//! call: change anything, or read by having its own name point here (DNS rebinding). CORS is off: no answer permits a page
//! of another origin to read it.
//!
//! Browsers say which page sends a request, and a page cannot forge it; other programs send nothing of the kind. A content
//! type tells nothing: people's curl sends forms, as pages can.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, Uri, header};
use tonic::Status;

use crate::api::json::shown;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What is known of the port and of the call.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Where the port is bound to.
    pub port: SocketAddr,
    /// Whether it may be called by any name: callers show keys, or TLS has them see that the name is its own.
    pub any_name: bool,
    /// Whether it changes anything.
    pub writes: bool,
}

/// Refuses what a page of somebody else's may have sent.
pub fn check(call: Call, uri: &Uri, headers: &HeaderMap) -> Result<(), Status> {
    // HTTP/2 has the name in `:authority`, HTTP/1 in `Host` or in the request line; whatever is there has to be right.
    let mut names = Vec::new();
    names.extend(uri.authority().map(|name| name.as_str().as_bytes()));
    names.extend(
        headers
            .get_all(header::HOST)
            .iter()
            .map(|name| name.as_bytes()),
    );
    // A page does not know a key, and has no certificate of this port for its own name: the name gets it nothing.
    if !call.any_name {
        for name in &names {
            check_name(name, call.port)?;
        }
    }
    for origin in headers.get_all(header::ORIGIN) {
        check_origin(origin.as_bytes(), &names)?;
    }
    let site = headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes());
    match site {
        Some(site @ (b"cross-site" | b"same-site")) if call.writes => Err(refused(format!(
            "Sec-Fetch-Site: found `{}`, allowed for a call that changes something are `same-origin` and `none`: a page \
             of another origin sent it; use a program that is no browser",
            text(site)
        ))),
        _ => Ok(()),
    }
}

/// Only a name can be made to point here: an address in its place is one that the browser was told to ask.
fn check_name(name: &[u8], port: SocketAddr) -> Result<(), Status> {
    let host = std::str::from_utf8(name).ok().and_then(|name| split(name));
    let allowed = host.is_some_and(|(host, _)| match address(host) {
        Some(ip) => ip.is_loopback() || !port.ip().to_canonical().is_loopback(),
        None => is_localhost(host),
    });
    if allowed {
        return Ok(());
    }
    let addresses = if port.ip().to_canonical().is_loopback() {
        "127.0.0.1 and [::1]"
    } else {
        "IP addresses"
    };
    Err(refused(format!(
        "Host: found `{}`, allowed without API keys are localhost, names below .localhost, {addresses}, as any other name \
         may be a web page's that has it point here: call by one of these, or set api-keys, and any name will do",
        text(name)
    )))
}

/// A page's origin is `scheme://host[:port]`, or `null`. Its own is the one whose host and port it calls; the scheme is that
/// of whatever ends TLS before this port.
fn check_origin(origin: &[u8], names: &[&[u8]]) -> Result<(), Status> {
    let page = std::str::from_utf8(origin).ok().and_then(|origin| {
        let (scheme, rest) = origin.split_once("://")?;
        let usual = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        Some((rest, usual))
    });
    let own = page.is_some_and(|(page, usual)| {
        let is_page = |name: &&[u8]| {
            let name = std::str::from_utf8(name).ok().and_then(|name| split(name));
            let page = split(page);
            page.zip(name).is_some_and(|(page, name)| {
                page.0.eq_ignore_ascii_case(name.0)
                    && page.1.unwrap_or(usual) == name.1.unwrap_or(usual)
            })
        };
        !names.is_empty() && names.iter().all(is_page)
    });
    if own {
        return Ok(());
    }
    let host = names
        .first()
        .map_or("none".into(), |name| format!("`{}`", text(name)));
    Err(refused(format!(
        "Origin: found `{}`, allowed is none, or the host and port that are called ({host}): a web page of another origin \
         sent this; use a program that is no browser, or have whatever serves the page pass its calls on",
        text(origin)
    )))
}

/// Host and port.
fn split(name: &str) -> Option<(&str, Option<u16>)> {
    let end = match name.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => name.find(':').unwrap_or(name.len()),
    };
    let (host, port) = name.split_at_checked(end)?;
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((host, None)),
        Some("") => Some((host, None)),
        Some(port) => Some((host, Some(port.parse().ok()?))),
        None => None,
    }
}

fn address(host: &str) -> Option<IpAddr> {
    let ip = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(host) => host.parse::<Ipv6Addr>().map(IpAddr::from),
        None => host.parse(),
    };
    Some(ip.ok()?.to_canonical())
}

fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

fn text(bytes: &[u8]) -> String {
    shown(&String::from_utf8_lossy(bytes))
}

fn refused(why: String) -> Status {
    Status::permission_denied(why)
}

#[cfg(test)]
mod tests;
