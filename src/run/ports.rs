//! The two ports.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tracing::error;

use crate::admin::{self, Admin};
use crate::api::{self, Api};
use crate::xds::tls::Certificates;
use crate::xds::{self, Ads};

use super::tasks::Tasks;

/// Serves health, metrics and the control API.
pub fn serve_admin(listener: TcpListener, admin: Admin, api: Api, tasks: &mut Tasks) {
    let router = admin::router(admin).merge(api::router(api));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let shutdown = tasks.shutdown.clone();
    tasks.spawn("admin listener", async move {
        let served = axum::serve(listener, service)
            .with_graceful_shutdown(shutdown.cancelled_owned())
            .await;
        if let Err(error) = served {
            error!(%error, "the admin listener ended");
        }
    });
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
