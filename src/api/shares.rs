//! How many nodes of each gateway have something, on all live replicas.

use std::collections::BTreeMap;

use super::{Api, confirmed, pb};

/// By gateway, up to which revision each of its nodes has everything.
#[derive(Debug, Default)]
pub struct Standing(BTreeMap<String, Vec<i64>>);

impl Standing {
    /// Of the nodes of this replica, and of what the others say of theirs.
    pub fn of(api: &Api, live: &[pb::Replica]) -> Self {
        let mut standing = Self::default();
        api.nodes.look(|node| {
            let upto = if confirmed::has(&api.gateways, node, i64::MAX) {
                i64::MAX
            } else {
                node.status.revision
            };
            standing.add(&node.gateway, upto);
        });
        let documents = api.gateways.settled().borrow().documents;
        for replica in live {
            standing.add_replica(replica, documents);
        }
        standing
    }

    /// The nodes of another replica. Those that it does not name have all that it has, which is everything up to `documents`, or less.
    fn add_replica(&mut self, replica: &pb::Replica, documents: i64) {
        let all = if replica.revision >= documents {
            i64::MAX
        } else {
            replica.revision
        };
        for (gateway, count) in &replica.nodes {
            let behind = replica.behind.iter().filter(|one| one.gateway == *gateway);
            let behind: Vec<_> = behind.map(|one| one.revision).collect();
            let others = (*count as usize).saturating_sub(behind.len());
            for upto in behind.into_iter().chain(std::iter::repeat_n(all, others)) {
                self.add(gateway, upto);
            }
        }
    }

    fn add(&mut self, gateway: &str, upto: i64) {
        match self.0.get_mut(gateway) {
            Some(all) => all.push(upto),
            None => drop(self.0.insert(gateway.to_owned(), vec![upto])),
        }
    }

    /// How many have everything up to a revision.
    pub fn shares(&self, revision: i64) -> Vec<pb::Share> {
        let shares = self.0.iter().map(|(gateway, all)| {
            let accepted = all.iter().filter(|upto| **upto >= revision).count();
            pb::Share {
                gateway: gateway.clone(),
                accepted: count(accepted),
                expected: count(all.len()),
            }
        });
        shares.collect()
    }
}

/// As the contract has it.
pub fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_of_another_replica_is_not_named_has_what_the_replica_has() {
        let behind = |gateway: &str, revision| pb::Behind {
            gateway: gateway.to_owned(),
            revision,
            ..pb::Behind::default()
        };
        let replica = pb::Replica {
            revision: 9,
            nodes: [("a".to_owned(), 3), ("b".to_owned(), 1)].into(),
            behind: vec![behind("a", 4), behind("b", 8)],
            ..pb::Replica::default()
        };
        let shares = |documents: i64, revision: i64| {
            let mut standing = Standing::default();
            standing.add_replica(&replica, documents);
            let shares = standing.shares(revision).into_iter();
            shares
                .map(|one| (one.accepted, one.expected))
                .collect::<Vec<_>>()
        };
        assert_eq!(shares(9, i64::MAX), [(2, 3), (0, 1)]);
        assert_eq!(shares(9, 5), [(2, 3), (1, 1)]);
        assert_eq!(shares(9, 4), [(3, 3), (1, 1)]);
        // It has not published what came last: nobody there has it.
        assert_eq!(shares(12, 12), [(0, 3), (0, 1)]);
    }
}
