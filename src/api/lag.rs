//! Says when this replica has read less of the store than another one: a proxy that moves here may be sent what was in force
//! before, and nobody should find that out from the proxy. And once, when it cannot read what another one says of itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{info, warn};

use crate::xds::Gateways;

use super::replicas::Others;

/// How long one may be behind another: both need a moment to read.
const GRACE: Duration = Duration::from_secs(5);

/// Watches without end.
pub async fn watch(gateways: Arc<Gateways>, others: Others) {
    let (mut settled, mut changes) = (gateways.settled(), others.changes());
    let mut said = false;
    let mut unread = BTreeMap::new();
    loop {
        settled.mark_unchanged();
        changes.mark_unchanged();
        let before = std::mem::replace(&mut unread, others.unread());
        for (replica, reason) in &unread {
            if before.get(replica) != Some(reason) {
                warn!(%replica, reason, "another replica is not understood: nothing is confirmed by it");
            }
        }
        let ahead = || others.ahead(gateways.revision());
        if ahead().is_some() && !said {
            sleep(GRACE).await;
        }
        match ahead() {
            Some((other, its)) if !said => {
                let own = gateways.revision();
                warn!(
                    revision = own,
                    other,
                    other_revision = its,
                    "this replica is behind another: proxies that move here may be sent what was in force before",
                );
                said = true;
            }
            None if said => {
                info!(revision = gateways.revision(), "this replica has caught up");
                said = false;
            }
            _ => {}
        }
        tokio::select! {
            Ok(()) = settled.changed() => {}
            Ok(()) = changes.changed() => {}
            else => std::future::pending().await,
        }
    }
}
