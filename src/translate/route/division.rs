//! How a gateway's cells are divided over route tables: by one bit of a cell after the other, of the host's or of a segment's, and
//! where one half needs more bits, it alone is divided on.
//!
//! A route for any host is in the cells of all hosts, one for any first segment in those of all segments, so what is divided
//! costs copies. Which bits pay is counted, from what is written, and each part by itself: what is added there changes
//! nothing elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cell::{self, BITS, Cell, Cells, Domain};
use crate::model::Path;

/// Tables that there may be: they cost something by themselves, in Envoy as well.
const MOST: usize = 512;
/// What a table costs beside its routes, as so many routes; twice as much, and again, where there would be too many tables.
const TABLE: u64 = 20;
/// How many times the routes there may be in all tables together.
const COPIES: u64 = 2;

/// The bit by which a part of the cells is divided, and its halves: where that bit is 0, and where it is 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    axis: usize,
    bit: u8,
    halves: [Division; 2],
}

/// How requests are divided; by nothing where all go by one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Division(Option<Arc<Split>>);

/// The requests that a table is for: those of all cells that have certain bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Section {
    /// Which bits count.
    mask: Cell,
    bits: Cell,
}

impl Division {
    pub(super) fn by(axis: usize, bit: u8, halves: [Self; 2]) -> Self {
        Self(Some(Arc::new(Split { axis, bit, halves })))
    }

    /// Whether there is one table for all.
    pub fn is_one(&self) -> bool {
        self.0.is_none()
    }

    /// The section that a cell is in.
    pub(super) fn section(&self, cell: Cell) -> Section {
        let mut section = Section::WHOLE;
        let mut rest = self;
        while let Some(split) = &rest.0 {
            let half = cell[split.axis] >> split.bit & 1;
            section = section.half(split.axis, split.bit, half);
            rest = &split.halves[usize::from(half)];
        }
        section
    }

    pub(super) fn sections(&self) -> Vec<Section> {
        self.sections_in([None; 3])
    }

    /// The sections whose requests a route for that host and that path can match.
    pub(super) fn sections_of(&self, domain: &Domain, path: &Path) -> Vec<Section> {
        self.sections_in(cell::cells(domain, path))
    }

    fn sections_in(&self, cells: Cells) -> Vec<Section> {
        let mut found = Vec::new();
        self.collect(Section::WHOLE, cells, &mut found);
        found
    }

    fn collect(&self, within: Section, cells: Cells, found: &mut Vec<Section>) {
        let Some(split) = &self.0 else {
            found.push(within);
            return;
        };
        for (half, rest) in (0..).zip(&split.halves) {
            if can_be(cells[split.axis], split.bit, half) {
                rest.collect(within.half(split.axis, split.bit, half), cells, found);
            }
        }
    }
}

/// Whether some of these cells have the bit so.
fn can_be(of: Option<u8>, bit: u8, half: u8) -> bool {
    of.is_none_or(|of| of >> bit & 1 == half)
}

impl Section {
    /// All requests.
    pub const WHOLE: Self = Self {
        mask: [0; 3],
        bits: [0; 3],
    };

    fn half(mut self, axis: usize, bit: u8, half: u8) -> Self {
        self.mask[axis] |= 1 << bit;
        self.bits[axis] |= half << bit;
        self
    }

    /// The name of its table: its bits, with an `x` for each that may be any.
    pub fn table(self, gateway: &str) -> String {
        if self == Self::WHOLE {
            return gateway.to_owned();
        }
        let axes = [0, 1, 2].map(|axis| {
            let bits = 0..BITS[axis];
            let bits =
                bits.map(
                    |bit| match (self.mask[axis] >> bit & 1, self.bits[axis] >> bit & 1) {
                        (0, _) => 'x',
                        (_, 0) => '0',
                        _ => '1',
                    },
                );
            bits.collect::<String>()
        });
        format!("{gateway}/{}", axes.join("-"))
    }

    /// Whether a route for that host and that path can be asked for here.
    pub fn has(self, domain: &Domain, path: &Path) -> bool {
        let cells = cell::cells(domain, path);
        (0..3).all(|axis| cells[axis].is_none_or(|of| of & self.mask[axis] == self.bits[axis]))
    }
}

/// A host and a path of a route.
pub(super) type Place<'a> = (&'a Domain, &'a Path);

/// How many times routes stand in which cells.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    by_cells: BTreeMap<Cells, u32>,
    all: u32,
}

