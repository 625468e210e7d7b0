//! `redirect`: the client is sent elsewhere.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::{DirectResponseAction, RedirectAction, Route};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::narrow::by_headers;
use super::shared::pattern::{Among, Rewrite};
use super::shared::variable::{self, Piece};
use super::shared::{header, uri};
use crate::model::Path;
use crate::model::decode::{self, quoted};
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "redirect",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        ("uri", "few variables"),
        (
            "regex_uri",
            "patterns that PCRE and RE2 mean alike; a request that it does not match passes; \
            `Location` is a whole URL where the pattern has more than seven groups",
        ),
        (
            "http_to_https",
            "where the client named a port, `Location` names 443",
        ),
    ],
    http_filters: Vec::new,
};

/// Sends clients elsewhere.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Whether requests over HTTP are sent to the same URL over HTTPS: GET and HEAD with 301, others with 308.
    #[serde(default)]
    http_to_https: bool,
    /// Where to, with variables: a path, or a whole URL.
    uri: Option<String>,
    /// A pattern of paths, and what to put in place of what it matches, `$1` for its groups.
    regex_uri: Option<Vec<String>>,
    /// The status: 301, 302, 303, 307 or 308; 302 if not written.
    #[serde(default)]
    ret_code: Code,
    /// Whether the path is percent-encoded.
    #[serde(default)]
    encode_uri: bool,
    /// Whether the query of the request is kept.
    #[serde(default)]
    append_query_string: bool,
}

impl decode::Form for Form {}

/// The statuses that Envoy redirects with.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "i64")]
struct Code(#[schemars(with = "u16")] RedirectResponseCode);

impl Default for Code {
    fn default() -> Self {
        Self(RedirectResponseCode::Found)
    }
}

impl TryFrom<i64> for Code {
    type Error = String;

    fn try_from(status: i64) -> Result<Self, String> {
        Ok(Self(match status {
            301 => RedirectResponseCode::MovedPermanently,
            302 => RedirectResponseCode::Found,
            303 => RedirectResponseCode::SeeOther,
            307 => RedirectResponseCode::TemporaryRedirect,
            308 => RedirectResponseCode::PermanentRedirect,
            _ => return Err(format!("found {status}, allowed: 301, 302, 303, 307, 308")),
        }))
    }
}

impl Code {
    fn status(self) -> u32 {
        match self.0 {
            RedirectResponseCode::MovedPermanently => 301,
            RedirectResponseCode::Found => 302,
            RedirectResponseCode::SeeOther => 303,
            RedirectResponseCode::TemporaryRedirect => 307,
            RedirectResponseCode::PermanentRedirect => 308,
        }
    }
}

#[derive(Debug)]
enum Redirect {
    /// To the same URL over TLS, at its usual port, if it came without.
    Https,
    /// To this `Location`, one of Envoy's format strings. It is sent as it is written: Envoy's own redirects make it
    /// absolute with the scheme that Envoy sees, which is the wrong one behind a proxy that ends TLS.
    Location { code: Code, location: String },
    /// To what the path becomes.
    Rewrite {
        code: Code,
        rewrite: Rewrite,
        keep_query: bool,
        /// Another host, where the template names one.
        to: Option<Elsewhere>,
    },
}

/// Where a whole URL leads.
#[derive(Debug)]
struct Elsewhere {
    scheme: &'static str,
    host: String,
    port: u32,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let warnings = &mut reading.warnings;
    let form: Form = decode::read(value)?;
    let code = form.ret_code;
    let redirect = match (
        form.http_to_https,
        form.uri.as_deref(),
        form.regex_uri.as_deref(),
    ) {
        (true, None, None) if form.append_query_string => {
            let message = "found beside `http_to_https`, which keeps the query already";
            return Err(Remark::new("append_query_string", message));
        }
        (true, None, None) => {
            // 302 is what APISIX writes where nobody said anything, and has no effect there either.
            if !matches!(code.status(), 301 | 302) {
                let message = "has no effect beside `http_to_https`, which answers 301 or 308";
                warnings.push(Remark::new("ret_code", message));
            }
            Redirect::Https
        }
        (false, None, Some(pair)) => {
            let mut pair = pair.to_vec();
            let to = pair.get_mut(1).map(elsewhere).transpose()?.flatten();
            Redirect::Rewrite {
                code,
                rewrite: Rewrite::read(&pair, to.is_some())?,
                keep_query: form.append_query_string,
                to,
            }
        }
        (false, Some(uri), None) => {
            let mut location = location(uri, form.encode_uri, warnings)?;
            if form.append_query_string {
                location.push_str(query_behind(uri.contains('?')));
            }
            Redirect::Location { code, location }
        }
        _ => {
            let message = "needs one of `http_to_https`, `uri` and `regex_uri`, and only one";
            return Err(Remark::whole(message));
        }
    };
    Ok(Arc::new(redirect))
}

/// A `Location` with variables.
fn location(text: &str, encode: bool, warnings: &mut Vec<Remark>) -> Result<String, Remark> {
    let wrong = |said: String| Remark::new("uri", said);
    if text.is_empty() || !text.bytes().all(|b| encode || b.is_ascii_graphic()) {
        return Err(wrong(format!(
            "found {}, allowed: a URI in ASCII without spaces, or `encode_uri`",
            quoted(text)
        )));
    }
    let pieces = variable::pieces(text).map_err(wrong)?;
    if let Some(message) = variable::warning(&pieces) {
        warnings.push(Remark::new("uri", message));
    }
    let mut in_query = false;
    let mut location = String::new();
    for piece in pieces {
        match piece {
            Piece::Variable(name) => location.push_str(&variable::operator(name).map_err(wrong)?),
            Piece::Text(text) if encode && !in_query => {
                let (path, query) = text.split_at(text.find('?').unwrap_or(text.len()));
                in_query = !query.is_empty();
                location.push_str(&variable::literal(&uri::escape(path)));
                location.push_str(&variable::literal(query));
            }
            Piece::Text(text) => location.push_str(&variable::literal(text)),
        }
    }
    Ok(location)
}

/// The client's query behind a URI, if there is one.
fn query_behind(another: bool) -> &'static str {
    if another {
        r"%CEL(re.extract(request.query, '(.+)', '&\\1'))%"
    } else {
        r"%CEL(re.extract(request.query, '(.+)', '?\\1'))%"
    }
}

