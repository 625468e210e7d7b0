//! Drains as the contract has them: an order in, what stands and who has confirmed it out.

mod order;

use std::time::{Duration, SystemTime};

use prost_types::Timestamp;
use tokio::time::{Instant, sleep};
use tonic::{Request, Status};

use crate::drain::audit::{Deed, Record};
use crate::drain::{Caller, DrainError, Drainer, Standing};
use crate::model::Drain;
use crate::model::drain::Mode;

use super::{Api, confirmed, pb, wait};

/// How long Envoy may hold back a change of nothing but health after it has accepted it: its `update_merge_window`.
const MERGED: Duration = Duration::from_secs(1);
/// How many audit records are shown unless told, and at most.
const RECORDS: u32 = 100;
const MAX_RECORDS: u32 = 1000;
/// How many of those that are behind are named in the audit trail.
const NAMED: usize = 5;

/// Takes an instance out, and waits for the nodes.
pub async fn drain(
    api: &Api,
    request: Request<pb::DrainRequest>,
) -> Result<pb::DrainResponse, Status> {
    let began = Instant::now();
    let drainer = drainer(api)?;
    let caller = caller(&request);
    let asked = request.into_inner();
    let allow_none = asked.allow_none;
    let (order, timeout) = order::wait(&asked.wait, wait::TIMEOUT)
        .and_then(|timeout| Ok((order::read(&asked)?, timeout)))
        .inspect_err(|status| misread(api, &caller, &asked, status))?;
    let place = api.lasting.drains.take();
    let _place = place.inspect_err(|status| misread(api, &caller, &asked, status))?;
    let standing = drainer
        .drain(order, caller.clone())
        .await
        .map_err(|refusal| status(&refusal))?;
    let deeds: Vec<_> = standing
        .iter()
        .map(|it| {
            let mut deed = Deed::new(&drainer.trail, "drain", &caller.name, &caller.from);
            deed.is_about(&it.drain);
            deed
        })
        .collect();
    let patience = Patience {
        timeout,
        allow_none,
    };
    confirm(api, &standing, patience, began, &deeds).await
}

/// Notes a request that did not get as far as to be about an instance.
pub fn misread(api: &Api, caller: &Caller, asked: &pb::DrainRequest, status: &Status) {
    let mut deed = Deed::new(&api.access.trail, "drain", &caller.name, &caller.from);
    deed.what = asked.address.escape_debug().take(60).collect();
    deed.refused("request", Instant::now(), &status.message());
}

/// What stands, and who has confirmed it.
pub async fn read(api: &Api, asked: &pb::ReadDrainRequest) -> Result<pb::DrainResponse, Status> {
    let began = Instant::now();
    let timeout = order::wait(&asked.wait, Duration::ZERO)?;
    let all = drainer(api)?
        .standing()
        .await
        .map_err(|refusal| status(&refusal))?;
    let found = all.iter().find(|it| *it.drain.id == *asked.id);
    let order = found.map(|it| it.drain.order().clone()).ok_or_else(|| {
        let id = asked.id.escape_debug();
        Status::not_found(format!("no drain `{id}` is in force"))
    })?;
    let mut standing = all;
    standing.retain(|it| *it.drain.order() == order);
    standing.sort_by_key(|it| *it.drain.id != *asked.id);
    let _place = api.lasting.waits.take()?;
    let patience = Patience {
        timeout,
        allow_none: false,
    };
    confirm(api, &standing, patience, began, &[]).await
}

/// How long a call waits for the nodes, and whether it needs any.
struct Patience {
    timeout: Duration,
    allow_none: bool,
}

