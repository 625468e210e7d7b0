//! Requests a second through tables of few and of many routes, and through the linear list that other control planes make: what
//! a request costs the thread of Envoy's that serves it. All are there at once, and take turns.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::envoy::{Envoy, socket_address};
use crate::http2;
use crate::probe::{Connection, Probe, request};
use crate::shapes::{Routes, Shape, Target};
use crate::stage::Stage;

/// Connections of the client, a request on each at a time.
pub const CONNECTIONS: usize = 16;
/// How many routes are asked for in turn.
const ASKED: usize = 256;
/// How long a turn lasts.
pub const TURN: Duration = Duration::from_secs(2);
const TURNS: usize = 5;

/// How requests are sent, and to how many threads.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Load {
    pub workers: usize,
    pub http2: bool,
}

/// What was measured of one table.
#[derive(Debug, Serialize)]
pub struct Requests {
    #[serde(flatten)]
    pub routes: Routes,
    #[serde(flatten)]
    pub load: Load,
    /// Whether it is the list of a bare Envoy instead of Chancery's table.
    pub list: bool,
    /// Requests a second: the most of all turns.
    pub most: f64,
    /// Processor time of Envoy's workers by request, in microseconds: the least of all turns.
    pub worker_us: f64,
}

/// Who serves them.
struct Case {
    result: Requests,
    server: Server,
    targets: Vec<Target>,
}

enum Server {
    Chancery(Box<Stage>),
    List {
        envoy: Box<Envoy>,
        listener: SocketAddrV4,
        _folder: TempDir,
    },
}

/// Measures all of these, and a list.
pub async fn run(tables: Vec<Routes>, list: usize, load: Load) -> Result<Vec<Requests>> {
    let upstream = upstream()?;
    let mut cases = Vec::new();
    for routes in tables {
        eprintln!(
            "requests: {} routes of {}",
            routes.count,
            routes.shape.words()
        );
        let stage = Box::new(Stage::set(routes, upstream, load.workers).await?);
        cases.push(Case::new(routes, load, Server::Chancery(stage), false));
    }
    let routes = Routes {
        shape: Shape::None,
        count: list,
        mode: None,
    };
    let bare = linear(routes, upstream, load.workers).await?;
    cases.push(Case::new(routes, load, bare, true));
    for case in &cases {
        case.ready().await?;
    }
    for turn in 0..TURNS {
        eprintln!("requests: turn {} of {TURNS}", turn + 1);
        for case in &mut cases {
            case.turn().await?;
        }
    }
    Ok(cases.into_iter().map(|case| case.result).collect())
}

impl Case {
    fn new(routes: Routes, load: Load, server: Server, list: bool) -> Self {
        Self {
            result: Requests {
                routes,
                load,
                list,
                most: 0.0,
                worker_us: f64::INFINITY,
            },
            server,
            targets: routes.targets(ASKED),
        }
    }

    fn envoy(&self) -> (&Envoy, SocketAddrV4) {
        match &self.server {
            Server::Chancery(stage) => (&stage.side.envoy, stage.side.listener),
            Server::List {
                envoy, listener, ..
            } => (envoy, *listener),
        }
    }

    /// Waits until the upstreams answer.
    async fn ready(&self) -> Result<()> {
        let listener = self.envoy().1;
        for target in self.targets.clone() {
            spawn_blocking(move || Probe::new(listener, &target).first(ANSWER)).await??;
        }
        Ok(())
    }

    async fn turn(&mut self) -> Result<()> {
        let (envoy, listener) = self.envoy();
        let (before, targets) = (envoy.workers_ms()?, self.targets.clone());
        let (count, took) = if self.result.load.http2 {
            http2::load(listener, &targets).await?
        } else {
            spawn_blocking(move || load(listener, &targets)).await??
        };
        let worker_us = (envoy.workers_ms()? - before) * 1e3 / count as f64;
        let result = &mut self.result;
        result.most = result.most.max(count as f64 / took.as_secs_f64());
        result.worker_us = result.worker_us.min(worker_us);
        Ok(())
    }
}

/// Sends requests for a while; tells how many, and how long.
fn load(listener: SocketAddrV4, targets: &[Target]) -> Result<(usize, Duration)> {
    let requests: Vec<Vec<u8>> = targets.iter().map(request).collect();
    let mut requests = requests.iter().cycle();
    let connections = (0..CONNECTIONS).map(|_| Connection::open(listener));
    let mut connections = connections.collect::<Result<Vec<_>>>()?;
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < TURN {
        for (connection, request) in connections.iter_mut().zip(&mut requests) {
            connection.send(request)?;
        }
        for connection in &mut connections {
            let status = connection.answer()?.status;
            ensure!(status == 200, "a request got {status}");
            count += 1;
        }
    }
    Ok((count, start.elapsed()))
}

const ANSWER: &str = "here";

/// Starts an upstream on two addresses, and tells its port. It answers all with the same.
fn upstream() -> Result<u16> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = first.local_addr()?.port();
    let second = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port))?;
    for listener in [first, second] {
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                thread::spawn(move || serve(socket));
            }
        });
    }
    Ok(port)
}

/// Serves a connection; Envoy closing it is its end.
fn serve(socket: TcpStream) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let (mut lines, mut socket) = (BufReader::new(socket.try_clone().ok()?), socket);
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            socket.write_all(answer.as_bytes()).ok()?;
        }
    }
}

/// A bare Envoy with these routes as a list, and no filter but the router.
async fn linear(routes: Routes, upstream: u16, workers: usize) -> Result<Server> {
    let [a, b] = [(); 2].map(|()| fastrand::u8(100..250));
    let at = |port: u16| SocketAddrV4::new(Ipv4Addr::new(127, a, b, 101), port);
    let folder = tempfile::tempdir()?;
    let bootstrap = bootstrap(at(9901), at(9080), &list(routes), upstream);
    let envoy = Envoy::start_with("list", &bootstrap, at(9901), folder.path(), workers).await?;
    Ok(Server::List {
        envoy: Box::new(envoy),
        listener: at(9080),
        _folder: folder,
    })
}

fn list(routes: Routes) -> Value {
    let route = |at: usize| {
        let (_, path) = routes.target(at);
        let path = match path.strip_suffix('x') {
            Some(prefix) => json!({ "prefix": prefix }),
            None => json!({ "path": path }),
        };
        json!({ "match": path, "route": { "cluster": "upstream" } })
    };
    (0..routes.count).map(route).collect()
}

fn bootstrap(admin: SocketAddrV4, listener: SocketAddrV4, list: &Value, upstream: u16) -> Value {
    let endpoint = |last: u8| {
        let address = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), upstream);
        json!({ "endpoint": { "address": { "socket_address": socket_address(address) } } })
    };
    let kind = |name: &str| format!("type.googleapis.com/envoy.extensions.filters.{name}");
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": { "@type": kind("http.router.v3.Router") },
    });
    let manager = json!({
        "@type": kind("network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "http",
        "http_filters": [router],
        "route_config": { "virtual_hosts": [{ "name": "*", "domains": ["*"], "routes": list }] },
    });
    let filter = json!({ "name": "http", "typed_config": manager });
    json!({
        "admin": { "address": { "socket_address": socket_address(admin) } },
        "static_resources": {
            "listeners": [{
                "name": "http",
                "address": { "socket_address": socket_address(listener) },
                "filter_chains": [{ "filters": [filter] }],
            }],
            "clusters": [{
                "name": "upstream",
                "load_assignment": {
                    "cluster_name": "upstream",
                    "endpoints": [{ "lb_endpoints": [endpoint(1), endpoint(2)] }],
                },
            }],
        },
    })
}
