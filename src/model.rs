//! The values of documents, and what registries say of instances. Parsing is strict: an unknown field, a wrong type or a
//! reference to nothing is a [`Remark`](problem::Remark) that names the field.
//!
//! No Envoy, no async, no clock, no I/O.

pub(crate) mod bookkeeping;
pub(crate) mod bounds;
pub mod certificate;
pub mod consumer;
pub mod credentials;
pub(crate) mod decode;
pub mod document;
pub mod drain;
pub mod gateway;
mod host;
pub mod instance;
pub mod key;
mod keyring;
pub mod log_format;
pub mod log_target;
mod lookup;
pub mod manager;
pub mod path;
pub(crate) mod pattern;
pub mod problem;
pub mod protos;
pub(crate) mod public_key;
mod request;
pub mod resource_name;
pub(crate) mod scalar;
pub mod service_key;
pub mod shared_limit;
pub mod ssl;
pub mod stream_route;
pub(crate) mod timeout;
pub mod upstream;
pub mod vars;

pub use consumer::Consumers;
pub use document::Document;
pub use drain::{Drain, Drains};
pub use gateway::Gateway;
pub use host::Host;
pub use instance::Instance;
pub use key::{Id, Key, Kind};
pub use keyring::{Keyring, Opened};
pub use lookup::{
    Answers, Lookup, Provider, ProviderKey, ProviderLogin, ProviderSaid, Resolved, SecretName,
    Standing, Subject, Verdict, address, steps,
};
pub use manager::{Asked, Manager};
pub use path::Path;
pub use problem::Problem;
pub use request::Request;
pub use service_key::{Discovery, ServiceKey};
pub use ssl::Ssl;
pub use stream_route::StreamRoute;
pub use timeout::Timeout;
pub use upstream::{Cluster, Members, Node, Upstream};
