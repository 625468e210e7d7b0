//! One round: so many streams on Chancery and as many on the floor, change after change to the one and to the other in turn, so
//! that both meet the same noise.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use etcd_client::Client;
use serde::Serialize;
use tokio::time::sleep;

use crate::collector::Collector;
use crate::documents::{self, Kind, Put};
use crate::fleet::{Fleet, Order, Report};
use crate::learn::Lesson;
use crate::servers::Server;

/// From the last stream's arrival to the next put: longer than any change takes to settle, and far more than a burst.
const SPACING: Duration = Duration::from_millis(60);
/// After which a server that is told nothing is idle.
const CALM: Duration = Duration::from_secs(2);
/// The processor time that an idle server uses meanwhile at most, in milliseconds.
const IDLE_MS: f64 = 20.0;
/// Changes before those that count.
const WARM_UP: usize = 5;
/// How often all streams come back with what they have.
const RECONNECTS: usize = 10;

/// What a server did.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// From the first connection until all streams were in sync, in milliseconds.
    pub sync_ms: f64,
    /// Processor time of the server for it, in milliseconds.
    pub sync_cpu_ms: f64,
    /// What coming back costs.
    pub reconnect: Option<Reconnect>,
    /// The memory that it has more than without streams, once all are idle, by stream.
    pub memory_kib: f64,
    /// Changes of routes.
    pub route: Cost,
    /// Changes of endpoints.
    pub endpoint: Cost,
}

/// What it costs when all streams come back with all they have, ten times.
#[derive(Debug, Serialize)]
pub struct Reconnect {
    /// Processor time of the server, once: the median, in milliseconds.
    pub cpu_ms: f64,
    /// Responses by stream, of all times together; any is waste.
    pub responses: f64,
    /// The memory by stream after the last time.
    pub memory_kib: f64,
}

/// What changes of one kind cost.
#[derive(Debug, Serialize)]
pub struct Cost {
    /// From the put until the last stream has the change: the median, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 changes took no longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Processor time of the server by change, in milliseconds.
    pub cpu_ms: f64,
    /// Bytes by stream and change, HTTP/2 included.
    pub bytes: f64,
    /// Responses by stream and change; more than one is waste.
    pub responses: f64,
    /// Processor time of the fleet by response, in microseconds: what the measuring itself costs.
    pub client_us: f64,
}

/// One round.
#[derive(Debug, Serialize)]
pub struct Round {
    /// How many streams each server had.
    pub streams: usize,
    /// The floor; or Chancery without traces, where the other sends some.
    pub floor: Measured,
    /// Chancery.
    pub chancery: Measured,
}

/// Runs rounds.
pub struct Rounds<'a> {
    etcd: &'a Server,
    program: &'a Path,
    folder: &'a Path,
    changes: usize,
    /// Changes so far: no marker is used twice.
    sequence: usize,
}

/// One server with its fleet.
struct Side {
    server: Server,
    fleet: Fleet,
    sync_ms: f64,
    sync_cpu_ms: f64,
    /// The memory of the server without streams.
    bare_kib: f64,
    memory_kib: f64,
}

/// What makes a change of a kind with a number.
type Make = fn(Kind, usize) -> Put;
/// Of changes of routes, and of endpoints.
type Costs = [Cost; 2];

impl<'a> Rounds<'a> {
    /// Rounds of so many changes of each kind.
    pub fn new(etcd: &'a Server, program: &'a Path, folder: &'a Path, changes: usize) -> Self {
        let sequence = documents::LEARNED;
        Self {
            etcd,
            program,
            folder,
            changes,
            sequence,
        }
    }

    /// One round, with servers of its own.
    pub async fn run(&mut self, streams: usize) -> Result<Round> {
        let chancery = Server::chancery(self.program, self.etcd, self.folder).await?;
        let lesson = self.folder.join("lesson.json");
        if !lesson.exists() {
            let mut client = Client::connect([self.etcd.url()], None).await?;
            let learned = Lesson::take(chancery.address, &mut client).await?;
            learned.write(&lesson)?;
        }
        let floor = Server::floor(self.etcd, &lesson, self.folder).await?;
        eprintln!("{streams} streams: connecting");
        let mut floor = Side::start(floor, self.etcd, streams).await?;
        let mut chancery = Side::start(chancery, self.etcd, streams).await?;
        let changes = [documents::floor_change, documents::change];
        let (of_floor, of_chancery) = self
            .all_changes(streams, changes, [&mut floor, &mut chancery])
            .await?;
        eprintln!("{streams} streams: {RECONNECTS} reconnects");
        let reconnect = chancery.reconnect(streams).await?;
        Ok(Round {
            streams,
            floor: floor.end(of_floor, None),
            chancery: chancery.end(of_chancery, Some(reconnect)),
        })
    }

    /// One round of Chancery beside another that sends traces. Tells also how many spans it sent.
    pub async fn run_traced(&mut self, streams: usize) -> Result<(Round, usize)> {
        let collector = Collector::start().await?;
        let address = collector.address;
        let off = Server::chancery(self.program, self.etcd, self.folder).await?;
        let on = Server::tracing(self.program, self.etcd, address, self.folder).await?;
        eprintln!("{streams} streams: connecting");
        let mut off = Side::start(off, self.etcd, streams).await?;
        let mut on = Side::start(on, self.etcd, streams).await?;
        let changes = [documents::change, documents::traced_change];
        let (of_off, of_on) = self
            .all_changes(streams, changes, [&mut off, &mut on])
            .await?;
        // What waits in a batch is sent.
        sleep(CALM).await;
        let round = Round {
            streams,
            floor: off.end(of_off, None),
            chancery: on.end(of_on, None),
        };
        Ok((round, collector.spans()))
    }

