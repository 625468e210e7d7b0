//! Change after change, to Chancery and to the floor in turn so that both meet the same noise: alone, and with others beside.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::envoy::all_ms;
use crate::shapes::{Kind, Marked, Routes};
use crate::stage::{Floor, Side, Stage, Told};

/// How many changes a second go on beside those that are looked at.
pub const RATES: [u32; 2] = [10, 100];
/// How long they go on before one is looked at.
const WARM_UP: Duration = Duration::from_secs(1);

/// What was measured of one table.
#[derive(Debug, Serialize)]
pub struct Measured {
    #[serde(flatten)]
    pub routes: Routes,
    /// From Envoy's start until it served the table.
    pub start_ms: f64,
    /// Processor time of its main thread until then.
    pub start_main_ms: f64,
    pub envoy_mb: f64,
    pub floor_envoy_mb: f64,
    /// Answers that were not 200 while routes changed.
    pub failed: usize,
    pub kinds: Vec<OfKind>,
    pub beside: Vec<Both<Beside>>,
}

#[derive(Debug, Serialize)]
pub struct OfKind {
    pub kind: Kind,
    /// A change alone.
    pub alone: Both<Alone>,
    /// With changes beside, at each rate.
    pub beside: Vec<Both<Took>>,
}

#[derive(Debug, Serialize)]
pub struct Both<T> {
    pub chancery: T,
    pub floor: T,
}

/// From the put until Envoy answers what it says, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Took {
    pub best: f64,
    pub p50: f64,
}

/// A change with none beside: the medians of what it costs, and the least.
#[derive(Debug, Serialize)]
pub struct Alone {
    pub took: Took,
    /// Processor time of Envoy's main thread.
    pub envoy_main: Took,
    /// Processor time of Chancery; nothing for the floor.
    pub server: Took,
    /// Bytes to Envoy.
    pub bytes: Took,
}

/// What went on at one rate.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Beside {
    /// Changes a second that were asked for, and that were made.
    pub asked: u32,
    pub made: f64,
    /// The share of its time in which Envoy's main thread was busy.
    pub envoy_busy: f64,
    /// By change.
    pub envoy_main_ms: f64,
    pub bytes: f64,
}

/// Changes of one kind.
#[derive(Default)]
struct Tally {
    took: Vec<f64>,
    envoy_main: Vec<f64>,
    server: Vec<f64>,
    bytes: Vec<f64>,
}

/// Measures so many changes of each kind.
pub async fn run(routes: Routes, changes: usize) -> Result<Measured> {
    let mut stage = Stage::set(routes, 1, 1).await?;
    let mut floor = stage.floor().await?;
    let kinds = routes.looked_at();
    let mut alone: Vec<Both<Tally>> = kinds.iter().map(|_| Both::default()).collect();
    for _ in 0..changes {
        for ((_, marked), tally) in kinds.iter().zip(&mut alone) {
            let chancery = Some(&stage.chancery);
            change(&mut stage.side, chancery, *marked, &mut tally.chancery).await?;
            change(&mut floor.side, None, *marked, &mut tally.floor).await?;
        }
    }
    let mut kinds: Vec<OfKind> = kinds
        .iter()
        .zip(alone)
        .map(|((kind, _), tally)| OfKind {
            kind: *kind,
            alone: Both {
                chancery: tally.chancery.alone(),
                floor: tally.floor.alone(),
            },
            beside: Vec::new(),
        })
        .collect();
    let (envoy_mb, floor_envoy_mb) = (stage.side.envoy.memory_mb()?, floor.side.envoy.memory_mb()?);
    let mut beside = Vec::new();
    for rate in RATES {
        beside.push(both(&mut stage, &mut floor, rate, changes, &mut kinds).await?);
    }
    Ok(Measured {
        routes,
        start_ms: stage.start_ms,
        start_main_ms: stage.start_main_ms,
        envoy_mb,
        floor_envoy_mb,
        failed: stage.side.failed(),
        kinds,
        beside,
    })
}

