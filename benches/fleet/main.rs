//! How long a change takes from etcd to the last of a fleet of streams, and what it costs, beside a floor taken in the same run.
//!
//! `cargo bench --bench fleet [-- --quick] [-- --streams 1000,4000] [-- --traces] [-- --json]`. With `--traces` Chancery stands beside
//! itself: what does it cost to send them? Every server, and each fleet of clients, is a process of its own; the
//! floor and the fleets are this program with another argument. Nothing here asserts a time.

mod clients;
mod collector;
mod delta;
mod documents;
mod fleet;
mod floor;
mod learn;
mod machine;
mod measure;
mod servers;
#[path = "../support/support.rs"]
mod support;
mod table;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use measure::Rounds;
use servers::Server;

/// As Chancery's, so that memory is compared with like.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Files that a process opens besides its streams.
const OTHER_FILES: usize = 200;
/// How long a whole run may take.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Measures a fleet of delta streams beside a floor.
#[derive(Parser)]
struct Arguments {
    /// A few changes on a few streams: does it work?
    #[arg(long)]
    quick: bool,
    /// How many streams, a round each
    #[arg(long, value_delimiter = ',')]
    streams: Vec<usize>,
    /// Changes of each kind and round
    #[arg(long)]
    changes: Option<usize>,
    /// Another build of Chancery, to compare with
    #[arg(long, default_value = env!("CARGO_BIN_EXE_chancery"))]
    program: PathBuf,
    /// Compare Chancery that sends traces (on) with one that does not (off), and not with a floor
    #[arg(long)]
    traces: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The other processes of a run.
#[derive(Subcommand)]
#[command(hide = true)]
enum Part {
    Clients {
        server: SocketAddr,
        etcd: String,
        streams: usize,
    },
    Floor {
        listen: SocketAddr,
        etcd: String,
        lesson: PathBuf,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::Floor {
            listen,
            etcd,
            lesson,
        }) => tokio::runtime::Runtime::new()?.block_on(floor::run(listen, etcd, &lesson)),
        Some(Part::Clients {
            server,
            etcd,
            streams,
        }) => single_thread()?.block_on(clients::run(server, etcd, streams)),
        None => single_thread()?.block_on(until_interrupted(run(&arguments))),
    }
}

fn single_thread() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}

/// An error ends the servers with their handles; so a signal has to become one.
async fn until_interrupted(run: impl Future<Output = Result<()>>) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        result = tokio::time::timeout(LONGEST, run) => result.context("the run took too long")?,
        _ = terminate.recv() => bail!("terminated"),
        _ = interrupt.recv() => bail!("interrupted"),
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    let (sizes, changes): (&[usize], usize) = if arguments.quick {
        (&[1, 10], 5)
    } else {
        (&[1, 100, 1000], 100)
    };
    let sizes = if arguments.streams.is_empty() {
        sizes
    } else {
        &arguments.streams
    };
    let changes = arguments.changes.unwrap_or(changes);
    let most = sizes.iter().max().copied().unwrap_or_default();
    machine::check_file_limit(most + OTHER_FILES)?;
    let folder = tempfile::tempdir()?;
    eprintln!(
        "etcd with {} upstreams and {} routes",
        documents::UPSTREAMS,
        documents::ROUTES
    );
    let etcd = Server::etcd(folder.path()).await?;
    let mut rounds = Rounds::new(&etcd, &arguments.program, folder.path(), changes);
    let mut done = Vec::new();
    for &streams in sizes {
        if arguments.traces {
            let (round, spans) = rounds.run_traced(streams).await?;
            eprintln!("{streams} streams: {spans} spans");
            done.push(round);
        } else {
            done.push(rounds.run(streams).await?);
        }
    }
    let names = if arguments.traces {
        ["off", "on"]
    } else {
        ["floor", "Chancery"]
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&done)?)
    } else {
        print!("{}", table::table(&done, names))
    }
    Ok(())
}