    /// Changes of both kinds, put to the one and to the other.
    async fn all_changes(
        &mut self,
        streams: usize,
        changes: [Make; 2],
        [one, other]: [&mut Side; 2],
    ) -> Result<(Costs, Costs)> {
        let mut costs = Vec::new();
        for kind in Kind::ALL {
            eprintln!(
                "{streams} streams: {} changes of kind {}",
                self.changes,
                kind.as_str()
            );
            let of_kind = self.changes(kind, streams, changes, [&mut *one, &mut *other]);
            costs.push(of_kind.await?);
        }
        let [(route, other_route), (endpoint, other_endpoint)] = costs
            .try_into()
            .map_err(|_| anyhow::anyhow!("two kinds of change"))?;
        Ok(([route, endpoint], [other_route, other_endpoint]))
    }

    async fn changes(
        &mut self,
        kind: Kind,
        streams: usize,
        changes: [Make; 2],
        [one, other]: [&mut Side; 2],
    ) -> Result<(Cost, Cost)> {
        let mut tallies = [Tally::default(), Tally::default()];
        for number in 0..WARM_UP + self.changes {
            self.sequence += 1;
            let puts = changes.map(|change| change(kind, self.sequence));
            let sides = [&mut *one, &mut *other];
            for ((side, put), tally) in sides.into_iter().zip(puts).zip(&mut tallies) {
                side.change(put, tally, number >= WARM_UP).await?;
            }
        }
        let [of_one, of_other] = tallies;
        Ok((of_one.cost(one, streams)?, of_other.cost(other, streams)?))
    }
}

impl Side {
    async fn start(server: Server, etcd: &Server, streams: usize) -> Result<Self> {
        sleep(CALM).await;
        let before = server.process.memory_kib()?;
        let cpu_before = server.process.cpu_ms()?;
        let (fleet, synced) = Fleet::start(&server, etcd, streams).await?;
        sleep(CALM).await;
        let sync_cpu_ms = server.process.cpu_ms()? - cpu_before;
        let more = server.process.memory_kib()? - before;
        Ok(Self {
            server,
            fleet,
            sync_ms: synced.took_ms,
            sync_cpu_ms,
            bare_kib: before,
            memory_kib: more / streams as f64,
        })
    }

    async fn change(&mut self, put: Put, tally: &mut Tally, counts: bool) -> Result<()> {
        if counts && tally.start.is_none() {
            tally.start = Some(self.marks(&tally.last)?);
        }
        let report = self.fleet.measure(&Order::Put(put)).await?;
        if counts {
            tally.took_ms.push(report.took_ms);
        }
        tally.last = report;
        sleep(SPACING).await;
        Ok(())
    }

    fn marks(&self, report: &Report) -> Result<Marks> {
        Ok(Marks {
            server_ms: self.server.process.cpu_ms()?,
            client_ms: self.fleet.process.cpu_ms()?,
            bytes: report.bytes as f64,
            responses: report.responses as f64,
        })
    }

    async fn reconnect(&mut self, streams: usize) -> Result<Reconnect> {
        let mut cpu_ms = Vec::new();
        let mut responses = Vec::new();
        for _ in 0..RECONNECTS {
            let before = self.server.process.cpu_ms()?;
            let report = self.fleet.measure(&Order::Reconnect).await?;
            // Nothing is sent that would tell when the last stream was answered.
            let mut used = self.server.process.cpu_ms()?;
            loop {
                sleep(CALM).await;
                let last = std::mem::replace(&mut used, self.server.process.cpu_ms()?);
                if used - last <= IDLE_MS {
                    break;
                }
            }
            cpu_ms.push(used - before);
            responses.push(report.responses as f64);
        }
        cpu_ms.sort_by(f64::total_cmp);
        let streams = streams as f64;
        Ok(Reconnect {
            cpu_ms: percentile(&cpu_ms, 50),
            responses: (responses[RECONNECTS - 1] - responses[0]) / streams,
            memory_kib: (self.server.process.memory_kib()? - self.bare_kib) / streams,
        })
    }

    /// Ends the server and its fleet.
    fn end(self, [route, endpoint]: Costs, reconnect: Option<Reconnect>) -> Measured {
        Measured {
            sync_ms: self.sync_ms,
            sync_cpu_ms: self.sync_cpu_ms,
            reconnect,
            memory_kib: self.memory_kib,
            route,
            endpoint,
        }
    }
}

/// What changes of one kind did to one server.
#[derive(Default)]
struct Tally {
    took_ms: Vec<f64>,
    /// When the first change that counts was put.
    start: Option<Marks>,
    last: Report,
}

/// Where the counters stand.
#[derive(Default)]
struct Marks {
    server_ms: f64,
    client_ms: f64,
    bytes: f64,
    responses: f64,
}

impl Tally {
    fn cost(mut self, side: &Side, streams: usize) -> Result<Cost> {
        let (start, end) = (self.start.unwrap_or_default(), side.marks(&self.last)?);
        let changes = self.took_ms.len() as f64;
        let responses = end.responses - start.responses;
        let deliveries = changes * streams as f64;
        self.took_ms.sort_by(f64::total_cmp);
        Ok(Cost {
            p50_ms: percentile(&self.took_ms, 50),
            p99_ms: percentile(&self.took_ms, 99),
            max_ms: percentile(&self.took_ms, 100),
            cpu_ms: (end.server_ms - start.server_ms) / changes,
            bytes: (end.bytes - start.bytes) / deliveries,
            responses: responses / deliveries,
            client_us: (end.client_ms - start.client_ms) * 1e3 / responses,
        })
    }
}

/// The value that so many percent do not exceed (nearest rank).
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}
