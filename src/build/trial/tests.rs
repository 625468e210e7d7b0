//! Proxies that refuse every snapshot with a bad thing in it, and how the bad one is found.

use std::cell::Cell;
use std::hash::Hasher;

use super::*;

fn refusal(error: &str) -> Refusal {
    Refusal::new(error.into(), "node".into(), 0)
}

/// A fleet that has what it accepted last, and a publisher that follows the trial.
struct Scene {
    trial: Trial<u32, &'static str>,
    sequence: u64,
    /// Forms that the proxies cannot stand.
    bad: Vec<&'static str>,
    accepted: Option<u64>,
    /// What the proxies have in force.
    in_force: BTreeMap<u32, &'static str>,
    responses: usize,
}

impl Scene {
    fn new(bad: &[&'static str]) -> Self {
        Self {
            trial: Trial::default(),
            sequence: 0,
            bad: bad.to_vec(),
            accepted: None,
            in_force: BTreeMap::new(),
            responses: 0,
        }
    }

    fn want(&mut self, key: u32, form: &'static str) {
        self.trial.want(
            &key,
            Some(Arc::new(form)),
            i64::from(key),
            self.sequence + 1,
        );
    }

    fn placed(&self) -> BTreeMap<u32, &'static str> {
        let keys = self.trial.things.keys();
        keys.filter_map(|key| Some((*key, **self.trial.placed(key)?)))
            .collect()
    }

    /// Publishes, and lets the proxies answer, until nothing changes any more.
    fn settle(&mut self) {
        for _ in 0..200 {
            let placed = self.placed();
            self.sequence += 1;
            self.responses += 1;
            let next = self.sequence + 1;
            let touched = if placed.values().any(|form| self.bad.contains(form)) {
                let error = refusal("it is bad");
                let (after, sequence) = (self.accepted, self.sequence);
                self.trial
                    .handle_nack(after, sequence, &error, next, |_| false)
                    .touched
            } else {
                self.accepted = Some(self.sequence);
                self.in_force = placed;
                self.trial.handle_ack(self.sequence, true, next)
            };
            if touched.is_empty() && self.trial.search.is_none() {
                return;
            }
        }
        panic!("never settled");
    }

    fn refused(&self) -> Vec<u32> {
        self.trial.refused().keys().copied().collect()
    }
}

#[test]
fn the_only_change_is_the_culprit_and_keeps_its_accepted_form() {
    let mut scene = Scene::new(&["bad"]);
    (1..=5).for_each(|key| scene.want(key, "good"));
    scene.settle();
    scene.want(3, "bad");
    scene.settle();
    assert_eq!(scene.refused(), [3]);
    assert_eq!(scene.in_force, (1..=5).map(|key| (key, "good")).collect());
    scene.want(3, "better");
    scene.settle();
    assert_eq!(scene.refused(), [0; 0]);
    assert_eq!(scene.in_force[&3], "better");
}

#[test]
fn culprits_among_many_changes_are_found_and_all_others_go_through() {
    let mut scene = Scene::new(&["bad", "worse"]);
    (1..=40).for_each(|key| scene.want(key, "good"));
    scene.settle();
    (1..=40).for_each(|key| scene.want(key, "new"));
    scene.want(7, "bad");
    scene.want(8, "worse");
    scene.want(33, "bad");
    scene.want(41, "bad");
    scene.responses = 0;
    scene.settle();
    assert_eq!(scene.refused(), [7, 8, 33, 41]);
    let others = (1..=40).filter(|key| ![7, 8, 33].contains(key));
    assert!(others.clone().all(|key| scene.in_force[&key] == "new"));
    assert_eq!(scene.in_force[&7], "good");
    assert!(
        !scene.in_force.contains_key(&41),
        "it never had an accepted form"
    );
    assert!(scene.responses < 60, "took {} responses", scene.responses);
}

#[test]
fn nothing_that_is_in_force_is_ever_taken_away_while_searching_among_known_forms() {
    let mut scene = Scene::new(&["bad"]);
    (1..=20).for_each(|key| scene.want(key, "good"));
    scene.settle();
    (10..=20).for_each(|key| scene.want(key, "bad"));
    for _ in 0..100 {
        scene.settle();
        assert_eq!(scene.in_force.len(), 20);
    }
    assert_eq!(scene.refused(), (10..=20).collect::<Vec<_>>());
}

#[test]
fn without_history_the_newest_are_suspected_first() {
    let mut scene = Scene::new(&["bad"]);
    (1..=1000).for_each(|key| scene.want(key, "good"));
    scene.want(999, "bad");
    scene.settle();
    assert_eq!(scene.refused(), [999]);
    assert_eq!(scene.in_force.len(), 999);
    assert!(scene.responses < 10, "took {} responses", scene.responses);
}