/// Waits for all of what one call took out; `deeds` are of whoever took it out.
async fn confirm(
    api: &Api,
    standing: &[Standing],
    patience: Patience,
    began: Instant,
    deeds: &[Deed<'_>],
) -> Result<pb::DrainResponse, Status> {
    let waited = Instant::now();
    let Patience {
        timeout,
        allow_none,
    } = patience;
    let revision = standing.iter().map(|it| it.revision).max();
    let answer = wait::until(api, revision.unwrap_or_default(), timeout, allow_none).await?;
    // Also when another call has written it: that may have been a moment ago.
    let asked_to_wait = !deeds.is_empty() || !timeout.is_zero();
    let merges = standing.iter().any(|it| it.drain.mode == Mode::Draining);
    if answer.confirmed && asked_to_wait && merges {
        sleep(MERGED).await;
    }
    for it in standing {
        if let Err(status) = still_stands(api, &it.drain.id, answer.confirmed).await {
            for deed in deeds {
                deed.step("confirmation", waited, Some(&status.message()));
            }
            return Err(status);
        }
    }
    for deed in deeds {
        if answer.confirmed {
            deed.step("confirmation", waited, None::<&DrainError>)
        } else {
            deed.unconfirmed(waited, summary(&answer.behind))
        }
    }
    let drains: Vec<_> = standing
        .iter()
        .map(|it| message(&it.drain, it.revision))
        .collect();
    Ok(pb::DrainResponse {
        existed: standing.iter().all(|it| it.existed),
        drain: drains.first().cloned(),
        drains,
        confirmed: answer.confirmed,
        took: duration(began.elapsed()),
        replicas: replicas(api),
        behind: answer.behind,
    })
}

/// What was confirmed may be the end of the drain: the newest snapshot has the instance again.
async fn still_stands(api: &Api, id: &str, confirmed: bool) -> Result<(), Status> {
    match drainer(api)?.ledger.is_in_force(id).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Status::failed_precondition(format!(
            "drain {id} ended while it was waited for: its ttl is over, or it was undone"
        ))),
        Err(away) if confirmed => Err(Status::unavailable(format!(
            "{away}; whether drain {id} is still in force is not known"
        ))),
        Err(_) => Ok(()),
    }
}

/// Who is behind, in a line.
fn summary(behind: &[pb::Behind]) -> String {
    let name = |behind: &pb::Behind| match behind.node.as_str() {
        "" => format!("replica {}: {}", behind.replica, behind.reason),
        node => format!("{node}: {}", behind.reason),
    };
    let mut names: Vec<_> = behind.iter().take(NAMED).map(name).collect();
    if behind.len() > NAMED {
        names.push(format!("and {} more", behind.len() - NAMED));
    }
    names.join("; ")
}

/// The live replicas, this one first, and their nodes.
fn replicas(api: &Api) -> Vec<pb::ReplicaNodes> {
    let own = pb::Replica {
        id: api.others.own(),
        ..confirmed::own(&api.gateways, &api.nodes, 0)
    };
    let all = std::iter::once(own).chain(api.others.live());
    all.map(|replica| pb::ReplicaNodes {
        replica: replica.id,
        nodes: replica.nodes,
    })
    .collect()
}

/// The drains in force.
pub async fn list(api: &Api) -> Result<pb::ListDrainsResponse, Status> {
    let standing = drainer(api)?
        .standing()
        .await
        .map_err(|refusal| status(&refusal))?;
    let drains = standing.iter().map(|it| message(&it.drain, it.revision));
    Ok(pb::ListDrainsResponse {
        revision: api.gateways.revision(),
        drains: drains.collect(),
    })
}

pub async fn undrain(
    api: &Api,
    request: Request<pb::UndrainRequest>,
) -> Result<pb::UndrainResponse, Status> {
    let began = Instant::now();
    let caller = caller(&request);
    let lifted = drainer(api)?
        .undrain(request.into_inner().id, caller)
        .await
        .map_err(|refusal| status(&refusal))?;
    let drains: Vec<_> = lifted.drains.iter().map(|it| message(it, 0)).collect();
    Ok(pb::UndrainResponse {
        drain: drains.first().cloned(),
        drains,
        pending: lifted.pending.unwrap_or_default(),
        took: duration(began.elapsed()),
    })
}

