use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::*;
use crate::cohort::Cohort;
use crate::model::document::Format;
use crate::model::{Document, Instance, ServiceKey};
use crate::snapshot::{Accepted, Outcome, Refused as Refusal, ResourceType};
use crate::store::Event;
use crate::xds::gateways::{Watch, What};

mod arrival;
mod drains;
mod refusals;

const MOCKED: &str = r#"{"uri":"/mocked","plugins":{"mocking":{"response_status":204}}}"#;
const NODES: &str =
    r#"{"uri":"/nodes","upstream":{"type":"roundrobin","nodes":{"10.0.0.1:80":1}}}"#;

#[tokio::test]
async fn what_proxies_accept_makes_nobody_wait() {
    let mut control = control();
    let began = Instant::now();
    control.handle(
        Input::Store(Event::Listed {
            revision: 1,
            documents: vec![document("routes/mocked", MOCKED)],
        }),
        Instant::now(),
    );
    control.settle();
    control.publish_if_due(Instant::now());
    let due = control.publication.pace.due(began);
    // Longer than any pause.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let accepted = Accepted {
        sequence: Some(1),
        whole: true,
        ..Accepted::nothing(ResourceType::RouteConfiguration)
    };
    for what in [
        What::Came("node".into()),
        What::Answered(Outcome::Accepted(accepted)),
    ] {
        let said = Said {
            gateway: "default".into(),
            cohort: Cohort::envoy((1, 40, 0), None).unwrap(),
            what,
        };
        control.handle(Input::Proxy(said), Instant::now());
    }
    control.settle();
    control.publish_if_due(Instant::now());
    assert!(!control.builders.are_touched(), "it was looked at");
    assert_eq!(control.publication.pace.due(began), due);
}

#[tokio::test]
async fn every_bad_document_is_asked_for_however_few_questions_the_store_takes_at_a_time() {
    const BAD: usize = 5;
    const DEADLINE: Duration = Duration::from_secs(60);
    let (events, told) = mpsc::channel(16);
    let (earlier, mut asked) = mpsc::channel(1);
    let (mut inputs, gateways) = inputs();
    (inputs.events, inputs.earlier) = (told, earlier);
    let path = |n: usize| format!("routes/{n}");
    let documents = (0..BAD).map(|n| Document {
        revision: 9,
        ..document(&path(n), "{")
    });
    let listed = Event::Listed {
        revision: 9,
        documents: documents.collect(),
    };
    let arrived = |what| Arrived {
        at: Instant::now(),
        what,
    };
    events.send(arrived(listed)).await.unwrap();
    let shutdown = CancellationToken::new();
    tokio::spawn(run(inputs, gateways.clone(), Arc::default(), shutdown));
    let mut newest = gateways.watch("default", None);
    for _ in 0..BAD {
        let question = tokio::time::timeout(DEADLINE, asked.recv()).await;
        let PriorRevision { path, revision } = question.expect("it was never asked").unwrap();
        assert_eq!(revision, 9);
        assert!(newest.borrow().is_none(), "published before all was asked");
        let document = Some(document(&path, NODES));
        events
            .send(arrived(Event::PriorRevision { path, document }))
            .await
            .unwrap();
    }
    tokio::time::timeout(DEADLINE, newest.changed())
        .await
        .unwrap()
        .unwrap();
    let first = newest.borrow().clone().unwrap();
    assert_eq!(first.set(ResourceType::Cluster).len(), BAD);
}

#[tokio::test]
async fn an_answer_touches_only_the_gateways_that_use_the_service() {
    let to = |service: &str, gateway: &str| {
        format!(
            r#"{{"uri":"/{service}","gateways":["{gateway}"],"upstream":{{"type":"roundrobin","discovery_type":"consul","service_name":"{service}"}}}}"#
        )
    };
    let (mut inputs, gateways) = inputs();
    inputs
        .wanted
        .insert(Discovery::Consul, watch::Sender::default());
    let mut control = Control::new(&inputs, gateways, Arc::default());
    let gateway = r#"{"listeners":[{"name":"http","port":9081}]}"#;
    control.handle(
        Input::Store(Event::Listed {
            revision: 1,
            documents: vec![
                document("gateways/edge", gateway),
                document("routes/a", &to("a", "default")),
                document("routes/b", &to("b", "edge")),
            ],
        }),
        Instant::now(),
    );
    control.settle();
    let answer = |service: &str, port| {
        let instance = Instance::new("1", [10, 0, 0, 1].into(), port);
        let service = ServiceKey::new(Discovery::Consul, service);
        Input::Registry(Answer::new(service, vec![instance]))
    };
    for (service, port) in [("a", 80), ("b", 80)] {
        control.handle(answer(service, port), Instant::now());
    }
    control.settle();
    control.publish_if_due(Instant::now());
    assert_eq!(control.publication.gateways.newest().len(), 2);
    for (service, gateway) in [("a", "default"), ("b", "edge")] {
        control.handle(answer(service, 81), Instant::now());
        control.settle();
        let touched: Vec<_> = control.builders.take_touched().into_iter().collect();
        assert_eq!(touched, [gateway.parse().unwrap()]);
    }
}

