//! Waiting until a revision is confirmed: every connected node of every live replica has accepted it. Nobody waits for what
//! the revision wrote and is not in force; only another revision mends that.

mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tonic::Status;

use super::awaited::Awaited;
use super::expected::{self, Name};
use super::shares::count;
use super::{Api, confirmed, pb};
use crate::xds::Settled;
use crate::xds::gateways::NotInForce;

pub use stream::follow;

/// How long to wait unless told.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that may be asked for.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(600);
/// How many of those that are behind, or rejected, are named.
const NAMED: usize = 100;
/// Between two looks: many nodes answer at once.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until the revision is confirmed, or the time is over.
pub async fn wait(api: &Api, asked: pb::WaitRequest) -> Result<pb::WaitResponse, Status> {
    let timeout = timeout(&asked)?;
    is_revision(asked.revision)?;
    let _place = api.lasting.waits.take()?;
    until(api, asked.revision, timeout, asked.allow_none).await
}

/// Waits like [`wait`], in a place that is had already.
pub async fn until(
    api: &Api,
    revision: i64,
    timeout: Duration,
    allow_none: bool,
) -> Result<pb::WaitResponse, Status> {
    let began = Looked::begin(api, revision, allow_none);
    let deadline = Instant::now() + timeout;
    let mut settled = api.gateways.settled();
    let mut nodes = api.nodes.changes();
    let mut others = api.others.changes();
    let mut expected = api.expected.changes();
    let mut awaited = Awaited::new(&api.nodes);
    // What other replicas say is read when they say something else.
    let mut told = true;
    loop {
        let now = settled.borrow_and_update().clone();
        nodes.mark_unchanged();
        if std::mem::take(&mut told)
            || has(&now, revision, confirmed::is_rejected)
            || is_confirmed(api, &now, revision, &mut awaited)
        {
            let answer = look(api, &began);
            if answer.confirmed || !answer.rejected.is_empty() {
                return Ok(answer);
            }
        }
        // Their senders live as long as this does.
        tokio::select! {
            Ok(()) = settled.changed() => {}
            Ok(()) = nodes.changed() => {}
            Ok(()) = others.changed() => told = true,
            Ok(()) = expected.changed() => told = true,
            () = sleep_until(deadline) => return Ok(look(api, &began)),
            () = api.shutdown.cancelled() => return Err(Status::unavailable("chancery is shutting down")),
        }
        sleep(PAUSE).await;
    }
}

/// Whether a document that the revision wrote has such a problem here.
fn has(settled: &Settled, revision: i64, of: impl Fn(&NotInForce) -> bool) -> bool {
    let mut problems = settled.problems.values();
    problems.any(|problem| problem.revision == revision && of(problem))
}

/// Whether every node here has accepted the revision, and nothing of it waits.
fn is_confirmed(api: &Api, settled: &Settled, asked: i64, awaited: &mut Awaited) -> bool {
    let revision = asked.min(settled.documents);
    settled.revision >= asked
        && !has(settled, asked, |problem| !confirmed::is_rejected(problem))
        && awaited.is_over(&api.nodes, |node| {
            confirmed::has(&api.gateways, node, revision)
        })
}

fn is_revision(asked: i64) -> Result<(), Status> {
    if asked < 1 {
        let message =
            "revision: found none above 0; give the one that etcd answered the write with";
        return Err(Status::invalid_argument(message));
    }
    Ok(())
}

fn timeout(asked: &pb::WaitRequest) -> Result<Duration, Status> {
    asked.timeout.map_or(Ok(TIMEOUT), patience)
}

/// How long a caller waits, if that is allowed.
pub fn patience(asked: prost_types::Duration) -> Result<Duration, Status> {
    let time = Duration::try_from(asked).ok();
    time.filter(|time| *time <= MAX_TIMEOUT)
        .ok_or_else(|| Status::invalid_argument("timeout: allowed are 0s to 600s"))
}

/// What is waited for, and who was expected at the beginning.
struct Looked {
    revision: i64,
    allow_none: bool,
    expected: BTreeSet<Name>,
}

impl Looked {
    fn begin(api: &Api, revision: i64, allow_none: bool) -> Self {
        observe(api, &api.others.live());
        Self {
            revision,
            allow_none,
            expected: api.expected.names(),
        }
    }
}

