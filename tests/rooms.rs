//! The rooms of `src/` and the doors between them: reads the source and fails on an import that a room may not have, on
//! a library outside the file that it belongs to, and on a clock or a socket in the pure core. Tests in `src/` are free.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Which rooms each room may import, itself aside.
const DOORS: &[(&str, &[&str])] = &[
    ("lib", INNER),
    ("main", &["cli"]),
    ("cli", INNER),
    (
        "config",
        &[
            "api",
            "model",
            "state",
            "store",
            "registry",
            "telemetry",
            "xds",
        ],
    ),
    ("control", SHELL),
    ("admin", SHELL),
    ("api", API),
    (
        "drain",
        &["control", "store", "registry", "model", "telemetry"],
    ),
    ("state", &["store", "registry", "model", "telemetry"]),
    ("store", &["model", "folder", "telemetry", "tls"]),
    ("registry", &["model", "folder", "telemetry", "tls"]),
    ("xds", &["snapshot", "telemetry"]),
    (
        "build",
        &[
            "snapshot",
            "translate",
            "documents",
            "plugin",
            "model",
            "envoy",
        ],
    ),
    ("explain", &["documents", "model"]),
    ("translate", &["documents", "plugin", "model", "envoy"]),
    ("documents", &["plugin", "model"]),
    ("plugin", &["model", "envoy"]),
    ("snapshot", &[]),
    ("model", &[]),
    ("envoy", &[]),
    ("telemetry", &[]),
    ("tls", &[]),
    ("folder", &["telemetry"]),
];

#[rustfmt::skip]
const SHELL: &[&str] =
    &["state", "store", "registry", "xds", "build", "snapshot", "translate", "explain", "documents", "plugin", "model", "telemetry"];

#[rustfmt::skip]
const API: &[&str] =
    &["control", "drain", "state", "store", "registry", "xds", "build", "snapshot", "translate", "explain", "documents", "model", "envoy", "telemetry"];

#[rustfmt::skip]
const INNER: &[&str] =
    &["cli", "config", "control", "admin", "api", "drain", "state", "store", "registry", "xds", "build", "snapshot", "translate", "explain", "documents", "plugin", "model", "telemetry", "tls"];

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
    (r"\brs_consul\b", &["registry/consul"]),
    // The demo is a client of its own Envoy.
    (r"\breqwest\b", &["registry/consul", "cli/demo"]),
    (
        r"\btonic::(\{[^}]*\b)?Status\b",
        &["xds", "api", "cli/remote"],
    ),
];

/// The pure core: no async, no clock (a time is an argument), no I/O.
const PURE: &[&str] = &[
    "build",
    "documents",
    "envoy",
    "explain",
    "model",
    "plugin",
    "snapshot",
    "translate",
    "xds/stream",
];

