//! What is wrong with which document now, of all that the loop knows. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::builders::Builders;
use super::refused::{Refused, said};
use crate::documents::Documents;
use crate::model::Drains;
use crate::xds::gateways::{Cause, NotInForce};

/// The documents whose text is not in force: it waits, some proxies cannot serve it, it is wrong itself, or proxies refuse what becomes of it.
pub fn problems(
    documents: &Documents,
    drains: &Drains,
    builders: &Builders,
    refused: &Refused,
) -> BTreeMap<Arc<str>, NotInForce> {
    let waiting = builders.waiting().map(|(route, service)| {
        let reason = format!("{service} has not been answered yet");
        (
            documents.behind(route).into(),
            Cause::Waiting,
            reason.into(),
        )
    });
    let unanswered = documents
        .waiting()
        .map(|(path, problem)| (path.clone(), Cause::Waiting, problem.said().into()));
    let unable = builders.unable().into_iter().map(|(route, said)| {
        let path = documents.behind(route).into();
        (path, Cause::NotServed, said.join("; ").into())
    });
    let rejected = documents.faults().map(|(path, problem)| {
        let reason = problem.said().into();
        (path.clone(), Cause::Rejected, reason)
    });
    let faults_of_drains = drains.faults().map(|(path, revision, reason)| {
        let problem = NotInForce {
            revision,
            cause: Cause::Rejected,
            reason: reason.into(),
        };
        (path.clone(), problem)
    });
    let refused = refused.iter().map(|(path, held)| {
        let reasons: Vec<_> = held.iter().map(said).collect();
        (
            path.as_str().into(),
            Cause::Refused,
            reasons.join("; ").into(),
        )
    });
    // Of several problems of one document the last counts.
    let all = waiting
        .chain(unanswered)
        .chain(unable)
        .chain(rejected)
        .chain(refused)
        .filter_map(|(path, cause, reason): (Arc<str>, _, Arc<str>)| {
            let revision = documents.revision(&path)?;
            let problem = NotInForce {
                revision,
                cause,
                reason,
            };
            Some((path, problem))
        });
    all.chain(faults_of_drains).collect()
}

#[cfg(test)]
mod tests;
