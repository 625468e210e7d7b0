//! The rooms of `src/` and the doors between them: reads the source and fails on an import that a room may not have, on
//! a library outside the file that it belongs to, and on a clock or a socket in the pure core. Tests in `src/` are free.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;
use source::{SOURCES, Source, arrows};

/// The arrows in one line, as ARCHITECTURE.md and the crate's own page have it: a room imports what is to its right.
const LINE: &str = "cli → run → {admin, api} → {drain, editing} → control → {state, store, registry, asking, xds} → build → {snapshot, translate} → \
    documents → plugin → {model, envoy}";

/// Which rooms each room may import, itself aside.
const DOORS: &[(&str, &[&str])] = &[
    ("lib", INNER),
    ("main", &["cli"]),
    ("cli", INNER),
    ("run", RUN),
    (
        "config",
        &[
            "api",
            "model",
            "state",
            "store",
            "registry",
            "telemetry",
            "tls",
            "xds",
        ],
    ),
    ("cohort", &[]),
    ("connections", &[]),
    ("control", SHELL),
    ("admin", ADMIN),
    ("api", API),
    (
        "drain",
        &["control", "store", "registry", "model", "telemetry"],
    ),
    (
        "editing",
        &["store", "documents", "plugin", "model", "telemetry"],
    ),
    (
        "state",
        &[
            "store",
            "registry",
            "build",
            "snapshot",
            "model",
            "cohort",
            "telemetry",
        ],
    ),
    ("store", &["model", "folder", "telemetry", "tls"]),
    ("registry", &["model", "folder", "telemetry", "tls"]),
    ("asking", &["model", "telemetry", "tls"]),
    (
        "xds",
        &[
            "cohort",
            "connections",
            "snapshot",
            "envoy",
            "telemetry",
            "tls",
        ],
    ),
    (
        "build",
        &[
            "cohort",
            "snapshot",
            "translate",
            "documents",
            "plugin",
            "model",
            "envoy",
        ],
    ),
    ("explain", &["documents", "model"]),
    (
        "translate",
        &["cohort", "documents", "plugin", "model", "envoy"],
    ),
    ("documents", &["cohort", "plugin", "model"]),
    ("plugin", &["cohort", "model", "envoy"]),
    ("snapshot", &["cohort"]),
    ("model", &[]),
    ("envoy", &[]),
    ("telemetry", &[]),
    ("tls", &[]),
    ("folder", &["telemetry"]),
    ("ratelimit", &["model"]),
    ("logs", &["model", "telemetry", "tls"]),
];

#[rustfmt::skip]
const SHELL: &[&str] =
    &["state", "store", "registry", "xds", "build", "snapshot", "translate", "explain", "documents", "plugin", "model", "cohort", "telemetry"];

#[rustfmt::skip]
const ADMIN: &[&str] =
    &["connections", "state", "store", "registry", "xds", "build", "snapshot", "translate", "explain", "documents", "plugin", "model", "cohort", "telemetry", "tls"];

#[rustfmt::skip]
const API: &[&str] =
    &["control", "drain", "editing", "state", "store", "registry", "xds", "build", "snapshot", "translate", "explain", "documents", "plugin", "model", "cohort", "envoy", "telemetry"];

#[rustfmt::skip]
const RUN: &[&str] =
    &["config", "control", "admin", "api", "drain", "editing", "state", "store", "registry", "asking", "xds", "documents", "model", "telemetry", "tls"];

#[rustfmt::skip]
const INNER: &[&str] =
    &["run", "config", "control", "admin", "api", "drain", "editing", "state", "store", "registry", "asking", "xds", "build", "snapshot", "translate", "explain", "documents", "plugin", "model", "cohort", "telemetry", "tls", "ratelimit", "logs"];

/// Arrows within one layer of [`LINE`].
const BESIDE: &[(&str, &str)] = &[
    // What is saved is what these tell.
    ("state", "store"),
    ("state", "registry"),
];

/// What does I/O behind a door of values: named by its own room, and by those who configure and start it.
const WORKERS: &[&str] = &[
    "store::etcd",
    "store::file",
    "registry::consul",
    "registry::file",
    "state::keep",
    "state::load",
];