fn look(api: &Api, began: &Looked) -> pb::WaitResponse {
    let asked = began.revision;
    let settled = api.gateways.settled().borrow().clone();
    let live = api.others.live();
    let mut behind = if settled.revision < asked {
        vec![pb::Behind {
            revision: settled.revision,
            reason: format!("has published up to revision {} only", settled.revision),
            ..pb::Behind::default()
        }]
    } else {
        // What came after the last change of a document changes nothing: nobody waits for it.
        confirmed::behind(&api.gateways, &api.nodes, asked.min(settled.documents))
    };
    for behind in &mut behind {
        behind.replica = api.others.own();
    }
    let waiting = confirmed::waiting(&settled);
    behind.extend(confirmed::behind_by(waiting, asked, &api.others.own()));
    behind.extend(api.others.behind(&live, asked.min(settled.documents)));
    if behind.is_empty() {
        // Who has just gone may not be noted yet. All of them are gone through only where nobody else holds it up.
        observe(api, &live);
    }
    behind.extend(api.expected.away());
    let expected = api.expected.names();
    let gateways = concerned(api, settled.revision >= asked, asked, &expected, &behind);
    let named = behind.iter().filter(|behind| !behind.node.is_empty());
    let accepted = expected.len().saturating_sub(named.count());
    behind
        .sort_by(|a, b| (&a.replica, &a.gateway, &a.node).cmp(&(&b.replica, &b.gateway, &b.node)));
    behind.truncate(NAMED);
    // Looked up last: what a node refused has been noted before it accepts what comes instead.
    let rejected = rejected(api, &live, asked);
    let others = live.iter().flat_map(|replica| replica.nodes.values());
    pb::WaitResponse {
        revision: asked,
        confirmed: behind.is_empty()
            && rejected.is_empty()
            && (began.allow_none || !expected.is_empty()),
        expected: count(expected.len()),
        accepted: count(accepted),
        left: count(began.expected.difference(&expected).count()),
        nodes: others.sum::<u32>() + u32::try_from(api.nodes.count()).unwrap_or(u32::MAX),
        replicas: 1 + u32::try_from(live.len()).unwrap_or(u32::MAX - 1),
        behind,
        rejected,
        gateways,
    }
}

/// How many of the expected have it, by gateway, of those whom it concerns.
fn concerned(
    api: &Api,
    is_published: bool,
    asked: i64,
    expected: &BTreeSet<Name>,
    behind: &[pb::Behind],
) -> Vec<pb::Share> {
    let mut shares: BTreeMap<&str, (BTreeSet<&str>, u32)> = BTreeMap::new();
    for (gateway, _) in expected {
        shares.entry(gateway).or_default().1 += 1;
    }
    for one in behind.iter().filter(|one| !one.node.is_empty()) {
        shares.entry(&one.gateway).or_default().0.insert(&one.node);
    }
    let snapshots = api.gateways.all();
    // Whoever is late with something else is not counted here.
    let concerns = |gateway: &str, is_late: bool| {
        let theirs = snapshots.iter().filter(|one| &*one.gateway == gateway);
        match theirs.map(|one| one.revision).max() {
            Some(newest) if is_published => newest >= asked,
            _ => is_late,
        }
    };
    let concerned = shares
        .into_iter()
        .filter(|(gateway, (late, _))| concerns(gateway, !late.is_empty()));
    concerned
        .map(|(gateway, (late, expected))| pb::Share {
            gateway: gateway.to_owned(),
            accepted: expected.saturating_sub(count(late.len())),
            expected,
        })
        .collect()
}

/// Notes who is connected now.
fn observe(api: &Api, live: &[pb::Replica]) {
    let connected = expected::connected(&api.nodes, &api.others.own(), live);
    api.expected.observe(connected, std::time::Instant::now());
}

/// What a revision wrote and is not in force, here or at another replica.
fn rejected(api: &Api, live: &[pb::Replica], revision: i64) -> Vec<pb::Rejected> {
    let others = live.iter().flat_map(|replica| &replica.rejected).cloned();
    let settled = api.gateways.settled().borrow().clone();
    let mut rejected: Vec<_> = confirmed::rejected(&settled)
        .chain(others)
        .filter(|rejected| rejected.revision == revision)
        .collect();
    rejected.sort_by(|a, b| a.document.cmp(&b.document));
    rejected.dedup_by(|a, b| a.document == b.document);
    rejected.truncate(NAMED);
    rejected
}
