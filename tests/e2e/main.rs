//! Scenes with the real Envoy, etcd and Consul, each a story of what a user does and what then must be so. A server that
//! is not there is a failure that says how to get it; no scene is skipped.

// Scenes and their support are tests from end to end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/support.rs"]
mod support;

mod admin_api;
mod admin_tls;
mod apisix;
mod bad_input;
mod bootstrap;
mod cohorts;
mod confirmed;
mod consumers;
mod control_api;
mod dashboard;
mod differential;
mod discovery;
mod divided;
mod documents;
mod draining;
mod draining_faults;
mod edge;
mod editing;
mod failures;
mod files;
mod gateways;
mod health;
mod http2;
mod identity_providers;
mod instances;
mod last_good_state;
mod logins;
mod make_before_break;
mod matching;
mod metrics;
mod operation;
mod outages;
mod plugin_metadata;
mod plugins;
mod preservation;
mod real_ip;
mod references_to_secrets;
mod refusals;
mod restarts;
mod retries;
mod secret_managers;
mod secrets;
mod sizes;
mod stage;
mod stream_routes;
mod streams;
mod supervised;
mod tls;
mod traces;
mod upstreams;
mod versions;
