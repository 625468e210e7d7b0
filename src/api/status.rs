//! What a replica is, as its caller finds it.

use std::time::SystemTime;

use crate::drain::Caller;
use crate::telemetry::Source;
use crate::telemetry::source::Report;

use super::access::Role;
use super::{Api, pb};

pub fn read(api: &Api, caller: Caller) -> pb::ReplicaStatus {
    let now = SystemTime::now();
    let sources = Source::reports(&api.sources);
    let may = [
        (Role::Read, true),
        (Role::Drain, caller.drains),
        (Role::Operate, caller.operates),
        (Role::Admin, caller.writes),
    ];
    let roles = may.iter().filter(|(_, may)| *may);
    pb::ReplicaStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        replica: api.others.own(),
        revision: api.gateways.revision(),
        sources: sources.map(|report| source(report, now)).collect(),
        writable: api.editor.is_some(),
        caller: caller.name,
        roles: roles.map(|(role, _)| role.as_str().to_owned()).collect(),
    }
}

fn source(report: Report, now: SystemTime) -> pb::SourceStatus {
    let at = |age| now.checked_sub(age).map(Into::into);
    pb::SourceStatus {
        name: report.name.to_owned(),
        answered: report.age.and_then(at),
        error: report.error.unwrap_or_default(),
        saved: report.saved.and_then(at),
    }
}