#[test]
fn a_proxy_that_refuses_what_others_accepted_rolls_nothing_back() {
    let mut scene = Scene::new(&[]);
    (1..=3).for_each(|key| scene.want(key, "good"));
    scene.settle();
    let error = refusal("I am too old for this");
    let verdict = scene
        .trial
        .handle_nack(None, scene.sequence, &error, scene.sequence + 1, |_| false);
    assert_eq!(verdict, Verdict::default());
}

#[test]
fn words_that_name_the_culprit_need_no_search() {
    let mut scene = Scene::new(&[]);
    (1..=9).for_each(|key| scene.want(key, "new"));
    let error = refusal("5 is bad");
    let verdict = scene.trial.handle_nack(None, 1, &error, 2, |key| *key == 5);
    assert_eq!(
        verdict,
        Verdict {
            touched: vec![5],
            refused: vec![5]
        }
    );
}

#[test]
fn the_refusal_of_an_old_snapshot_says_nothing_new() {
    let mut scene = Scene::new(&["bad"]);
    scene.want(1, "good");
    scene.settle();
    scene.want(1, "bad");
    scene.settle();
    let error = refusal("late words");
    let verdict = scene
        .trial
        .handle_nack(Some(1), 2, &error, scene.sequence + 1, |_| true);
    assert_eq!(verdict, Verdict::default());
}

#[test]
fn what_changes_during_a_search_is_suspected_as_well_and_nobody_in_its_place() {
    let mut scene = Scene::new(&["bad"]);
    (1..=8).for_each(|key| scene.want(key, "good"));
    scene.want(5, "bad");
    // Another bad one comes at every step of the search.
    for step in 0..12 {
        let placed = scene.placed();
        scene.sequence += 1;
        let next = scene.sequence + 1;
        if placed.values().any(|form| *form == "bad") {
            let error = refusal("it is bad");
            let (after, sequence) = (scene.accepted, scene.sequence);
            scene
                .trial
                .handle_nack(after, sequence, &error, next, |_| false);
        } else {
            scene.accepted = Some(scene.sequence);
            scene.trial.handle_ack(scene.sequence, true, next);
        }
        if step % 3 == 1 {
            scene.want(100 + step, "bad");
            scene.want(200 + step, "good");
        }
    }
    scene.settle();
    assert_eq!(scene.refused(), [5, 101, 104, 107, 110]);
    assert!(
        (1..=8)
            .filter(|key| *key != 5)
            .all(|key| scene.in_force[&key] == "good")
    );
    assert!(
        [201, 204, 207, 210]
            .iter()
            .all(|key| scene.in_force.contains_key(key))
    );
}

#[test]
fn what_is_held_when_a_search_ends_without_a_culprit_is_told() {
    let mut scene = Scene::new(&["good"]);
    (1..=2).for_each(|key| scene.want(key, "good"));
    scene.trial.handle_ack(1, true, 2);
    scene.sequence = 1;
    scene.accepted = Some(1);
    (1..=2).for_each(|key| scene.want(key, "new"));
    scene.want(3, "good");
    scene.settle();
    let things = scene.trial.things.iter();
    let sorted: BTreeMap<_, _> = things.filter(|(_, thing)| thing.held).collect();
    let held: Vec<_> = sorted.into_keys().copied().collect();
    assert_eq!(held, [1, 2, 3]);
    assert_eq!(scene.refused(), held);
}

thread_local! {
    /// How many keys were compared.
    static COMPARED: Cell<usize> = const { Cell::new(0) };
}

/// A key that counts.
#[derive(Debug, Clone, Copy, Eq, PartialOrd, Ord)]
struct Counted(usize);

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        COMPARED.set(COMPARED.get() + 1);
        self.0 == other.0
    }
}

impl Hash for Counted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

#[test]
fn a_step_of_a_search_looks_at_each_thing_a_few_times_however_many_there_are() {
    const MANY: usize = 2000;
    const FEW: usize = 20;
    let form = || Some(Arc::new(()));
    let error = refusal("it is bad");
    let mut trial = Trial::default();
    let (all, mut next) = ((0..MANY).map(Counted), 2);
    all.clone().for_each(|key| trial.want(&key, form(), 0, 1));
    trial.handle_nack(None, 1, &error, next, |_| false);
    next += 1;
    let mut step = |what: &str, step: &mut dyn FnMut(&mut Trial<Counted, ()>, u64)| {
        COMPARED.set(0);
        step(&mut trial, next);
        next += 1;
        let compared = COMPARED.get();
        assert!(compared < FEW * MANY, "{what}: {compared} comparisons");
    };
    for _ in 0..3 {
        step("refused again", &mut |trial, next| {
            let verdict = trial.handle_nack(None, next - 1, &error, next, |_| false);
            assert!(!verdict.touched.is_empty());
        });
    }
    step("all changed", &mut |trial, next| {
        all.clone()
            .for_each(|key| trial.want(&key, form(), 0, next));
    });
    step("refused anew", &mut |trial, next| {
        trial.handle_nack(None, next - 1, &error, next, |_| false);
    });
    step("accepted", &mut |trial, next| {
        trial.handle_ack(next - 1, true, next);
    });
}

