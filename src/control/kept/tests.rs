use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn echo() -> ServiceKey {
    ServiceKey::new(Discovery::Consul, "echo")
}

fn one(port: u16, status: Status) -> Instance {
    Instance {
        status,
        ..Instance::new(format!("node/{port}"), [10, 0, 0, 1].into(), port)
    }
}

fn passing(ports: &[u16]) -> Vec<Instance> {
    all(ports, Status::Passing)
}

fn all(ports: &[u16], status: Status) -> Vec<Instance> {
    ports.iter().map(|port| one(*port, status)).collect()
}

/// A service whose answers come one after the other.
struct Scene {
    kept: Kept,
    in_force: Arc<[Instance]>,
    now: Instant,
}

impl Scene {
    fn with(ports: &[u16]) -> Self {
        Self {
            kept: Kept::new(KeepLost {
                time: MINUTE,
                percent: 100,
            }),
            in_force: passing(ports).into(),
            now: Instant::now(),
        }
    }

    fn from(percent: u32, ports: &[u16]) -> Self {
        let mut scene = Self::with(ports);
        scene.kept.rule.percent = percent;
        scene
    }

    fn answers(&mut self, instances: Vec<Instance>) -> Option<Turn> {
        self.hears(&Answer::new(echo(), instances))
    }

    fn hears(&mut self, answer: &Answer) -> Option<Turn> {
        let (in_force, turn) = self.kept.handle_answer(&self.in_force, answer, self.now);
        self.in_force = in_force;
        turn
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
        for answer in self.kept.handle_time(self.now) {
            self.in_force = answer.instances;
        }
    }

    /// The ports of those that get traffic.
    fn healthy(&self) -> Vec<u16> {
        let healthy = self.in_force.iter().filter(|one| is_healthy(one));
        healthy.map(|one| one.port).collect()
    }
}

#[test]
fn all_that_go_at_once_stay_for_a_while() {
    for answer in [vec![], all(&[1, 2, 3], Status::Critical)] {
        let mut scene = Scene::with(&[1, 2, 3]);
        assert_eq!(scene.answers(answer.clone()), Some(Turn::Begins(3)));
        assert_eq!(scene.healthy(), [1, 2, 3]);
        assert_eq!(scene.kept.of(&echo()).len(), 3);
        assert_eq!(scene.kept.deadline(), Some(scene.now + MINUTE));
        scene.passes(MINUTE - Duration::from_millis(1));
        assert_eq!(scene.healthy(), [1, 2, 3]);
        scene.passes(Duration::from_millis(1));
        assert_eq!(*scene.in_force, answer, "what the registry says");
        assert_eq!((scene.kept.count(), scene.kept.deadline()), (0, None));
        assert_eq!(scene.answers(vec![]), None, "nothing is left to keep");
    }
}

#[test]
fn one_by_one_is_believed_at_once() {
    let mut scene = Scene::with(&[1, 2, 3]);
    for left in [&[2, 3][..], &[3], &[]] {
        assert_eq!(scene.answers(passing(left)), None);
        assert_eq!(scene.healthy(), left);
    }
}

#[test]
fn those_that_turn_critical_one_shortly_after_the_other_do_so_at_once() {
    let mut scene = Scene::with(&[1, 2]);
    let half = vec![one(1, Status::Critical), one(2, Status::Passing)];
    scene.answers(half.clone());
    assert_eq!(scene.healthy(), [2]);
    let turn = scene.answers(all(&[1, 2], Status::Critical));
    assert_eq!(turn, Some(Turn::Begins(2)));
    assert_eq!(scene.healthy(), [1, 2]);

    let mut scene = Scene::with(&[1, 2]);
    scene.answers(half);
    scene.passes(AT_ONCE);
    assert_eq!(scene.answers(all(&[1, 2], Status::Critical)), None);
    assert!(scene.healthy().is_empty());
}

#[test]
fn maintenance_is_believed_at_once() {
    let mut scene = Scene::with(&[1, 2]);
    assert_eq!(scene.answers(all(&[1, 2], Status::Maintenance)), None);
    assert!(scene.healthy().is_empty());
    // Also of one that is kept.
    let mut scene = Scene::with(&[1, 2]);
    scene.answers(all(&[1, 2], Status::Critical));
    scene.answers(vec![one(1, Status::Maintenance), one(2, Status::Critical)]);
    assert_eq!(scene.healthy(), [2]);
}

#[test]
fn an_answer_that_names_a_kept_one_counts_for_it() {
    let mut scene = Scene::with(&[1, 2, 3]);
    scene.answers(all(&[1, 2, 3], Status::Critical));
    // Deregistered: it was there, and is not.
    scene.answers(all(&[2, 3], Status::Critical));
    assert_eq!(scene.healthy(), [2, 3]);
    // Registered again, elsewhere: what is kept stays beside it.
    let mut scene = Scene::with(&[1, 2, 3]);
    scene.answers(vec![]);
    assert_eq!(scene.answers(passing(&[4])), None);
    assert_eq!(scene.healthy(), [1, 2, 3, 4]);
    // Under another id at the same address: not twice.
    let renamed = Instance::new("other", [10, 0, 0, 1].into(), 1);
    scene.answers(vec![renamed]);
    assert_eq!(scene.healthy(), [1, 2, 3]);
}

#[test]
fn it_is_over_once_half_as_many_are_healthy() {
    let mut scene = Scene::with(&[1, 2, 3, 4]);
    scene.answers(vec![]);
    assert_eq!(scene.answers(passing(&[1])), None);
    assert_eq!(scene.healthy(), [1, 2, 3, 4]);
    assert_eq!(scene.answers(passing(&[1, 2])), Some(Turn::Over));
    assert_eq!(scene.healthy(), [1, 2]);
    assert_eq!(scene.kept.deadline(), None);
}

