//! What others ask the loop, which alone knows all inputs. Answers are copies: nothing of the loop's is shared.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::model::documents::Status;
use crate::registry::Answer;
use crate::xds::gateways::ProblemKind;

use super::Control;

/// A question, with where its answer goes.
#[derive(Debug)]
pub enum Question {
    /// How every document fares, by path.
    Documents(oneshot::Sender<Vec<Fared>>),
    /// Who is at an address: the last answer of every service that has an instance there. Not answered while too little is
    /// known to say.
    Instances(IpAddr, oneshot::Sender<Vec<Answer>>),
}

/// How a document fares, in the model and with proxies.
#[derive(Debug, Clone)]
pub struct Fared {
    /// In the model.
    pub status: Status,
    /// What else keeps its text from being in force, and why.
    pub beyond: Option<(ProblemKind, Arc<str>)>,
}

impl Control {
    /// Answers. Whoever does not wait for it any more gets none.
    pub(super) fn answer(&self, question: Question) {
        match question {
            Question::Documents(answer) => {
                let _ = answer.send(self.fared());
            }
            Question::Instances(address, answer) if self.readiness.is_open() => {
                let _ = answer.send(self.at(address));
            }
            Question::Instances(..) => {}
        }
    }

    fn at(&self, address: IpAddr) -> Vec<Answer> {
        let known = self.instances.iter();
        let known = known.filter(|(_, instances)| {
            let mut instances = instances.iter();
            instances.any(|instance| instance.address == address)
        });
        let found = known.map(|(service, instances)| Answer {
            service: service.clone(),
            instances: instances.clone(),
        });
        found.collect()
    }

    fn fared(&self) -> Vec<Fared> {
        let problems = self.problems();
        let fared = self.documents.statuses().map(|status| {
            let problem = problems.get(&status.path);
            let beyond = problem.filter(|problem| problem.kind != ProblemKind::Rejected);
            Fared {
                beyond: beyond.map(|problem| (problem.kind, problem.reason.clone())),
                status,
            }
        });
        let mut fared: Vec<_> = fared.collect();
        fared.sort_by(|a, b| a.status.path.cmp(&b.status.path));
        fared
    }
}
