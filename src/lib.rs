//! Chancery: an xDS control plane for Envoy.
//!
//! Routes are documents in etcd, instances are whoever Consul says is healthy; Chancery turns both into versioned
//! snapshots and delivers them over ADS. It sees no user traffic. The map, from the sources to the proxies:
//!
//! | room | what it holds | may not |
//! |---|---|---|
//! | [`store`] | where documents live: etcd, files | read a document |
//! | [`registry`] | where instances live: Consul, files | know a route |
//! | [`control`] | the loop: one task, sole owner of all inputs | do I/O |
//! | [`state`] | the last good inputs on disk, for a start without the sources | decide when they are served |
//! | [`model`] | documents parsed into types, references followed; plugins | async, clock, I/O |
//! | [`explain`] | which route gets a request, and why: the reference of matching | know Envoy |
//! | [`translate`] | the model to Envoy's messages | know versions or streams |
//! | [`snapshot`] | versioned resources that share their encoded bytes | know a route or a stream |
//! | [`xds`] | the protocol: sans-IO streams, and the gRPC shell around them | know a route |
//! | [`admin`] | health, readiness, metrics | change anything |
//! | [`drain`] | taking instances out before they die | speak HTTP or etcd itself |
//! | [`api`] | the control API, as gRPC and as JSON, and who may call it | have types of its own |
//!
//! Imports point one way: `cli → admin, api → drain → control → state → store, registry, xds → snapshot → translate → model`.

pub mod admin;
pub mod api;
pub mod cli;
pub mod config;
pub mod control;
pub mod drain;
pub mod explain;
mod folder;
pub mod model;
pub mod registry;
pub mod snapshot;
pub mod state;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod translate;
pub mod xds;
