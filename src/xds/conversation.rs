//! One stream: waits for a request, a new snapshot or time, and writes what the state machine hands out.

use std::time::{Instant, SystemTime};

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tonic::{Status, Streaming};
use tracing::{info, warn};

use crate::snapshot::{Outcome, ResourceType};
use crate::telemetry::{self, metrics};

use super::body::{Closed, Writer};
use super::gateways::Newest;
use super::nodes::{Mark, Node, Seat};
use super::request::{Refusal, Request};
use super::service::{Ads, Message, shutting_down};
use super::stream::{Answer, Stream};

/// One stream and all it needs.
pub struct Conversation<'a> {
    ads: &'a Ads,
    node: Node,
    seat: Seat,
    newest: watch::Receiver<Newest>,
    stream: Stream,
    /// By type, the newest snapshot that was passed on as accepted.
    accepted: [Option<u64>; ResourceType::ALL.len()],
    writer: &'a mut Writer,
}

impl<'a> Conversation<'a> {
    /// A conversation in which nothing was said yet.
    pub fn new(ads: &'a Ads, node: Node, writer: &'a mut Writer) -> Self {
        Self {
            newest: ads.gateways.watch(&node.gateway),
            seat: ads.nodes.enter(node.clone()),
            stream: Stream::new(node.protocol),
            accepted: Default::default(),
            ads,
            node,
            writer,
        }
    }

    /// Speaks until the client is gone, does wrong, or the process ends.
    pub async fn run<M: Message>(
        &mut self,
        first: M,
        requests: &mut Streaming<M>,
    ) -> Result<(), Status> {
        self.take_newest();
        self.handle(first)?;
        let mut reading = interval(self.ads.limits.slow_reader / 2);
        reading.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut progress = (0, 0);
        loop {
            self.flush()?;
            let timeout = self.stream.poll_timeout();
            tokio::select! {
                request = requests.message() => match request? {
                    Some(request) => self.handle(request)?,
                    None => return Ok(()),
                },
                changed = self.newest.changed() => {
                    changed.map_err(|_| shutting_down())?;
                    self.take_newest();
                }
                () = sleep_until(timeout.unwrap_or_else(Instant::now).into()), if timeout.is_some() => {
                    warn!(node = %self.node.id, "the node is not waited for any longer: its clusters are not acknowledged, or it asks for no routes");
                }
                _ = reading.tick() => self.check_reader(&mut progress)?,
                () = self.writer.closed() => return Ok(()),
                () = self.ads.shutdown.cancelled() => return Err(shutting_down()),
            }
        }
    }

    fn take_newest(&mut self) {
        let newest = self.newest.borrow_and_update().clone();
        match newest {
            Some(snapshot) => self.stream.handle_snapshot(snapshot),
            None => {
                info!(node = %self.node.id, gateway = %self.node.gateway, "node waits: its gateway is not known (yet)");
            }
        }
    }

    fn handle<M: Message>(&mut self, request: M) -> Result<(), Status> {
        let request: Request = request.try_into().map_err(|refusal: Refusal| {
            let reason = match refusal {
                Refusal::NoTypeUrl => "no_type_url",
                Refusal::UnknownType(_) => "unknown_type",
            };
            self.ads.refuse(reason, refusal.to_string())
        })?;
        if let Some(answer) = self.stream.handle_request(request, Instant::now()) {
            self.note(&answer);
        }
        Ok(())
    }

    fn note(&mut self, answer: &Answer) {
        let r#type = answer.resource_type.as_str();
        let labels = metrics::Type { r#type };
        let metrics = &self.ads.metrics;
        metrics
            .ack_seconds
            .get_or_create(&labels)
            .observe(answer.took.as_secs_f64());
        let (node, gateway) = (&self.node.id, &self.node.gateway);
        let (version, revision) = (answer.version, answer.revision);
        let took_ms = telemetry::millis(answer.took);
        let mark = Mark {
            version,
            revision,
            at: SystemTime::now(),
        };
        match &answer.error {
            None => {
                metrics.acks.get_or_create(&labels).inc();
                info!(%node, %gateway, %r#type, %version, revision, took_ms, "ACK");
            }
            Some(error) => {
                metrics.nacks.get_or_create(&labels).inc();
                warn!(%node, %gateway, %r#type, %version, revision, took_ms, error, "NACK: the node keeps what it had");
            }
        }
        if let Some(error) = &answer.error {
            let outcome = Outcome {
                resource_type: answer.resource_type,
                after: answer.after,
                sequence: answer.sequence,
                error: Some(error.as_str().into()),
            };
            self.ads.gateways.refuse(gateway, outcome);
        }
        self.seat.note(|status| {
            let status = status.types[answer.resource_type.index()].get_or_insert_default();
            match &answer.error {
                None => (status.acked, status.refused) = (Some(mark), None),
                Some(error) => status.refused = Some((mark, error.as_str().into())),
            }
        });
    }

    fn flush(&mut self) -> Result<(), Status> {
        while let Some(response) = self.stream.poll_response(Instant::now()) {
            let labels = metrics::Type {
                r#type: response.resource_type.as_str(),
            };
            self.ads.metrics.responses.get_or_create(&labels).inc();
            self.ads
                .metrics
                .response_bytes
                .get_or_create(&labels)
                .inc_by(response.size() as u64);
            tracing::debug!(
                node = %self.node.id, r#type = %labels.r#type, version = %response.version, nonce = response.nonce,
                resources = response.resources, removed = response.removed, bytes = response.size(), "response sent",
            );
            let mark = Mark {
                version: response.version,
                revision: response.revision,
                at: SystemTime::now(),
            };
            self.seat.note(|status| {
                let index = response.resource_type.index();
                status.types[index].get_or_insert_default().sent = Some(mark);
            });
            self.writer
                .write(response.pieces)
                .map_err(|Closed| Status::cancelled("the client is gone"))?;
        }
        for resource_type in ResourceType::ALL {
            let accepted = self.stream.accepted(resource_type);
            let known = &mut self.accepted[resource_type.index()];
            if let Some(sequence) = accepted.filter(|_| accepted != *known) {
                *known = accepted;
                self.ads
                    .gateways
                    .accept(&self.node.gateway, resource_type, sequence);
            }
        }
        let (synced, revision) = (self.stream.is_synced(), self.stream.revision());
        self.seat
            .note(|status| (status.synced, status.revision) = (synced, revision));
        Ok(())
    }

    /// Ends the stream of a client that has left unread what it was sent since the last look.
    fn check_reader(&self, before: &mut (u64, u64)) -> Result<(), Status> {
        let (taken, given) = self.writer.progress();
        let stuck = taken < before.1 && taken == before.0;
        *before = (taken, given);
        if !stuck {
            return Ok(());
        }
        let reason = "slow_reader";
        self.ads
            .metrics
            .requests_refused
            .get_or_create(&metrics::Reason { reason })
            .inc();
        Err(Status::deadline_exceeded(
            "the client does not read what it is sent",
        ))
    }
}