#[tokio::test]
async fn problems_are_composed_when_something_was_said_of_documents() {
    let mut control = control();
    let problems = |control: &mut Control, event: Event| {
        let now = Instant::now() + Duration::from_secs(60);
        control.handle(Input::Store(event), now);
        control.settle();
        control.publish_if_due(now);
        control.publication.settled.problems.clone()
    };
    let listed = |text: &str| Event::Listed {
        revision: 1,
        documents: vec![document("routes/a", MOCKED), document("routes/b", text)],
    };
    problems(&mut control, listed("{"));
    // Its earlier form is not there: nothing else is known of it.
    let (path, document) = ("routes/b".into(), None);
    problems(&mut control, Event::PriorRevision { path, document });
    let before = problems(&mut control, Event::Progress { revision: 2 });
    let after = problems(&mut control, Event::Progress { revision: 3 });
    assert!(Arc::ptr_eq(&before, &after), "composed for nothing");
    assert_eq!(control.publication.gateways.settled().borrow().revision, 3);
    assert!(after.contains_key("routes/b"));
    assert!(problems(&mut control, listed(MOCKED)).is_empty());
}

#[tokio::test]
async fn instances_that_are_gone_at_once_stay_until_their_time_is_over() {
    const KEEP: Duration = Duration::from_secs(60);
    let (mut inputs, gateways) = inputs();
    inputs.keep_lost.time = KEEP;
    inputs
        .wanted
        .insert(Discovery::Consul, watch::Sender::default());
    let mut control = Control::new(&inputs, gateways, Arc::default());
    let route = r#"{"uri":"/a","upstream":{"type":"roundrobin","discovery_type":"consul","service_name":"a"}}"#;
    let listed = Event::Listed {
        revision: 1,
        documents: vec![document("routes/a", route)],
    };
    let began = Instant::now();
    control.handle(Input::Store(listed), began);
    control.settle();
    let service = ServiceKey::new(Discovery::Consul, "a");
    let answers = |control: &mut Control, ports: &[u16]| {
        let one = |port: &u16| Instance::new(port.to_string(), [10, 0, 0, 1].into(), *port);
        let answer = Answer::new(service.clone(), ports.iter().map(one).collect());
        control.handle(Input::Registry(answer), began);
        control.settle();
        control.publish_if_due(began + KEEP);
        control.services.instances()[&service].len()
    };
    assert_eq!(answers(&mut control, &[80, 81]), 2);
    assert_eq!(answers(&mut control, &[]), 2);
    assert_eq!(control.metrics.instances_kept.get(), 2);
    assert_eq!(control.due(began), Some(began + KEEP));
    control.let_go(began + KEEP);
    assert!(control.services.instances()[&service].is_empty());
    assert!(control.builders.are_touched(), "it is to be published");
    assert_eq!(control.metrics.instances_kept.get(), 0);
}

