//! The table that a run ends with.

use std::fmt::Write;

use crate::measure::{Cost, Measured, Reconnect, Round};

/// A figure by stream says nothing of the server where there are few of them.
const MANY: usize = 100;

const CLIENT: &str = "client CPU by response, µs";

/// A row: what it is called, its decimals, where it is found, and whether it says something of few streams too.
struct Row {
    name: String,
    decimals: usize,
    value: Box<dyn Fn(&Measured) -> f64>,
    of_few: bool,
}

/// One kind's costs, and one of them.
type OfKind = fn(&Measured) -> &Cost;
type Of = fn(&Cost) -> f64;
type OfReconnect = fn(&Reconnect) -> f64;

/// All rounds side by side, in Markdown.
pub fn table(rounds: &[Round], [one, other]: [&str; 2]) -> String {
    let mut out = String::new();
    let _ = write!(out, "| {:40} |", "");
    for round in rounds {
        let streams = format!("{}: {one}", round.streams);
        let _ = write!(out, " {streams:>12} | {other:>9} | {:>6} |", "ratio");
    }
    let _ = write!(out, "\n|{:-<42}|", "");
    for _ in rounds {
        let _ = write!(out, "{0:->14}|{0:->11}|{0:->8}|", ":");
    }
    out.push('\n');
    for row in rows() {
        let _ = write!(out, "| {:40} |", row.name);
        for round in rounds {
            out.push_str(&row.cells(round));
        }
        out.push('\n');
    }
    out
}

impl Row {
    fn cells(&self, round: &Round) -> String {
        if !self.of_few && round.streams < MANY {
            return format!(" {0:>12} | {0:>9} | {0:>6} |", "–");
        }
        let (floor, chancery) = ((self.value)(&round.floor), (self.value)(&round.chancery));
        let (decimals, ratio) = (self.decimals, chancery / floor);
        if floor.is_nan() && chancery.is_nan() {
            return format!(" {0:>12} | {0:>9} | {0:>6} |", "–");
        }
        if floor.is_nan() {
            return format!(" {0:>12} | {chancery:>9.decimals$} | {0:>6} |", "–");
        }
        format!(" {floor:>12.decimals$} | {chancery:>9.decimals$} | {ratio:>6.2} |")
    }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let kinds: [(&str, OfKind); 2] = [
        ("route", |side| &side.route),
        ("endpoint", |side| &side.endpoint),
    ];
    let costs: [(&str, usize, Of); 7] = [
        ("put → last stream, p50, ms", 2, |cost| cost.p50_ms),
        ("put → last stream, p99, ms", 2, |cost| cost.p99_ms),
        ("put → last stream, max, ms", 2, |cost| cost.max_ms),
        ("server CPU by change, ms", 2, |cost| cost.cpu_ms),
        ("bytes by stream and change", 0, |cost| cost.bytes),
        ("responses by stream and change", 2, |cost| cost.responses),
        (CLIENT, 0, |cost| cost.client_us),
    ];
    for (kind, of_kind) in kinds {
        for (name, decimals, value) in costs {
            rows.push(Row {
                name: format!("{kind}: {name}"),
                decimals,
                value: Box::new(move |side| value(of_kind(side))),
                of_few: name != CLIENT,
            });
        }
    }
    rows.push(Row {
        name: "all streams connect and sync, ms".to_owned(),
        decimals: 0,
        value: Box::new(|side| side.sync_ms),
        of_few: true,
    });
    rows.push(Row {
        name: "server CPU of that, ms".to_owned(),
        decimals: 0,
        value: Box::new(|side| side.sync_cpu_ms),
        of_few: false,
    });
    rows.push(Row {
        name: "server memory by idle stream, KiB".to_owned(),
        decimals: 1,
        value: Box::new(|side| side.memory_kib),
        of_few: false,
    });
    // The floor knows no reconnects: each is a first sync there.
    let reconnect: [(&str, usize, OfReconnect); 3] = [
        ("server CPU, ms", 0, |cost| cost.cpu_ms),
        ("responses by stream", 2, |cost| cost.responses),
        ("memory by stream after ten, KiB", 1, |cost| cost.memory_kib),
    ];
    for (name, decimals, value) in reconnect {
        rows.push(Row {
            name: format!("reconnect: {name}"),
            decimals,
            value: Box::new(move |side| side.reconnect.as_ref().map_or(f64::NAN, value)),
            of_few: false,
        });
    }
    rows
}
