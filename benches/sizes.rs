//! The largest document of each kind that is accepted: what reading and translating it takes, its resources and memory, and that
//! twice the size costs about twice.
//!
//! `cargo bench --bench sizes`. Each row is a document at half of its bound and at the bound; the last columns are the ratios of
//! the two. Nothing here asserts a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chancery::build::{Builder, Extensions, Inputs};
use chancery::documents::{Changes, Documents};
use chancery::model::document::{Change, Format};
use chancery::model::{Document, Drains, Id};
use chancery::snapshot::ResourceType;
use serde_json::{Map, Value, json};

/// How often each is measured; the fastest counts.
const TIMES: usize = 3;

/// A kind of document at a size: what is put before it, unmeasured, and it.
struct Case {
    name: &'static str,
    bound: usize,
    documents: fn(usize) -> Vec<(String, Value)>,
}

const CASES: &[Case] = &[
    Case {
        name: "route: uris × hosts (8)",
        bound: 512,
        documents: |n| {
            one(
                "routes/r",
                route(json!({"uris": uris(n), "hosts": hosts(8)})),
            )
        },
    },
    Case {
        name: "route: hosts × uris (8)",
        bound: 512,
        documents: |n| {
            one(
                "routes/r",
                route(json!({"hosts": hosts(n), "uris": uris(8)})),
            )
        },
    },
    Case {
        name: "route: remote_addrs",
        bound: 4096,
        documents: |n| {
            one(
                "routes/r",
                route(json!({"uri": "/", "remote_addrs": ranges(n)})),
            )
        },
    },
    Case {
        name: "route: ip-restriction",
        bound: 4096,
        documents: |n| {
            one(
                "routes/r",
                route(json!({"uri": "/", "plugins": {"ip-restriction": {"whitelist": ranges(n)}}})),
            )
        },
    },
    Case {
        name: "route: gateways",
        bound: 64,
        documents: |n| one("routes/r", route(json!({"uri": "/", "gateways": names(n)}))),
    },
    Case {
        name: "upstream: nodes",
        bound: 4096,
        documents: |n| {
            one(
                "routes/r",
                json!({"uri": "/", "upstream": {"nodes": nodes(n)}}),
            )
        },
    },
    Case {
        name: "gateway: listeners",
        bound: 64,
        documents: |n| one("gateways/default", json!({"listeners": listeners(n)})),
    },
    Case {
        name: "consumers, each put alone",
        bound: 1000,
        documents: consumers,
    },
];

fn one(path: &str, value: Value) -> Vec<(String, Value)> {
    vec![(path.to_owned(), value)]
}

fn route(fields: Value) -> Value {
    let mut route = json!({"upstream": {"nodes": {"127.0.0.1:80": 1}}});
    if let (Value::Object(route), Value::Object(fields)) = (&mut route, fields) {
        route.extend(fields);
    }
    route
}

fn uris(count: usize) -> Value {
    (0..count).map(|at| format!("/path/{at}")).collect()
}

fn hosts(count: usize) -> Value {
    (0..count).map(|at| format!("h{at}.example.com")).collect()
}

fn names(count: usize) -> Value {
    (0..count).map(|at| format!("gateway-{at}")).collect()
}

fn ranges(count: usize) -> Value {
    (0..count)
        .map(|at| format!("10.{}.{}.128/25", at / 256, at % 256))
        .collect()
}

fn nodes(count: usize) -> Value {
    let node = |at: usize| (format!("10.0.{}.{}:80", at / 256, at % 256), json!(1));
    Value::Object((0..count).map(node).collect::<Map<_, _>>())
}

fn listeners(count: usize) -> Value {
    (0..count)
        .map(|at| json!({"name": format!("l{at}"), "port": 10_000 + at}))
        .collect()
}

fn consumers(count: usize) -> Vec<(String, Value)> {
    let consumer = |at: usize| {
        let name = format!("c{at}");
        let plugins = json!({
            "key-auth": {"key": format!("key-{at}")},
            "basic-auth": {"username": name, "password": "secret"},
        });
        (
            format!("consumers/{name}"),
            json!({"username": name, "plugins": plugins}),
        )
    };
    (0..count).map(consumer).collect()
}

/// What a case takes at one size.
struct Measured {
    time: Duration,
    bytes: usize,
    memory: usize,
}