#[test]
fn what_a_proxy_has_accepted_is_not_taken_back_when_another_refuses_it_later() {
    let mut scene = Scene::new(&[]);
    (1..=3).for_each(|key| scene.want(key, "good"));
    scene.settle();
    scene.want(2, "edited");
    scene.settle();
    let (next, sequence) = (scene.sequence + 1, scene.sequence);
    let late = Refusal::new("2 is bad".into(), "other".into(), 0);
    let named = |key: &u32| *key == 2;
    let verdict = scene
        .trial
        .handle_nack(Some(1), sequence, &late, next, named);
    assert_eq!(verdict, Verdict::default());
    assert_eq!(scene.placed()[&2], "edited");
}

#[test]
fn what_was_held_is_let_out_when_a_proxy_turns_out_to_have_accepted_it() {
    let mut scene = Scene::new(&[]);
    scene.want(1, "good");
    scene.settle();
    scene.want(1, "edited");
    let error = refusal("1 is bad");
    let verdict = scene
        .trial
        .handle_nack(Some(1), 2, &error, 3, |key| *key == 1);
    assert_eq!(verdict.refused, [1]);
    // The answer of another proxy to the same snapshot was on its way.
    assert_eq!(scene.trial.handle_ack(2, true, 3), [1]);
    assert!(scene.trial.refused().is_empty());
    assert_eq!(scene.placed()[&1], "edited");
}

#[test]
fn a_client_that_was_sent_nothing_has_accepted_nothing() {
    let mut scene = Scene::new(&[]);
    scene.want(1, "good");
    scene.settle();
    scene.want(1, "edited");
    assert!(scene.trial.handle_ack(2, false, 3).is_empty());
    let error = refusal("1 is bad");
    let verdict = scene
        .trial
        .handle_nack(Some(1), 2, &error, 3, |key| *key == 1);
    assert_eq!(verdict.refused, [1]);
    assert_eq!(scene.placed()[&1], "good");
}

#[test]
fn what_is_refused_is_held_until_the_last_that_refused_it_has_left() {
    let mut scene = Scene::new(&[]);
    scene.want(1, "good");
    scene.settle();
    scene.want(1, "edited");
    for node in ["a", "b"] {
        let refusal = Refusal::new("1 is bad".into(), node.into(), 0);
        scene
            .trial
            .handle_nack(Some(1), 2, &refusal, 3, |key| *key == 1);
    }
    assert!(scene.trial.handle_left("a", 4).is_empty());
    assert_eq!(scene.placed()[&1], "good");
    assert_eq!(scene.trial.handle_left("b", 4), [1]);
    assert_eq!(scene.placed()[&1], "edited");
}

#[test]
fn a_search_ends_with_the_last_proxy_that_refused() {
    let mut scene = Scene::new(&[]);
    (1..=8).for_each(|key| scene.want(key, "new"));
    let error = refusal("something is bad");
    scene.trial.handle_nack(Some(0), 1, &error, 2, |_| false);
    assert!(scene.placed().is_empty());
    scene.trial.handle_left("node", 3);
    assert_eq!(scene.placed().len(), 8);
    assert!(scene.trial.search.is_none());
}

#[test]
fn what_a_proxy_has_in_a_form_that_is_not_known_is_not_taken_away() {
    let mut scene = Scene::new(&[]);
    (1..=2).for_each(|key| scene.want(key, "new"));
    scene.trial.accept_other(&1, |_| false, 9);
    let error = refusal("1 is bad");
    let named = |key: &u32| *key == 1;
    let verdict = scene.trial.handle_nack(None, 1, &error, 2, named);
    assert_eq!(verdict, Verdict::default());
    // Nobody else is suspected in its place, and a fresh one is withdrawn.
    assert_eq!(scene.placed().len(), 2);
    let error = refusal("2 is bad");
    let named = |key: &u32| *key == 2;
    let verdict = scene.trial.handle_nack(None, 2, &error, 3, named);
    assert_eq!(verdict.refused, [2]);
}

