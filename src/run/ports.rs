//! The two ports.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::error;

use crate::admin::port::{self, Bounds};
use crate::admin::{self, Admin, requests};
use crate::api::{self, Api};
use crate::tls::{Certificates, InForce};
use crate::xds::{self, Ads};

use super::tasks::Tasks;

/// Serves health, metrics, the dashboard and the control API.
pub fn serve_admin(
    listener: TcpListener,
    tls: Option<Certificates>,
    (admin, api): (Admin, Api),
    bounds: Bounds,
    tasks: &mut Tasks,
) {
    let metrics = admin.metrics.clone();
    let admin = Arc::new(admin);
    let scraped = api::guarded(admin::scraped(&admin), api.clone());
    let router = admin::open(&admin).merge(scraped).merge(api::router(api));
    let router = requests::counted(router, metrics);
    let shutdown = tasks.shutdown.clone();
    let tls = watched(tls, tasks).map(|in_force| port::Tls {
        in_force,
        plain_text: api::plain_text(),
    });
    let serving = port::serve(listener, router, bounds, tls, shutdown);
    tasks.spawn("admin listener", serving);
}

/// Starts to read certificates again when they change; those in force, at any time.
fn watched(tls: Option<Certificates>, tasks: &mut Tasks) -> Option<watch::Receiver<Arc<InForce>>> {
    let certificates = tls?;
    let current = certificates.current();
    tasks.spawn("certificates", certificates.watch(tasks.shutdown.clone()));
    Some(current)
}

pub fn serve_xds(listener: TcpListener, tls: Option<Certificates>, ads: Ads, tasks: &mut Tasks) {
    let current = watched(tls, tasks);
    tasks.spawn("xds listener", async move {
        if let Err(error) = xds::server::serve(listener, current, ads).await {
            error!(%error, "the xds listener ended");
        }
    });
}
