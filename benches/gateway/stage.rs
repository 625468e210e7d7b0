//! The servers of a run on an address of this machine that nobody else uses: etcd, Chancery and an Envoy; and the floor with an
//! Envoy of its own that holds the same.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use etcd_client::Client;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::envoy::Envoy;
use crate::floor::Order;
use crate::learned::LESSON;
use crate::probe::Probe;
use crate::servers;
use crate::shapes::{Marked, Routes, marker};
use crate::support::process::Process;
use crate::support::servers::{fill, until};

/// After a change was served: until all responses to it have come.
const SETTLE: Duration = Duration::from_millis(400);
/// How long the floor may take to answer.
const ANSWER: Duration = Duration::from_secs(60);

/// etcd, Chancery and its Envoy.
pub struct Stage {
    pub routes: Routes,
    pub chancery: Process,
    pub side: Side,
    /// From the start of Envoy until it served the table, in milliseconds.
    pub start_ms: f64,
    /// Processor time of Envoy's main thread until then.
    pub start_main_ms: f64,
    at: [Ipv4Addr; 2],
    _etcd: Process,
    folder: TempDir,
}

/// An Envoy, what it is asked, and who is told of changes.
pub struct Side {
    pub envoy: Envoy,
    pub listener: SocketAddrV4,
    pub told: Told,
    /// A client for each route that is looked at.
    probes: Vec<Arc<Mutex<Probe>>>,
    /// The value of the newest change.
    pub value: Arc<AtomicU32>,
}

/// Who is told of changes.
#[derive(Clone)]
pub enum Told {
    Etcd(Box<Client>, Routes),
    Floor(Arc<tokio::sync::Mutex<ChildStdin>>),
}

/// The floor's process.
pub struct Floor {
    pub side: Side,
    _process: Process,
}

impl Stage {
    /// Starts all of it, with upstreams at this port and so many workers.
    pub async fn set(routes: Routes, upstream: u16, workers: usize) -> Result<Self> {
        let [a, b] = [(); 2].map(|()| fastrand::u8(100..250));
        let at = [101, 102].map(|last| Ipv4Addr::new(127, a, b, last));
        let folder = tempfile::tempdir()?;
        let (etcd, mut client) = servers::etcd(at[0], folder.path()).await?;
        let listener = SocketAddrV4::new(at[0], 9080);
        fill(
            &mut client,
            routes.documents(listener, upstream).into_iter(),
        )
        .await?;
        let (chancery, xds) = servers::chancery(at[0], folder.path()).await?;
        let start = Instant::now();
        let admin = SocketAddrV4::new(at[0], 9901);
        let envoy = Envoy::start("envoy", xds, admin, folder.path(), workers).await?;
        let told = Told::Etcd(Box::new(client), routes);
        let mut side = Side::new(envoy, listener, told, &routes);
        let served = side.first().await?;
        Ok(Self {
            routes,
            chancery,
            start_ms: (served - start).as_secs_f64() * 1e3,
            start_main_ms: side.envoy.main_ms()?,
            side,
            at,
            _etcd: etcd,
            folder,
        })
    }

