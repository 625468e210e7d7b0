//! What a gateway's HTTP listeners allow clients. The defaults are those of Envoy's guidance for edge proxies.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::scalar::{Quantity, Seconds, Within};

/// What is done with a request that has a header whose name holds an underscore, which some servers read as a dash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Underscores {
    /// The request is answered with 400.
    #[default]
    Reject,
    /// The header is taken away.
    Drop,
    /// Nothing.
    Allow,
}

/// What is done with a path that holds `%2F` or `%5C`, which an upstream may read as more segments than the routes did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EscapedSlashes {
    /// The client is sent to the unescaped path.
    #[default]
    UnescapeAndRedirect,
    /// Routes and upstreams see the unescaped path.
    Unescape,
    /// Routes and upstreams see it as it is.
    Keep,
    /// The request is answered with 400.
    Reject,
}

/// Whether a gateway's routes are one table in its proxies, or several, of which a change concerns few.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tables {
    /// One.
    #[default]
    One,
    /// Several, if there are many routes, and a change costs much less by that. Turned on and off, it drains connections.
    Auto,
    /// Several, where the proxy is an Envoy 1.40 or newer; one for others.
    Divided,
}

/// What clients are allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// A connection without a request is closed after that.
    pub idle_timeout: Duration,
    /// A connection takes no new request after that; no end when absent.
    pub max_connection_duration: Option<Duration>,
    /// A connection takes no more requests than that; no end when absent.
    pub max_requests_per_connection: Option<u32>,
    /// The time that a client has for a request's headers; 408 after it.
    pub request_headers_timeout: Duration,
    /// The time that a client has for a whole request; 408 after it; no end when absent.
    pub request_timeout: Option<Duration>,
    /// A request in which nothing moves is ended after that, until a route is found, whose own `timeout` holds from there.
    pub stream_idle_timeout: Duration,
    /// KiB of a request's headers; 431 beyond.
    pub max_request_headers_kb: u32,
    /// Headers of a request; 431 beyond.
    pub max_headers_count: u32,
    pub headers_with_underscores: Underscores,
    /// Paths with `%2F` and `%5C`.
    pub path_with_escaped_slashes: EscapedSlashes,
    /// Whether `//` in a path counts as `/`.
    pub merge_slashes: bool,
    pub route_tables: Tables,
    pub http2: Http2,
}

/// What clients are allowed over HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http2 {
    /// Requests at a time on a connection.
    pub max_concurrent_streams: u32,
    /// Bytes of a request that are taken before the upstream has.
    pub initial_stream_window_size: u32,
    /// The same for all requests of a connection.
    pub initial_connection_window_size: u32,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(60 * 60),
            max_connection_duration: None,
            max_requests_per_connection: None,
            request_headers_timeout: Duration::from_secs(10),
            request_timeout: None,
            stream_idle_timeout: Duration::from_secs(5 * 60),
            max_request_headers_kb: 60,
            max_headers_count: 100,
            headers_with_underscores: Underscores::default(),
            path_with_escaped_slashes: EscapedSlashes::default(),
            merge_slashes: true,
            route_tables: Tables::default(),
            http2: Http2::default(),
        }
    }
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 100,
            initial_stream_window_size: 64 * 1024,
            initial_connection_window_size: 1024 * 1024,
        }
    }
}

/// `http` as it is written; what is absent is as safe as it is by default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Form {
    /// Seconds after which a connection without a request is closed.
    idle_timeout: Option<Seconds>,
    /// Seconds after which a connection takes no new request.
    max_connection_duration: Option<Seconds>,
    /// Requests after which a connection takes no more.
    max_requests_per_connection: Option<Quantity>,
    /// Seconds for the headers of a request.
    request_headers_timeout: Option<Seconds>,
    /// Seconds for a whole request.
    request_timeout: Option<Seconds>,
    /// Seconds in which nothing moves, until a route is found.
    stream_idle_timeout: Option<Seconds>,
    /// KiB of a request's headers.
    max_request_headers_kb: Option<Within<1, 8192>>,
    /// Headers of a request.
    max_headers_count: Option<Within<1, 10_000>>,
    /// Headers with an underscore in their names.
    #[serde(default)]
    headers_with_underscores: Underscores,
    /// Paths with `%2F` and `%5C`.
    #[serde(default)]
    path_with_escaped_slashes: EscapedSlashes,
    /// Whether `//` in a path counts as `/`.
    merge_slashes: Option<bool>,
    /// How the routes stand in the proxies.
    #[serde(default)]
    route_tables: TablesForm,
    /// HTTP/2.
    #[serde(default)]
    http2: Http2Form,
}

/// `http.route_tables` as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct TablesForm {
    /// One table or several.
    #[serde(default)]
    mode: Tables,
}

/// A window's size, which HTTP/2 starts at 65,535.
type Window = Within<65_535, 2_147_483_647>;

/// `http.http2` as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Http2Form {
    /// Requests at a time on a connection.
    max_concurrent_streams: Option<Within<1, 2_147_483_647>>,
    /// Bytes of a request that are taken before the upstream has.
    initial_stream_window_size: Option<Window>,
    /// The same for all requests of a connection.
    initial_connection_window_size: Option<Window>,
}

impl Form {
    pub(super) fn checked(self) -> Http {
        let safe = Http::default();
        let or = |written: Option<Seconds>, safe| written.map_or(safe, |seconds| seconds.0);
        Http {
            idle_timeout: or(self.idle_timeout, safe.idle_timeout),
            max_connection_duration: self.max_connection_duration.map(|seconds| seconds.0),
            max_requests_per_connection: self.max_requests_per_connection.map(|count| count.0),
            request_headers_timeout: or(self.request_headers_timeout, safe.request_headers_timeout),
            request_timeout: self.request_timeout.map(|seconds| seconds.0),
            stream_idle_timeout: or(self.stream_idle_timeout, safe.stream_idle_timeout),
            max_request_headers_kb: self
                .max_request_headers_kb
                .map_or(safe.max_request_headers_kb, |size| size.0),
            max_headers_count: self
                .max_headers_count
                .map_or(safe.max_headers_count, |count| count.0),
            headers_with_underscores: self.headers_with_underscores,
            path_with_escaped_slashes: self.path_with_escaped_slashes,
            merge_slashes: self.merge_slashes.unwrap_or(safe.merge_slashes),
            route_tables: self.route_tables.mode,
            http2: self.http2.checked(),
        }
    }
}

impl Http2Form {
    fn checked(self) -> Http2 {
        let safe = Http2::default();
        let or = |written: Option<Window>, safe| written.map_or(safe, |size| size.0);
        Http2 {
            max_concurrent_streams: self
                .max_concurrent_streams
                .map_or(safe.max_concurrent_streams, |count| count.0),
            initial_stream_window_size: or(
                self.initial_stream_window_size,
                safe.initial_stream_window_size,
            ),
            initial_connection_window_size: or(
                self.initial_connection_window_size,
                safe.initial_connection_window_size,
            ),
        }
    }
}
