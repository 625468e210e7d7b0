//! The tables of the specification: what a request changes in what a client wants.

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
        let difference = subscription.change(owned(more), owned(less), true, index == 0);
        check(&subscription, &difference, *left);
    }
}

#[test]
fn delta_that_begins_with_a_name_wants_not_everything() {
    let mut subscription = Subscription::default();
    let difference = subscription.change(owned(&["a"]), vec![], true, true);
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
    let difference = subscription.change(vec![], vec![], false, true);
    check(&subscription, &difference, (false, &[], &[], &[], false));
    let difference = subscription.change(owned(&["*"]), vec![], false, false);
    check(
        &subscription,
        &difference,
        (false, &["*"], &["*"], &[], false),
    );
}
