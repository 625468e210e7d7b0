//! The two ports.

use tokio::net::TcpListener;
use tracing::error;

use crate::admin::port::{self, Bounds};
use crate::admin::{self, Admin, requests};
use crate::api::{self, Api};
use crate::xds::tls::Certificates;
use crate::xds::{self, Ads};

use super::tasks::Tasks;

/// Serves health, metrics and the control API.
pub fn serve_admin(
    listener: TcpListener,
    admin: Admin,
    api: Api,
    bounds: Bounds,
    tasks: &mut Tasks,
) {
    let metrics = admin.metrics.clone();
    let router = admin::router(admin).merge(api::router(api));
    let router = requests::counted(router, metrics);
    let shutdown = tasks.shutdown.clone();
    let serving = port::serve(listener, router, bounds, shutdown);
    tasks.spawn("admin listener", serving);
}

pub fn serve_xds(listener: TcpListener, tls: Option<Certificates>, ads: Ads, tasks: &mut Tasks) {
    let current = tls.as_ref().map(Certificates::current);
    if let Some(certificates) = tls {
        tasks.spawn("certificates", certificates.watch(tasks.shutdown.clone()));
    }
    tasks.spawn("xds listener", async move {
        if let Err(error) = xds::server::serve(listener, current, ads).await {
            error!(%error, "the xds listener ended");
        }
    });
}