const IMPURE: &str = r"(?x)
    \btokio\b | \basync\b | \.await\b | \bInstant::now\b | \bSystemTime\b |
    \bstd::(fs|env|process|thread)\b | \b(Tcp|Udp|Unix)(Stream|Listener|Socket|Datagram)\b";

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    for file in sources() {
        let (_, doors) = DOORS
            .iter()
            .find(|(room, _)| *room == file.room())
            .unwrap_or_else(|| panic!("{}: a room without a line in DOORS", file.name));
        for import in file.imports() {
            let room = import.split("::").next().unwrap();
            let known = DOORS.iter().any(|(known, _)| *known == room);
            if known && room != file.room() && !doors.contains(&room) {
                wrong.push(format!("{} may not import {import}", file.name));
            }
            let worker = WORKERS.iter().any(|worker| import.starts_with(worker));
            if worker && room != file.room() && !["cli", "config"].contains(&file.room()) {
                wrong.push(format!("{} may not start {import}", file.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn libraries_stay_in_their_place() {
    let mut wrong = Vec::new();
    for (library, places) in LIBRARIES {
        let library = Regex::new(library).unwrap();
        for file in sources() {
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
    for file in sources() {
        let core = PURE.iter().any(|room| file.is_in(room));
        if let Some(found) = impure.find(&file.code).filter(|_| core) {
            wrong.push(format!("{} names {}", file.name, found.as_str()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_two_siblings_import_each_other() {
    let sources = sources();
    let siblings: Vec<_> = sources
        .iter()
        .filter_map(|file| {
            let (room, name) = file.name.split_once('/')?;
            let name = name.strip_suffix(".rs")?;
            let of_these = ["api", "xds"].contains(&room) && !name.contains('/');
            of_these.then_some((file, room, name))
        })
        .collect();
    let imports = |file: &Source, room: &str, name: &str| {
        let path = format!(r"\b(super|crate::{room})::(\{{[^;]*\b)?{name}\b");
        Regex::new(&path).unwrap().is_match(&file.code)
    };
    let mut wrong = Vec::new();
    for (one, room, name) in &siblings {
        for (other, _, other_name) in siblings.iter().filter(|(_, of, _)| of == room) {
            if name < other_name && imports(one, room, other_name) && imports(other, room, name) {
                wrong.push(format!("{} and {}", one.name, other.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn imports_are_found_in_all_their_forms() {
    let code = "use crate::store::etcd::Etcd;\n\
        use crate::{model::{Route, Id}, xds::stream, Error};\n\
        // use crate::comment::Only;\n\
        use super::Sibling; use super::super::registry::Answer;\n\
        fn f() -> chancery::cli::Exit { crate::control::run() }";
    let file = Source::new("translate/route.rs", code);
    let mut imports = file.imports();
    imports.sort();
    let expected = [
        "Error",
        "cli::Exit",
        "control::run",
        "model",
        "registry::Answer",
        "store::etcd",
        "xds::stream",
    ];
    assert_eq!(imports, expected);
}

/// A file below `src/`.
struct Source {
    /// `store/etcd.rs`
    name: String,
    /// Its text without comments.
    code: String,
}

impl Source {
    fn new(name: &str, text: &str) -> Self {
        let comment = Regex::new(r"(?m)(^|\s)//.*$").unwrap();
        Self {
            name: name.to_owned(),
            code: comment.replace_all(text, "").into_owned(),
        }
    }

    /// `store` for `store.rs` and all of `store/`.
    fn room(&self) -> &str {
        let first = self.name.split('/').next().unwrap();
        first.trim_end_matches(".rs")
    }

    /// Whether it is `room.rs` or below `room/`.
    fn is_in(&self, room: &str) -> bool {
        let rest = self.name.strip_prefix(room);
        rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    /// The paths that it names from the root of the crate, their first two parts.
    fn imports(&self) -> Vec<String> {
        // `super::` as often as the module is deep is the root as well.
        let depth = self.name.matches('/').count() + 1;
        let root = format!(r"\b(?:crate|chancery|(?:super::){{{}}}super)::", depth - 1);
        let root = Regex::new(&root).unwrap();
        let path = Regex::new(r"^\s*(\w+)(?:::(\w+))?").unwrap();
        let mut imports = Vec::new();
        for found in root.find_iter(&self.code) {
            let before = &self.code[..found.start()];
            if before.ends_with("super::") {
                continue;
            }
            for part in group(&self.code[found.end()..]) {
                if let Some(parts) = path.captures(part) {
                    let names = parts.iter().skip(1).flatten();
                    let names: Vec<_> = names.map(|name| name.as_str()).collect();
                    imports.push(names.join("::"));
                }
            }
        }
        imports
    }
}

/// The parts of `{a::b, c::{d, e}}`, or the one path that stands there.
fn group(text: &str) -> Vec<&str> {
    let Some(inner) = text.strip_prefix('{') else {
        return vec![text];
    };
    let (mut parts, mut open, mut start) = (Vec::new(), 0, 0);
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' => open += 1,
            '}' if open == 0 => {
                parts.push(&inner[start..at]);
                break;
            }
            '}' => open -= 1,
            ',' if open == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

/// All of `src/` that is not a test.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            if stem == "tests" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                sources.push(Source::new(name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources
}
