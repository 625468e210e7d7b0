//! Which changes count, and how long they are said to have taken.

use super::*;
use crate::cohort::Cohort;
use crate::snapshot::ResourceType;
use crate::telemetry::traces::Step;

const MS: Duration = Duration::from_millis(1);

/// A gateway's changes, and a clock.
struct Scene {
    changes: Changes,
    began: Instant,
}

fn place(minor: u32) -> Place {
    let cohort = Cohort::envoy((1, minor, 0), None).unwrap();
    ("edge".into(), Some(cohort))
}

fn newest() -> Place {
    place(40)
}

impl Scene {
    fn set() -> Self {
        Self {
            changes: Changes::default(),
            began: Instant::now(),
        }
    }

    fn at(&self, ms: u32) -> Instant {
        self.began + MS * ms
    }

    /// Told at a time, published as that snapshot of the newest proxies.
    fn publish(&mut self, told: u32, sequence: u64) {
        let began = self.at(told);
        self.changes.begin(began, [(newest(), sequence)], None);
    }

    /// A proxy accepts; in milliseconds, what is over by that.
    fn accept(&mut self, from: u64, to: u64, at: u32) -> Vec<u128> {
        let answer = answer(self.at(at));
        ms(self.changes.advance(&newest(), (from, to), Some(&answer)))
    }

    fn followed(&self) -> usize {
        self.changes.followed.len()
    }
}

fn answer(at: Instant) -> Answer {
    Answer {
        at,
        took: MS,
        of: ResourceType::RouteConfiguration,
        node: "proxy".into(),
    }
}

fn ms(took: Vec<Took>) -> Vec<u128> {
    took.into_iter().map(|one| one.time.as_millis()).collect()
}

#[test]
fn a_change_takes_until_the_last_proxy_has_accepted_it() {
    let mut scene = Scene::set();
    for _ in 0..3 {
        assert_eq!(scene.changes.join(&newest()), 0);
    }
    scene.publish(5, 1);
    assert_eq!(scene.accept(0, 1, 10), []);
    assert_eq!(scene.accept(0, 1, 30), []);
    // Streams say so in any order.
    assert_eq!(scene.accept(0, 1, 20), [25]);
    assert_eq!(scene.followed(), 0);
}

#[test]
fn edits_that_come_one_after_another_are_each_as_old_as_they_are() {
    let mut scene = Scene::set();
    scene.changes.join(&newest());
    scene.changes.join(&newest());
    for sequence in 1..=5 {
        scene.publish(u32::try_from(sequence).unwrap() * 100, sequence);
    }
    // One of them keeps up, the other accepts all at once.
    for sequence in 1..=5 {
        let at = u32::try_from(sequence).unwrap() * 100 + 1;
        assert_eq!(scene.accept(sequence - 1, sequence, at), []);
    }
    assert_eq!(scene.accept(0, 5, 1000), [900, 800, 700, 600, 500]);
}

#[test]
fn a_proxy_that_never_answers_makes_each_change_too_long_and_nothing_piles_up() {
    let mut scene = Scene::set();
    scene.changes.join(&newest());
    scene.changes.join(&newest());
    scene.publish(0, 1);
    scene.publish(30_000, 2);
    assert_eq!(scene.accept(0, 2, 30_005), []);
    let changes = &mut scene.changes;
    assert_eq!(changes.take_overdue(scene.began + LONGEST - MS), []);
    assert_eq!(ms(changes.take_overdue(scene.began + LONGEST)), [60_000]);
    // Answered after all: it counts once.
    assert_eq!(scene.accept(0, 1, 70_000), []);
    assert_eq!(scene.accept(1, 2, 71_000), [41_000]);
    for sequence in 3..10_000 {
        scene.publish(80_000, sequence);
    }
    assert_eq!(scene.followed(), FOLLOWED);
    let late = scene.at(80_000) + LONGEST;
    assert_eq!(scene.changes.take_overdue(late).len(), FOLLOWED);
    assert_eq!(scene.followed(), 0);
    // Then others are followed again.
    scene.publish(200_000, 10_000);
    assert_eq!(scene.accept(9_999, 10_000, 200_003), []);
    assert_eq!(scene.accept(2, 10_000, 200_007), [7]);
}

#[test]
fn all_cohorts_have_to_accept_it() {
    let mut scene = Scene::set();
    scene.changes.join(&newest());
    scene.changes.join(&place(36));
    let began = scene.began;
    // Nobody of the third is there.
    let snapshots = [(newest(), 7), (place(36), 4), (place(38), 1)];
    scene.changes.begin(began, snapshots, None);
    assert_eq!(scene.accept(6, 7, 50), []);
    let answer = answer(scene.at(20));
    let took = scene.changes.advance(&place(36), (3, 4), Some(&answer));
    assert_eq!(ms(took), [50]);
}

