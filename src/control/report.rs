//! What the loop tells operators: log lines and counts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::kept::{Kept, Turn};
use super::large;
use super::missing::Missing;
use super::refused::Difference;
use crate::documents::Changes;
use crate::model::{Id, ServiceKey};
use crate::snapshot::{ResourceType, Snapshot, Tallies, Tally};
use crate::telemetry::{Metrics, metrics, millis, shown};
use crate::xds::gateways::{Cause, NotInForce};

/// As much of a proxy's reason to refuse as is logged, in characters.
const SAID: usize = 1000;
/// As much of a key or a file's name.
const KEY: usize = 300;

/// How many of the missing documents a line names.
const SHOWN: usize = 10;

/// Tells which documents became bad, good again, or questionable.
pub fn documents(metrics: &Metrics, changes: &Changes, rejected: usize) {
    for problem in &changes.problems {
        metrics.document_rejections.inc();
        warn!(
            document = %shown(&problem.source, KEY),
            field = %problem.field,
            problem = problem.message,
            "document rejected: its last good form stays"
        );
    }
    for source in &changes.mended {
        info!(document = %shown(source, KEY), "document accepted again");
    }
    for waiting in &changes.waiting {
        info!(
            document = %shown(&waiting.source, KEY),
            field = %waiting.field,
            problem = waiting.message,
            "document waits for an answer: what was in force of it stays"
        );
    }
    for warning in &changes.warnings {
        warn!(
            document = %shown(&warning.source, KEY),
            field = %warning.field,
            warning = warning.message,
            "document accepted with a warning"
        );
    }
    metrics
        .documents_rejected
        .set(i64::try_from(rejected).unwrap_or(i64::MAX));
}

/// Tells which documents proxies refuse that they did not, and which no longer.
pub fn refused(metrics: &Metrics, difference: &Difference, refused: usize) {
    for (document, held) in &difference.new {
        let cohort = held.cohort.as_ref().map(tracing::field::display);
        warn!(
            document = %shown(document, KEY),
            gateway = %held.gateway,
            cohort,
            resource = held.resource,
            error = shown(&held.refusal.error, SAID),
            "document refused by a proxy: rolled back to what it accepted last"
        );
    }
    for document in &difference.over {
        info!(document = %shown(document, KEY), "document no longer refused");
    }
    metrics
        .documents_refused
        .set(i64::try_from(refused).unwrap_or(i64::MAX));
}

/// Tells that documents are not served by some proxies that were, in one line however many they are.
pub fn not_served(
    metrics: &Metrics,
    before: &BTreeMap<Arc<str>, NotInForce>,
    now: &BTreeMap<Arc<str>, NotInForce>,
) {
    let all = now.values().filter(|it| it.cause == Cause::NotServed);
    metrics
        .documents_not_served
        .set(i64::try_from(all.count()).unwrap_or(i64::MAX));
    let is_old = |path: &Arc<str>| {
        let before = before.get(path);
        before.is_some_and(|problem| problem.cause == Cause::NotServed)
    };
    let new = now
        .iter()
        .filter(|(path, problem)| problem.cause == Cause::NotServed && !is_old(path));
    if let Some((document, problem)) = new.clone().next() {
        warn!(
            documents = new.count(),
            %document,
            reason = %problem.reason,
            "documents not served by some proxies, which are too old for them; this is one of them"
        );
    }
}

/// Tells that the store has lost documents, which stay.
pub fn missing(missing: &Missing, before: i64, revision: i64, documents: usize) {
    let paths = missing.paths().iter().take(SHOWN);
    let among: Vec<_> = paths.map(|path| shown(path, KEY)).collect();
    error!(
        revision,
        before,
        documents,
        missing = missing.paths().len(),
        among = among.join(" "),
        "the store's revision went back, and most documents are not there: those that are missing stay in force until \
         they are written or deleted again, or `chancery accept` gives them up"
    );
}