#[tokio::test]
async fn what_a_wiped_store_lost_stays_in_force_and_is_saved_as_before_until_it_is_given_up() {
    let mut control = control();
    let listed = |revision, documents: &[&str]| {
        let documents = documents.iter().map(|path| document(path, MOCKED));
        Event::Listed {
            revision,
            documents: documents.collect(),
        }
    };
    let hears = |control: &mut Control, event: Event| {
        control.handle(Input::Store(event), Instant::now());
        control.settle();
        control.publish_if_due(Instant::now());
        let documents = control.documents.texts();
        let mut paths: Vec<_> = documents.map(|(it, _)| it.path.to_string()).collect();
        paths.sort();
        paths
    };
    let all = ["routes/a", "routes/b", "routes/c"];
    assert_eq!(hears(&mut control, listed(42, &all)), all);
    assert_eq!(hears(&mut control, listed(3, &[])), all);
    assert_eq!(control.metrics.documents_missing.get(), 3);
    // So that a restart compares with what was there, and not with what was found.
    let (wish, mut granted) = tokio::sync::oneshot::channel();
    control.grant(wish);
    let saved = granted.try_recv().unwrap();
    assert_eq!((saved.revision, saved.documents.len()), (42, 3));
    // What is written is there, what is deleted is gone, and the rest is given up.
    let deleted = Change::Deleted {
        path: "routes/b".into(),
    };
    let changes = vec![Change::Put(document("routes/a", MOCKED)), deleted];
    let changed = Event::Changed {
        revision: 4,
        changes,
        traced: Vec::new(),
    };
    assert_eq!(hears(&mut control, changed), ["routes/a", "routes/c"]);
    assert_eq!(control.metrics.documents_missing.get(), 1);
    let c = Doubted {
        documents: [("routes/c".into(), 1)].into(),
        folders: Vec::new(),
    };
    assert_eq!(control.doubted(), c);
    assert_eq!(control.accept(true), Doubted::default(), "no folder is");
    assert_eq!(control.accept(false), c);
    assert_eq!(control.doubted(), Doubted::default());
    let progress = Event::Progress { revision: 5 };
    assert_eq!(hears(&mut control, progress), ["routes/a"]);
    assert_eq!(control.metrics.documents_missing.get(), 0);
}

#[tokio::test]
async fn a_gateway_whose_table_hurts_is_told_until_it_is_small_again() {
    let mut control = control();
    let large = |control: &mut Control, event: Event| {
        control.handle(Input::Store(event), Instant::now());
        control.settle();
        control.publish_if_due(Instant::now() + Duration::from_secs(60));
        let (asked, mut answer) = tokio::sync::oneshot::channel();
        control.answer(Question::Large(asked));
        let large = answer.try_recv().unwrap().into_iter();
        large
            .map(|(gateway, revision, large)| (gateway.to_string(), revision, large.bytes))
            .collect::<Vec<_>>()
    };
    let mocked = |n: usize| {
        let body = "a".repeat(1_000_000);
        format!(
            r#"{{"uri":"/{n}","plugins":{{"mocking":{{"response_status":200,"response_example":"{body}"}}}}}}"#
        )
    };
    let listed = |revision, routes: usize| Event::Listed {
        revision,
        documents: (0..routes)
            .map(|n| document(&format!("routes/{n}"), &mocked(n)))
            .collect(),
    };
    let told = large(&mut control, listed(1, 4));
    let [(gateway, 0, 4_000_000..)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(gateway, "default");
    let gateway = Change::Put(document("gateways/default", "{}"));
    let deleted = |n: usize| Change::Deleted {
        path: format!("routes/{n}").into(),
    };
    let changed = |revision, changes| Event::Changed {
        revision,
        changes,
        traced: Vec::new(),
    };
    let told = large(&mut control, changed(2, vec![gateway, deleted(0)]));
    assert!(matches!(told[..], [(_, 1, 3_000_000..)]), "{told:?}");
    let told = large(&mut control, changed(3, vec![deleted(1)]));
    assert_eq!(told, []);
}

fn control() -> Control {
    let (inputs, gateways) = inputs();
    Control::new(&inputs, gateways, Arc::default())
}

fn inputs() -> (Inputs, Arc<Gateways>) {
    let (gateways, said) = Gateways::new();
    let inputs = Inputs {
        events: mpsc::channel(1).1,
        earlier: mpsc::channel(1).0,
        answers: mpsc::channel(1).1,
        wanted: HashMap::new(),
        said,
        store: Source::new("etcd"),
        registries: HashMap::new(),
        saved: None,
        questions: mpsc::channel(1).1,
        freshness: Default::default(),
        keyring: Default::default(),
        lookup: Default::default(),
        asked: Default::default(),
        outside: mpsc::channel(1).1,
        others: ["vault", "openid"].map(Source::new),
        accept_store: false,
        keep_lost: KeepLost {
            time: Duration::ZERO,
            percent: 100,
        },
        wishes: mpsc::channel(1).1,
    };
    (inputs, Arc::new(gateways))
}

fn document(path: &str, value: &str) -> Document {
    Document {
        path: path.into(),
        source: path.into(),
        format: Format::Json,
        value: value.as_bytes().to_vec().into(),
        revision: 1,
    }
}