/// Libraries, and the places that name them.
const LIBRARIES: &[(&str, &[&str])] = &[
    (r"\betcd_client\b", &["store/etcd"]),
    (
        r"\benvoy_types\b",
        &["envoy", "plugin", "translate", "xds", "ratelimit", "logs"],
    ),
    (
        r"\bredis::(\w+::)*(Client|cmd|Redis|cluster)",
        &["ratelimit/redis"],
    ),
    (
        r"\bopentelemetry_(sdk|otlp|appender_tracing)\b",
        &["telemetry"],
    ),
    (r"\brs_consul\b", &["registry/consul"]),
    (r"\brskafka::", &["logs/kafka"]),
    (r"\bsd_notify\b", &["run/supervisor"]),
    // The demo is a client of its own Envoy.
    (
        r"\breqwest\b",
        &[
            "registry/consul",
            "cli/demo",
            "cli/web",
            "logs/post",
            "asking/client",
            "telemetry/cause",
        ],
    ),
    (
        r"\btonic::(\{[^}]*\b)?Status\b",
        &["xds", "api", "cli/remote", "ratelimit", "logs"],
    ),
];

/// The pure core: no async, no clock (a time is an argument), no I/O.
const PURE: &[&str] = &[
    "asking/provider",
    "asking/vault",
    "build",
    "cohort",
    "documents",
    "envoy",
    "explain",
    "logs/buffer",
    "logs/encode",
    "logs/entry",
    "logs/variable",
    "model",
    "plugin",
    "ratelimit/asked",
    "ratelimit/script",
    "snapshot",
    "translate",
    "control/pace",
    "control/readiness",
    "drain/choose",
    "editing/check",
    "editing/masked",
    "editing/merge",
    "editing/references",
    "editing/stamp",
    "registry/consul/health",
    "registry/consul/query",
    "store/etcd/answers",
    "store/etcd/keys",
    "xds/channel",
    "xds/gateways/changes",
    "xds/limits",
    "xds/request",
    "xds/response",
    "xds/stream",
    "xds/subscription",
];

