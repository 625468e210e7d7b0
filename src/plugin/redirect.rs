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

use super::contract::{Definition, Plugin, Reading, schema};
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
    /// To this path, with the client's query.
    Path { code: Code, path: String },
    /// To what the path becomes.
    Rewrite {
        code: Code,
        rewrite: Rewrite,
        keep_query: bool,
    },
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
        (false, None, Some(pair)) => Redirect::Rewrite {
            code,
            rewrite: Rewrite::read(pair)?,
            keep_query: form.append_query_string,
        },
        (false, Some(uri), None) if form.append_query_string => Redirect::Path {
            code,
            path: path(uri)?,
        },
        (false, Some(uri), None) => Redirect::Location {
            code,
            location: location(uri, form.encode_uri, warnings)?,
        },
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

/// A path that takes the client's query.
fn path(text: &str) -> Result<String, Remark> {
    let wrong = |said: String| Remark::new("uri", said);
    variable::none_in(text).map_err(wrong)?;
    let printable = text.bytes().all(|b| b.is_ascii_graphic());
    if text.starts_with('/') && !text.contains(['?', '#']) && printable {
        Ok(text.to_owned())
    } else {
        Err(wrong(format!(
            "found {} beside `append_query_string`, allowed: a path that starts with `/`, without `?`, `#` and spaces",
            quoted(text)
        )))
    }
}

impl Plugin for Redirect {
    fn answers(&self, paths: &[Path]) -> bool {
        match self {
            Self::Https => false,
            Self::Rewrite { rewrite, .. } => paths.iter().all(|path| rewrite.covers(path)),
            Self::Location { .. } | Self::Path { .. } => true,
        }
    }

    fn is_enough(&self, paths: &[Path]) -> bool {
        matches!(self, Self::Https) || self.answers(paths)
    }

    fn check(&self, paths: &[Path]) -> Result<(), Remark> {
        match self {
            Self::Rewrite { rewrite, .. } => paths.iter().try_for_each(|path| rewrite.check(path)),
            Self::Https | Self::Location { .. } | Self::Path { .. } => Ok(()),
        }
    }

    fn asks_for_paths(&self, paths: &[Path]) -> bool {
        matches!(self, Self::Rewrite { rewrite, .. } if rewrite.asks_for(paths))
    }

    /// A request that came over HTTPS already passes, and one that `regex_uri` does not match; a redirect of Envoy would send it
    /// back to itself.
    fn branch(&self, route: &Route, _: &[Arc<Cluster>]) -> Vec<Route> {
        if let Self::Https = self {
            let over_http = (FORWARDED_PROTO, "http");
            // Clients may turn other methods into GET where 301 is answered.
            let mut retrieved = by_headers(route, [over_http, (":method", "GET|HEAD")]);
            retrieved.action = Some(https(RedirectResponseCode::MovedPermanently));
            let mut others = by_headers(route, [over_http]);
            self.redirect(&mut others);
            return vec![retrieved, others];
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
/// To the same URL over TLS.
fn https(code: RedirectResponseCode) -> Action {
    Action::Redirect(RedirectAction {
        // The port that the client came to is not one of TLS.
        port_redirect: 443,
        response_code: code.into(),
        scheme_rewrite_specifier: Some(SchemeRewriteSpecifier::HttpsRedirect(true)),
        ..RedirectAction::default()
    })
}

impl Redirect {
    /// Which of a route's requests are sent elsewhere.
    fn among(&self, route: &Route) -> Among {
        match self {
            Self::Rewrite { rewrite, .. } => rewrite.among(route),
            Self::Location { .. } | Self::Path { .. } => Among::All,
            Self::Https => Among::None,
        }
    }

    fn redirect(&self, route: &mut Route) {
        route.action = Some(match self {
            Self::Https => https(RedirectResponseCode::PermanentRedirect),
            Self::Path { code, path } => Action::Redirect(RedirectAction {
                response_code: code.0.into(),
                path_rewrite_specifier: Some(PathRewriteSpecifier::PathRedirect(path.clone())),
                ..RedirectAction::default()
            }),
            Self::Rewrite {
                code,
                rewrite,
                keep_query,
            } => Action::Redirect(RedirectAction {
                response_code: code.0.into(),
                strip_query: !keep_query,
                path_rewrite_specifier: Some(PathRewriteSpecifier::RegexRewrite(
                    rewrite.to_envoy(),
                )),
                ..RedirectAction::default()
            }),
            Self::Location { code, location } => {
                route
                    .response_headers_to_add
                    .push(header::set("location", location));
                Action::DirectResponse(DirectResponseAction {
                    status: code.status(),
                    ..DirectResponseAction::default()
                })
            }
        });
    }
}

#[cfg(test)]
mod tests;
