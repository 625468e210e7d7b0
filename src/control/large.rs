//! Gateways whose route table is so large that each change of it hurts. Decides nothing: it is told, and served all the same.

use std::collections::BTreeMap;
use std::fmt;

use crate::build::{Cohorts, largest_table};
use crate::model::Id;
use crate::model::gateway::http::Tables;

/// Bytes of a table from which on it hurts. Envoy builds all of it anew for each change, at 80 to 90 ms of its main thread a MB: from
/// here on a quarter of a second, in which it hears of no instance that goes. And each proxy is sent all of it.
const HURTS: usize = 3_000_000;
/// So many bytes take it a millisecond.
const PER_MS: usize = 12_000;
/// Bytes below which it does not any more: routes that come and go at the bound are told once.
const IS_WELL: usize = 2_400_000;

/// A gateway's table that hurts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Large {
    /// Of the largest table that requests go by.
    pub bytes: usize,
    /// What the gateway asks for.
    pub tables: Tables,
}

impl Large {
    /// What a gateway's tables come to, for the proxies whose table is the largest.
    pub fn of(gateway: &Cohorts) -> Self {
        let builders = || gateway.iter();
        let sizes = builders().map(|builder| largest_table(builder.current()));
        let written = builders().find_map(|builder| builder.gateway());
        Self {
            bytes: sizes.max().unwrap_or(0),
            tables: written.map_or(Tables::One, |gateway| gateway.http.route_tables),
        }
    }
}

/// What became of a gateway.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    Begins(Large),
    Over(usize),
}

/// The gateways whose table hurts.
#[derive(Debug, Default)]
pub struct LargeTables {
    by_gateway: BTreeMap<Id, Large>,
}

impl LargeTables {
    /// A gateway has other tables. Tells when one begins to hurt, or does not any more.
    pub fn handle_published(&mut self, gateway: &Id, now: Large) -> Option<Turn> {
        if let Some(large) = self.by_gateway.get_mut(gateway) {
            if now.bytes >= IS_WELL {
                *large = now;
                return None;
            }
            self.by_gateway.remove(gateway);
            return Some(Turn::Over(now.bytes));
        }
        if now.bytes <= HURTS {
            return None;
        }
        self.by_gateway.insert(gateway.clone(), now);
        Some(Turn::Begins(now))
    }

    /// There is no such gateway any more.
    pub fn handle_gone(&mut self, gateway: &Id) {
        self.by_gateway.remove(gateway);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Id, &Large)> {
        self.by_gateway.iter()
    }
}

impl fmt::Display for Large {
    /// What was found, what is allowed, what it costs and what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mb = |bytes: usize| bytes as f64 / 1e6;
        write!(
            f,
            "its route table has {:.1} MB, and from {} MB on it hurts: a changed route sends all of it to every proxy, and keeps Envoy's \
             main thread busy for about {} ms, in which it hears of no other change; ",
            mb(self.bytes),
            mb(HURTS),
            self.bytes / PER_MS,
        )?;
        match self.tables {
            Tables::One => f.write_str(
                "let it be divided (`http.route_tables: {mode: divided}`, for Envoy 1.40 and newer), or have fewer routes",
            ),
            Tables::Auto | Tables::Divided => f.write_str(
                "it is divided as far as that pays, and only for Envoy 1.40 and newer: have fewer routes, or some of them in another gateway",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn large(bytes: usize) -> Large {
        Large {
            bytes,
            tables: Tables::One,
        }
    }

    #[test]
    fn a_table_at_the_bound_is_told_once() {
        let gateway: Id = "edge".parse().unwrap();
        let mut tables = LargeTables::default();
        let sizes = [
            HURTS,
            HURTS + 1,
            HURTS,
            IS_WELL,
            HURTS + 1,
            IS_WELL - 1,
            HURTS,
        ];
        let turns = sizes.map(|bytes| tables.handle_published(&gateway, large(bytes)));
        let mut expected = [const { None }; 7];
        expected[1] = Some(Turn::Begins(large(HURTS + 1)));
        expected[5] = Some(Turn::Over(IS_WELL - 1));
        assert_eq!(turns, expected);
        assert_eq!(tables.iter().count(), 0);
    }

    #[test]
    fn it_is_told_as_it_is_now_and_not_of_a_gateway_that_is_gone() {
        let gateway: Id = "edge".parse().unwrap();
        let mut tables = LargeTables::default();
        for bytes in [HURTS * 2, HURTS * 3] {
            tables.handle_published(&gateway, large(bytes));
        }
        assert_eq!(
            tables.iter().collect::<Vec<_>>(),
            [(&gateway, &large(HURTS * 3))]
        );
        tables.handle_gone(&gateway);
        assert_eq!(tables.iter().count(), 0);
    }

    #[test]
    fn the_line_says_what_it_costs_and_what_helps() {
        let said = large(6_260_000).to_string();
        for part in ["6.3 MB", "from 3 MB", "521 ms", "{mode: divided}"] {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        let divided = Large {
            tables: Tables::Divided,
            ..large(6_260_000)
        };
        assert!(!divided.to_string().contains("{mode: divided}"));
    }
}
