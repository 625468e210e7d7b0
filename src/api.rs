//! The control API, `proto/chancery/v1`: what is delivered, and who has it. Served as gRPC and as the JSON mapping of the
//! same messages; there is no second set of types. Reads what the other rooms know; what it changes, it has `drain` do.

pub mod access;
mod answer;
mod apisix;
mod asked;
mod awaited;
mod certificates;
mod changes;
mod confirmed;
mod documents;
mod drains;
mod effective;
mod events;
pub mod expected;
mod explain;
mod foreseen;
mod grpc;
mod history;
pub mod json;
pub mod lag;
mod listing;
mod nodes;
mod openapi;
mod problems;
mod process;
pub mod redact;
pub mod replicas;
mod rest;
mod services;
mod shared;
mod shares;
mod snapshots;
mod status;
mod wait;

pub use answer::plain_text;
pub use process::Process;
pub use rest::{guarded, roles, router};
pub use shared::{Api, Writers};

/// The messages of the contract, and its gRPC service and client.
pub mod pb {
    #![allow(missing_docs, clippy::all, clippy::unwrap_used)]
    tonic::include_proto!("chancery.v1");
}

#[cfg(test)]
mod tests;
