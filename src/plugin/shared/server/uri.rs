//! The URI of a service.

use crate::model::decode::quoted;

#[derive(Debug, PartialEq, Eq)]
pub struct Uri {
    /// Whether it is asked over TLS.
    pub tls: bool,
    /// The host, with the port where one is written: the Host that the service sees.
    pub authority: String,
    /// The host and the port.
    pub node: String,
    /// The path with its query; `/` where none is written.
    pub path: String,
}

/// A URI as an error shows it: there may be credentials before the `@`, and in the query.
fn shown(text: &str) -> String {
    let cut = match text.rsplit_once('@') {
        None => text.to_owned(),
        Some((before, host)) => {
            let scheme = before.split_once("//").map_or("", |(scheme, _)| scheme);
            format!("{scheme}//…@{host}")
        }
    };
    match cut.split_once('?') {
        None => quoted(&cut),
        Some((uri, _)) => quoted(&format!("{uri}?…")),
    }
}

impl Uri {
    pub fn read(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "found {}, allowed: a URI such as http://auth.example.com:8080/check",
                shown(text)
            )
        };
        let uri: http::Uri = text.parse().map_err(|_| wrong())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
        if !authority.as_str().bytes().all(plain) {
            return Err(wrong());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        Ok(Self {
            tls,
            authority: authority.as_str().to_owned(),
            node: format!("{}:{port}", authority.host()),
            path: if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("/{path}")
            },
        })
    }
}
