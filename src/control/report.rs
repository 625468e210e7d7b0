//! What the loop tells operators: log lines and counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use crate::documents::Changes;
use crate::snapshot::{ResourceType, Snapshot, Tallies, Tally};
use crate::telemetry::{Metrics, metrics, millis};

/// Tells which documents became bad, good again, or questionable.
pub fn documents(metrics: &Metrics, changes: &Changes, rejected: usize) {
    for problem in &changes.problems {
        metrics.document_rejections.inc();
        warn!(
            document = %problem.source,
            field = %problem.field,
            problem = problem.message,
            "document rejected: its last good form stays"
        );
    }
    for source in &changes.mended {
        info!(document = %source, "document accepted again");
    }
    for warning in &changes.warnings {
        warn!(
            document = %warning.source,
            field = %warning.field,
            warning = warning.message,
            "document accepted with a warning"
        );
    }
    metrics
        .documents_rejected
        .set(i64::try_from(rejected).unwrap_or(i64::MAX));
}

/// Tells which documents proxies refuse now, and which no longer.
pub fn refused(
    metrics: &Metrics,
    before: &mut BTreeMap<String, Arc<str>>,
    now: BTreeMap<String, Arc<str>>,
) {
    for (document, error) in now
        .iter()
        .filter(|(document, _)| !before.contains_key(*document))
    {
        warn!(%document, %error, "document refused by a proxy: rolled back to what it accepted last");
    }
    for document in before
        .keys()
        .filter(|document| !now.contains_key(*document))
    {
        info!(%document, "document no longer refused");
    }
    metrics
        .documents_refused
        .set(i64::try_from(now.len()).unwrap_or(i64::MAX));
    *before = now;
}

/// Tells what a new snapshot brings.
pub fn published(metrics: &Metrics, snapshot: &Snapshot, tallies: &Tallies, took: Duration) {
    let tally = |resource_type: ResourceType| {
        let tally = tallies[resource_type.index()];
        (tally != Tally::default()).then_some(tracing::field::display(tally))
    };
    info!(
        gateway = %snapshot.gateway,
        version = %snapshot.version(),
        revision = snapshot.revision,
        clusters = tally(ResourceType::Cluster),
        endpoints = tally(ResourceType::LoadAssignment),
        secrets = tally(ResourceType::Secret),
        extensions = tally(ResourceType::ExtensionConfig),
        listeners = tally(ResourceType::Listener),
        routes = tally(ResourceType::RouteConfiguration),
        took_ms = millis(took),
        "snapshot published"
    );
    let gateway = snapshot.gateway.to_string();
    metrics
        .snapshots
        .get_or_create(&metrics::Gateway { gateway })
        .inc();
}
