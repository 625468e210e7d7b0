//! How a gateway's cells are divided over route tables: by some bits of their columns and some of their rows.
//!
//! A route for any host is in every column, one for any first segment in every row, so what is divided costs copies. Which
//! bits pay is counted: from what is written alone, so that replicas come to the same.

use super::cell::{self, BITS, CELLS, Domain};
use crate::model::Path;

/// How many bits are used at most: tables cost something by themselves, in Envoy as well.
const MOST: u32 = 8;
/// What a table costs beside its routes, as so many routes.
const TABLE: u64 = 20;
/// How many times the routes there may be in all tables together.
const COPIES: u64 = 2;

/// Which bits of cells tell tables apart; none where all go by one table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Division {
    pub(super) columns: u32,
    pub(super) rows: u32,
}

/// The requests that a table is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Section {
    division: Division,
    column: u8,
    row: u8,
}

impl Division {
    /// Whether there is one table for all.
    pub fn is_one(self) -> bool {
        self == Self::default()
    }

    /// The section that a cell is in.
    pub(super) fn section(self, column: u8, row: u8) -> Section {
        Section {
            division: self,
            column: column % (1 << self.columns),
            row: row % (1 << self.rows),
        }
    }

    pub(super) fn sections(self) -> impl Iterator<Item = Section> {
        let columns = 0..1_u8 << self.columns;
        columns.flat_map(move |column| {
            (0..1_u8 << self.rows).map(move |row| self.section(column, row))
        })
    }

    /// The sections whose requests a route for that host and that path can match.
    pub(super) fn sections_of(self, domain: &Domain, path: &Path) -> impl Iterator<Item = Section> {
        let (column, row) = (cell::column(domain), cell::row(path));
        let within = |of: Option<u8>, bits: u32| {
            let all = 1_u8 << bits;
            match of {
                Some(one) => one % all..one % all + 1,
                None => 0..all,
            }
        };
        let rows = within(row, self.rows);
        within(column, self.columns)
            .flat_map(move |column| rows.clone().map(move |row| self.section(column, row)))
    }
}

impl Section {
    /// All requests.
    pub const WHOLE: Self = Self {
        division: Division {
            columns: 0,
            rows: 0,
        },
        column: 0,
        row: 0,
    };

    /// The name of its table.
    pub fn table(self, gateway: &str) -> String {
        let Division { columns, rows } = self.division;
        if self.division.is_one() {
            return gateway.to_owned();
        }
        let (columns, rows) = (1 << columns, 1 << rows);
        format!("{gateway}/{columns}x{rows}/{}-{}", self.column, self.row)
    }

    /// Whether a route for that host can be asked for here.
    pub fn has_host(self, domain: &Domain) -> bool {
        let column = cell::column(domain);
        column.is_none_or(|column| column % (1 << self.division.columns) == self.column)
    }

    /// Whether a route for that path can be asked for here.
    pub fn has_path(self, path: &Path) -> bool {
        let row = cell::row(path);
        row.is_none_or(|row| row % (1 << self.division.rows) == self.row)
    }
}

/// A host and a path of a route.
pub(super) type Place<'a> = (&'a Domain, &'a Path);

/// How many times routes stand in which cells: the last column and the last row are those of routes for any.
#[derive(Debug)]
pub(super) struct Counts {
    grid: Box<[[u32; Self::ANY + 1]; Self::ANY + 1]>,
    all: u32,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            grid: Box::new([[0; Self::ANY + 1]; Self::ANY + 1]),
            all: 0,
        }
    }
}

impl Counts {
    const ANY: usize = CELLS as usize;

    /// How many there are.
    pub fn all(&self) -> u32 {
        self.all
    }

    fn at(&mut self, domain: &Domain, path: &Path) -> &mut u32 {
        let index = |of: Option<u8>| of.map_or(Self::ANY, usize::from);
        &mut self.grid[index(cell::column(domain))][index(cell::row(path))]
    }

    /// A route stands elsewhere than before.
    pub fn replace<'a>(
        &mut self,
        before: impl Iterator<Item = Place<'a>>,
        now: impl Iterator<Item = Place<'a>>,
    ) {
        for (domain, path) in before {
            *self.at(domain, path) -= 1;
            self.all -= 1;
        }
        for (domain, path) in now {
            *self.at(domain, path) += 1;
            self.all += 1;
        }
    }

    /// The division in which a change costs least, and what it costs, as so many routes that Envoy builds anew.
    pub fn best(&self) -> (Division, u64) {
        let one = (Division::default(), u64::from(self.all));
        let divisions = (0..=BITS).flat_map(|columns| {
            let rows = 0..=BITS.min(MOST - columns);
            rows.map(move |rows| Division { columns, rows })
        });
        let costs = divisions.filter_map(|division| Some((division, self.cost(division)?)));
        costs.fold(one, |best, next| if next.1 < best.1 { next } else { best })
    }

    /// What a change costs on average; nothing where there would be too many copies. Each route of a table may be the one.
    pub fn cost(&self, division: Division) -> Option<u64> {
        let (columns, rows) = (1 << division.columns, 1 << division.rows);
        let mut sizes = vec![vec![0_u64; rows]; columns];
        for (column, counts) in self.grid.iter().enumerate() {
            for (row, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let of_column = |one: usize| column == Self::ANY || one == column % columns;
                let of_row = |one: usize| row == Self::ANY || one == row % rows;
                for one in (0..columns).filter(|one| of_column(*one)) {
                    for other in (0..rows).filter(|other| of_row(*other)) {
                        sizes[one][other] += u64::from(*count);
                    }
                }
            }
        }
        let sizes = sizes.iter().flatten();
        let all = u64::from(self.all);
        let fits = sizes.clone().sum::<u64>() <= COPIES * all;
        let cost = sizes.map(|size| size * (size + TABLE)).sum::<u64>();
        fits.then(|| cost.div_ceil(all.max(1)))
    }
}