#[test]
fn who_goes_is_not_waited_for_and_who_comes_is_not_yet() {
    let mut scene = Scene::set();
    scene.changes.join(&newest());
    scene.changes.join(&newest());
    scene.publish(0, 1);
    // It begins with what is newest.
    assert_eq!(scene.changes.join(&newest()), 1);
    assert_eq!(scene.accept(0, 1, 3), []);
    // The change took as long as those needed that stayed.
    assert_eq!(ms(scene.changes.leave(&newest(), 0)), [3]);
    scene.publish(10, 2);
    assert_eq!(scene.accept(1, 2, 11), []);
    assert_eq!(scene.accept(1, 2, 12), [2]);
    // Where nobody is left there is nothing to count.
    scene.publish(20, 3);
    assert_eq!(scene.changes.leave(&newest(), 2), []);
    assert_eq!(scene.changes.leave(&newest(), 2), []);
    assert_eq!(scene.followed(), 0);
    assert!(scene.changes.lines.is_empty());
    scene.publish(30, 4);
    assert_eq!(scene.followed(), 0);
}

#[test]
fn what_was_sent_to_nobody_does_not_count() {
    let mut scene = Scene::set();
    scene.changes.join(&newest());
    scene.publish(10, 1);
    assert_eq!(scene.changes.advance(&newest(), (0, 1), None), []);
    assert_eq!(scene.followed(), 0);
    // Nor does an answer to what was before it.
    scene.publish(20, 2);
    assert_eq!(scene.accept(1, 2, 19), []);
    assert_eq!(scene.followed(), 0);
}

#[test]
fn what_nobody_is_to_have_any_more_is_not_waited_for() {
    let mut scene = Scene::set();
    scene.changes.join(&newest());
    scene.changes.join(&place(36));
    let snapshots = [(newest(), 1), (place(36), 1)];
    scene.changes.begin(scene.began, snapshots, None);
    assert_eq!(scene.accept(0, 1, 4), []);
    assert_eq!(ms(scene.changes.give_up(&place(36))), [4]);
    scene.publish(10, 2);
    assert_eq!(scene.changes.give_up(&newest()), []);
    assert_eq!(scene.followed(), 0);
    scene.publish(20, 3);
    assert_eq!(scene.accept(1, 3, 21), [1]);
}

/// The names of the spans that are over, each with why it failed.
fn over(changes: &mut Changes) -> Vec<(&'static str, Option<String>)> {
    let pushed = changes.take_pushed();
    let spans = pushed.iter().flat_map(Pushed::spans);
    spans.map(|span| (span.name, span.error)).collect()
}

#[test]
fn what_is_traced_ends_with_the_last_answer_of_each_cohort() {
    let mut scene = Scene::set();
    let contexts = [Step::first().own];
    let traced = Some((&contexts[..], scene.began));
    for place in [newest(), newest(), place(36), place(38)] {
        scene.changes.join(&place);
    }
    let snapshots = [(newest(), 1), (place(36), 1), (place(38), 1)];
    scene.changes.begin(scene.began, snapshots, traced);
    assert_eq!(scene.accept(0, 1, 3), []);
    assert_eq!(over(&mut scene.changes), []);
    assert_eq!(scene.accept(0, 1, 4), []);
    assert_eq!(
        over(&mut scene.changes),
        [("xds.push", None), ("ack", None)]
    );
    // One refuses it, and accepts what comes in its place.
    let refusal = answer(scene.at(5));
    let changes = &mut scene.changes;
    let nacks = changes.refuse(&place(36), (0, 1), &refusal, "no");
    let said: Vec<_> = nacks.iter().map(|span| span.name).collect();
    assert_eq!(said, ["nack"]);
    let accepted = answer(scene.began + 9 * MS);
    changes.advance(&place(36), (0, 2), Some(&accepted));
    let refused = Some("refused 1 times".to_owned());
    assert_eq!(over(changes), [("xds.push", refused)]);
    // What it refuses later is another matter.
    assert!(
        changes
            .refuse(&place(36), (2, 3), &refusal, "no")
            .is_empty()
    );
    // One never answers.
    changes.take_overdue(scene.began + LONGEST);
    let missed = Some("some proxy has not answered".to_owned());
    assert_eq!(over(changes), [("xds.push", missed)]);
    scene.publish(70_000, 3);
    scene.accept(1, 3, 70_001);
    assert_eq!(over(&mut scene.changes), []);
}
