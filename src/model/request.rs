//! A request, as far as routes look at it: after Envoy has read it, before any plugin has.

use std::net::IpAddr;

/// A request that a gateway received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`
    pub method: String,
    /// `http` or `https`
    pub scheme: String,
    /// The `Host` header, with the port where the client names one.
    pub authority: String,
    /// The path as it stands in the request, normalised, without the query.
    pub path: String,
    /// What stands behind the `?`; empty without one.
    pub query: String,
    /// The other headers, in lower case and in order; one may be there several times.
    pub headers: Vec<(String, String)>,
    /// The client's address.
    pub address: IpAddr,
    /// The port that the client came to.
    pub port: u16,
}

impl Request {
    /// The host in lower case, without a port and without the root's dot.
    pub fn host(&self) -> String {
        let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
        let host = match self.authority.rsplit_once(':') {
            Some((host, port)) if digits(port) => host,
            _ => &self.authority,
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        host.to_ascii_lowercase()
    }

    pub fn headers(&self, name: &str) -> Vec<&str> {
        if name == ":authority" {
            return vec![&self.authority];
        }
        let values = self.headers.iter().filter(|(own, _)| own == name);
        values.map(|(_, value)| value.as_str()).collect()
    }

    /// The first value of an argument, as it stands in the URL: nothing is decoded.
    pub fn argument(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| {
            let (own, value) = pair.split_once('=').unwrap_or((pair, ""));
            (own == name && !pair.is_empty()).then_some(value)
        })
    }

    /// The first value of a cookie, without the quotes around it.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers("cookie").into_iter();
        cookies
            .flat_map(|cookies| cookies.split(';'))
            .find_map(|pair| {
                let (own, value) = pair.trim().split_once('=')?;
                let unquoted = value
                    .strip_prefix('"')
                    .and_then(|rest| rest.strip_suffix('"'));
                (own == name).then_some(unquoted.unwrap_or(value))
            })
    }
}

#[cfg(test)]
mod tests;
