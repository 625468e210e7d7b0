//! Plugins: one file each, with its fields, their meaning, and what it adds to an Envoy route; nothing else knows it.
//!
//! To add one: write its file with an [`Definition`](contract::Definition), and name the entry in `all.rs`. What several plugins share
//! is in `shared/`.

mod all;
mod configured;
pub(crate) mod contract;
mod differences;
mod meta;
pub(crate) mod metadata;
pub(crate) mod shared;

mod api_breaker;
mod attach_consumer_label;
mod basic_auth;
mod brotli;
mod clickhouse_logger;
mod client_control;
mod consumer_restriction;
mod cors;
mod csrf;
mod degraphql;
mod echo;
mod elasticsearch_logger;
mod fault_injection;
mod file_logger;
mod forward_auth;
mod grpc_transcode;
mod grpc_web;
mod gzip;
mod http_logger;
mod ip_restriction;
mod jwt_auth;
mod kafka_logger;
mod key_auth;
mod limit_conn;
mod limit_count;
mod limit_req;
mod loki_logger;
mod mocking;
mod multi_auth;
mod opa;
mod openid_connect;
mod opentelemetry;
mod prometheus;
mod proxy_buffering;
mod proxy_control;
mod proxy_mirror;
mod proxy_rewrite;
mod real_ip;
mod redirect;
mod referer_restriction;
mod request_id;
mod request_validation;
mod response_rewrite;
mod server_info;
mod syslog;
mod tcp_logger;
mod traffic_split;
mod ua_restriction;
mod udp_logger;
mod uri_blocker;
mod workflow;
mod zipkin;

pub use all::{NOT_IN_ENVOY, http_filters, names};
pub(crate) use all::{plugins_schema, replies, schema_of};
pub use configured::Plugins;
pub use contract::Difference;
pub use differences::{differences, differences_in, refused_fields};
pub(crate) use ip_restriction::of_connections as restricted_connections;
pub use shared::metadata::Metadata;

#[cfg(test)]
mod tests;
