//! The tables of the specification: what a request changes in what a client wants.

use crate::snapshot::{Resource, ResourceType, Snapshot};

use super::*;

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn sorted(names: &[Arc<str>]) -> Vec<&str> {
    let mut names: Vec<&str> = names.iter().map(|name| &**name).collect();
    names.sort_unstable();
    names
}

/// What a request leaves: wildcard, names, asked, dropped, and whether the wildcard began.
type Left<'a> = (bool, &'a [&'a str], &'a [&'a str], &'a [&'a str], bool);

#[track_caller]
fn check(subscription: &Subscription, difference: &Difference, left: Left) {
    let names: Vec<_> = subscription.names().cloned().collect();
    let (wildcard, wanted, asked, dropped, began) = left;
    assert_eq!(subscription.is_wildcard(), wildcard, "wildcard");
    assert_eq!(sorted(&names), wanted, "names");
    assert_eq!(sorted(&difference.asked), asked, "asked");
    assert_eq!(sorted(&difference.dropped), dropped, "dropped");
    assert_eq!(difference.wildcard_began, began, "began");
}

#[test]
fn sotw_of_a_full_state_type() {
    let mut subscription = Subscription::default();
    let table: &[(&[&str], Left)] = &[
        (&[], (true, &[], &[], &[], true)),
        (&[], (true, &[], &[], &[], false)),
        (&["a", "b"], (false, &["a", "b"], &["a", "b"], &[], false)),
        (&["b", "c"], (false, &["b", "c"], &["c"], &["a"], false)),
        (&["b", "c"], (false, &["b", "c"], &[], &[], false)),
        (&[], (false, &[], &[], &["b", "c"], false)),
        (&["*"], (true, &[], &[], &[], true)),
        (&["*", "a"], (true, &["a"], &["a"], &[], false)),
        (&["a"], (false, &["a"], &[], &[], false)),
        (&["a", "a"], (false, &["a"], &[], &[], false)),
        (&[], (false, &[], &[], &["a"], false)),
    ];
    for (request, left) in table {
        let difference = subscription.replace(owned(request), true);
        check(&subscription, &difference, *left);
    }
}

#[test]
fn sotw_of_a_type_without_wildcard() {
    let mut subscription = Subscription::default();
    let table: &[(&[&str], Left)] = &[
        (&[], (false, &[], &[], &[], false)),
        (&["a"], (false, &["a"], &["a"], &[], false)),
        (&[], (false, &[], &[], &["a"], false)),
        (&["*"], (false, &["*"], &["*"], &[], false)),
    ];
    for (request, left) in table {
        let difference = subscription.replace(owned(request), false);
        check(&subscription, &difference, *left);
    }
}

#[test]
fn delta_of_a_full_state_type() {
    let mut subscription = Subscription::default();
    let table: &[(&[&str], &[&str], Left)] = &[
        (&[], &[], (true, &[], &[], &[], true)),
        (&[], &[], (true, &[], &[], &[], false)),
        (
            &["a", "b"],
            &[],
            (true, &["a", "b"], &["a", "b"], &[], false),
        ),
        (&["a"], &[], (true, &["a", "b"], &["a"], &[], false)),
        (&[], &["a", "never"], (true, &["b"], &[], &["a"], false)),
        (&[], &["*"], (false, &["b"], &[], &[], false)),
        (&["*", "c"], &["b"], (true, &["c"], &["c"], &["b"], true)),
        (&["*"], &[], (true, &["c"], &[], &[], false)),
        (&[], &["c", "*"], (false, &[], &[], &["c"], false)),
        (&[], &[], (false, &[], &[], &[], false)),
    ];
    for (index, (more, less, left)) in table.iter().enumerate() {
        let difference = subscription.change(&more.iter().collect(), owned(less), true, index == 0);
        check(&subscription, &difference, *left);
    }
}

#[test]
fn delta_that_begins_with_a_name_wants_not_everything() {
    let mut subscription = Subscription::default();
    let difference = subscription.change(&["a"].iter().collect(), vec![], true, true);
    check(
        &subscription,
        &difference,
        (false, &["a"], &["a"], &[], false),
    );
    assert!(subscription.has("a") && !subscription.has("b"));
}

#[test]
fn delta_of_a_type_without_wildcard() {
    let mut subscription = Subscription::default();
    let difference = subscription.change(&Listed::default(), vec![], false, true);
    check(&subscription, &difference, (false, &[], &[], &[], false));
    let difference = subscription.change(&["*"].iter().collect(), vec![], false, false);
    check(
        &subscription,
        &difference,
        (false, &["*"], &["*"], &[], false),
    );
}

#[test]
fn who_wants_all_names_of_a_set_shares_them_until_one_more_is_wanted() {
    let change = |name: &str| crate::snapshot::Change {
        resource_type: ResourceType::LoadAssignment,
        name: name.into(),
        resource: Some(Arc::new(Resource::new(
            ResourceType::LoadAssignment,
            name,
            b"",
            Box::default(),
        ))),
    };
    let snapshot = Snapshot::empty("default".into());
    let snapshot = snapshot.next(["a", "b"].map(change), 1).0;
    let set = snapshot.set(ResourceType::LoadAssignment);
    let mut streams = [["a", "b"], ["b", "a"]].map(|names| {
        let mut subscription = Subscription::default();
        subscription.change(&names.iter().collect(), vec![], false, true);
        assert!(subscription.names_all(set));
        subscription.share_all(set);
        subscription
    });
    assert!(Arc::ptr_eq(&streams[0].names, &streams[1].names));
    streams[0].share(&"a".into());
    assert!(Arc::ptr_eq(&streams[0].names, &streams[1].names));
    streams[0].change(&["c"].iter().collect(), vec!["a".to_owned()], false, false);
    assert!(!streams[0].names_all(set) && streams[1].names_all(set));
    assert!(!streams[0].has("a") && streams[1].has("a") && !streams[1].has("c"));
}

#[test]
fn a_name_that_a_stream_alone_has_becomes_that_of_all() {
    let mut subscription = Subscription::default();
    subscription.change(&["a"].iter().collect(), vec![], false, true);
    let shared: Arc<str> = "a".into();
    subscription.share(&shared);
    subscription.share(&"b".into());
    let names: Vec<_> = subscription.names().collect();
    assert!(names.len() == 1 && Arc::ptr_eq(names[0], &shared));
}