async fn change(
    side: &mut Side,
    server: Option<&crate::support::process::Process>,
    marked: Marked,
    tally: &mut Tally,
) -> Result<()> {
    let server = || server.map_or(Ok(0.0), all_ms);
    let received = side.envoy.received().await?;
    side.envoy.quiet().await?;
    let (envoy_before, server_before) = (side.envoy.main_ms()?, server()?);
    let took = side.change(marked).await?;
    side.envoy.quiet().await?;
    let envoy_main = side.envoy.main_ms()? - envoy_before;
    tally.took.push(took.as_secs_f64() * 1e3);
    tally.envoy_main.push(envoy_main);
    tally.server.push(server()? - server_before);
    tally.bytes.push(side.envoy.received().await? - received);
    Ok(())
}

async fn both(
    stage: &mut Stage,
    floor: &mut Floor,
    rate: u32,
    changes: usize,
    kinds: &mut [OfKind],
) -> Result<Both<Beside>> {
    let routes = stage.routes;
    let (chancery, took) = with_others(&mut stage.side, routes, rate, changes).await?;
    let (of_floor, floor_took) = with_others(&mut floor.side, routes, rate, changes).await?;
    for ((kind, chancery), floor) in kinds.iter_mut().zip(took).zip(floor_took) {
        kind.beside.push(Both { chancery, floor });
    }
    Ok(Both {
        chancery,
        floor: of_floor,
    })
}

/// Changes of each kind while others go on.
async fn with_others(
    side: &mut Side,
    routes: Routes,
    rate: u32,
    changes: usize,
) -> Result<(Beside, Vec<Took>)> {
    let looked_at = routes.looked_at();
    let stop = CancellationToken::new();
    let others = others(
        side.told.clone(),
        side.value.clone(),
        routes.beside(),
        rate,
        stop.clone(),
    );
    let others = tokio::spawn(others);
    sleep(WARM_UP).await;
    let received = side.envoy.received().await?;
    let (start, main) = (Instant::now(), side.envoy.main_ms()?);
    let first = side.value.load(Ordering::Relaxed);
    let mut took: Vec<Vec<f64>> = looked_at.iter().map(|_| Vec::new()).collect();
    for _ in 0..changes {
        for ((_, marked), took) in looked_at.iter().zip(&mut took) {
            sleep(Duration::from_millis(fastrand::u64(50..150))).await;
            took.push(side.change(*marked).await?.as_secs_f64() * 1e3);
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    let main = side.envoy.main_ms()? - main;
    let made = f64::from(side.value.load(Ordering::Relaxed) - first);
    let bytes = side.envoy.received().await? - received;
    stop.cancel();
    others.await??;
    side.envoy.quiet().await?;
    let beside = Beside {
        asked: rate,
        made: made / elapsed,
        envoy_busy: main / 1e3 / elapsed,
        envoy_main_ms: main / made,
        bytes: bytes / made,
    };
    Ok((beside, took.into_iter().map(Took::of).collect()))
}

/// Changes other routes at this rate.
async fn others(
    told: Told,
    value: std::sync::Arc<std::sync::atomic::AtomicU32>,
    routes: Vec<Marked>,
    rate: u32,
    stop: CancellationToken,
) -> Result<()> {
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    for marked in routes.iter().cycle() {
        if stop.run_until_cancelled(ticks.tick()).await.is_none() {
            break;
        }
        let (mut told, marked) = (told.clone(), *marked);
        let value = value.fetch_add(1, Ordering::Relaxed) + 1;
        under_way.spawn(async move { told.put(marked, value).await });
        while let Some(done) = under_way.try_join_next() {
            done??;
        }
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    Ok(())
}

impl Default for Both<Tally> {
    fn default() -> Self {
        Self {
            chancery: Tally::default(),
            floor: Tally::default(),
        }
    }
}

impl Tally {
    fn alone(self) -> Alone {
        Alone {
            took: Took::of(self.took),
            envoy_main: Took::of(self.envoy_main),
            server: Took::of(self.server),
            bytes: Took::of(self.bytes),
        }
    }
}

impl Took {
    pub fn of(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        let at = |index: usize| all.get(index).copied().unwrap_or(f64::NAN);
        Self {
            best: at(0),
            p50: at(all.len() / 2),
        }
    }
}
