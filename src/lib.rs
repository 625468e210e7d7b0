//! Chancery: an xDS control plane for Envoy.
//!
//! Routes are documents in etcd, instances are whoever Consul says is healthy; Chancery turns both into versioned
//! snapshots and delivers them over ADS. It sees no user traffic. The map, from the sources to the proxies:
//!
//! | room | what it holds | may not |
//! |---|---|---|
//! | [`store`] | where documents live: etcd, files | read a document |
//! | [`registry`] | where instances live: Consul, files | know a route |
//! | [`asking`] | asks others for what documents refer to: secret managers | know a document |
//! | [`control`] | the loop: one task, sole owner of all inputs | do I/O |
//! | [`state`] | the last good inputs on disk, for a start without the sources | decide when they are served |
//! | [`build`] | each gateway's snapshots: what changed is translated; what proxies refuse | know a stream |
//! | [`snapshot`] | versioned resources that share their encoded bytes | know a route or a stream |
//! | [`translate`] | the model to Envoy's messages | know versions or streams |
//! | [`explain`] | which route gets a request, and why: the reference of matching | know Envoy |
//! | [`documents`] | documents read once, references followed, last good forms | async, clock, I/O |
//! | [`plugin`] | plugins: fields, meaning, what each adds to a route | async, clock, I/O |
//! | [`model`] | the values of documents, and what registries say | know Envoy |
//! | [`envoy`] | Envoy's protobuf: short forms, canonical encoding | know the model |
//! | [`cohort`] | what proxies are by what they say of themselves, and which Envoys there are | know what they are sent |
//! | [`xds`] | the protocol: sans-IO streams, and the gRPC shell around them | know a route |
//! | [`ratelimit`] | the process beside Redis that counts requests for proxies | know a document |
//! | [`logs`] | the process that posts what proxies write down of requests | know a document |
//! | [`admin`] | health, readiness, metrics | change anything |
//! | [`drain`] | taking instances out before they die | speak HTTP or etcd itself |
//! | [`editing`] | writing documents: checked first, with what they name, in one transaction | speak HTTP or etcd itself |
//! | [`api`] | the control API, as gRPC and as JSON, and who may call it | have types of its own |
//! | [`mod@run`] | the server: settings and open listeners in, tasks until a token ends them | read flags, log set-up, signals |
//!
//! Imports point one way: `cli → run → {admin, api} → {drain, editing} → control → {state, store, registry, asking, xds} → build → {snapshot, translate} →
//! documents → plugin → {model, envoy}`.

pub mod admin;
pub mod api;
pub mod asking;
pub mod build;
pub mod cli;
pub mod cohort;
pub mod config;
mod connections;
pub mod control;
pub mod documents;
pub mod drain;
pub mod editing;
pub mod envoy;
pub mod explain;
mod folder;
pub mod logs;
pub mod model;
pub mod plugin;
pub mod ratelimit;
pub mod registry;
pub mod run;
pub mod snapshot;
pub mod state;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod translate;
pub mod xds;

pub use run::run;
