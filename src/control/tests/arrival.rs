//! Changes are as old as what a source told first, whenever the loop takes it in.

use super::*;
use crate::snapshot::ResourceType;
use crate::telemetry::{Tracer, metrics};
use crate::xds::gateways::Answer;

/// A loop, and a proxy that has accepted everything.
struct Scene {
    control: Control,
    proxy: Watch,
    now: Instant,
}

impl Scene {
    fn set() -> Self {
        let (inputs, _) = inputs();
        let metrics = Arc::<Metrics>::default();
        let gateways =
            Arc::new(Gateways::counting(metrics.change_seconds.clone(), Tracer::default()).0);
        let cohort = Cohort::envoy((1, 40, 0), None).unwrap();
        let proxy = gateways.watch("default", Some(&cohort));
        let mut scene = Self {
            control: Control::new(&inputs, gateways, metrics),
            proxy,
            now: Instant::now(),
        };
        scene.arrive(Event::Listed {
            revision: 1,
            documents: Vec::new(),
        });
        let came = Said {
            gateway: "default".into(),
            cohort,
            what: What::Came("proxy".into()),
        };
        scene.control.handle(Input::Proxy(came), scene.now);
        scene.publish();
        scene.accept();
        scene
    }

    /// Something that a source tells now.
    fn arrive(&mut self, event: Event) {
        let now = self.now;
        // The loop was busy until then.
        let looks = now + Duration::from_secs(1);
        self.control.arrive(Input::Store(event), now, looks);
    }

    fn put(&mut self, path: &str) {
        let changes = vec![Change::Put(document(path, MOCKED))];
        self.arrive(Event::Changed {
            revision: 2,
            changes,
            traced: Vec::new(),
        });
    }

    fn publish(&mut self) {
        self.wait(1);
        self.control.settle();
        self.control.publish_if_due(self.now);
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// The proxy accepts what is newest.
    fn accept(&mut self) {
        self.proxy.note_accepted(Answer {
            at: self.now,
            took: Duration::ZERO,
            of: ResourceType::RouteConfiguration,
            node: "proxy".into(),
        });
        let newest = self.proxy.borrow_and_update().clone();
        self.proxy.advance(newest.unwrap().sequence);
    }

    /// How many changes were counted, and how many seconds they took together.
    fn counted(&self) -> (u64, f64) {
        let (gauges, process) = (Default::default(), Default::default());
        let text = self.control.metrics.encode(&gauges, &process).unwrap();
        let sample = |end: &str| {
            let name = format!("chancery_change_seconds_{end}{{gateway=\"default\"}} ");
            let found = text.lines().find_map(|line| line.strip_prefix(&name));
            found.unwrap_or("0").to_owned()
        };
        let (count, sum) = (sample("count"), sample("sum"));
        (count.parse().unwrap(), sum.parse().unwrap())
    }
}

#[test]
fn a_change_is_as_old_as_the_first_that_was_told_of_it() {
    let mut scene = Scene::set();
    // The first snapshot is none.
    assert_eq!(scene.counted(), (0, 0.0));
    scene.put("routes/a");
    scene.wait(3);
    scene.put("routes/b");
    scene.publish();
    scene.wait(5);
    scene.accept();
    assert_eq!(scene.counted(), (1, 9.0));
    scene.put("routes/c");
    scene.publish();
    scene.accept();
    assert_eq!(scene.counted(), (2, 10.0));
    let source = metrics::Source { source: "etcd" };
    let told = &scene.control.metrics.source_events;
    assert_eq!(told.get_or_create(&source).get(), 4);
}

#[test]
fn what_changes_nothing_ages_no_change_that_comes_later() {
    let mut scene = Scene::set();
    scene.put("routes/a");
    scene.publish();
    scene.accept();
    assert_eq!(scene.counted(), (1, 1.0));
    // The same once more, and that nothing has changed.
    scene.put("routes/a");
    scene.arrive(Event::Progress { revision: 3 });
    scene.publish();
    scene.wait(30);
    scene.put("routes/b");
    scene.publish();
    scene.accept();
    assert_eq!(scene.counted(), (2, 2.0));
}

#[test]
fn what_the_loop_does_by_itself_is_no_change() {
    let mut scene = Scene::set();
    scene.put("routes/a");
    scene.publish();
    scene.accept();
    let before = scene.proxy.borrow().as_ref().unwrap().sequence;
    // A document is let out again, say: what it comes to is published all the same.
    let path = document("routes/b", MOCKED);
    scene.control.documents.apply(Change::Put(path));
    scene.publish();
    assert!(scene.proxy.borrow().as_ref().unwrap().sequence > before);
    scene.wait(7);
    scene.accept();
    assert_eq!(scene.counted(), (1, 1.0));
}
