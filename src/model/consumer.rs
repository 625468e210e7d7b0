//! Consumers: who may send requests, and what each shows to be known. Credentials stand in the consumer's own document and in
//! `consumers/<username>/credentials/<id>`.
//!
//! Must not show a credential: not in an error, not in `Debug`. An answer of Envoy's filters is never better than what stands
//! here, so what Envoy would refuse is refused when a document is read.

mod credential;
mod form;
mod jwk;
pub mod known;
mod secret;

pub use credential::{Basic, Credentials, Jwt};
pub use form::Consumer;
pub(crate) use form::{
    consumer_schema, credential_schema, group_schema, read_consumer, read_credential, read_group,
};
pub use known::Consumers;
pub use secret::Secret;

#[cfg(test)]
mod tests;
