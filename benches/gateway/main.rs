//! How long a changed route takes from etcd until a real Envoy serves it, and what it costs, beside a floor taken in the same run;
//! and what a request costs where there are many routes.
//!
//! `cargo bench --bench gateway [-- changes requests --shape hosts --routes 6000 --mode one,divided --workers 2 --http2 --quick --json]`. Nothing
//! here asserts a time.

mod envoy;
mod floor;
mod http2;
mod learned;
mod measure;
mod probe;
mod requests;
mod servers;
mod shapes;
mod stage;
#[path = "../support/support.rs"]
mod support;
mod table;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use shapes::{Mode, Routes, Shape};

/// As Chancery's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures changes of routes and requests through a real Envoy.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// What to measure; all without it
    parts: Vec<Part>,
    /// Hosts of the routes
    #[arg(long, value_delimiter = ',', default_values = ["none", "hosts", "wildcards"])]
    shape: Vec<Shape>,
    /// How many routes there are while some change; 6,000 without it
    #[arg(long, value_delimiter = ',')]
    routes: Vec<usize>,
    /// How the gateway's table is sent; as Chancery does by itself without it
    #[arg(long, value_delimiter = ',')]
    mode: Vec<Mode>,
    /// Envoy's workers while requests are measured
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Send these over HTTP/2
    #[arg(long)]
    http2: bool,
    /// Few routes and changes: does it work?
    #[arg(long)]
    quick: bool,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    process: Option<Process>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Changes,
    Requests,
}

/// The other process of a run.
#[derive(Subcommand)]
#[command(hide = true)]
enum Process {
    Floor(floor::Addresses),
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build()?;
    match arguments.process {
        Some(Process::Floor(addresses)) => runtime.block_on(floor::run(addresses)),
        None => runtime.block_on(until_interrupted(run(&arguments))),
    }
}

/// An error ends the servers with their handles; so a signal has to become one.
async fn until_interrupted(run: impl Future<Output = Result<()>>) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        result = run => result,
        _ = terminate.recv() => bail!("terminated"),
        _ = interrupt.recv() => bail!("interrupted"),
    }
}

impl Arguments {
    fn asks_for(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// Every shape in every mode, with so many routes each.
    fn tables(&self, counts: &[usize]) -> Vec<Routes> {
        let modes: Vec<_> = match self.mode.as_slice() {
            [] => vec![None],
            modes => modes.iter().copied().map(Some).collect(),
        };
        let mut tables = Vec::new();
        for &count in counts {
            for &shape in &self.shape {
                tables.extend(modes.iter().map(|&mode| Routes { shape, count, mode }));
            }
        }
        tables
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    let (changes, many, list) = if arguments.quick {
        (3, 1000, 1000)
    } else {
        (15, 50_000, 10_000)
    };
    let counts = match arguments.routes.as_slice() {
        [] if arguments.quick => &[600],
        [] => &[6000],
        given => given,
    };
    let mut measured = Vec::new();
    if arguments.asks_for(Part::Changes) {
        for routes in arguments.tables(counts) {
            eprintln!(
                "changes: {} routes of {}",
                routes.count,
                routes.shape.words()
            );
            measured.push(measure::run(routes, changes).await?);
        }
    }
    let mut requests = Vec::new();
    if arguments.asks_for(Part::Requests) {
        let load = requests::Load {
            workers: arguments.workers,
            http2: arguments.http2,
        };
        requests = requests::run(arguments.tables(&[10, many]), list, load).await?;
    }
    if arguments.json {
        let all = json!({ "changes": measured, "requests": requests });
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    if !measured.is_empty() {
        println!("{}", table::changes(&measured));
        let failed: usize = measured.iter().map(|measured| measured.failed).sum();
        println!("Requests that failed while routes changed: {failed}\n");
    }
    if !requests.is_empty() {
        println!("{}", table::requests(&requests));
    }
    Ok(())
}