/// Has a drain last longer.
pub async fn prolong(
    api: &Api,
    request: Request<pb::ProlongRequest>,
) -> Result<pb::ProlongResponse, Status> {
    let caller = caller(&request);
    let pb::ProlongRequest { id, ttl } = request.into_inner();
    let ttl = order::ttl(&ttl)?;
    let prolonged = drainer(api)?.prolong(id, ttl, caller).await;
    let standing = prolonged.map_err(|refusal| status(&refusal))?;
    let drains = standing.iter().map(|it| message(&it.drain, it.revision));
    Ok(pb::ProlongResponse {
        drains: drains.collect(),
    })
}

/// The newest of the audit trail.
pub async fn audit(
    api: &Api,
    asked: &pb::ListAuditRequest,
) -> Result<pb::ListAuditResponse, Status> {
    let limit = match asked.limit {
        0 => RECORDS,
        limit if limit <= MAX_RECORDS => limit,
        limit => {
            return Err(Status::invalid_argument(format!(
                "limit: found {limit}, allowed are 1 to {MAX_RECORDS}"
            )));
        }
    };
    let texts = drainer(api)?
        .ledger
        .newest(limit.into())
        .await
        .map_err(|away| Status::unavailable(away.to_string()))?;
    let records: Vec<_> = texts
        .iter()
        .filter_map(|text| serde_json::from_slice::<Record>(text).ok())
        .collect();
    let unread = texts.len() - records.len();
    if unread > 0 {
        tracing::warn!(
            unread,
            "keys below audit/ are no records of the audit trail"
        );
    }
    Ok(pb::ListAuditResponse {
        records: records.into_iter().map(record_message).collect(),
    })
}

fn drainer(api: &Api) -> Result<&std::sync::Arc<Drainer>, Status> {
    api.drainer.as_ref().ok_or_else(|| {
        Status::unimplemented(
            "drains are kept in etcd, and here documents are files: start Chancery with --etcd",
        )
    })
}

/// Who called, as the table of calls has found out.
pub(super) fn caller<M>(request: &Request<M>) -> Caller {
    let caller = request.extensions().get::<Caller>();
    caller.cloned().unwrap_or_default()
}

fn status(refusal: &DrainError) -> Status {
    let text = refusal.to_string();
    match refusal {
        DrainError::Unknown(_) => Status::not_found(text),
        DrainError::Unclear(_) => Status::invalid_argument(text),
        DrainError::Conflict(_) | DrainError::Unsupported(_) => Status::failed_precondition(text),
        DrainError::Registry(_) => Status::unknown(text),
        DrainError::Unavailable(_) => Status::unavailable(text),
        DrainError::Internal(_) => Status::internal(text),
    }
}

fn message(drain: &Drain, revision: i64) -> pb::InstanceDrain {
    let created = humantime::parse_rfc3339(&drain.created).ok();
    let ttl = Duration::from_secs(drain.ttl.into());
    pb::InstanceDrain {
        id: drain.id.to_string(),
        service: drain.of.to_string(),
        instance: drain.instance.to_string(),
        address: drain.address.to_string(),
        port: drain.port.into(),
        node: drain.node.clone(),
        mode: drain.mode.as_str().to_owned(),
        reason: drain.reason.clone(),
        by: drain.by.clone(),
        from: drain.from.clone(),
        created: created.map(Timestamp::from),
        expires: created.map(|created: SystemTime| (created + ttl).into()),
        revision,
    }
}

fn record_message(record: Record) -> pb::AuditRecord {
    let took = Duration::try_from_secs_f64(record.took_ms / 1e3);
    pb::AuditRecord {
        time: humantime::parse_rfc3339(&record.time)
            .ok()
            .map(Timestamp::from),
        action: record.action,
        step: record.step,
        drain: record.drain,
        who: record.who,
        from: record.from,
        what: record.what,
        result: record.result,
        detail: record.detail,
        took: took.ok().and_then(duration),
    }
}

fn duration(took: Duration) -> Option<prost_types::Duration> {
    took.try_into().ok()
}