/// The scheme and the host of a template that names them, which then starts at its path.
fn elsewhere(template: &mut String) -> Result<Option<Elsewhere>, Remark> {
    let schemes = [("http://", "http", 80), ("https://", "https", 443)];
    let found = schemes
        .into_iter()
        .find_map(|(start, scheme, port)| Some((template.strip_prefix(start)?, scheme, port)));
    let Some((rest, scheme, usual)) = found else {
        return Ok(None);
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok().map(u32::from)),
        None => (authority, Some(usual)),
    };
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let (Some(port), false, true) = (port, host.is_empty(), host.bytes().all(name)) else {
        let message = format!(
            "found the host {}, allowed: a name without groups, and a port; only the path may have groups",
            quoted(authority)
        );
        return Err(Remark::new("regex_uri[1]", message));
    };
    let elsewhere = Elsewhere {
        scheme,
        host: host.to_owned(),
        // Envoy names what is written.
        port: if port == usual { 0 } else { port },
    };
    *template = if path.is_empty() { "/" } else { path }.to_owned();
    Ok(Some(elsewhere))
}

impl Plugin for Redirect {
    fn answers(&self, paths: &[Path]) -> bool {
        match self {
            Self::Https => false,
            Self::Rewrite { rewrite, .. } => paths.iter().all(|path| rewrite.covers(path)),
            Self::Location { .. } => true,
        }
    }

    fn is_enough(&self, paths: &[Path]) -> bool {
        matches!(self, Self::Https) || self.answers(paths)
    }

    fn check(&self, paths: &[Path]) -> Result<(), Remark> {
        match self {
            Self::Rewrite { rewrite, .. } => paths.iter().try_for_each(|path| rewrite.check(path)),
            Self::Https | Self::Location { .. } => Ok(()),
        }
    }

    fn asks_for_paths(&self, paths: &[Path]) -> bool {
        matches!(self, Self::Rewrite { rewrite, .. } if rewrite.asks_for(paths))
    }