#[test]
fn the_last_one_stays_where_the_answer_is_doubtful() {
    let mut scene = Scene::with(&[1]);
    let empty = Answer::new(echo(), vec![]);
    let doubtful = Answer {
        doubtful: true,
        ..empty.clone()
    };
    assert_eq!(scene.hears(&doubtful), Some(Turn::Begins(1)));
    assert_eq!(scene.healthy(), [1]);
    let mut scene = Scene::with(&[1]);
    assert_eq!(scene.hears(&empty), None);
    assert!(scene.healthy().is_empty());
}

#[test]
fn files_and_a_time_of_zero_keep_nothing() {
    let before = passing(&[1, 2]);
    let files = Answer::new(ServiceKey::new(Discovery::File, "echo"), vec![]);
    let consul = Answer::new(echo(), vec![]);
    for (time, answer) in [(MINUTE, files), (Duration::ZERO, consul)] {
        let mut kept = Kept::new(KeepLost { time, percent: 100 });
        let (in_force, turn) = kept.handle_answer(&before, &answer, Instant::now());
        assert!(in_force.is_empty() && turn.is_none());
    }
}

#[test]
fn what_no_document_names_is_forgotten() {
    let mut scene = Scene::with(&[1, 2]);
    scene.answers(vec![]);
    scene.kept.forget(&echo());
    assert_eq!(scene.kept.count(), 0);
}

/// The same, with what they say of the time.
fn saying(instances: Vec<Instance>, time: &str) -> Vec<Instance> {
    let said = instances.into_iter().map(|mut one| {
        one.metadata.insert(META.to_owned(), time.to_owned());
        one
    });
    said.collect()
}

#[test]
fn instances_say_themselves_how_long_they_are_kept() {
    let hour = Duration::from_secs(3600);
    for (said, kept) in [("1h", hour), ("soon", MINUTE), ("25h", MINUTE)] {
        let mut scene = Scene::with(&[]);
        scene.answers(saying(passing(&[1, 2]), said));
        assert_eq!(scene.answers(vec![]), Some(Turn::Begins(2)));
        assert_eq!(scene.kept.time(&echo()), Some(kept));
        assert_eq!(scene.kept.deadline(), Some(scene.now + kept));
    }
    // The longest of what they say.
    let mut scene = Scene::with(&[]);
    let both = [saying(passing(&[1]), "0"), saying(passing(&[2]), "2m")];
    scene.answers(both.concat());
    scene.answers(vec![]);
    assert_eq!(scene.kept.time(&echo()), Some(2 * MINUTE));
    // Nothing is kept, and what was kept before goes.
    let mut scene = Scene::with(&[]);
    scene.answers(saying(passing(&[1, 2]), "0"));
    assert_eq!(scene.answers(vec![]), None);
    assert!(scene.healthy().is_empty());
    let mut scene = Scene::with(&[1, 2]);
    scene.answers(vec![]);
    scene.in_force = saying(passing(&[1, 2]), "0").into();
    assert_eq!(scene.answers(vec![]), Some(Turn::Over));
    assert!(scene.healthy().is_empty());
}

#[test]
fn what_is_no_time_is_said_once() {
    let mut kept = Scene::with(&[]).kept;
    let says = |text: &str| Answer::new(echo(), saying(passing(&[1, 2]), text));
    assert_eq!(kept.misread(&says("soon")), Some("soon".to_owned()));
    assert_eq!(kept.misread(&says("soon")), None);
    assert_eq!(kept.misread(&says("2 parsecs")), Some("2 parsecs".into()));
    assert_eq!(kept.misread(&says("90s")), None);
    assert_eq!(kept.misread(&says("soon")), Some("soon".to_owned()));
}

#[test]
fn a_share_of_them_may_be_enough() {
    let mut scene = Scene::from(50, &[1, 2, 3, 4]);
    let some = |passing_ones: &[u16], critical: &[u16]| {
        [passing(passing_ones), all(critical, Status::Critical)].concat()
    };
    assert_eq!(scene.answers(some(&[2, 3, 4], &[1])), None, "one alone");
    assert_eq!(scene.healthy(), [2, 3, 4]);
    // The second within a moment: half of the four.
    assert_eq!(scene.answers(some(&[3, 4], &[1, 2])), Some(Turn::Begins(2)));
    assert_eq!(scene.healthy(), [1, 2, 3, 4]);
    // And the third of them.
    scene.now += Duration::from_secs(1);
    assert_eq!(scene.answers(some(&[4], &[1, 2, 3])), None);
    assert_eq!(scene.healthy(), [1, 2, 3, 4]);
    // Not what comes long after.
    scene.now += AT_ONCE;
    assert_eq!(scene.answers(some(&[], &[1, 2, 3, 4])), None);
    assert_eq!(scene.healthy(), [1, 2, 3]);
    assert_eq!(scene.answers(some(&[1, 2, 4], &[3])), Some(Turn::Over));
    assert_eq!(scene.healthy(), [1, 2, 4]);

    let mut scene = Scene::from(100, &[1, 2, 3, 4]);
    assert_eq!(scene.answers(some(&[4], &[1, 2, 3])), None);
    assert_eq!(scene.healthy(), [4]);
    // Others in their place are enough.
    let mut scene = Scene::from(50, &[1, 2, 3, 4]);
    assert_eq!(scene.answers(passing(&[5, 6, 7])), None);
}