/// A division, and what comes of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Best {
    pub division: Division,
    /// What a change costs on average, as so many routes that Envoy builds anew.
    pub cost: u64,
    /// What a table was taken to cost.
    table: u64,
}

impl Counts {
    /// How many there are.
    pub fn all(&self) -> u32 {
        self.all
    }

    /// A route stands elsewhere than before.
    pub fn replace<'a>(
        &mut self,
        before: impl Iterator<Item = Place<'a>>,
        now: impl Iterator<Item = Place<'a>>,
    ) {
        for (domain, path) in before {
            let cells = cell::cells(domain, path);
            if let Some(count) = self.by_cells.get_mut(&cells) {
                *count -= 1;
                if *count == 0 {
                    self.by_cells.remove(&cells);
                }
            }
            self.all -= 1;
        }
        for (domain, path) in now {
            *self.by_cells.entry(cell::cells(domain, path)).or_default() += 1;
            self.all += 1;
        }
    }

    /// The division in which a change costs least. After another one: not until there is some room are tables smaller again,
    /// so that one route more or less does not turn all of them.
    pub fn best(&self, before: &Best) -> Best {
        let places: Vec<_> = self
            .by_cells
            .iter()
            .map(|(cells, count)| (*cells, *count))
            .collect();
        let all = u64::from(self.all);
        // Tables that are smaller on average are too many.
        let mut table = TABLE;
        while table * (MOST as u64) < all {
            table *= 2;
        }
        loop {
            let (division, sizes) = divided(&places, Section::WHOLE, table);
            let (most, copies) = if table < before.table {
                (MOST / 4 * 3, COPIES * all / 4 * 3)
            } else {
                (MOST, COPIES * all)
            };
            if division.is_one() || sizes.len() <= most && sizes.iter().sum::<u64>() <= copies {
                let cost: u64 = sizes.iter().map(|size| size * (size + TABLE)).sum();
                let cost = if division.is_one() {
                    all
                } else {
                    cost.div_ceil(all.max(1))
                };
                return Best {
                    division,
                    cost,
                    table,
                };
            }
            table *= 2;
        }
    }
}

/// Divides these places for as long as a change costs less for it, and says how many routes each table has.
fn divided(places: &[(Cells, u32)], within: Section, table: u64) -> (Division, Vec<u64>) {
    let whole = size(places.iter());
    let Some((axis, bit)) = pays(places, within, |size| size * (size + table)) else {
        return (Division::default(), vec![whole]);
    };
    let mut sizes = Vec::new();
    let halves = [0, 1].map(|half| {
        let places: Vec<_> = in_half(places, axis, bit, half).copied().collect();
        let (division, of) = divided(&places, within.half(axis, bit, half), table);
        sizes.extend(of);
        division
    });
    (Division::by(axis, bit, halves), sizes)
}

/// The bit by which places are best divided; nothing where a fifth of what a change costs would not be saved.
fn pays(
    places: &[(Cells, u32)],
    within: Section,
    cost: impl Fn(u64) -> u64,
) -> Option<(usize, u8)> {
    let whole = cost(size(places.iter()));
    let free = (0..)
        .zip(BITS)
        .flat_map(|(axis, bits)| (0..bits as u8).map(move |bit| (axis, bit)));
    let free = free.filter(|(axis, bit): &(usize, u8)| within.mask[*axis] >> bit & 1 == 0);
    let costs = free.map(|(axis, bit)| {
        let halves = [0, 1].map(|half| cost(size(in_half(places, axis, bit, half))));
        ((axis, bit), halves[0] + halves[1])
    });
    let pay: Vec<_> = costs.filter(|(_, cost)| cost * 5 < whole * 4).collect();
    let least = pay.iter().map(|(_, cost)| *cost).min()?;
    // The first of those that are about as good: otherwise one route more would let another be the best.
    let chosen = pay.into_iter().find(|(_, cost)| *cost <= least + least / 8);
    chosen.map(|(bit, _)| bit)
}

fn in_half(
    places: &[(Cells, u32)],
    axis: usize,
    bit: u8,
    half: u8,
) -> impl Iterator<Item = &(Cells, u32)> {
    places
        .iter()
        .filter(move |(cells, _)| can_be(cells[axis], bit, half))
}

fn size<'a>(places: impl Iterator<Item = &'a (Cells, u32)>) -> u64 {
    places.map(|(_, count)| u64::from(*count)).sum()
}
