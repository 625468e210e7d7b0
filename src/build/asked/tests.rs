use std::time::Duration;

use super::*;
use crate::plugin::shared::limit::{Bucket, Counter, Of};

fn limit(of: Of, burst: u32) -> Asked {
    Asked::Limit(Bucket {
        counter: Counter {
            of,
            of_rules: false,
        },
        burst,
        refill: (1, Duration::from_secs(1)),
    })
}

#[test]
fn a_filter_is_another_with_what_it_is_asked_for_and_not_with_who_asks() {
    let mut all = AllAsked::default();
    assert_eq!(all.news().len(), Filter::all().count(), "all are new once");
    let (one, two) = (limit(Of::Told, 1), limit(Of::Rate, 1));
    let none = || std::iter::empty();
    all.replace(none(), [one.clone(), two.clone()].into_iter());
    assert_eq!(all.news(), BTreeSet::from([one.filter(), two.filter()]));
    // A route more or less, or the same again, is nothing new.
    all.replace(none(), [one.clone()].into_iter());
    all.replace([one.clone()].into_iter(), [one.clone()].into_iter());
    all.replace([one.clone()].into_iter(), none());
    assert_eq!(all.news(), BTreeSet::new());
    assert!(all.of(one.filter()).eq([&one]));
    all.replace([one.clone()].into_iter(), none());
    assert_eq!(all.news(), BTreeSet::from([one.filter()]));
    assert_eq!(all.of(one.filter()).count(), 0);
}
