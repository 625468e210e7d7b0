//! One stream: waits for a request, a new snapshot or time, and writes what the state machine hands out.

use std::pin::pin;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tonic::Status;
use tracing::{info, warn};

use crate::snapshot::{Refused, ResourceType};
use crate::telemetry::{self, metrics};

use super::ads::{Ads, shutting_down};
use super::body::{Closed, Writer};
use super::gateways::{Answer, Watch};
use super::limits::{Bucket, Reader};
use super::nodes::{Identity, Mark, Node, Seat};
use super::refusal::NotAdmitted;
use super::request::{Message, Request, shown};
use super::requests::Requests;
use super::stream::{Acknowledgement, Stream};
use super::unheard;
use super::unserved::{Heard, Unserved};

/// How many seconds' worth of requests may come at once.
const BURST: u32 = 10;

/// As much of a node's reason to refuse as people are shown, in characters.
const SAID: usize = 1000;

/// One stream and all it needs.
pub struct Conversation<'a> {
    ads: &'a Ads,
    seat: Seat,
    newest: Watch,
    stream: Stream,
    unserved: Unserved,
    /// The one type that it is about; nothing for all of them.
    only: Option<ResourceType>,
    requests: Bucket,
    /// Whether it was said that the client asks for names of nothing.
    asked_for_longer: bool,
    writer: &'a mut Writer,
}

impl<'a> Conversation<'a> {
    /// A conversation in which nothing was said yet, about all types or `only` one.
    pub fn new(
        ads: &'a Ads,
        node: Node,
        only: Option<ResourceType>,
        writer: &'a mut Writer,
    ) -> Self {
        let cohort = ads.gateways.admit(&node.gateway, &node.cohort);
        let newest = ads.gateways.watch(&node.gateway, Some(&cohort));
        ads.gateways.come(&node.gateway, &cohort, &node.id);
        let stream = Stream::new(node.protocol);
        let seat = ads.nodes.enter(Node { cohort, ..node });
        Self {
            only,
            requests: Bucket::new(ads.limits.request_rate, BURST, Instant::now()),
            newest,
            seat,
            stream,
            unserved: Unserved::default(),
            asked_for_longer: false,
            ads,
            writer,
        }
    }

    /// With whom.
    pub fn node(&self) -> &Identity {
        self.seat.node()
    }

    /// Takes the client's first request in.
    pub fn begin<M: Message>(&mut self, first: M) -> Result<(), Status> {
        self.take_newest();
        self.handle(first)
    }

    /// Speaks until the client is gone, does wrong, or the process ends.
    pub async fn run<M: Message>(&mut self, requests: &mut Requests<M>) -> Result<(), Status> {
        let mut reading = interval(self.ads.limits.slow_reader / 4);
        reading.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reader = Reader::default();
        // Once for the stream: all streams wait in one list.
        let mut shutdown = pin!(self.ads.shutdown.cancelled());
        let mut gone = pin!(self.writer.gone());
        loop {
            self.flush()?;
            let timeout = self.stream.poll_timeout();
            tokio::select! {
                request = requests.next() => match request.map_err(|broken| self.ads.broken(broken))? {
                    Some(request) => self.handle(request)?,
                    None => return Ok(()),
                },
                changed = self.newest.changed() => {
                    changed.map_err(|_| shutting_down())?;
                    self.take_newest();
                }
                () = sleep_until(timeout.unwrap_or_else(Instant::now).into()), if timeout.is_some() => {
                    warn!(node = %self.node().id, "the node is not waited for any longer: its clusters are not acknowledged, or it asks for no routes");
                }
                Some(question) = self.seat.question() => {
                    // Whoever asked need not wait for the answer.
                    let _ = question.send(self.stream.holdings());
                }
                now = reading.tick() => self.check_reader(&mut reader, now.into())?,
                () = &mut gone => return Ok(()),
                () = &mut shutdown => return Err(shutting_down()),
            }
        }
    }

    fn take_newest(&mut self) {
        let newest = self.newest.borrow_and_update().clone();
        match newest {
            Some(snapshot) => self.stream.handle_snapshot(snapshot),
            None if self.ads.gateways.find(&self.node().gateway).is_some() => {
                // The first of its cohort: the loop is about to tell what it is served.
            }
            None => {
                info!(node = %self.node().id, gateway = %self.node().gateway, "node waits: its gateway is not known (yet)");
            }
        }
    }

    fn handle<M: Message>(&mut self, request: M) -> Result<(), Status> {
        let taken = self.take(request);
        if let Some(answer) = taken.map_err(|refusal| self.ads.refuse(&refusal))? {
            self.note(answer);
        }
        self.tell();
        Ok(())
    }

    /// Tells what the client has accepted, and then that it has spoken.
    fn tell(&mut self) {
        for resource_type in ResourceType::ALL {
            if let Some(accepted) = self.stream.take_accepted(resource_type) {
                self.newest.accept(accepted);
            }
            if let Some(sequence) = self.stream.answered(resource_type) {
                self.newest.note_answered(resource_type, sequence);
            }
        }
        self.newest.advance(self.stream.sequence());
    }

