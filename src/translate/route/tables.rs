//! A gateway's route tables: one for all requests, and, where its cells are divided, one for each section besides.
//!
//! The one for all stays when there are others: listeners that drain may use it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::RouteTable;
use super::division::{Best, Counts, Division, Place, Section};
use super::scopes::{Scope, scopes};
use super::translated::Translated;
use crate::documents::Route;
use crate::model::Id;
use crate::model::gateway::http::Tables as Mode;

/// Routes from which on a gateway that is to decide by itself divides them. Envoy takes about 20 µs of its main thread to
/// build a route: from here on a change costs it 100 ms.
const DIVIDES: u32 = 5000;
/// Routes below which it has one table again: its listeners change with that, and connections drain.
const JOINS: u32 = 2500;
/// How many times less a change has to cost then.
const PAYS: u64 = 4;

/// A gateway's route tables.
#[derive(Debug)]
pub struct RouteTables {
    gateway: Arc<str>,
    routes: HashMap<Id, Arc<Translated>>,
    whole: RouteTable,
    /// Those of the division, unless it is one table.
    sections: BTreeMap<Section, RouteTable>,
    division: Division,
    counts: Counts,
    /// The best division, as it was last asked for.
    best: Best,
    /// Whether the counts are the same since.
    is_best: bool,
    are_divided: bool,
    /// Whether listeners that use scopes are there, or were: they may drain.
    were_divided: bool,
    /// Whether the scopes are others than when they were last asked for.
    scopes_changed: bool,
    /// The tables that are.
    changed: BTreeSet<Section>,
    /// The tables that are gone since.
    gone: Vec<Arc<str>>,
}

/// What is new of the tables since it was last asked for.
#[derive(Debug, Default)]
pub struct News {
    /// Tables by name; nothing for one that is gone.
    pub tables: Vec<(Arc<str>, Option<Bytes>)>,
    /// All scopes, if they are others than before.
    pub scopes: Option<Vec<Scope>>,
}

impl RouteTables {
    /// One empty table, under the name of the gateway.
    pub fn new(gateway: &str) -> Self {
        Self {
            gateway: gateway.into(),
            routes: HashMap::new(),
            whole: RouteTable::new(gateway, Section::WHOLE),
            sections: BTreeMap::new(),
            division: Division::default(),
            counts: Counts::default(),
            best: Best::default(),
            is_best: true,
            are_divided: false,
            were_divided: false,
            scopes_changed: false,
            changed: BTreeSet::from([Section::WHOLE]),
            gone: Vec::new(),
        }
    }

    /// Puts a route in the place of the one with this id, or takes that away. Tells whether a table is another for it.
    pub fn replace(&mut self, id: &Id, route: Option<Arc<Route>>) -> bool {
        let new = route.map(|route| Arc::new(Translated::new(route)));
        let old = match &new {
            Some(new) => self.routes.insert(id.clone(), new.clone()),
            None => self.routes.remove(id),
        };
        if let (Some(new), Some(old)) = (&new, &old)
            && new.is_same(old)
        {
            return false;
        }
        let (before, now) = (places(old.as_ref()), places(new.as_ref()));
        if !before.clone().eq(now.clone()) {
            self.counts.replace(before, now);
            self.is_best = false;
        }
        let mut changed = self.whole.replace(id, new.as_ref());
        if changed {
            self.changed.insert(Section::WHOLE);
        }
        let both = old.iter().chain(&new);
        let sections: BTreeSet<_> = both
            .flat_map(|route| sections_of(&self.division, route))
            .collect();
        for section in sections {
            if let Some(table) = self.sections.get_mut(&section)
                && table.replace(id, new.as_ref())
            {
                self.changed.insert(section);
                changed = true;
            }
        }
        changed
    }

    /// Whether requests carry the number of their cell, and listeners find tables by scopes.
    pub fn are_divided(&self) -> bool {
        self.are_divided
    }

    /// Divides them as the gateway asks and as it pays.
    pub fn settle(&mut self, mode: Mode) {
        self.are_divided = match mode {
            Mode::One => false,
            Mode::Divided => true,
            Mode::Auto if self.are_divided => self.counts.all() >= JOINS && self.pays(PAYS / 2),
            Mode::Auto => self.counts.all() >= DIVIDES && self.pays(PAYS),
        };
        if self.are_divided && !self.were_divided {
            self.were_divided = true;
            self.scopes_changed = true;
            self.whole.number(true);
            self.changed.insert(Section::WHOLE);
        }
        let division = if self.are_divided {
            self.best().division.clone()
        } else {
            Division::default()
        };
        if division != self.division {
            self.divide(division);
        }
    }

    pub(super) fn best(&mut self) -> &Best {
        if !std::mem::replace(&mut self.is_best, true) {
            self.best = self.counts.best(&self.best);
        }
        &self.best
    }

    /// Whether a change costs so many times less in the best division than in one table.
    fn pays(&mut self, times: u64) -> bool {
        self.best().cost * times <= u64::from(self.counts.all())
    }

    /// All of it is new once more.
    pub fn touch(&mut self) {
        self.changed.insert(Section::WHOLE);
        self.changed.extend(self.sections.keys());
        self.scopes_changed = self.were_divided;
    }

    /// What is new since this was last asked for.
    pub fn news(&mut self) -> News {
        let sections = &self.sections;
        let is_there = |name: &Arc<str>| sections.values().any(|table| table.name() == name);
        let gone = self.gone.drain(..).filter(|name| !is_there(name));
        let mut tables: Vec<_> = gone.map(|name| (name, None)).collect();
        for section in std::mem::take(&mut self.changed) {
            let table = if section == Section::WHOLE {
                Some(&mut self.whole)
            } else {
                self.sections.get_mut(&section)
            };
            tables.extend(table.map(|table| (table.name().clone(), Some(table.encode()))));
        }
        let scopes_changed = std::mem::take(&mut self.scopes_changed);
        let scopes = scopes_changed.then(|| scopes(&self.gateway, &self.division));
        News { tables, scopes }
    }

    pub(super) fn divide(&mut self, division: Division) {
        self.division = division;
        self.scopes_changed = true;
        let mut before = std::mem::take(&mut self.sections);
        let mut new = BTreeSet::new();
        for section in self
            .division
            .sections()
            .into_iter()
            .filter(|section| *section != Section::WHOLE)
        {
            let table = before.remove(&section).unwrap_or_else(|| {
                new.insert(section);
                let mut table = RouteTable::new(&self.gateway, section);
                table.number(true);
                table
            });
            self.sections.insert(section, table);
        }
        self.gone
            .extend(before.values().map(|table| table.name().clone()));
        for (id, route) in &self.routes {
            for section in sections_of(&self.division, route).intersection(&new) {
                if let Some(table) = self.sections.get_mut(section) {
                    table.replace(id, Some(route));
                }
            }
        }
        self.changed.extend(new);
    }
}

/// Where a route stands.
fn places(route: Option<&Arc<Translated>>) -> impl Iterator<Item = Place<'_>> + Clone {
    let all = route.into_iter().flat_map(|route| route.everywhere());
    all.map(|(domain, path, _)| (domain, path))
}

/// The sections in which a route stands.
fn sections_of(division: &Division, route: &Translated) -> BTreeSet<Section> {
    let places = route.everywhere();
    places
        .flat_map(|(domain, path, _)| division.sections_of(domain, path))
        .collect()
}
