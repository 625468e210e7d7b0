//! What all streams share, and how they end when a client does wrong.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::warn;

use crate::snapshot::ResourceType;
use crate::telemetry::{Metrics, metrics};

use super::admission::{Admission, Clients};
use super::gateways::Gateways;
use super::limits::Limits;
use super::nodes::Nodes;
use super::refusal::NotAdmitted;
use super::requests::Broken;

/// The discovery services: ADS, and one for each type.
#[derive(Debug, Clone)]
pub struct Ads {
    pub gateways: Arc<Gateways>,
    pub nodes: Arc<Nodes>,
    pub metrics: Arc<Metrics>,
    pub limits: Limits,
    /// Which clients may act as which gateways.
    pub clients: Arc<Clients>,
    pub admission: Arc<Admission>,
    /// Ends every stream.
    pub shutdown: CancellationToken,
}

impl Ads {
    /// Answers are counted from 0 on, so that the first of a type is a rise for whoever looks at rates.
    pub(super) fn begin_counting(&self) {
        for each in ResourceType::ALL {
            let of = metrics::Type {
                r#type: each.as_str(),
            };
            for answers in [&self.metrics.acks, &self.metrics.nacks] {
                drop(answers.get_or_create(&of));
            }
        }
    }

    /// Counts a refusal, and tells it to whom it concerns.
    pub(super) fn refuse(&self, refusal: &NotAdmitted) -> Status {
        let reason = refusal.reason();
        self.metrics
            .requests_refused
            .get_or_create(&metrics::Reason { reason })
            .inc();
        if self.admission.may_warn() {
            warn!(reason, message = %refusal, "xds client refused");
        }
        refusal.status()
    }

    /// What a stream ends with whose requests cannot be read.
    pub(super) fn broken(&self, broken: Broken) -> Status {
        match broken {
            Broken::Refused(refusal) => self.refuse(&refusal),
            Broken::Transport(status) => status,
        }
    }
}

/// The status of a stream that ends because the process does.
pub(super) fn shutting_down() -> Status {
    Status::unavailable("chancery is shutting down; what was sent stays in force")
}
