//! Memory and descriptors of the replicas over time, and whether they are flat: more in the last third than in the second, at
//! the same number of proxies, is growth.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::AbortHandle;
use tokio::time::interval;

use super::fleet::{Fleet, REPLICAS};
use super::journal::Journal;
use super::socket::established;

/// How often they are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// A process that is younger has not all that it needs yet.
const GROWN: Duration = Duration::from_secs(20);
/// What the last third may have more of than the second: memory by share and MiB (allocators round, and documents are as many
/// as chance will have it), descriptors by number (queries to Consul, streams that fail over).
const MEMORY: (f64, f64) = (1.10, 8.0);
const DESCRIPTORS: f64 = 10.0;

const MIB: f64 = 1024.0 * 1024.0;

/// Samples of both replicas.
pub struct Figures {
    seen: Arc<Mutex<[Seen; 2]>>,
    sampler: AbortHandle,
}

#[derive(Default)]
struct Seen {
    /// Where proxies connect.
    xds: Option<SocketAddr>,
    /// Its process; nothing while it is away.
    process: Option<u32>,
    born: Option<Instant>,
    lives: u32,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    /// How many proxies were connected: each has its part of both figures.
    proxies: usize,
    /// Bytes that are its own: neither files nor shared.
    memory: f64,
    descriptors: f64,
}

/// A figure in the second third and the last, and whether it is flat.
#[derive(Debug, Clone, Copy)]
pub struct Flat {
    pub second: f64,
    pub last: f64,
    pub flat: bool,
}

/// One replica's.
#[derive(Debug)]
pub struct OfReplica {
    pub name: &'static str,
    pub lives: u32,
    pub memory: Flat,
    pub descriptors: Flat,
}

impl Drop for Figures {
    fn drop(&mut self) {
        self.sampler.abort();
    }
}

impl Figures {
    pub fn start(fleet: &Fleet, journal: Arc<Journal>) -> Self {
        let seen: Arc<Mutex<[Seen; 2]>> = Arc::default();
        let sampler = tokio::spawn(sample(seen.clone(), journal)).abort_handle();
        let figures = Self { seen, sampler };
        for (number, replica) in fleet.replicas.iter().enumerate() {
            let process = replica.process.id();
            figures.seen.lock().unwrap()[number].xds = Some(replica.xds());
            figures.replica(number, Some((process, Some(Instant::now()))));
        }
        figures
    }

    /// A replica is away, or runs as this process, since then where it is another one than before.
    pub fn replica(&self, number: usize, process: Option<(u32, Option<Instant>)>) {
        let seen = &mut self.seen.lock().unwrap()[number];
        seen.process = process.map(|(process, _)| process);
        if let Some(born) = process.and_then(|(_, born)| born) {
            seen.born = Some(born);
            seen.lives += 1;
        }
    }

    /// The newest samples, in words.
    pub fn now(&self) -> String {
        let seen = self.seen.lock().unwrap();
        let words = REPLICAS.iter().zip(&*seen).map(|(name, seen)| {
            let sample = seen.samples.last();
            sample.map_or_else(
                || format!("{name} none"),
                |sample| {
                    format!(
                        "{name} {:.1} MiB, {} descriptors",
                        sample.memory / MIB,
                        sample.descriptors
                    )
                },
            )
        });
        words.collect::<Vec<_>>().join("; ")
    }

    /// What came of it after so long.
    pub fn judge(&self, length: Duration) -> Vec<OfReplica> {
        let seen = self.seen.lock().unwrap();
        let of = |(name, seen): (&&'static str, &Seen)| {
            let memory = thirds(&seen.samples, length, |sample| sample.memory / MIB);
            let descriptors = thirds(&seen.samples, length, |sample| sample.descriptors);
            OfReplica {
                name,
                lives: seen.lives,
                memory: memory.within(|second| second * MEMORY.0 + MEMORY.1),
                descriptors: descriptors.within(|second| second + DESCRIPTORS),
            }
        };
        REPLICAS.iter().zip(&*seen).map(of).collect()
    }
}

impl Flat {
    fn within(self, bound: impl Fn(f64) -> f64) -> Self {
        let flat = self.last <= bound(self.second);
        Self { flat, ..self }
    }

    pub fn json(self) -> Value {
        json!({ "second_third": self.second, "last_third": self.last, "flat": self.flat })
    }
}

/// The means of the second third and of the last, of samples with as many proxies in both.
fn thirds(samples: &[Sample], length: Duration, of: impl Fn(&Sample) -> f64) -> Flat {
    let values = |third: u32| {
        let during = length * third / 3..=length * (third + 1) / 3;
        let mut by_proxies: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for sample in samples.iter().filter(|sample| during.contains(&sample.at)) {
            by_proxies
                .entry(sample.proxies)
                .or_default()
                .push(of(sample));
        }
        by_proxies
    };
    let (second, last) = (values(1), values(2));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mut sums, mut weights) = ((0.0, 0.0), 0.0);
    for (proxies, of_second) in &second {
        if let Some(of_last) = last.get(proxies) {
            let weight = of_second.len().min(of_last.len()) as f64;
            sums.0 += mean(of_second) * weight;
            sums.1 += mean(of_last) * weight;
            weights += weight;
        }
    }
    // Not a number where there are no such samples: then it is not known to be flat.
    Flat {
        second: sums.0 / weights,
        last: sums.1 / weights,
        flat: false,
    }
}

async fn sample(seen: Arc<Mutex<[Seen; 2]>>, journal: Arc<Journal>) {
    let mut ticks = interval(EVERY);
    loop {
        ticks.tick().await;
        for seen in &mut *seen.lock().unwrap() {
            let grown = seen.born.is_some_and(|born| born.elapsed() > GROWN);
            let Some(process) = seen.process.filter(|_| grown) else {
                continue;
            };
            if let Some((memory, descriptors)) = look(process) {
                let at = journal.elapsed();
                seen.samples.push(Sample {
                    at,
                    proxies: seen.xds.map_or(0, established),
                    memory,
                    descriptors,
                });
            }
        }
    }
}

/// Its own memory in bytes, and its open descriptors.
fn look(process: u32) -> Option<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).ok()?.count();
    Some((kilobytes * 1024.0, descriptors as f64))
}
