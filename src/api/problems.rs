//! What is wrong with which document now.

use super::confirmed::REASON;
use super::{Api, pb};
use crate::telemetry::shown;

/// The problems of this replica's documents, by document.
pub fn list(api: &Api) -> pb::ListProblemsResponse {
    let settled = api.gateways.settled().borrow().clone();
    let problems = settled.problems.iter().map(|(path, problem)| pb::Problem {
        document: path.to_string(),
        revision: problem.revision,
        kind: problem.cause.as_str().to_owned(),
        reason: shown(&problem.reason, REASON),
    });
    pb::ListProblemsResponse {
        revision: settled.revision,
        problems: problems.collect(),
    }
}
