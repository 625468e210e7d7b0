//! Kills and stalls. Which of them may come together is decided here: no two that fail requests rightly.
//!
//! * etcd, Consul and replicas may be away in any combination: Envoys serve what they have.
//! * An Envoy that is away gets no load meanwhile, and nothing else is away with it, since a fresh Envoy opens no port before it
//!   was told what to serve. No instance is stopped meanwhile either: no drain is confirmed.
//! * An instance is stopped by deploys alone, after its drain was confirmed.

use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::time::sleep;

use super::driver::World;
use super::fleet::{ENVOYS, REPLICAS};
use super::support::eventually;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Etcd(How),
    Consul(How),
    Replica(usize, How),
    /// A replica is killed while it drains.
    Drain(usize),
    Both(How),
    Sources(How),
    Envoy(usize, How),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Killed,
    Stalled,
}

impl Fault {
    /// `long_lived`: nobody restarts the first replica, whose memory is looked at.
    fn draw(random: &mut Rng, long_lived: bool) -> Self {
        let how = if random.bool() {
            How::Killed
        } else {
            How::Stalled
        };
        let replica = random.usize(..REPLICAS.len());
        let gentle = if long_lived { How::Stalled } else { how };
        let of_replica = if replica == 0 { gentle } else { how };
        match random.u32(..100) {
            0..20 => Self::Etcd(how),
            20..40 => Self::Consul(how),
            40..60 => Self::Replica(replica, of_replica),
            60..70 if replica == 1 || !long_lived => Self::Drain(replica),
            60..70 => Self::Drain(1),
            70..77 => Self::Both(gentle),
            77..84 => Self::Sources(how),
            _ => Self::Envoy(random.usize(..ENVOYS.len()), how),
        }
    }
}

impl World {
    /// One fault from its beginning to its end, with changes meanwhile; tells how long all was behind after it.
    pub async fn fault(&mut self, long_lived: bool) -> Duration {
        let fault = Fault::draw(&mut self.random, long_lived);
        self.journal.tell(format_args!("FAULT {fault:?} begins"));
        match fault {
            Fault::Envoy(envoy, how) => self.envoy(envoy, how).await,
            Fault::Drain(replica) => {
                let (fleet, random) = (&self.fleet, &mut self.random);
                let drain = self.instances.drain_at(fleet, replica, random).await;
                sleep(Duration::from_millis(self.random.u64(..400))).await;
                let name = drain.as_ref().map_or("nobody", |(name, _)| name);
                self.journal.tell(format_args!(
                    "{} is killed while it drains {name}",
                    REPLICAS[replica]
                ));
                self.away(Fault::Replica(replica, How::Killed));
                self.meanwhile(How::Killed).await;
                self.back(Fault::Replica(replica, How::Killed)).await;
                if let Some((_, call)) = drain {
                    call.abort();
                }
            }
            Fault::Etcd(how)
            | Fault::Consul(how)
            | Fault::Replica(_, how)
            | Fault::Both(how)
            | Fault::Sources(how) => {
                self.away(fault);
                self.meanwhile(how).await;
                self.back(fault).await;
            }
        }
        let ended = Instant::now();
        self.journal.tell(format_args!("FAULT {fault:?} ends"));
        self.fleet.settles().await;
        let took = ended.elapsed();
        self.journal.note(format_args!(
            "all are up to date {:.1} s later",
            took.as_secs_f64()
        ));
        took
    }

    /// Changes while something is away, and some time.
    async fn meanwhile(&mut self, how: How) {
        let until = Instant::now()
            + Duration::from_millis(match how {
                How::Killed => self.random.u64(300..8000),
                // Streams are given up after 15 s, queries to Consul after 10 to 20.
                How::Stalled => self.random.u64(1000..25_000),
            });
        for _ in 0..self.random.usize(..3) {
            self.change().await;
            if Instant::now() > until {
                return;
            }
        }
        sleep(until.saturating_duration_since(Instant::now())).await;
    }

    fn away(&mut self, fault: Fault) {
        let fleet = &mut self.fleet;
        match fault {
            Fault::Etcd(how) => {
                fleet.away.etcd = true;
                take_away(&mut fleet.etcd.process, how);
            }
            Fault::Consul(how) => {
                fleet.away.consul = true;
                take_away(&mut fleet.consul.process, how);
            }
            Fault::Replica(number, how) => {
                fleet.away.replicas[number] = true;
                self.figures.replica(number, None);
                take_away(&mut fleet.replicas[number].process, how);
            }
            Fault::Both(how) => {
                self.away(Fault::Replica(0, how));
                self.away(Fault::Replica(1, how));
            }
            Fault::Sources(how) => {
                self.away(Fault::Etcd(how));
                self.away(Fault::Consul(how));
            }
            Fault::Drain(_) | Fault::Envoy(..) => {}
        }
    }

    async fn back(&mut self, fault: Fault) {
        let fleet = &mut self.fleet;
        match fault {
            Fault::Etcd(How::Killed) => fleet.etcd.start_again().await,
            Fault::Etcd(How::Stalled) => fleet.etcd.process.resume(),
            Fault::Consul(How::Killed) => fleet.consul.start_again().await,
            Fault::Consul(How::Stalled) => fleet.consul.process.resume(),
            Fault::Replica(number, how) => {
                let process = &mut fleet.replicas[number].process;
                match how {
                    How::Killed => process.start_again(),
                    How::Stalled => process.resume(),
                }
                let born = (how == How::Killed).then(Instant::now);
                self.figures.replica(number, Some((process.id(), born)));
            }
            Fault::Both(how) => {
                Box::pin(self.back(Fault::Replica(0, how))).await;
                Box::pin(self.back(Fault::Replica(1, how))).await;
            }
            Fault::Sources(how) => {
                Box::pin(self.back(Fault::Etcd(how))).await;
                Box::pin(self.back(Fault::Consul(how))).await;
            }
            Fault::Drain(_) | Fault::Envoy(..) => {}
        }
        self.fleet.away = Default::default();
    }

    async fn envoy(&mut self, number: usize, how: How) {
        let pause = self.load.pause(number).await;
        self.fleet.away.envoy = true;
        take_away(&mut self.fleet.envoys[number].process, how);
        self.meanwhile(how).await;
        let process = &mut self.fleet.envoys[number].process;
        match how {
            How::Killed => process.start_again(),
            How::Stalled => process.resume(),
        }
        self.load.runs_as(number, process.id(), how == How::Killed);
        self.fleet.settles().await;
        eventually(async || self.load.answers(number).await).await;
        self.fleet.away.envoy = false;
        self.load.all_are_back();
        drop(pause);
    }
}

fn take_away(process: &mut super::support::process::Process, how: How) {
    match how {
        How::Killed => process.kill(),
        How::Stalled => process.pause(),
    }
}
