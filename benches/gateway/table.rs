//! The tables that a run ends with, in Markdown.

use std::fmt::Write;

use crate::measure::{Measured, OfKind, RATES};
use crate::requests::Requests;
use crate::shapes::Routes;

/// What a change takes.
pub fn changes(all: &[Measured]) -> String {
    let mut out = String::from(
        "| routes | changed | put → served, ms: best, p50 | floor: best, p50 | ratio |",
    );
    for rate in RATES {
        let _ = write!(out, " {rate}/s beside: p50 | floor |");
    }
    out.push_str(" Envoy's main thread, ms | floor | Chancery's CPU, ms | kB | Envoy's memory, MB | its start, ms: served, main thread |\n|---|---|");
    let columns = 3 + 2 * RATES.len() + 6;
    out.push_str(&"---:|".repeat(columns));
    out.push('\n');
    for measured in all {
        for kind in &measured.kinds {
            row(&mut out, measured, kind);
        }
    }
    out
}

fn row(out: &mut String, measured: &Measured, of: &OfKind) {
    let (own, floor) = (&of.alone.chancery, &of.alone.floor);
    let _ = write!(
        out,
        "| {} | {} | {:.1}, {:.1} | {:.1}, {:.1} | {:.2} |",
        name(&measured.routes),
        of.kind.words(),
        own.took.best,
        own.took.p50,
        floor.took.best,
        floor.took.p50,
        own.took.p50 / floor.took.p50,
    );
    for beside in &of.beside {
        let _ = write!(
            out,
            " {:.0} | {:.0} |",
            beside.chancery.p50, beside.floor.p50
        );
    }
    let _ = writeln!(
        out,
        " {:.1} | {:.1} | {:.1} | {:.1} | {:.0} | {:.0}, {:.0} |",
        own.envoy_main.best,
        floor.envoy_main.best,
        own.server.best,
        own.bytes.p50 / 1e3,
        measured.envoy_mb,
        measured.start_ms,
        measured.start_main_ms,
    );
}

/// What a request takes.
pub fn requests(all: &[Requests]) -> String {
    let mut out = String::from(
        "| routes | requests a second, most | Envoy's workers by request, µs | of 10 routes |\n|---|---:|---:|---:|\n",
    );
    for requests in all {
        let list = if requests.list {
            ", as a list, bare Envoy"
        } else {
            ""
        };
        let few = all.iter().find(|few| {
            few.routes.shape == requests.routes.shape && few.routes.mode == requests.routes.mode
        });
        let ratio = few.map_or(f64::NAN, |few| few.worker_us / requests.worker_us);
        let _ = writeln!(
            out,
            "| {}{list} | {:.0} | {:.1} | {ratio:.2} × |",
            name(&requests.routes),
            requests.most,
            requests.worker_us,
        );
    }
    out
}

fn name(routes: &Routes) -> String {
    let mode = routes
        .mode
        .map_or(String::new(), |mode| format!(", {}", mode.words()));
    format!("{} {}{mode}", routes.count, routes.shape.words())
}
