//! The xDS protocol: a sans-IO state machine per stream, and the gRPC shell around it.
//!
//! SotW and delta are two codecs ([`request`], [`response`]) of one [`stream`]. Knows no route and no document: what it
//! delivers are the opaque resources of a snapshot. Source of the rules: Envoy's `xds_protocol` document.

mod accept;
pub mod admission;
pub mod ads;
mod body;
pub mod channel;
mod cohort;
mod connection;
mod conversation;
mod csds;
mod ending;
pub mod events;
pub mod gateways;
pub mod limits;
mod method;
pub mod nodes;
mod reflection;
mod refusal;
pub mod request;
mod requests;
pub mod response;
pub mod server;
pub mod service;
pub mod stream;
pub mod subscription;
mod unheard;
mod unserved;

pub use admission::Clients;
pub use ads::Ads;
pub use events::Events;
pub use gateways::{Gateways, Settled};
pub use limits::Limits;
pub use nodes::Nodes;
pub use refusal::NotAdmitted;
pub use request::{Protocol, Request};
pub use stream::Stream;