    /// Starts the floor, which learns all changes from Chancery.
    pub async fn floor(&mut self) -> Result<Floor> {
        let [at, own] = self.at;
        let (listen, listener) = (SocketAddrV4::new(own, 18000), SocketAddrV4::new(own, 9080));
        let addresses = [listen, SocketAddrV4::new(at, 18000), self.side.listener];
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("floor")
            .args(addresses.iter().chain([&listener]).map(ToString::to_string))
            .stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let input = process.child.stdin.take().context("no input")?;
        let output = process.child.stdout.take().context("no output")?;
        let mut answers = BufReader::new(output).lines();
        until(&mut process, async || {
            tokio::net::TcpStream::connect(listen).await.is_ok()
        })
        .await?;
        let admin = SocketAddrV4::new(own, 9901);
        let envoy = Envoy::start("envoy-of-floor", listen, admin, self.folder.path(), 1).await?;
        let told = Told::Floor(Arc::new(tokio::sync::Mutex::new(input)));
        let mut side = Side::new(envoy, listener, told, &self.routes);
        side.first().await?;
        let changed = self.routes.changed();
        self.side.value.store(LESSON, Ordering::Relaxed);
        side.value.store(LESSON, Ordering::Relaxed);
        for marked in &changed {
            side.order(Order::Learn(marked.number), &mut answers)
                .await?;
            self.side.told.put(*marked, LESSON).await?;
            let target = self.routes.target(marked.at);
            let listener = side.listener;
            let expected = marker(marked.number, LESSON);
            spawn_blocking(move || Probe::new(listener, &target).until(&expected)).await??;
            sleep(SETTLE).await;
        }
        side.order(Order::LetGo(changed.len()), &mut answers)
            .await?;
        Ok(Floor {
            side,
            _process: process,
        })
    }
}

impl Side {
    fn new(envoy: Envoy, listener: SocketAddrV4, told: Told, routes: &Routes) -> Self {
        let probe = |marked: Marked| Probe::new(listener, &routes.target(marked.at));
        let looked_at = routes.looked_at().into_iter();
        let probes = looked_at.map(|(_, marked)| Arc::new(Mutex::new(probe(marked))));
        Self {
            envoy,
            listener,
            told,
            probes: probes.collect(),
            value: Arc::default(),
        }
    }

    /// Waits until all routes that are looked at are served for the first time.
    async fn first(&mut self) -> Result<Instant> {
        let mut last = Instant::now();
        for (number, probe) in self.probes.iter().enumerate() {
            let (probe, expected) = (probe.clone(), marker(number, 0));
            let asked = move || {
                let mut probe = probe.lock().unwrap_or_else(PoisonError::into_inner);
                probe.first(&expected)
            };
            last = spawn_blocking(asked).await??;
            self.envoy.alive()?;
        }
        Ok(last)
    }

    /// Changes a route, and waits until Envoy answers what it says now; tells how long that took.
    pub async fn change(&mut self, marked: Marked) -> Result<Duration> {
        let value = self.value.fetch_add(1, Ordering::Relaxed) + 1;
        let probe = self.probes[marked.number].clone();
        let expected = marker(marked.number, value);
        let start = Instant::now();
        let asked = spawn_blocking(move || {
            let mut probe = probe.lock().unwrap_or_else(PoisonError::into_inner);
            probe.until(&expected)
        });
        self.told.put(marked, value).await?;
        Ok(asked.await?? - start)
    }

    /// Answers so far that were not 200.
    pub fn failed(&self) -> usize {
        let probes = self.probes.iter();
        probes
            .map(|probe| {
                let probe = probe.lock().unwrap_or_else(PoisonError::into_inner);
                probe.failed
            })
            .sum()
    }

    async fn order(
        &mut self,
        order: Order,
        answers: &mut Lines<BufReader<ChildStdout>>,
    ) -> Result<()> {
        self.told.order(&order).await?;
        let answer = timeout(ANSWER, answers.next_line()).await??;
        answer.context("the floor has ended; its last words are above")?;
        Ok(())
    }
}

impl Told {
    /// Tells of a change.
    pub async fn put(&mut self, marked: Marked, value: u32) -> Result<()> {
        match self {
            Self::Etcd(client, routes) => {
                let (key, document) = routes.change(marked, value);
                client.put(key, document, None).await?;
            }
            Self::Floor(_) => self.order(&Order::Put(marked.number, value)).await?,
        }
        Ok(())
    }

    async fn order(&mut self, order: &Order) -> Result<()> {
        if let Self::Floor(input) = self {
            let line = serde_json::to_string(order)? + "\n";
            input.lock().await.write_all(line.as_bytes()).await?;
        }
        Ok(())
    }
}
