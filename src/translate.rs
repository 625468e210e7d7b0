//! The model to Envoy's messages, one resource at a time. Total: what could fail was a problem of the document.
//!
//! Knows no versions and no streams. Equal input gives equal bytes in every process: see [`canonical()`](crate::envoy::canonical()).

mod asked;
mod cluster;
mod consumers;
mod endpoint;
mod listener;
mod retry;
mod route;
mod secret;

pub use asked::{all_asked, asked};
pub use cluster::{cluster, resolved_by_envoy};
pub use consumers::{consumers, extension, is_same_for};
pub use endpoint::{load_assignment, static_load_assignment};
pub use listener::{Opened, listeners};
pub use route::{News, RouteTables};
pub use secret::{client_secrets, secret_names, secrets};

#[cfg(test)]
pub use consumers::TRANSLATED as CONSUMERS_TRANSLATED;
#[cfg(test)]
pub use listener::BUILT as LISTENERS_BUILT;
#[cfg(test)]
pub use secret::BUILT as SECRETS_BUILT;
