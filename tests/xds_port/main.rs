//! The xDS port as clients see it: its services, what it does to clients that misbehave, and its certificates. A server in
//! this process with resources made up for the purpose, and real gRPC clients; where Envoy has a say, the real Envoy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/support.rs"]
mod support;

mod changes;
mod csds;
mod health;
mod memory;
mod misbehave;
mod mtls;
mod port;
mod reflection;
mod services;
mod silent;
mod warming;
mod withdrawn;
