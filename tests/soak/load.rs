//! Steady load through every Envoy, each over connections of its own, and every request that was not answered as it should be.
//!
//! Nothing is tried twice: a request on a connection that the Envoy closes without having said so is a failed one.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::journal::Journal;
use super::socket::is_held_by;

/// How long an answer may take on a machine that others use too.
const ANSWER: Duration = Duration::from_secs(15);
/// The same while a frozen Envoy may have been dealt the connection.
const PROBE: Duration = Duration::from_secs(2);
/// Connections of an Envoy, and how often each of them asks.
const CONNECTIONS: usize = 3;
const PERIOD: Duration = Duration::from_millis(100);
/// How many failures are kept word for word.
const WORD_FOR_WORD: usize = 50;

/// What is asked, and what has to be in the answer.
#[derive(Debug, Clone)]
pub struct Question {
    pub path: String,
    pub key: Option<String>,
    /// How the instance's name begins.
    pub answer: String,
}

/// One Envoy's part of the load.
pub struct Lane {
    pub envoy: String,
    process: AtomicU32,
    /// Held for reading during a request, for writing while the Envoy is away.
    gate: Arc<RwLock<()>>,
    /// Raised when connections are those of another process.
    life: AtomicU64,
}

/// Load that runs.
pub struct Load {
    pub lanes: Vec<Arc<Lane>>,
    shared: Arc<Shared>,
    stop: CancellationToken,
    clients: JoinSet<()>,
}

struct Shared {
    listener: SocketAddr,
    questions: Vec<Question>,
    journal: Arc<Journal>,
    /// An Envoy is away: the kernel may deal connections to one that does not answer.
    away: AtomicBool,
    asked: AtomicU64,
    failures: Mutex<(u64, Vec<String>)>,
}

/// What came of it so far.
#[derive(Debug, Clone)]
pub struct Came {
    pub asked: u64,
    pub failed: u64,
    /// The first failures, in words.
    pub failures: Vec<String>,
}

impl Load {
    /// On Envoys by name and process.
    pub fn start(
        listener: SocketAddr,
        envoys: &[(String, u32)],
        questions: Vec<Question>,
        journal: Arc<Journal>,
    ) -> Self {
        let shared = Arc::new(Shared {
            listener,
            questions,
            journal,
            // Until all answer.
            away: AtomicBool::new(true),
            asked: AtomicU64::new(0),
            failures: Mutex::default(),
        });
        let lane = |(envoy, process): &(String, u32)| {
            Arc::new(Lane {
                envoy: envoy.clone(),
                process: AtomicU32::new(*process),
                gate: Arc::default(),
                life: AtomicU64::new(0),
            })
        };
        Self {
            lanes: envoys.iter().map(lane).collect(),
            shared,
            stop: CancellationToken::new(),
            clients: JoinSet::new(),
        }
    }

    /// Every Envoy answers: every lane sends from now on.
    pub fn go(&mut self) {
        self.all_are_back();
        for lane in &self.lanes {
            for number in 0..CONNECTIONS {
                let (lane, shared, stop) = (lane.clone(), self.shared.clone(), self.stop.clone());
                self.clients.spawn(keep_asking(lane, shared, number, stop));
            }
        }
    }

    /// Waits for what is in flight, and sends nothing more through this Envoy as long as the guard lives.
    pub async fn pause(&self, lane: usize) -> OwnedRwLockWriteGuard<()> {
        let guard = self.lanes[lane].gate.clone().write_owned().await;
        self.shared.away.store(true, Ordering::SeqCst);
        guard
    }

