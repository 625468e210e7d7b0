//! The admin listener: whether Chancery lives, whether it serves, its metrics, and the dashboard. Changes nothing.

mod dashboard;
mod page;
pub mod port;
pub mod requests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::sync::watch;

use crate::build::largest_table;
use crate::snapshot::ResourceType;
use crate::store::replicas::Records;
use crate::telemetry::metrics::{self, Gauges};
use crate::telemetry::{Metrics, Source, process};
use crate::xds::{Gateways, Nodes};

/// What the admin listener can see.
#[derive(Debug)]
pub struct Admin {
    pub gateways: Arc<Gateways>,
    pub nodes: Arc<Nodes>,
    pub metrics: Arc<Metrics>,
    pub sources: Vec<Source>,
    /// What all live replicas say of themselves, this one too.
    pub replicas: watch::Receiver<Records>,
    /// A build of APISIX's dashboard, if one is to be served.
    pub dashboard: Option<PathBuf>,
}

/// For whoever asks how it is, and for browsers.
pub fn open(admin: &Arc<Admin>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state(admin.clone())
        .merge(page::router())
        .merge(dashboard::router(admin.dashboard.clone()))
}

/// For scrapers.
pub fn scraped(admin: &Arc<Admin>) -> Router {
    Router::new()
        .route("/metrics", get(metrics_text))
        .with_state(admin.clone())
}

/// The answer of `/readyz`.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    gateways: Vec<GatewayState>,
    sources: Vec<SourceState>,
    /// Documents that stay though the store has lost them.
    #[serde(skip_serializing_if = "is_zero")]
    missing_documents: i64,
}

#[derive(Serialize)]
struct GatewayState {
    name: String,
    version: String,
    revision: i64,
}

#[derive(Serialize)]
struct SourceState {
    name: &'static str,
    /// Nothing as long as the source has never answered.
    answered_seconds_ago: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The age of the saved state that is served in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    serving_saved_seconds_ago: Option<f64>,
}

/// Ready as soon as something is served: a source that is lost later takes nothing away.
async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    let newest = admin.gateways.newest();
    let readiness = Readiness {
        ready: !newest.is_empty(),
        gateways: newest
            .iter()
            .map(|snapshot| GatewayState {
                name: snapshot.gateway.to_string(),
                version: snapshot.version().to_string(),
                revision: snapshot.revision,
            })
            .collect(),
        sources: Source::reports(&admin.sources)
            .map(|report| SourceState {
                name: report.name,
                answered_seconds_ago: report.age.map(|age| age.as_secs_f64()),
                error: report.error,
                serving_saved_seconds_ago: report.saved.map(|age| age.as_secs_f64()),
            })
            .collect(),
        missing_documents: admin.metrics.documents_missing.get(),
    };
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

async fn metrics_text(State(admin): State<Arc<Admin>>) -> Response {
    match admin.metrics.encode(&admin.gauges(), &process::read()) {
        Ok(text) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

impl Admin {
    /// What is read off rather than counted.
    fn gauges(&self) -> Gauges {
        self.gateways.count_overdue(Instant::now());
        let gauges = Gauges::default();
        let program = metrics::VersionProfile {
            version: env!("CARGO_PKG_VERSION"),
            profile: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
        };
        gauges.build.get_or_create(&program).set(1);
        for snapshot in self.gateways.newest() {
            let gateway = snapshot.gateway.to_string();
            let label = metrics::Gateway {
                gateway: gateway.clone(),
            };
            gauges
                .snapshot_revision
                .get_or_create(&label)
                .set(snapshot.revision);
            gauges
                .route_table_bytes
                .get_or_create(&label)
                .set(count(largest_table(&snapshot)));
            for resource_type in ResourceType::ALL {
                let type_label = metrics::GatewayType {
                    gateway: gateway.clone(),
                    r#type: resource_type.as_str(),
                };
                gauges
                    .resources
                    .get_or_create(&type_label)
                    .set(count(snapshot.set(resource_type).len()));
            }
        }
        {
            let records = self.replicas.borrow();
            let live = if records.current {
                records.by_id.len().max(1)
            } else {
                0
            };
            gauges.replicas.set(count(live));
        }
        for (path, end) in &*self.gateways.settled().borrow().ends {
            let id = path.strip_prefix("ssls/").unwrap_or(path);
            let ssl = metrics::Ssl { ssl: id.to_owned() };
            gauges.certificate_expiry.get_or_create(&ssl).set(*end);
        }
        for node in self.nodes.connected() {
            let label = metrics::Gateway {
                gateway: node.gateway.to_string(),
            };
            gauges.nodes.get_or_create(&label).inc();
            let foreign = i64::from(node.cohort.is_foreign());
            gauges.nodes_foreign.get_or_create(&label).inc_by(foreign);
            let behind = i64::from(!node.status.synced);
            gauges.nodes_behind.get_or_create(&label).inc_by(behind);
        }
        for report in Source::reports(&self.sources) {
            let label = metrics::Source {
                source: report.name,
            };
            let age = report.age.map_or(-1.0, |age| age.as_secs_f64());
            gauges.source_age.get_or_create(&label).set(age);
            let saved = i64::from(report.saved.is_some());
            gauges.serving_saved_state.get_or_create(&label).set(saved);
            let age = report.saved.unwrap_or_default().as_secs_f64();
            gauges.state_age.get_or_create(&label).set(age);
            // Nobody asks a registry that no document names.
            if report.age.is_some() || report.error.is_some() {
                let up = i64::from(report.error.is_none());
                gauges.source_up.get_or_create(&label).set(up);
            }
        }
        gauges
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &i64) -> bool {
    *count == 0
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
