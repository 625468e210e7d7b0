//! Why a client is refused: the word for the metric, the sentence for the client, and the gRPC code that goes with it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use tonic::{Code, Status};

use crate::cohort::Envoy;
use crate::snapshot::ResourceType;

use super::limits::UNSERVED;

/// Why a client is refused; its stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAdmitted {
    /// ADS needs a type URL in every request.
    NoTypeUrl,
    /// A type that Chancery does not serve, after too many others of that kind or with a URL that is none.
    UnknownType(String),
    /// A type that this service is not about.
    OtherType {
        found: String,
        /// The type that the service is about.
        only: ResourceType,
    },
    /// The first request does not say who speaks.
    NoNodeId,
    /// No gateway can have a name of so many bytes.
    GatewayName(usize),
    /// The client's certificate is not one for that gateway.
    NotAllowed {
        /// The names in the certificate.
        client: String,
        /// The gateway that it asks for.
        gateway: String,
        /// The gateways that it may act as.
        allowed: String,
    },
    /// An Envoy that is older than any that is served.
    TooOld {
        /// What it says of itself.
        found: String,
        /// The oldest that is served.
        oldest: Envoy,
    },
    /// It does not read what it is sent.
    SlowReader(Duration),
    /// It connected, or opened a stream, and said nothing.
    Silent(Duration),
    /// More requests a second than this.
    RequestRate(u32),
    /// A request of more bytes than this.
    RequestSize(usize),
    /// As many bytes of large requests as this are being read.
    Crowded(usize),
    /// What came is no request.
    Malformed(String),
    /// More names of one type than this.
    Names(usize),
    /// TLS could not begin.
    Handshake(String),
    /// The client's certificate was good, and is not any more.
    Certificate(String),
    /// As many streams as this are open.
    Streams(usize),
    /// As many connections as this are open.
    Connections(usize),
    /// As many connections as this are open from that address.
    Address(usize, IpAddr),
    /// As many new connections a second as this came.
    ConnectionRate(u32),
}

impl NotAdmitted {
    /// The word that the metric uses.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoTypeUrl => "no_type_url",
            Self::UnknownType(_) => "unknown_type",
            Self::OtherType { .. } => "other_type",
            Self::NoNodeId => "no_node_id",
            Self::GatewayName(_) => "gateway_name",
            Self::NotAllowed { .. } => "not_allowed",
            Self::TooOld { .. } => "too_old",
            Self::SlowReader(_) => "slow_reader",
            Self::Silent(_) => "silent",
            Self::RequestRate(_) => "request_rate",
            Self::RequestSize(_) => "request_size",
            Self::Crowded(_) => "crowded",
            Self::Malformed(_) => "malformed",
            Self::Names(_) => "names",
            Self::Handshake(_) => "handshake",
            Self::Certificate(_) => "certificate",
            Self::Streams(_) => "streams",
            Self::Connections(_) => "connections",
            Self::Address(..) => "address",
            Self::ConnectionRate(_) => "connection_rate",
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotAllowed { .. } => Code::PermissionDenied,
            Self::Certificate(_) => Code::Unauthenticated,
            Self::TooOld { .. } => Code::FailedPrecondition,
            Self::SlowReader(_) | Self::Silent(_) => Code::DeadlineExceeded,
            Self::RequestRate(_)
            | Self::RequestSize(_)
            | Self::Crowded(_)
            | Self::Names(_)
            | Self::Streams(_)
            | Self::Connections(_)
            | Self::Address(..)
            | Self::ConnectionRate(_) => Code::ResourceExhausted,
            _ => Code::InvalidArgument,
        }
    }

    /// The status that the stream ends with.
    pub fn status(&self) -> Status {
        Status::new(self.code(), self.to_string())
    }
}

impl fmt::Display for NotAdmitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let served = || ResourceType::ALL.map(ResourceType::type_url).join(", ");
        match self {
            Self::NoTypeUrl => write!(f, "the request has no type_url; served are {}", served()),
            Self::UnknownType(url) => {
                write!(
                    f,
                    "type_url {url:?} is not served, and is one more than the {} that may be asked for in vain, or too long; served are {}",
                    UNSERVED,
                    served()
                )
            }
            Self::OtherType { found, only } => write!(
                f,
                "type_url {found:?} does not belong to this service, which is about {} alone; ADS serves all types",
                only.type_url()
            ),
            Self::NoNodeId => f.write_str(
                "the first request names no node.id; set it in the proxy's bootstrap (envoy --service-node)",
            ),
            Self::GatewayName(most) => write!(
                f,
                "node.cluster is longer than {most} bytes, so that no gateway can have its name"
            ),
            Self::NotAllowed {
                client,
                gateway,
                allowed,
            } => write!(
                f,
                "client {client} may not act as gateway {gateway:?}; xds-clients allows it {allowed}"
            ),
            Self::TooOld { found, oldest } => write!(
                f,
                "{found} is too old to be served: the oldest release that is served is {}; a newer Envoy has to take its place",
                oldest.as_str()
            ),
            Self::SlowReader(limit) => write!(
                f,
                "the client has not read what it was sent for {} s (--slow-reader)",
                limit.as_secs()
            ),
            Self::Silent(limit) => write!(
                f,
                "no whole request came within {} s of connecting, of opening the stream, or of its first byte",
                limit.as_secs()
            ),
            Self::RequestRate(limit) => write!(
                f,
                "more than {limit} requests a second that answer no response (--max-request-rate)"
            ),
            Self::RequestSize(limit) => {
                write!(f, "a request of more than {limit} bytes; name fewer resources in each")
            }
            Self::Crowded(limit) => write!(
                f,
                "large requests of {limit} bytes together are being read; try again later"
            ),
            Self::Malformed(found) => write!(f, "what came is no request: {found}"),
            Self::Names(limit) => write!(f, "more than {limit} names of one type on one stream"),
            Self::Handshake(error) => write!(f, "the TLS handshake failed: {error}"),
            Self::Certificate(why) => write!(
                f,
                "the client's certificate is not good any more: {why}; connect again with one that is"
            ),
            Self::Streams(limit) => write!(
                f,
                "{limit} streams are open, and no more are allowed (--max-streams)"
            ),
            Self::Connections(limit) => write!(
                f,
                "{limit} connections are open, and no more are allowed (--max-streams)"
            ),
            Self::Address(limit, address) => write!(
                f,
                "{limit} connections from {address} are open, and no more are allowed from one address \
                 (--max-connections-per-address)"
            ),
            Self::ConnectionRate(limit) => write!(
                f,
                "more than {limit} new connections a second (--max-connection-rate); try again later"
            ),
        }
    }
}
