use super::*;

/// A readiness, and the seconds since it began.
struct Scene {
    readiness: Readiness,
    began: Instant,
}

fn service(name: &str) -> ServiceKey {
    ServiceKey::new(Discovery::Consul, name)
}

impl Scene {
    fn new() -> Self {
        let (readiness, began) = (Readiness::default(), Instant::now());
        Self { readiness, began }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.began + Duration::from_secs(seconds)
    }

    fn listed(&mut self, seconds: u64, services: &[&str]) {
        self.readiness.handle_listed(self.at(seconds));
        for name in services {
            self.readiness.handle_wanted(service(name));
        }
    }

    fn answered(&mut self, seconds: u64, name: &str) {
        self.readiness
            .handle_answer(&service(name), self.at(seconds));
    }

    /// The second in which it opens by itself, when nothing more comes in; and nothing when it never does.
    fn opens(&self) -> Option<u64> {
        let deadline = self.readiness.deadline()?;
        Some(deadline.duration_since(self.began).as_secs())
    }

    fn is_open_at(&mut self, seconds: u64) -> bool {
        self.readiness.check(self.at(seconds))
    }
}

#[test]
fn nothing_is_published_before_the_documents_are_listed() {
    let mut scene = Scene::new();
    assert_eq!(scene.opens(), None);
    assert!(!scene.is_open_at(3600));
    scene.listed(3600, &[]);
    assert!(scene.is_open_at(3600));
    assert!(scene.readiness.is_open());
}

#[test]
fn a_registry_that_never_answered_is_waited_for_without_end() {
    let mut scene = Scene::new();
    scene.listed(0, &["a", "b"]);
    assert_eq!(scene.opens(), None);
    assert!(!scene.is_open_at(3600));
    scene.answered(3600, "a");
    // Once it answers at all, the others have ten seconds.
    assert_eq!(scene.opens(), Some(3610));
    assert!(!scene.is_open_at(3609));
    assert!(scene.is_open_at(3610));
}

#[test]
fn the_last_answer_opens_and_what_is_not_wanted_is_not_waited_for() {
    let mut scene = Scene::new();
    scene.listed(0, &["a", "b", "c"]);
    scene.answered(1, "a");
    scene.answered(2, "b");
    assert!(!scene.is_open_at(2));
    scene.readiness.handle_unwanted(&service("c"));
    assert!(scene.is_open_at(2));
    // It stays open, whatever comes.
    scene.listed(3, &["d"]);
    assert!(scene.is_open_at(3));
}

#[test]
fn each_registry_has_its_own_first_answer() {
    let mut scene = Scene::new();
    scene.listed(0, &["a"]);
    let file = ServiceKey::new(Discovery::File, "b");
    scene.readiness.handle_wanted(file.clone());
    scene.answered(1, "a");
    assert_eq!(scene.opens(), None, "files have not answered at all");
    scene.readiness.handle_answer(&file, scene.at(2));
    assert_eq!(scene.opens(), Some(0));
}

#[test]
fn earlier_forms_are_waited_for_as_long_as_the_store_goes_on_telling() {
    let mut scene = Scene::new();
    scene.listed(1, &[]);
    for path in ["a", "b", "c"] {
        scene.readiness.handle_wanted_earlier(path.into());
    }
    assert_eq!(scene.opens(), Some(6));
    scene.readiness.handle_earlier("a", scene.at(4));
    assert_eq!(scene.opens(), Some(9));
    // What nobody asked for does not count.
    scene.readiness.handle_earlier("a", scene.at(8));
    assert_eq!(scene.opens(), Some(9));
    scene.readiness.handle_earlier("b", scene.at(9));
    scene.readiness.handle_earlier("c", scene.at(10));
    assert_eq!(scene.opens(), Some(1), "nothing is left");
}

#[test]
fn saved_state_is_served_after_two_seconds_and_its_services_are_known() {
    let mut scene = Scene::new();
    let saved = ["a", "b"].map(service).into();
    scene.readiness.handle_restored(saved, scene.at(0));
    assert_eq!(scene.opens(), Some(2));
    // The documents come, and name one that was not saved.
    scene.listed(1, &["a", "b"]);
    assert_eq!(scene.opens(), Some(2));
    scene.readiness.handle_wanted(service("new"));
    assert_eq!(scene.opens(), None);
    scene.answered(1, "a");
    assert_eq!(scene.opens(), Some(11));
    scene.answered(3, "new");
    assert!(scene.is_open_at(3), "`b` was saved");
}

#[test]
fn what_a_secret_manager_has_not_answered_is_waited_for() {
    let mut scene = Scene::new();
    let manager: Arc<str> = "secrets/vault/1".into();
    let other: Arc<str> = "secrets/vault/2".into();
    scene
        .readiness
        .handle_unanswered([manager.clone(), other.clone()].into());
    scene.listed(1, &[]);
    // Without end, as proxies may have what waits for it.
    assert_eq!(scene.opens(), None);
    let now = scene.at(5);
    scene.readiness.handle_told(&manager, now);
    assert_eq!(scene.opens(), None);
    // One that is not asked any more holds nobody up, and one that answers is waited for a while.
    scene.readiness.handle_unanswered([manager.clone()].into());
    assert_eq!(scene.opens(), Some(15));
    assert!(!scene.is_open_at(14));
    scene.readiness.handle_unanswered(BTreeSet::new());
    assert!(scene.is_open_at(6));
    scene.readiness.handle_unanswered([other].into());
    assert!(scene.is_open_at(7));
}

#[test]
fn saved_documents_are_no_reason_to_take_away_what_waits_for_a_secret_manager() {
    let mut scene = Scene::new();
    let now = scene.at(0);
    scene
        .readiness
        .handle_unanswered(["secrets/vault/1".into()].into());
    scene.readiness.handle_restored(BTreeSet::new(), now);
    assert_eq!(scene.opens(), None);
    scene.readiness.handle_unanswered(BTreeSet::new());
    assert_eq!(scene.opens(), Some(2));
}
