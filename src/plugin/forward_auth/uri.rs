//! The URI of a service.

use crate::model::decode::quoted;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Uri {
    /// Whether it is asked over TLS.
    pub tls: bool,
    /// The host, with the port where one is written: the Host that the service sees.
    pub authority: String,
    /// The host and the port.
    pub node: String,
    /// The path with its query; `/` where none is written.
    pub path: String,
}

impl Uri {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "found {}, allowed: a URI such as http://auth.example.com:8080/check",
                quoted(text)
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
