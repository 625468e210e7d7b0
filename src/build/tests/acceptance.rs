//! What an earlier process knew of its proxies.

use std::slice;

use super::*;
use crate::cohort::Cohort;
use crate::snapshot::ResourceType::RouteConfiguration;
use crate::snapshot::Version;

fn scene() -> Scene {
    let cohort = Cohort::envoy((1, 40, 0), None).unwrap();
    let mut scene = Scene::new();
    scene.builder.adopt(cohort);
    scene
}

/// A proxy has accepted all that there is.
fn accept_all(scene: &mut Scene) {
    let sequence = scene.builder.current().sequence;
    for of in ResourceType::ALL {
        let accepted = Accepted {
            sequence: Some(sequence),
            whole: true,
            ..Accepted::nothing(of)
        };
        scene.builder.handle_outcome(&Outcome::Accepted(accepted));
    }
}

fn refuse(scene: &mut Scene, words: &str) {
    let refused = Refused {
        resource_type: RouteConfiguration,
        after: None,
        sequence: scene.builder.current().sequence,
        error: words.into(),
        node: "one".into(),
        at: 0,
    };
    scene.builder.handle_outcome(&Outcome::Refused(refused));
    scene.next();
}

fn acceptance(scene: &Scene) -> Acceptance {
    let nodes = BTreeSet::from(["one".into()]);
    scene.builder.acceptance(&id("default"), nodes).unwrap()
}

/// Another process, with the documents that were known when it was saved, and what was made of `sources` then.
fn restored(known: &Acceptance, routes: &[Arc<Route>], before: Option<&Arc<Route>>) -> Scene {
    let mut scene = scene();
    for route in routes {
        let (id, route) = (&route.id, Some(route.clone()));
        scene.builder.handle_route(id, route, &scene.instances);
    }
    let inputs = Inputs {
        revision: 1,
        instances: &scene.instances,
        drains: &scene.drains,
    };
    let remade = |_: &Id, _| before.cloned();
    scene.builder.restore(known, remade, &inputs, None);
    scene
}

fn in_force(scene: &Scene, name: &str) -> Option<Arc<Route>> {
    scene.builder.route(&id(name)).cloned()
}

#[test]
fn what_was_accepted_before_a_restart_is_what_an_edit_made_meanwhile_falls_back_to() {
    let (before, after) = (route("a", nodes(1)), route("a", nodes(2)));
    let mut first = scene();
    let put = Some(before.clone());
    first.builder.handle_route(&id("a"), put, &first.instances);
    first.next();
    accept_all(&mut first);
    let mut known = acceptance(&first);
    assert!(known.routes.is_empty(), "{known:?}");

    let falls_back = |known: &Acceptance| {
        let mut second = restored(known, slice::from_ref(&before), None);
        let (snapshot, tallies) = second.next().unwrap();
        assert!(tallies.iter().any(|tally| tally.added > 0), "{tallies:?}");
        assert!(snapshot.set(RouteConfiguration).iter().next().is_some());
        let put = Some(after.clone());
        second
            .builder
            .handle_route(&id("a"), put, &second.instances);
        second.next();
        refuse(&mut second, "route/a is too much");
        in_force(&second, "a")
    };
    let found = falls_back(&known).unwrap();
    assert!(Arc::ptr_eq(&found, &before));
    // Another Chancery makes something else of the same documents: nobody has accepted that.
    known.versions[RouteConfiguration.index()] = Version::of(b"other");
    assert!(falls_back(&known).is_none());
}

#[test]
fn what_was_refused_before_a_restart_stays_held_at_what_was_accepted() {
    let (before, after) = (route("a", nodes(1)), route("a", nodes(2)));
    let mut first = scene();
    for form in [&before, &after] {
        let put = Some(form.clone());
        first.builder.handle_route(&id("a"), put, &first.instances);
        first.next();
        if Arc::ptr_eq(form, &before) {
            accept_all(&mut first);
        }
    }
    refuse(&mut first, "route/a is too much");
    let mut known = acceptance(&first);
    assert_eq!(known.routes.len(), 1);

    let second = restored(&known, slice::from_ref(&after), Some(&before));
    assert!(Arc::ptr_eq(&in_force(&second, "a").unwrap(), &before));
    assert_eq!(second.builder.refused(), first.builder.refused());
    // What another Chancery makes of the documents is tried, with what was accepted to fall back to.
    known.versions[RouteConfiguration.index()] = Version::of(b"other");
    let mut third = restored(&known, slice::from_ref(&after), Some(&before));
    third.next();
    assert!(Arc::ptr_eq(&in_force(&third, "a").unwrap(), &after));
    refuse(&mut third, "route/a is too much");
    assert!(Arc::ptr_eq(&in_force(&third, "a").unwrap(), &before));
}

#[test]
fn what_was_searched_before_a_restart_makes_nothing_else_suspect() {
    let forms = ["a", "b", "c"].map(|name| route(name, nodes(1)));
    let [a, b, c] = &forms;
    let mut first = scene();
    let id = &c.id;
    let put = Some(c.clone());
    first.builder.handle_route(id, put, &first.instances);
    first.next();
    accept_all(&mut first);
    for form in [a, b] {
        let (id, form) = (&form.id, Some(form.clone()));
        first.builder.handle_route(id, form, &first.instances);
    }
    first.next();
    refuse(&mut first, "no");
    assert!(in_force(&first, "b").is_none(), "it is searched");
    assert!(first.builder.refused().is_empty());

    let mut second = restored(&acceptance(&first), &forms, None);
    second.next();
    for name in ["a", "b", "c"] {
        assert!(in_force(&second, name).is_some(), "{name} is tried again");
    }
    for _ in 0..3 {
        refuse(&mut second, "no");
        assert!(in_force(&second, "c").is_some());
    }
}