#[test]
fn what_a_proxy_accepts_late_is_what_an_edit_made_meanwhile_falls_back_to() {
    let mut scene = Scene::new(&[]);
    scene.want(1, "first");
    // Edited before anybody has answered.
    scene.trial.want(&1, Some(Arc::new("second")), 0, 2);
    let trial = &mut scene.trial;
    let error = refusal("1 is bad");
    let named = |key: &u32| *key == 1;
    // Refused before the first form is accepted, and after.
    trial.handle_nack(None, 2, &error, 3, named);
    assert_eq!(trial.placed(&1), None);
    assert_eq!(trial.handle_ack(1, true, 3), [1]);
    assert_eq!(trial.placed(&1).map(|form| **form), Some("first"));
    trial.want(&1, Some(Arc::new("third")), 0, 4);
    trial.handle_nack(Some(3), 4, &error, 5, named);
    assert_eq!(trial.placed(&1).map(|form| **form), Some("first"));
}

#[test]
fn a_refusal_that_came_too_early_for_the_search_does_not_hide_the_next_one() {
    let mut scene = Scene::new(&[]);
    let Scene { trial, .. } = &mut scene;
    let form = || Some(Arc::new("form"));
    let nack = |trial: &mut Trial<u32, &'static str>, after, sequence, next| {
        let refusal = refusal("it is bad");
        trial.handle_nack(Some(after), sequence, &refusal, next, |_| false)
    };
    (1..=2).for_each(|key| trial.want(&key, form(), 0, 1));
    trial.handle_ack(1, true, 2);
    (1..=2).for_each(|key| trial.want(&key, form(), 0, 2));
    assert_eq!(nack(trial, 1, 2, 3).touched, [1, 2], "both are held");
    assert_eq!(trial.handle_ack(3, true, 4), [2], "one is let out");
    // Something else changes before that is answered, and then the other is let out.
    trial.want(&3, form(), 0, 5);
    assert_eq!(trial.handle_ack(4, true, 6), [1]);
    // The proxy refuses what was added, and again together with what was let out.
    assert_eq!(nack(trial, 4, 5, 7), Verdict::default());
    let mut touched = nack(trial, 4, 6, 7).touched;
    touched.sort_unstable();
    assert_eq!(touched, [1, 3]);
}

#[test]
fn of_forms_that_nobody_has_answered_yet_a_few_are_remembered() {
    let mut scene = Scene::new(&[]);
    for form in 1..=100_u64 {
        scene.trial.want(&1, Some(Arc::new("form")), 0, form);
    }
    assert_eq!(scene.trial.handle_ack(3, true, 101), Vec::<u32>::new());
    assert!(scene.trial.good(&1).is_none(), "it is long ago");
    scene.trial.handle_ack(50, true, 101);
    assert!(scene.trial.good(&1).is_some());
}

#[test]
fn what_is_accepted_while_a_search_goes_on_is_not_held_by_it() {
    let mut scene = Scene::new(&[]);
    (1..=2).for_each(|key| scene.want(key, "new"));
    let error = refusal("something is bad");
    let trial = &mut scene.trial;
    trial.handle_nack(None, 1, &error, 2, |_| false);
    assert_eq!(trial.placed(&2), None, "the newest is suspected first");
    // Another proxy has all of it; then one of the two is edited, and the first proxy refuses again.
    trial.handle_ack(1, true, 2);
    trial.want(&2, Some(Arc::new("newer")), 2, 2);
    trial.handle_nack(None, 2, &error, 3, |_| false);
    assert_eq!(trial.placed(&1).map(|form| **form), Some("new"));
    assert_eq!(trial.placed(&2).map(|form| **form), Some("new"));
}

#[test]
fn what_changes_nothing_is_accepted_with_the_snapshot_that_had_it_already() {
    let mut scene = Scene::new(&[]);
    scene.want(1, "form");
    scene.trial.handle_snapshot(1);
    // Deleted and written again: all content is as before, so that there is no other snapshot.
    scene.trial.want(&1, None, 0, 2);
    scene.trial.want(&1, Some(Arc::new("form")), 0, 2);
    scene.trial.handle_snapshot(1);
    scene.trial.handle_ack(1, true, 2);
    assert!(!scene.trial.is_unproven(&1));
}

#[test]
fn what_was_held_for_a_while_is_accepted_by_who_has_it_from_before() {
    let mut scene = Scene::new(&[]);
    scene.want(1, "form");
    let trial = &mut scene.trial;
    trial.handle_nack(None, 1, &refusal("1 is bad"), 2, |_| true);
    trial.release(&1, 2);
    assert!(trial.is_unproven(&1));
    trial.handle_ack(1, true, 2);
    assert!(!trial.is_unproven(&1));
}
