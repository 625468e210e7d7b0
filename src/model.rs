//! Documents, parsed once into types. Parsing is strict: an unknown field, a wrong type, an unsupported plugin or a
//! reference to nothing is a [`Problem`] that names the document and the field, and the last good form stays.
//!
//! No async, no clock, no I/O. What Envoy makes of a document is `translate`'s business, except for plugins: a plugin's
//! file holds its fields and what it adds to an Envoy route.
//!
//! A document on its way in: `text` (JSON or YAML to one value), `decode` (the value to the form of its kind, with the
//! field that is wrong), the form's own checks, [`documents`] (references followed, what is different since).

pub mod certificate;
pub mod consumer;
mod decode;
pub mod documents;
pub mod drain;
pub mod gateway;
pub mod key;
pub mod plugin;
mod plugin_config;
pub mod problem;
mod request;
pub mod route;
mod scalar;
pub mod schema;
mod service;
pub mod ssl;
pub mod stream_route;
mod text;
pub mod upstream;
pub mod vars;

pub use consumer::Consumers;
pub use documents::{Changes, Documents};
pub use drain::{Drain, Drains};
pub use gateway::Gateway;
pub use key::{Id, Key, Kind};
pub use problem::Problem;
pub use request::Request;
pub use route::{Host, Path, Route};
pub use ssl::Ssl;
pub use stream_route::StreamRoute;
pub use upstream::{Cluster, Members, Node, Upstream};

#[cfg(test)]
mod tests;