/// Tells which services' instances stay though the registry took them away, and which no longer.
pub fn kept(metrics: &Metrics, service: &ServiceKey, turn: Turn, kept: &Kept) {
    match turn {
        Turn::Begins(instances) => warn!(
            %service,
            instances,
            seconds = kept.time(service).unwrap_or_default().as_secs(),
            "more healthy instances of a service are gone at once than is believed: they stay for a while"
        ),
        Turn::Over => {
            info!(%service, "the registry has instances again: those that were kept are let go")
        }
        Turn::Late => {
            warn!(%service, "instances that were kept are not back in time: what the registry says is in force");
        }
    }
    let count = i64::try_from(kept.count()).unwrap_or(i64::MAX);
    metrics.instances_kept.set(count);
}

/// Tells that a gateway's route table hurts, or does not any more.
pub fn large(gateway: &Id, turn: &large::Turn) {
    match turn {
        large::Turn::Begins(large) => {
            warn!(%gateway, bytes = large.bytes, problem = %large, "a gateway's route table is so large that each change hurts");
        }
        large::Turn::Over(bytes) => {
            info!(%gateway, bytes, "the gateway's route table is small enough again");
        }
    }
}

/// What was counted of a gateway that is gone is gone too: gateways come and go under other names.
pub fn gone(metrics: &Metrics, gateway: String) {
    let gateway = metrics::Gateway { gateway };
    metrics.snapshots.remove(&gateway);
    metrics.change_seconds.remove(&gateway);
}

/// Tells what a new snapshot brings.
pub fn published(metrics: &Metrics, snapshot: &Snapshot, tallies: &Tallies, took: Duration) {
    let tally = |resource_type: ResourceType| {
        let tally = tallies[resource_type.index()];
        (tally != Tally::default()).then_some(tracing::field::display(tally))
    };
    info!(
        gateway = %snapshot.gateway,
        cohort = snapshot.cohort.as_ref().map(tracing::field::display),
        version = %snapshot.version(),
        revision = snapshot.revision,
        clusters = tally(ResourceType::Cluster),
        endpoints = tally(ResourceType::LoadAssignment),
        secrets = tally(ResourceType::Secret),
        extensions = tally(ResourceType::ExtensionConfig),
        listeners = tally(ResourceType::Listener),
        routes = tally(ResourceType::RouteConfiguration),
        scopes = tally(ResourceType::ScopedRouteConfiguration),
        took_ms = millis(took),
        "snapshot published"
    );
    let gateway = snapshot.gateway.to_string();
    metrics
        .snapshots
        .get_or_create(&metrics::Gateway { gateway })
        .inc();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Problem;

    #[test]
    fn what_is_told_is_counted() {
        let metrics = Metrics::default();
        let problem = |path: &str| Problem {
            source: path.into(),
            field: "uri".into(),
            message: "found nothing".into(),
        };
        let changes = Changes {
            problems: vec![problem("routes/a"), problem("routes/b")],
            ..Changes::default()
        };
        documents(&metrics, &changes, 2);
        let mended = Changes {
            mended: vec!["routes/a".into()],
            ..Changes::default()
        };
        documents(&metrics, &mended, 1);
        // Rejections are counted as they come, and how many there are as it is.
        assert_eq!(metrics.document_rejections.get(), 2);
        assert_eq!(metrics.documents_rejected.get(), 1);

        let cause = |cause| NotInForce {
            reason: "an Envoy is too old".into(),
            cause,
            revision: 7,
        };
        let now = [("routes/a", Cause::NotServed), ("routes/b", Cause::Waiting)];
        let now = now.map(|(path, of)| (path.into(), cause(of)));
        not_served(&metrics, &BTreeMap::new(), &now.into());
        assert_eq!(metrics.documents_not_served.get(), 1);

        refused(&metrics, &Difference::default(), 3);
        assert_eq!(metrics.documents_refused.get(), 3);

        let (snapshot, tallies) = Snapshot::empty("edge".into()).next([], 7);
        published(&metrics, &snapshot, &tallies, Duration::ZERO);
        let gateway = "edge".to_owned();
        let edge = metrics
            .snapshots
            .get_or_create(&metrics::Gateway { gateway })
            .get();
        assert_eq!(edge, 1);
        gone(&metrics, "edge".to_owned());
        let gateway = "edge".to_owned();
        let left = metrics.snapshots.get(&metrics::Gateway { gateway });
        assert!(left.is_none());
    }
}
