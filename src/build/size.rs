//! How large the route tables are that requests go by.

use crate::snapshot::{ResourceType, Snapshot};

/// Bytes of the largest: what a changed route sends to each proxy at most, for each table that it stands in.
pub fn largest_table(snapshot: &Snapshot) -> usize {
    let tables = snapshot.set(ResourceType::RouteConfiguration);
    // Beside others, the one of the gateway's name is there for listeners that drain.
    let is_used = |name: &str| tables.len() == 1 || name != &*snapshot.gateway;
    let used = tables.iter().filter(|(name, _)| is_used(name));
    let sizes = used.map(|(_, table)| table.value().len());
    sizes.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Change, Resource};

    #[test]
    fn of_divided_tables_the_one_for_all_is_in_no_request_s_way() {
        let of = |tables: &[(&str, usize)]| {
            let tables = tables.iter().map(|(name, bytes)| {
                let resource_type = ResourceType::RouteConfiguration;
                let value = vec![0; *bytes];
                let resource = Resource::new(resource_type, name, &value, Box::default());
                Change {
                    resource_type,
                    name: (*name).into(),
                    resource: Some(resource.into()),
                }
            });
            largest_table(&Snapshot::empty("edge".into()).next(tables, 1).0)
        };
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[("edge", 7)]), 7);
        assert_eq!(of(&[("edge", 7), ("edge/0/0", 3), ("edge/1/0", 5)]), 5);
    }
}
