//! What is wrong with which document now, of all that the loop knows. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Control;
use crate::build::Builder;
use crate::xds::gateways::{Problem, ProblemKind};

impl Control {
    /// The documents whose text is not in force: it waits, is wrong itself, or proxies refuse what becomes of it.
    pub(super) fn problems(&self) -> BTreeMap<Arc<str>, Problem> {
        let waiting = self.builders.values().flat_map(Builder::waiting);
        let waiting = waiting.map(|(route, service)| {
            let reason = format!("{service} has not been answered yet");
            (
                format!("routes/{route}").into(),
                ProblemKind::Waiting,
                reason.into(),
            )
        });
        let rejected = self.documents.faults().map(|(path, problem)| {
            let reason = problem.said().into();
            (path.clone(), ProblemKind::Rejected, reason)
        });
        let drains = self.drains.faults().map(|(path, revision, reason)| {
            let problem = Problem {
                revision,
                kind: ProblemKind::Rejected,
                reason: reason.into(),
            };
            (path.clone(), problem)
        });
        let refused = self.refused.iter();
        let refused = refused
            .map(|(path, error)| (path.as_str().into(), ProblemKind::Refused, error.clone()));
        // Of several problems of one document the last counts.
        let all = waiting.chain(rejected).chain(refused);
        let all = all.filter_map(|(path, kind, reason): (Arc<str>, _, Arc<str>)| {
            let revision = self.documents.revision(&path)?;
            let problem = Problem {
                revision,
                kind,
                reason,
            };
            Some((path, problem))
        });
        all.chain(drains).collect()
    }
}
