//! When what a proxy refuses is judged, while another of its kind accepts it.

use super::*;

/// A gateway with a route, and two proxies of a kind.
struct Pair {
    control: Control,
    said: Heard,
    edge: Arc<str>,
    cohort: Cohort,
    good: Watch,
    strict: Watch,
    revision: i64,
}

impl Pair {
    const ROUTES: ResourceType = ResourceType::RouteConfiguration;

    fn set(now: Instant) -> Self {
        let (mut inputs, gateways) = inputs();
        let said = std::mem::replace(&mut inputs.said, Gateways::new().1);
        let cohort = Cohort::envoy((1, 40, 0), None).unwrap();
        let [good, strict] = [(); 2].map(|()| gateways.watch("default", Some(&cohort)));
        let mut pair = Self {
            control: Control::new(&inputs, gateways, Arc::default()),
            said,
            edge: "default".into(),
            cohort,
            good,
            strict,
            revision: 1,
        };
        let listed = Event::Listed {
            revision: 1,
            documents: vec![document("routes/old", MOCKED)],
        };
        pair.control.handle(Input::Store(listed), now);
        for node in ["good", "strict"] {
            let gateways = &pair.control.publication.gateways;
            gateways.come(&pair.edge, &pair.cohort, &node.into());
        }
        let first = pair.turn(now);
        pair.accept(first);
        pair.strict.note_answered(Self::ROUTES, first);
        pair.turn(now);
        pair
    }

    /// A turn of the loop. Tells which snapshot is the newest.
    fn turn(&mut self, now: Instant) -> u64 {
        let can_judge = self.control.hear_out(now);
        while let Ok(said) = self.said.try_recv() {
            self.control.handle(Input::Proxy(said), now);
        }
        self.control.settle();
        if can_judge {
            self.control.judge();
        }
        self.control.publish_if_due(now);
        let newest = self.control.publication.gateways.find("default");
        newest.unwrap().sequence
    }

    fn put(&mut self, path: &str, now: Instant) -> u64 {
        self.revision += 1;
        let event = Event::Changed {
            revision: self.revision,
            changes: vec![Change::Put(document(path, MOCKED))],
            traced: Vec::new(),
        };
        self.control.handle(Input::Store(event), now);
        self.turn(now)
    }

    /// The good one does.
    fn accept(&self, sequence: u64) {
        let accepted = Accepted {
            sequence: Some(sequence),
            whole: true,
            ..Accepted::nothing(Self::ROUTES)
        };
        self.good.accept(accepted);
        self.good.note_answered(Self::ROUTES, sequence);
    }

    /// The strict one does.
    fn refuse(&self, sequence: u64) {
        let refused = Refusal {
            resource_type: Self::ROUTES,
            after: Some(sequence - 1),
            sequence,
            error: "no".into(),
            node: "strict".into(),
            at: 0,
        };
        let gateways = &self.control.publication.gateways;
        gateways.refuse(&self.edge, &self.cohort, refused);
        self.strict.note_answered(Self::ROUTES, sequence);
    }

    fn is_served(&self, route: &str) -> bool {
        self.control.builders.have_route(&route.parse().unwrap())
    }
}

#[tokio::test]
async fn what_one_refuses_is_judged_when_the_other_has_spoken() {
    let mut now = Instant::now() + Duration::from_secs(60);
    let mut pair = Pair::set(now);
    let mut tick = || {
        now += Duration::from_millis(20);
        now
    };
    let sequence = pair.put("routes/new", tick());
    pair.refuse(sequence);
    for _ in 0..50 {
        assert_eq!(pair.turn(tick()), sequence, "nothing is taken back");
    }
    pair.accept(sequence);
    for _ in 0..200 {
        assert_eq!(pair.turn(tick()), sequence);
    }
    assert!(pair.is_served("new"));
    assert_eq!(pair.control.refused.len(), 0);
    // Both refuse: nobody is waited for.
    let sequence = pair.put("routes/other", tick());
    pair.refuse(sequence);
    pair.good.note_answered(Pair::ROUTES, sequence);
    let heard = tick();
    assert_eq!(pair.turn(heard), sequence);
    let due = pair.control.due(heard).unwrap();
    assert_eq!(pair.turn(due), sequence + 1);
    assert!(!pair.is_served("other"));
    assert!(pair.is_served("new"));
}

#[tokio::test]
async fn nobody_waits_for_one_that_never_answers() {
    let now = Instant::now() + Duration::from_secs(60);
    let mut pair = Pair::set(now);
    let sequence = pair.put("routes/new", now);
    pair.refuse(sequence);
    assert_eq!(pair.turn(now), sequence);
    assert_eq!(pair.turn(now + Duration::from_secs(3)), sequence + 1);
    assert!(!pair.is_served("new"));
}

#[tokio::test]
async fn what_a_proxy_refused_that_is_gone_is_not_held() {
    let mut now = Instant::now() + Duration::from_secs(60);
    let mut pair = Pair::set(now);
    let sequence = pair.put("routes/new", now);
    pair.refuse(sequence);
    let gateways = &pair.control.publication.gateways;
    gateways.leave(&pair.edge, &pair.cohort, &"strict".into());
    for _ in 0..10 {
        now += Duration::from_secs(1);
        assert_eq!(pair.turn(now), sequence);
    }
    assert!(pair.is_served("new"));
}

#[tokio::test]
async fn what_one_accepts_late_is_served_again_though_another_refused_it_and_went_on() {
    let mut now = Instant::now() + Duration::from_secs(60);
    let mut pair = Pair::set(now);
    let mut tick = || {
        now += Duration::from_secs(3);
        now
    };
    let sequence = pair.put("routes/new", tick());
    pair.refuse(sequence);
    pair.turn(tick());
    let without = pair.turn(tick());
    assert!(!pair.is_served("new"));
    let accepted = Accepted {
        sequence: Some(without),
        whole: true,
        ..Accepted::nothing(Pair::ROUTES)
    };
    pair.strict.accept(accepted);
    pair.turn(tick());
    pair.accept(sequence);
    pair.turn(tick());
    assert!(pair.is_served("new"));
    assert_eq!(pair.control.refused.len(), 0);
}
