//! How a gateway's cells are divided over route tables: by some of the bits that a host gives them, and each of two segments.
//!
//! A route for any host is in the cells of all hosts, one for any first segment in those of all segments, so what is divided
//! costs copies. Which bits pay is counted: from what is written alone, so that replicas come to the same.

mod grid;

use super::cell::{self, BITS, Cell, Cells, Domain};
use crate::model::Path;
use grid::Grid;

/// How many bits are used at most: tables cost something by themselves, in Envoy as well.
const MOST: u32 = 9;
/// What a table costs beside its routes, as so many routes.
const TABLE: u64 = 20;
/// How many times the routes there may be in all tables together.
const COPIES: u64 = 2;

/// How many bits tell tables apart, of those that each of the three gives; none where all go by one table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Division(pub(super) [u32; 3]);

/// The requests that a table is for: those of all cells that have these bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Section {
    division: Division,
    cell: Cell,
}

impl Division {
    /// Whether there is one table for all.
    pub fn is_one(self) -> bool {
        self == Self::default()
    }

    fn tables(self) -> u32 {
        1 << self.0.iter().sum::<u32>()
    }

    /// The section that a cell is in.
    pub(super) fn section(self, cell: Cell) -> Section {
        let within = |axis: usize| cell[axis] % (1 << self.0[axis]);
        Section {
            division: self,
            cell: [within(0), within(1), within(2)],
        }
    }

    pub(super) fn sections(self) -> impl Iterator<Item = Section> {
        self.sections_in([None; 3])
    }

    /// The sections whose requests a route for that host and that path can match.
    pub(super) fn sections_of(
        self,
        domain: &Domain,
        path: &Path,
    ) -> impl Iterator<Item = Section> + use<> {
        self.sections_in(cell::cells(domain, path))
    }

    fn sections_in(self, cells: Cells) -> impl Iterator<Item = Section> {
        let [hosts, first, second] = [0, 1, 2].map(|axis| {
            let all = 1_u8 << self.0[axis];
            match cells[axis] {
                Some(one) => one % all..one % all + 1,
                None => 0..all,
            }
        });
        let paths = first.flat_map(move |first| second.clone().map(move |second| (first, second)));
        hosts.flat_map(move |host| {
            let cells = paths
                .clone()
                .map(move |(first, second)| [host, first, second]);
            cells.map(move |cell| self.section(cell))
        })
    }
}

impl Section {
    /// All requests.
    pub const WHOLE: Self = Self {
        division: Division([0; 3]),
        cell: [0; 3],
    };

    /// The name of its table.
    pub fn table(self, gateway: &str) -> String {
        if self.division.is_one() {
            return gateway.to_owned();
        }
        let [hosts, first, second] = self.division.0.map(|bits| 1 << bits);
        let [host, one, two] = self.cell;
        format!("{gateway}/{hosts}x{first}x{second}/{host}-{one}-{two}")
    }

    /// Whether a route for that host and that path can be asked for here.
    pub fn has(self, domain: &Domain, path: &Path) -> bool {
        let cells = cell::cells(domain, path).into_iter();
        let mut axes = cells.zip(self.division.0).zip(self.cell);
        axes.all(|((of, bits), here)| of.is_none_or(|of| of % (1 << bits) == here))
    }
}

/// A host and a path of a route.
pub(super) type Place<'a> = (&'a Domain, &'a Path);

/// How many times routes stand in which cells. On each axis those of routes for any stand last.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    grid: Grid,
    all: u32,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            grid: Grid::new(BITS),
            all: 0,
        }
    }
}

impl Counts {
    /// How many there are.
    pub fn all(&self) -> u32 {
        self.all
    }

    fn at(&mut self, (domain, path): Place<'_>) -> &mut u32 {
        self.grid.at(cell::cells(domain, path))
    }

    /// A route stands elsewhere than before.
    pub fn replace<'a>(
        &mut self,
        before: impl Iterator<Item = Place<'a>>,
        now: impl Iterator<Item = Place<'a>>,
    ) {
        for place in before {
            *self.at(place) -= 1;
            self.all -= 1;
        }
        for place in now {
            *self.at(place) += 1;
            self.all += 1;
        }
    }

    /// The division in which a change costs least, and what it costs, as so many routes that Envoy builds anew.
    pub fn best(&self) -> (Division, u64) {
        let mut best = (Division::default(), u64::from(self.all));
        let mut consider = |division: Division, grid: &Grid| {
            if let Some(cost) = self.cost_in(division, grid)
                && cost <= best.1
            {
                best = (division, cost);
            }
        };
        for by_hosts in self.grid.fewer(0) {
            for by_first in by_hosts.fewer(1) {
                for by_second in by_first.fewer(2) {
                    consider(Division(by_second.bits()), &by_second);
                }
            }
        }
        best
    }

    /// What a change costs on average; nothing where there would be too many copies. Each route of a table may be the one.
    fn cost_in(&self, division: Division, grid: &Grid) -> Option<u64> {
        if division.tables() > 1 << MOST {
            return None;
        }
        let all = u64::from(self.all);
        let (mut copies, mut cost) = (0, 0);
        for size in grid.sums() {
            copies += u64::from(size);
            cost += u64::from(size) * (u64::from(size) + TABLE);
        }
        (copies <= COPIES * all).then(|| cost.div_ceil(all.max(1)))
    }
}
