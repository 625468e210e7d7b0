//! What filters that all routes share are asked for by the routes in force. The filters are there from the beginning, and change
//! only with what is asked: with that, one that counts starts anew.

use std::collections::{BTreeMap, BTreeSet};

use crate::plugin::shared::asked::{Asked, Filter};

/// How many routes ask for each thing, and the filters that are others than when they were last asked for.
#[derive(Debug)]
pub(super) struct AllAsked {
    users: BTreeMap<Asked, usize>,
    changed: BTreeSet<Filter>,
}

impl Default for AllAsked {
    fn default() -> Self {
        Self {
            users: BTreeMap::new(),
            changed: Filter::all().collect(),
        }
    }
}

impl AllAsked {
    /// A route has another form in force.
    pub fn replace(
        &mut self,
        before: impl Iterator<Item = Asked>,
        now: impl Iterator<Item = Asked>,
    ) {
        for asked in now {
            let filter = asked.filter();
            let users = self.users.entry(asked).or_default();
            *users += 1;
            if *users == 1 {
                self.changed.insert(filter);
            }
        }
        for asked in before {
            if let Some(users) = self.users.get_mut(&asked) {
                *users -= 1;
                if *users == 0 {
                    self.users.remove(&asked);
                    self.changed.insert(asked.filter());
                }
            }
        }
    }

    /// The filters that are others since this was last asked for.
    pub fn news(&mut self) -> BTreeSet<Filter> {
        std::mem::take(&mut self.changed)
    }

    /// What a filter is asked for, in order.
    pub fn of(&self, filter: Filter) -> impl Iterator<Item = &Asked> + Clone {
        self.users
            .keys()
            .filter(move |asked| asked.filter() == filter)
    }
}

#[cfg(test)]
mod tests;