    /// A request that came over HTTPS already passes, and one that `regex_uri` does not match; a redirect of Envoy would send it
    /// back to itself.
    fn branch(&self, route: &Route, _: &[Arc<Cluster>]) -> Vec<Route> {
        if let Self::Https = self {
            return over_http(route);
        }
        match self.among(route) {
            Among::All | Among::None => Vec::new(),
            Among::Some(mut branch) => {
                self.redirect(&mut branch);
                vec![*branch]
            }
        }
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        if let Among::All = self.among(route) {
            self.redirect(route);
        }
        if route.action.is_none() {
            // Without an upstream there is nothing else for what passes.
            route.action = Some(Action::DirectResponse(DirectResponseAction {
                status: 503,
                ..DirectResponseAction::default()
            }));
        }
    }
}

/// Where a request came from: Envoy writes it itself, but for proxies that the gateway trusts.
const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// The methods that are answered with 301: clients may turn others into GET then.
const RETRIEVES: &str = "GET|HEAD";
/// A host with the port that the client came to, which is not one of TLS.
const WITH_PORT: &str = ".*:[0-9]+";

/// What came without TLS, to the same URL over it, at its usual port.
fn over_http(route: &Route) -> Vec<Route> {
    let plain = (FORWARDED_PROTO, "http");
    let (retrieved, with_port) = ((":method", RETRIEVES), (":authority", WITH_PORT));
    let (permanently, as_it_is) = (
        RedirectResponseCode::MovedPermanently,
        RedirectResponseCode::PermanentRedirect,
    );
    let parts = [
        (
            by_headers(route, [plain, retrieved, with_port]),
            permanently,
            443,
        ),
        (by_headers(route, [plain, retrieved]), permanently, 0),
        (by_headers(route, [plain, with_port]), as_it_is, 443),
        (by_headers(route, [plain]), as_it_is, 0),
    ];
    let sent = parts.into_iter().map(|(mut part, code, port_redirect)| {
        part.action = Some(Action::Redirect(RedirectAction {
            port_redirect,
            response_code: code.into(),
            scheme_rewrite_specifier: Some(SchemeRewriteSpecifier::HttpsRedirect(true)),
            ..RedirectAction::default()
        }));
        part
    });
    sent.collect()
}

impl Redirect {
    /// Which of a route's requests are sent elsewhere.
    fn among(&self, route: &Route) -> Among {
        match self {
            Self::Rewrite { rewrite, .. } => rewrite.among(route),
            Self::Location { .. } => Among::All,
            Self::Https => Among::None,
        }
    }

    fn redirect(&self, route: &mut Route) {
        match self {
            Self::Https => {}
            Self::Rewrite {
                code,
                rewrite,
                keep_query,
                to,
            } => match rewrite.location().filter(|_| to.is_none()) {
                Some(mut location) => {
                    if *keep_query {
                        location.push_str(query_behind(rewrite.has_query()));
                    }
                    locate(route, *code, &location);
                }
                None => {
                    let action = rewritten(*code, rewrite, *keep_query, to.as_ref());
                    route.action = Some(Action::Redirect(action));
                }
            },
            Self::Location { code, location } => locate(route, *code, location),
        }
    }
}

/// Answers with a `Location`, one of Envoy's format strings.
fn locate(route: &mut Route, code: Code, location: &str) {
    let location = header::set("location", location);
    route.response_headers_to_add.push(location);
    route.action = Some(Action::DirectResponse(DirectResponseAction {
        status: code.status(),
        ..DirectResponseAction::default()
    }));
}

fn rewritten(
    code: Code,
    rewrite: &Rewrite,
    keep_query: bool,
    to: Option<&Elsewhere>,
) -> RedirectAction {
    let (scheme, host, port) = to.map_or(("", "", 0), |to| (to.scheme, &*to.host, to.port));
    RedirectAction {
        response_code: code.0.into(),
        strip_query: !keep_query,
        host_redirect: host.to_owned(),
        port_redirect: port,
        scheme_rewrite_specifier: to
            .map(|_| SchemeRewriteSpecifier::SchemeRedirect(scheme.to_owned())),
        path_rewrite_specifier: Some(PathRewriteSpecifier::RegexRewrite(rewrite.to_envoy())),
    }
}

#[cfg(test)]
mod tests;
