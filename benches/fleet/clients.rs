//! The fleet: as many delta streams as asked for, in one process and one thread. It puts each change itself, so that one clock
//! tells how long the change took to the last stream.
//!
//! Spoken to by lines: an [`Order`] on the standard input, a [`Report`] on the standard output. Ends with its input.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use etcd_client::Client;
use regex::bytes::Regex;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::delta::{self, Inventory, Proxy};
use crate::documents::Put;
use crate::fleet::{Order, Report};
use crate::wire::{self, Buffer, Stream};

/// How long a change or the first sync may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all streams share.
struct Fleet {
    buffer: Buffer,
    synced: Cell<usize>,
    awaited: RefCell<Awaited>,
    report: RefCell<Report>,
    progress: Notify,
    /// What the first stream has, as all others have.
    inventory: RefCell<Inventory>,
    /// How often all streams were to connect anew.
    reconnects: watch::Sender<usize>,
}

/// The change on its way.
struct Awaited {
    number: usize,
    marker: Regex,
    arrived: usize,
}

/// Runs the process.
pub async fn run(server: SocketAddr, etcd: String, streams: usize) -> Result<()> {
    let mut etcd = Client::connect([etcd], None).await?;
    let fleet = Rc::new(Fleet {
        buffer: wire::buffer(),
        synced: Cell::new(0),
        awaited: RefCell::new(Awaited::new(0, "nothing yet")?),
        report: RefCell::default(),
        progress: Notify::new(),
        inventory: RefCell::default(),
        reconnects: watch::Sender::default(),
    });
    let (failures, mut failed) = mpsc::unbounded_channel();
    let tasks = LocalSet::new();
    let start = Instant::now();
    for number in 0..streams {
        let (fleet, failures) = (fleet.clone(), failures.clone());
        tasks.spawn_local(async move {
            if let Err(error) = fleet.stream(number, server).await {
                let _ = failures.send(error.context(format!("stream {number}")));
            }
        });
    }
    let work = async {
        fleet
            .until(|| fleet.synced.get() == streams, "sync")
            .await?;
        fleet.tell(start.elapsed())?;
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Some(line) = lines.next_line().await? {
            let took = match serde_json::from_str(&line)? {
                Order::Put(put) => fleet.measure(put, streams, &mut etcd).await?,
                Order::Reconnect => fleet.reconnect(streams).await?,
            };
            fleet.tell(took)?;
        }
        Ok(())
    };
    tasks
        .run_until(async {
            tokio::select! {
                result = work => result,
                Some(error) = failed.recv() => Err(error),
            }
        })
        .await
}

impl Awaited {
    fn new(number: usize, marker: &str) -> Result<Self> {
        Ok(Self {
            number,
            marker: Regex::new(&regex::escape(marker))?,
            arrived: 0,
        })
    }
}

impl Fleet {
    /// One stream, opened anew whenever all are.
    async fn stream(&self, number: usize, server: SocketAddr) -> Result<()> {
        let mut reconnects = self.reconnects.subscribe();
        let mut first = vec![delta::first_request(number)];
        let mut proxy = Proxy::default();
        loop {
            tokio::select! {
                ended = self.converse(number, server, proxy, first) => return ended,
                _ = reconnects.changed() => {}
            }
            first = self.inventory.borrow().resume(number);
            proxy = Proxy::resumed();
        }
    }

    async fn converse(
        &self,
        number: usize,
        server: SocketAddr,
        mut proxy: Proxy,
        first: Vec<Vec<u8>>,
    ) -> Result<()> {
        let mut stream = Stream::open(server).await?;
        for request in first {
            stream.send(&request).await?;
        }
        if proxy.is_synced() {
            self.synced.set(self.synced.get() + 1);
            self.progress.notify_one();
        }
        let mut synced = proxy.is_synced();
        let mut has = 0;
        loop {
            let handle = |response: &[u8]| {
                let (_, requests) = proxy.handle(response)?;
                self.look_for_change(response, &mut has);
                if number == 0 {
                    self.inventory.borrow_mut().note(response)?;
                }
                Ok(requests)
            };
            let bytes = stream.receive(&self.buffer, handle).await?;
            self.report.borrow_mut().bytes += bytes as u64;
            if !synced && proxy.is_synced() {
                synced = true;
                self.synced.set(self.synced.get() + 1);
                self.progress.notify_one();
            }
        }
    }

    fn look_for_change(&self, response: &[u8], has: &mut usize) {
        self.report.borrow_mut().responses += 1;
        let mut awaited = self.awaited.borrow_mut();
        if *has < awaited.number && awaited.marker.is_match(response) {
            *has = awaited.number;
            awaited.arrived += 1;
            self.progress.notify_one();
        }
    }

    async fn measure(&self, put: Put, streams: usize, etcd: &mut Client) -> Result<Duration> {
        let number = self.awaited.borrow().number + 1;
        *self.awaited.borrow_mut() = Awaited::new(number, &put.marker)?;
        let start = Instant::now();
        let arrival = async {
            let everywhere = || self.awaited.borrow().arrived == streams;
            self.until(everywhere, &put.key).await?;
            anyhow::Ok(start.elapsed())
        };
        let written =
            async { anyhow::Ok(etcd.put(put.key.as_str(), put.value.as_str(), None).await?) };
        let (took, _) = tokio::try_join!(arrival, written)?;
        Ok(took)
    }

    async fn reconnect(&self, streams: usize) -> Result<Duration> {
        self.synced.set(0);
        let start = Instant::now();
        self.reconnects.send_modify(|number| *number += 1);
        let back = || self.synced.get() == streams;
        self.until(back, "reconnect").await?;
        Ok(start.elapsed())
    }

    /// Waits until all streams are `there`.
    async fn until(&self, there: impl Fn() -> bool, what: &str) -> Result<()> {
        let all = async {
            while !there() {
                self.progress.notified().await;
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            let (synced, arrived) = (self.synced.get(), self.awaited.borrow().arrived);
            bail!(
                "{what}: not everywhere in {PATIENCE:?}; {synced} streams in sync, {arrived} have the change"
            );
        }
        Ok(())
    }

    fn tell(&self, took: Duration) -> Result<()> {
        let mut report = self.report.borrow_mut();
        report.took_ms = took.as_secs_f64() * 1e3;
        println!("{}", serde_json::to_string(&*report).context("report")?);
        Ok(())
    }
}
