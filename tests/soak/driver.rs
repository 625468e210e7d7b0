//! The course of the soak: a change after the other in an order of chance, every now and then a fault, and the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::sleep;

use super::asked::Asked;
use super::documents::{self, Documents};
use super::end;
use super::figures::Figures;
use super::fleet::Fleet;
use super::instances::Instances;
use super::journal::Journal;
use super::load::Load;
use super::support::eventually;
use super::upstream::Upstream;

/// How often a figure line is printed.
const LINE: Duration = Duration::from_secs(60);

/// All that the soak holds.
pub struct World {
    // In the order in which they are ended.
    pub load: Load,
    pub instances: Instances,
    pub documents: Documents,
    pub figures: Figures,
    pub fleet: Fleet,
    pub journal: Arc<Journal>,
    pub random: Rng,
    pub counts: Counts,
    /// Instances that always run.
    _base: Vec<Upstream>,
}

/// What was done.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    pub documents: u32,
    pub instances: u32,
    /// After each fault, until all were up to date again.
    pub behind: Vec<Duration>,
}

/// Whether it ended as it has to.
pub async fn run(asked: Asked) -> bool {
    println!(
        "soak: {:.1} minutes, seed {}, {} build",
        asked.length.as_secs_f64() / 60.0,
        asked.seed,
        build()
    );
    let mut world = World::start(asked.seed).await;
    // What panics leaves the logs.
    let logs = world.fleet.keep().to_owned();
    println!("soak: logs in {}", logs.display());
    world.go_on(&asked).await;
    let good = end::end(&mut world, &asked).await;
    drop(world);
    if good {
        std::fs::remove_dir_all(logs).unwrap();
    }
    good
}

pub const fn build() -> &'static str {
    if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    }
}

impl World {
    async fn start(seed: u64) -> Self {
        let mut fleet = Fleet::start().await;
        let mut base = Vec::new();
        for number in 0..2 {
            let address = SocketAddr::from((fleet.address, 7000 + number));
            base.push(Upstream::start(&format!("base-{number}"), address).await);
        }
        let nodes = base.iter().map(|one| one.address.to_string()).collect();
        let instances = Instances::start(&fleet).await;
        let documents = Documents::write(&fleet, nodes).await;
        fleet.settles().await;
        let journal = Arc::new(Journal::new());
        let envoys = fleet.envoys.iter().zip(super::fleet::ENVOYS);
        let envoys: Vec<_> = envoys
            .map(|(envoy, (name, ..))| (name.to_owned(), envoy.process.id()))
            .collect();
        let questions = documents::questions();
        let mut load = Load::start(fleet.listener, &envoys, questions, journal.clone());
        for lane in 0..envoys.len() {
            eventually(async || load.answers(lane).await).await;
        }
        load.go();
        let figures = Figures::start(&fleet, journal.clone());
        Self {
            load,
            instances,
            documents,
            figures,
            fleet,
            journal,
            random: Rng::with_seed(seed),
            counts: Counts::default(),
            _base: base,
        }
    }

    async fn go_on(&mut self, asked: &Asked) {
        let length = asked.length;
        let mut line = LINE;
        while self.journal.elapsed() < length {
            let elapsed = self.journal.elapsed();
            if elapsed >= line {
                self.print_figures().await;
                line += LINE;
            }
            if asked.turning {
                self.turn().await;
            } else if self.random.u32(..100) < 18 {
                // From the second third on, the first replica lives on, so that its memory tells.
                let behind = self.fault(elapsed > length / 3).await;
                self.counts.behind.push(behind);
            } else {
                self.change().await;
            }
            sleep(Duration::from_millis(self.random.u64(100..1200))).await;
        }
    }

    /// One change of documents or instances, such as is possible now.
    pub async fn change(&mut self) {
        let (fleet, random, journal) = (&self.fleet, &mut self.random, &self.journal);
        if random.u32(..100) < 55 {
            if fleet.away.etcd {
                return;
            }
            self.counts.documents += 1;
            if fleet.away.nobody() && random.u32(..100) < 15 {
                self.documents.confirm(fleet, random, journal).await;
            } else {
                self.documents.change(fleet, random, journal).await;
            }
        } else {
            self.counts.instances += 1;
            self.instances.change(fleet, random, journal).await;
        }
    }

    /// A change, or the tables are divided, joined, or divided otherwise. Nothing is away.
    async fn turn(&mut self) {
        let (fleet, random, journal) = (&self.fleet, &mut self.random, &self.journal);
        match random.u32(..100) {
            0..25 => self.documents.turn(fleet, random, journal).await,
            25..30 => self.documents.crowd_of_hosts(fleet, journal).await,
            _ => return self.change().await,
        }
        self.counts.documents += 1;
    }

    async fn print_figures(&self) {
        let came = self.load.came();
        let connected = self.fleet.connected().await.unwrap_or_default();
        self.journal.note(format_args!(
            "FIGURES {} requests, {} failed; {} changes of documents, {} of instances, {} faults; proxies by replica {connected:?}; {}",
            came.asked,
            came.failed,
            self.counts.documents,
            self.counts.instances,
            self.counts.behind.len(),
            self.figures.now(),
        ));
    }
}