fn measure(documents: &[(String, Value)]) -> Result<Measured> {
    let texts: Vec<Document> = documents
        .iter()
        .map(|(path, value)| Document {
            path: path.as_str().into(),
            source: path.as_str().into(),
            format: Format::Json,
            value: value.to_string().into(),
            revision: 1,
        })
        .collect();
    let before = resident()?;
    let began = Instant::now();
    let mut held = Documents::new(Vec::new());
    let mut builder = Builder::new(&"default".parse::<Id>()?, None);
    let mut extensions = Arc::<Extensions>::default();
    let (instances, drains) = (Default::default(), Drains::default());
    for text in texts {
        held.apply(Change::Put(text));
        let changes = held.settle();
        ensure!(changes.problems.is_empty(), "{:?}", changes.problems);
        for (id, gateway) in changes.gateways {
            if id.as_str() == "default" {
                builder.handle_gateway(gateway, &instances);
            }
        }
        if let Some(consumers) = changes.consumers {
            extensions = Arc::new(extensions.next(consumers));
            builder.handle_consumers(&extensions);
        }
        for (id, route) in changes.routes {
            builder.handle_route(&id, route, &instances);
        }
    }
    let inputs = Inputs {
        revision: 1,
        instances: &instances,
        drains: &drains,
    };
    let (snapshot, _) = builder.next(&inputs, None).context("nothing new")?;
    let time = began.elapsed();
    let sets = ResourceType::ALL.map(|of| {
        let resources = snapshot.set(of).iter();
        resources
            .map(|(_, resource)| resource.value().len())
            .sum::<usize>()
    });
    let memory = resident()?.saturating_sub(before);
    Ok(Measured {
        time,
        bytes: sets.iter().sum(),
        memory,
    })
}

/// Bytes of memory that the process has.
fn resident() -> Result<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split_whitespace().nth(1).context("no pages")?;
    Ok(pages.parse::<usize>()? * 4096)
}

/// One put more of a consumer where there are so many: to read it with all others, and to make the next snapshots of it, for
/// so many cohorts.
fn one_more(count: usize, cohorts: usize) -> Result<(Duration, Duration)> {
    let mut held = Documents::new(Vec::new());
    let put = |path: &str, value: &Value, revision| {
        Change::Put(Document {
            path: path.into(),
            source: path.into(),
            format: Format::Json,
            value: value.to_string().into(),
            revision,
        })
    };
    for (path, value) in consumers(count) {
        held.apply(put(&path, &value, 1));
    }
    let mut builders = Vec::new();
    for _ in 0..cohorts {
        builders.push(Builder::new(&"default".parse::<Id>()?, None));
    }
    let (instances, drains) = (Default::default(), Drains::default());
    let changes = held.settle();
    let mut best = (Duration::MAX, Duration::MAX);
    let mut extensions = Arc::<Extensions>::default();
    let mut next = |changes: Changes, revision| -> Result<Duration> {
        let began = Instant::now();
        if let Some(consumers) = &changes.consumers {
            extensions = Arc::new(extensions.next(consumers.clone()));
        }
        for builder in &mut builders {
            for (_, gateway) in &changes.gateways {
                builder.handle_gateway(gateway.clone(), &instances);
            }
            builder.handle_consumers(&extensions);
            let inputs = Inputs {
                revision,
                instances: &instances,
                drains: &drains,
            };
            builder.next(&inputs, None).context("nothing new")?;
        }
        Ok(began.elapsed())
    };
    next(changes, 1)?;
    for revision in 2..12 {
        let value = json!({"username": "c7", "plugins": {"key-auth": {"key": format!("key-{revision}-x")}}});
        held.apply(put("consumers/c7", &value, revision));
        let began = Instant::now();
        let changes = held.settle();
        best.0 = best.0.min(began.elapsed());
        best.1 = best.1.min(next(changes, revision)?);
    }
    Ok(best)
}

fn best(case: &Case, size: usize) -> Result<Measured> {
    let documents: Arc<[_]> = (case.documents)(size).into();
    let mut best = measure(&documents)?;
    for _ in 1..TIMES {
        let next = measure(&documents)?;
        // Memory that was had before is used again: the first time counts.
        best.time = best.time.min(next.time);
    }
    Ok(best)
}

fn main() -> Result<()> {
    println!(
        "{:<26} {:>6} {:>10} {:>10} {:>10} | twice: time, bytes",
        "largest document", "size", "time ms", "kB sent", "kB held"
    );
    for case in CASES {
        let half = best(case, case.bound / 2)?;
        let whole = best(case, case.bound)?;
        println!(
            "{:<26} {:>6} {:>10.2} {:>10} {:>10} | {:>10.2} {:>6.2}",
            case.name,
            case.bound,
            whole.time.as_secs_f64() * 1000.0,
            whole.bytes / 1000,
            whole.memory / 1000,
            whole.time.as_secs_f64() / half.time.as_secs_f64(),
            whole.bytes as f64 / half.bytes as f64,
        );
    }
    println!("\none put of a consumer among so many: to read it, to make the next snapshots");
    for (count, cohorts) in [(1000, 1), (5000, 1), (5000, 4)] {
        let (read, next) = one_more(count, cohorts)?;
        println!(
            "{count:>6}, {cohorts} cohorts {:>10.2} ms {:>10.2} ms",
            read.as_secs_f64() * 1000.0,
            next.as_secs_f64() * 1000.0,
        );
    }
    Ok(())
}