    /// The Envoy runs as this process; `anew`: it is another one than before.
    pub fn runs_as(&self, lane: usize, process: u32, anew: bool) {
        let lane = &self.lanes[lane];
        lane.process.store(process, Ordering::SeqCst);
        if anew {
            lane.life.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Every Envoy that is to answer does.
    pub fn all_are_back(&self) {
        self.shared.away.store(false, Ordering::SeqCst);
    }

    /// Whether this Envoy answers everything that is asked.
    pub async fn answers(&self, lane: usize) -> anyhow::Result<()> {
        let lane = &self.lanes[lane];
        let mut connection = self.shared.connect(lane).await.context("no connection")?;
        for question in &self.shared.questions {
            timeout(PROBE, connection.ask(&self.shared, question)).await??;
        }
        Ok(())
    }

    pub fn came(&self) -> Came {
        let (failed, failures) = self.shared.failures.lock().unwrap().clone();
        Came {
            asked: self.shared.asked.load(Ordering::Relaxed),
            failed,
            failures,
        }
    }

    /// Ends it; what is in flight is waited for.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        while self.clients.join_next().await.is_some() {}
    }
}

async fn keep_asking(lane: Arc<Lane>, shared: Arc<Shared>, number: usize, stop: CancellationToken) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut next = number;
    let mut connection: Option<(u64, Connection)> = None;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let _going = lane.gate.read().await;
        let life = lane.life.load(Ordering::SeqCst);
        connection.take_if(|(of, _)| *of != life);
        if connection.is_none() {
            connection = shared.connect(&lane).await.map(|found| (life, found));
        }
        let Some((_, open)) = &mut connection else {
            continue;
        };
        let question = &shared.questions[next % shared.questions.len()];
        next += 1;
        let answer = timeout(ANSWER, open.ask(&shared, question)).await;
        let fault = match answer {
            Ok(Ok(())) if open.closes => {
                connection = None;
                continue;
            }
            Ok(Ok(())) => continue,
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => format!("no answer within {ANSWER:?}"),
        };
        shared.fail(&lane, question, &fault);
        connection = None;
    }
}

impl Shared {
    /// A connection to this Envoy: as often as it takes until the kernel deals it to it. What answers on the way is load
    /// as well.
    async fn connect(&self, lane: &Lane) -> Option<Connection> {
        let question = &self.questions[0];
        for _ in 0..200 {
            let was_away = self.away.load(Ordering::SeqCst);
            let limit = if was_away { PROBE } else { ANSWER };
            let asked = timeout(limit, async {
                let stream = TcpStream::connect(self.listener).await?;
                let mut connection = Connection::on(stream);
                connection.ask(self, question).await?;
                anyhow::Ok(connection)
            });
            match asked.await {
                Ok(Ok(connection)) => {
                    let near = connection.stream.get_ref().local_addr().ok()?;
                    let process = lane.process.load(Ordering::SeqCst);
                    if is_held_by(process, near, self.listener) && !connection.closes {
                        return Some(connection);
                    }
                }
                // One that is away may have been dealt it.
                _ if was_away || self.away.load(Ordering::SeqCst) => {}
                Ok(Err(error)) => {
                    self.fail(lane, question, &format!("on a new connection: {error:#}"));
                    return None;
                }
                Err(_) => {
                    let fault = format!("no answer within {limit:?} on a new connection");
                    self.fail(lane, question, &fault);
                    return None;
                }
            }
        }
        None
    }

    fn fail(&self, lane: &Lane, question: &Question, fault: &str) {
        let text = format!(
            "{:.1} s  {} {}: {fault}; after: {}",
            self.journal.elapsed().as_secs_f64(),
            lane.envoy,
            question.path,
            self.journal.last().trim(),
        );
        let mut failures = self.failures.lock().unwrap();
        failures.0 += 1;
        if failures.1.len() < WORD_FOR_WORD {
            self.journal.note(format_args!("FAILED {text}"));
            failures.1.push(text);
        }
    }
}

/// A connection over HTTP/1.1, written out here so that nothing is tried twice in secret.
struct Connection {
    stream: BufReader<TcpStream>,
    /// The other side has said that it closes.
    closes: bool,
}

impl Connection {
    fn on(stream: TcpStream) -> Self {
        Self {
            stream: BufReader::new(stream),
            closes: false,
        }
    }

    async fn ask(&mut self, shared: &Shared, question: &Question) -> anyhow::Result<()> {
        shared.asked.fetch_add(1, Ordering::Relaxed);
        let key = question.key.as_ref();
        let key = key.map_or_else(String::new, |key| format!("apikey: {key}\r\n"));
        let path = &question.path;
        let request = format!("GET {path} HTTP/1.1\r\nHost: soak\r\n{key}\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        let (status, body) = self.answer().await?;
        ensure!(status == 200, "status {status}: {body}");
        let expected = body.starts_with(&question.answer);
        ensure!(expected, "answered by {body:?}, not {:?}", question.answer);
        Ok(())
    }

    async fn answer(&mut self) -> anyhow::Result<(u16, String)> {
        let first = self.line().await?;
        let status = first.split(' ').nth(1).context("no status")?.parse()?;
        let mut length = 0;
        loop {
            let line = self.line().await?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse()?;
            }
            ensure!(!line.starts_with("transfer-encoding"), "{line}");
            self.closes |= line == "connection: close";
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok((status, String::from_utf8(body)?))
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            bail!("the connection was closed without an answer");
        }
        Ok(line.trim_end().to_owned())
    }
}