    /// Takes a request within the limits in, and tells which response it answered, if any.
    fn take<M: Message>(&mut self, mut message: M) -> Result<Option<Acknowledgement>, NotAdmitted> {
        if let Some(only) = self.only {
            check_type(message.type_url(), only)?;
        }
        let mut request: Request<String> = message.into();
        let limits = &self.ads.limits;
        let unknown = request.names.check(limits)?;
        let request = match request.served() {
            Ok(request) => request,
            Err(request) => return self.take_unserved(*request).map(|()| None),
        };
        if unknown > 0 && !std::mem::replace(&mut self.asked_for_longer, true) {
            let (node, of_type) = (&self.node().id, request.resource_type.as_str());
            warn!(%node, r#type = of_type, names = unknown, longest = limits.name_bytes, "the node asks for names that are longer than any there is: it is told of the others");
        }
        let (resource_type, now) = (request.resource_type, Instant::now());
        if self.stream.is_outdated(&request) {
            let r#type = resource_type.as_str();
            let expired = &self.ads.metrics.expired_nonces;
            expired.get_or_create(&metrics::Type { r#type }).inc();
        }
        let answer = self.stream.handle_request(request, now);
        if let Some(answer) = &answer
            && answer.error.is_none()
        {
            self.newest.note_accepted(self.said(answer, now));
        }
        if self.stream.names(resource_type) > limits.names {
            return Err(NotAdmitted::Names(limits.names));
        }
        if answer.is_none() && !self.requests.take(now) {
            return Err(NotAdmitted::RequestRate(limits.request_rate));
        }
        Ok(answer)
    }

    fn take_unserved(&mut self, request: Request<String>) -> Result<(), NotAdmitted> {
        let limits = &self.ads.limits;
        let of_type = shown(&request.resource_type);
        match self.unserved.handle(request, limits.names)? {
            Heard::Answer => return Ok(()),
            Heard::Wish => {}
            Heard::First => {
                let labels = metrics::Name {
                    name: unheard::of_type(&of_type),
                };
                self.ads.metrics.unserved.get_or_create(&labels).inc();
                warn!(node = %self.node().id, r#type = of_type, "the node asks for a type that is not served: it is told that nothing of it exists");
                self.seat
                    .note(|status| status.unserved.push(of_type.into()));
            }
        }
        if self.requests.take(Instant::now()) {
            Ok(())
        } else {
            Err(NotAdmitted::RequestRate(limits.request_rate))
        }
    }

    /// An answer, with who gave it and when.
    fn said(&self, answer: &Acknowledgement, now: Instant) -> Answer {
        Answer {
            at: now,
            took: answer.took,
            of: answer.resource_type,
            node: self.node().id.clone(),
        }
    }

    fn note(&mut self, mut answer: Acknowledgement) {
        let said = self.said(&answer, Instant::now());
        if let Some(error) = &mut answer.error {
            // Whoever looks for the culprit has all of it, everybody else a line.
            let shown = telemetry::shown(error, SAID);
            self.newest.note_refused(answer.sequence, &said, &shown);
            let refused = Refused {
                resource_type: answer.resource_type,
                after: answer.after,
                sequence: answer.sequence,
                error: std::mem::replace(error, shown).into(),
                node: self.node().id.clone(),
                at: telemetry::now().try_into().unwrap_or_default(),
            };
            let Identity {
                gateway, cohort, ..
            } = self.node();
            self.ads.gateways.refuse(gateway, cohort, refused);
        }
        let r#type = answer.resource_type.as_str();
        let labels = metrics::Type { r#type };
        let metrics = &self.ads.metrics;
        metrics
            .ack_seconds
            .get_or_create(&labels)
            .observe(answer.took.as_secs_f64());
        let (node, gateway) = (&self.node().id, &self.node().gateway);
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
        self.seat.note(|status| {
            let of_type = status.types[answer.resource_type.index()].get_or_insert_default();
            match &answer.error {
                None => (of_type.acked, of_type.refused) = (Some(mark), None),
                Some(error) => of_type.refused = Some((mark, error.as_str().into())),
            }
        });
        self.ads.gateways.events().answered(self.node(), answer);
    }

    fn flush(&mut self) -> Result<(), Status> {
        let mut sent = [None; ResourceType::ALL.len()];
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
                node = %self.node().id, r#type = %labels.r#type, version = %response.version, nonce = response.nonce,
                resources = response.resources, removed = response.removed, bytes = response.size(), "response sent",
            );
            sent[response.resource_type.index()] = Some(Mark {
                version: response.version,
                revision: response.revision,
                at: SystemTime::now(),
            });
            self.write(response.pieces)?;
        }
        while let Some(pieces) = self.unserved.poll_response() {
            self.write(pieces)?;
        }
        self.tell();
        let (synced, revision) = (self.stream.is_synced(), self.stream.revision());
        self.seat.note(|status| {
            (status.synced, status.revision) = (synced, revision);
            for (of_type, mark) in status.types.iter_mut().zip(sent) {
                if mark.is_some() {
                    of_type.get_or_insert_default().sent = mark;
                }
            }
        });
        Ok(())
    }

    fn write(&mut self, pieces: Vec<Bytes>) -> Result<(), Status> {
        let written = self.writer.write(pieces);
        written.map_err(|Closed| Status::cancelled("the client is gone"))
    }

    /// Ends the stream of a client that has left unread for too long what it was sent.
    fn check_reader(&self, reader: &mut Reader, now: Instant) -> Result<(), Status> {
        let limit = self.ads.limits.slow_reader;
        if reader.is_stuck(self.writer.progress(), limit, now) {
            return Err(self.ads.refuse(&NotAdmitted::SlowReader(limit)));
        }
        Ok(())
    }
}

/// Where a service is about one type, naming it is optional.
fn check_type(url: &mut String, only: ResourceType) -> Result<(), NotAdmitted> {
    if url.is_empty() {
        only.type_url().clone_into(url);
    }
    if url == only.type_url() {
        return Ok(());
    }
    let found = shown(url);
    Err(NotAdmitted::OtherType { found, only })
}