const IMPURE: &str = r"(?x)
    \btokio\b | \basync\b | \.await\b | \bInstant::now\b | \bSystemTime\b |
    \bstd::(fs|env|process|thread)\b | \b(Tcp|Udp|Unix)(Stream|Listener|Socket|Datagram)\b";

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    for file in SOURCES.iter() {
        let (_, doors) = DOORS
            .iter()
            .find(|(room, _)| *room == file.room())
            .unwrap_or_else(|| panic!("{}: a room without a line in DOORS", file.name));
        for import in &file.imports {
            let room = import.split("::").next().unwrap();
            let known = DOORS.iter().any(|(known, _)| *known == room);
            if known && room != file.room() && !doors.contains(&room) {
                wrong.push(format!("{} may not import {import}", file.name));
            }
            let worker = WORKERS.iter().any(|worker| import.starts_with(worker));
            if worker && room != file.room() && !["run", "config"].contains(&file.room()) {
                wrong.push(format!("{} may not start {import}", file.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Each room of [`LINE`] and how far to the right it stands.
fn places() -> BTreeMap<&'static str, usize> {
    let layers = LINE.split(" → ").enumerate();
    let rooms = layers.flat_map(|(place, layer)| {
        let rooms = layer.trim_matches(['{', '}']).split(", ");
        rooms.map(move |room| (room, place))
    });
    rooms.collect()
}

#[test]
fn doors_lead_to_the_right() {
    let places = places();
    let mut wrong = Vec::new();
    for (room, doors) in DOORS {
        let Some(place) = places.get(room) else {
            continue;
        };
        let beside = |door: &str| BESIDE.contains(&(*room, door));
        let back = doors.iter().filter(|door| {
            let other = places.get(**door);
            other.is_some_and(|other| other <= place) && !beside(door)
        });
        wrong.extend(back.map(|door| format!("{room} → {door}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_line_stands_where_people_read_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["ARCHITECTURE.md", "src/lib.rs"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let words = text.replace("//!", " ");
        let words: Vec<_> = words.split_whitespace().collect();
        assert!(words.join(" ").contains(LINE), "{file} does not say {LINE}");
    }
}

#[test]
fn libraries_stay_in_their_place() {
    let mut wrong = Vec::new();
    for (library, places) in LIBRARIES {
        let library = Regex::new(library).unwrap();
        for file in SOURCES.iter() {
            let at_home = places.iter().any(|place| file.is_in(place));
            if let Some(found) = library.find(&file.code).filter(|_| !at_home) {
                wrong.push(format!("{} names {}", file.name, found.as_str()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_core_is_pure() {
    let impure = Regex::new(IMPURE).unwrap();
    let mut wrong = Vec::new();
    for file in SOURCES.iter() {
        let core = PURE.iter().any(|room| file.is_in(room));
        if let Some(found) = impure.find(&file.code).filter(|_| core) {
            wrong.push(format!("{} names {}", file.name, found.as_str()));
        }
    }
    for place in PURE {
        let exists = SOURCES.iter().any(|file| file.is_in(place));
        assert!(exists, "{place}: no such file");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A file and the folder of its name are one house: `foo.rs` and what lies in `foo/`.
fn house(name: &str) -> &str {
    let own = name.trim_end_matches(".rs");
    let has_folder = SOURCES.iter().any(|file| {
        file.name
            .strip_prefix(own)
            .is_some_and(|rest| rest.starts_with('/'))
    });
    if has_folder {
        own
    } else {
        name.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

#[test]
fn no_circle_leads_through_two_houses() {
    let arrows = arrows(&SOURCES);
    let reach: BTreeMap<&str, BTreeSet<&str>> = arrows
        .keys()
        .map(|file| (*file, reachable(file, &arrows)))
        .collect();
    let mut wrong = Vec::new();
    for (from, targets) in &arrows {
        for to in targets {
            if reach[to].contains(from) && house(from) != house(to) {
                wrong.push(format!("{from} imports {to}, which leads back"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn reachable<'a>(file: &'a str, arrows: &BTreeMap<&'a str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next = vec![file];
    while let Some(file) = next.pop() {
        for to in arrows.get(file).into_iter().flatten() {
            if found.insert(*to) {
                next.push(to);
            }
        }
    }
    found
}

#[test]
fn no_two_siblings_import_each_other() {
    let arrows = arrows(&SOURCES);
    let mut wrong = Vec::new();
    for (one, targets) in &arrows {
        for other in targets.iter().filter(|other| one < other) {
            let sibling = |name: &str| !name.contains('/') || house(name) == house(one);
            let folder = |name: &str| name.rsplit_once('/').map(|(folder, _)| folder.to_owned());
            let of_these = ["api/", "xds/"].iter().any(|room| one.starts_with(room));
            if of_these
                && sibling(other)
                && folder(one) == folder(other)
                && arrows[other].contains(one)
            {
                wrong.push(format!("{one} and {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn imports_are_found_in_all_their_forms() {
    let code = "use crate::store::etcd::Etcd;\n\
        use crate::{model::{Route, Id}, xds::stream::{self, Stream}, Error};\n\
        // use crate::comment::Only;\n\
        use super::Sibling; use super::super::registry::Answer;\n\
        fn f() -> chancery::cli::Exit { crate::control::run() }";
    let file = Source::new("translate/route.rs", code);
    let mut imports = file.imports;
    imports.sort();
    let expected = [
        "Error",
        "cli::Exit",
        "control::run",
        "model::Id",
        "model::Route",
        "registry::Answer",
        "store::etcd::Etcd",
        "translate::Sibling",
        "xds::stream",
        "xds::stream::Stream",
    ];
    assert_eq!(imports, expected);
}

#[test]
fn a_circle_through_an_export_is_found() {
    let sources = [
        Source::new("a.rs", "mod x;\npub use x::{Thing, Other};"),
        Source::new("a/x.rs", "use crate::b::y::Back;"),
        Source::new("b.rs", "pub mod y;"),
        Source::new("b/y.rs", "use crate::a::Thing;"),
    ];
    let arrows = arrows(&sources);
    assert_eq!(arrows["b/y.rs"], ["a/x.rs"]);
    assert!(reachable("a/x.rs", &arrows).contains("a/x.rs"));
}
