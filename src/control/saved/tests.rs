use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::{Arrived, Inputs, KeepLost, run};
use super::*;
use crate::model::document::Format;
use crate::model::{Discovery, SecretName, Subject, Verdict};
use crate::snapshot::{ResourceType, Snapshot};
use crate::store::Event;
use crate::telemetry::{Metrics, Source};
use crate::xds::Gateways;

const DEADLINE: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3600);

const TO_ECHO: &str = r#"{"uri":"/echo","upstream":{"type":"roundrobin","discovery_type":"consul","service_name":"echo"}}"#;
const TO_LATE: &str = r#"{"uri":"/late","upstream":{"type":"roundrobin","discovery_type":"consul","service_name":"late"}}"#;
const MOCKED: &str = r#"{"uri":"/mocked","plugins":{"mocking":{"response_status":204}}}"#;

/// A running loop, and both of its ends.
struct Loop {
    events: mpsc::Sender<Arrived<Event>>,
    answers: mpsc::Sender<Arrived<Answer>>,
    wishes: mpsc::Sender<SaveRequest>,
    outside: mpsc::Sender<Arrived<Vec<(Subject, Verdict)>>>,
    gateways: Arc<Gateways>,
    store: Source,
    consul: Source,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Loop {
    fn start(saved: Option<Saved>) -> Self {
        let (events, told) = mpsc::channel(16);
        let (answers, answered) = mpsc::channel(16);
        let (wishes, granting) = mpsc::channel(1);
        let (outside, told_outside) = mpsc::channel(16);
        let (store, consul) = (Source::new("etcd"), Source::new("consul"));
        let inputs = Inputs {
            events: told,
            earlier: mpsc::channel(16).0,
            answers: answered,
            wanted: HashMap::from([(Discovery::Consul, watch::Sender::default())]),
            store: store.clone(),
            registries: HashMap::from([(Discovery::Consul, consul.clone())]),
            saved,
            questions: mpsc::channel(1).1,
            keyring: Default::default(),
            lookup: Default::default(),
            asked: watch::Sender::default(),
            outside: told_outside,
            others: ["vault", "openid"].map(Source::new),
            accept_store: false,
            keep_lost: KeepLost {
                time: Duration::ZERO,
                percent: 100,
            },
            freshness: Default::default(),
            wishes: granting,
            said: Gateways::new().1,
        };
        let gateways = Arc::new(Gateways::new().0);
        let shutdown = CancellationToken::new();
        let metrics = Arc::new(Metrics::default());
        let running = run(inputs, gateways.clone(), metrics, shutdown.clone());
        Self {
            events,
            answers,
            wishes,
            outside,
            gateways,
            store,
            consul,
            shutdown,
            running: tokio::spawn(running),
        }
    }

    async fn lists(&self, revision: i64, documents: &[Document]) {
        let listed = Event::Listed {
            revision,
            documents: documents.to_vec(),
        };
        self.events.send(arrived(listed)).await.unwrap();
    }

    async fn answers(&self, service: &str, ports: &[u16]) {
        let answer = answer(service, ports);
        self.answers.send(arrived(answer)).await.unwrap();
    }

    /// Waits for a snapshot like this.
    async fn publishes(&self, like: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut newest = self.gateways.watch("default", None);
        let like = |newest: &Option<Arc<Snapshot>>| newest.as_deref().is_some_and(&like);
        let found = timeout(DEADLINE, newest.wait_for(like)).await;
        found.unwrap().unwrap().clone().unwrap()
    }

    /// What is granted to be saved.
    async fn grants(&self) -> Saved {
        let (wish, granted) = oneshot::channel();
        self.wishes.send(wish).await.unwrap();
        timeout(DEADLINE, granted).await.unwrap().unwrap()
    }

    /// Whether saved documents and saved instances are served.
    fn serves_saved(&self) -> [bool; 2] {
        [&self.store, &self.consul].map(|source| source.report().saved.is_some())
    }
}

fn arrived<T>(what: T) -> Arrived<T> {
    Arrived {
        at: Instant::now(),
        what,
    }
}

fn document(path: &str, text: &str, revision: i64) -> Document {
    Document {
        path: path.into(),
        source: format!("/chancery/{path}").into(),
        format: Format::Json,
        value: text.as_bytes().to_vec().into(),
        revision,
    }
}

fn answer(service: &str, ports: &[u16]) -> Answer {
    let instance = |port: &u16| Instance::new(port.to_string(), [127, 0, 0, 1].into(), *port);
    let service = ServiceKey::new(Discovery::Consul, service);
    Answer::new(service, ports.iter().map(instance).collect())
}

/// The state of an hour ago: a route to `echo`, which has an instance.
fn saved() -> Saved {
    let as_of = SystemTime::now() - HOUR;
    Saved {
        revision: 42,
        as_of,
        documents: vec![Kept {
            document: document("routes/echo", TO_ECHO, 42),
            good: None,
        }],
        answers: vec![Answered {
            answer: answer("echo", &[8081]),
            as_of,
        }],
        acceptances: Vec::new(),
        secrets: Default::default(),
        providers: Default::default(),
    }
}

fn has_cluster(snapshot: &Snapshot, name: &str) -> bool {
    let clusters = snapshot.set(ResourceType::Cluster);
    clusters.find(name).is_some()
}

fn has_instances(snapshot: &Snapshot, service: &str) -> bool {
    let assignments = snapshot.set(ResourceType::LoadAssignment);
    assignments.find(service).is_some()
}

#[tokio::test]
async fn without_its_sources_it_serves_what_was_saved_and_saves_nothing() {
    let scene = Loop::start(Some(saved()));
    let snapshot = scene.publishes(|_| true).await;
    assert_eq!(snapshot.revision, 42);
    assert!(has_cluster(&snapshot, "route/echo") && has_instances(&snapshot, "consul/echo"));
    assert_eq!(scene.serves_saved(), [true, true]);
    assert!(scene.store.report().saved.unwrap() >= HOUR);
    // It would only make old things look new.
    let (wish, granted) = oneshot::channel();
    scene.wishes.send(wish).await.unwrap();
    scene.shutdown.cancel();
    assert!(timeout(DEADLINE, granted).await.unwrap().is_err());
}

#[tokio::test]
async fn sources_that_answer_in_time_are_all_that_is_served() {
    let scene = Loop::start(Some(saved()));
    let mut newest = scene.gateways.watch("default", None);
    scene.lists(43, &[document("routes/m", MOCKED, 43)]).await;
    newest.changed().await.unwrap();
    let first = newest.borrow().clone().unwrap();
    assert_eq!(first.revision, 43);
    assert!(!has_cluster(&first, "route/echo"));
    assert_eq!(scene.serves_saved(), [false, false]);
}

#[tokio::test]
async fn saved_instances_stay_until_the_registry_answers() {
    let scene = Loop::start(Some(saved()));
    let documents = [document("routes/echo", TO_ECHO, 42)];
    scene.lists(44, &documents).await;
    let first = scene.publishes(|_| true).await;
    assert!(has_instances(&first, "consul/echo"));
    assert_eq!(scene.serves_saved(), [false, true]);
    // The documents are the store's own by now, the instances are still as old as they were.
    let granted = scene.grants().await;
    assert_eq!(granted.revision, 44);
    assert!(granted.as_of.elapsed().unwrap() < HOUR);
    assert!(granted.answers[0].as_of.elapsed().unwrap() >= HOUR);

    scene.answers("echo", &[8082]).await;
    let before = first.set(ResourceType::LoadAssignment).version();
    let other = |next: &Snapshot| next.set(ResourceType::LoadAssignment).version() != before;
    scene.publishes(other).await;
    assert_eq!(scene.serves_saved(), [false, false]);
    let granted = scene.grants().await;
    assert_eq!(granted.answers[0].answer, answer("echo", &[8082]));
    assert!(granted.answers[0].as_of.elapsed().unwrap() < HOUR);
}

#[tokio::test]
async fn a_service_that_was_not_saved_is_waited_for_when_the_store_answers() {
    let scene = Loop::start(Some(saved()));
    let documents = [
        document("routes/echo", TO_ECHO, 42),
        document("routes/late", TO_LATE, 43),
    ];
    scene.lists(43, &documents).await;
    // Longer than saved state waits: publishing without the route could take it from proxies that have it.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(scene.gateways.newest().is_empty());
    scene.answers("late", &[8083]).await;
    let first = scene.publishes(|_| true).await;
    assert!(has_cluster(&first, "route/echo") && has_cluster(&first, "route/late"));
}

#[tokio::test]
async fn a_store_that_is_behind_wins() {
    let scene = Loop::start(Some(saved()));
    scene.publishes(|snapshot| snapshot.revision == 42).await;
    let documents = [
        document("routes/m", MOCKED, 2),
        document("routes/echo", MOCKED, 3),
    ];
    scene.lists(3, &documents).await;
    let now = scene.publishes(|snapshot| snapshot.revision == 3).await;
    assert!(!has_cluster(&now, "route/echo"));
    assert_eq!(scene.serves_saved(), [false, false]);
}

#[tokio::test]
async fn a_store_that_lost_what_was_saved_takes_nothing_away() {
    let scene = Loop::start(Some(saved()));
    scene.publishes(|snapshot| snapshot.revision == 42).await;
    scene.lists(3, &[document("routes/m", MOCKED, 2)]).await;
    let now = scene.publishes(|snapshot| snapshot.revision == 3).await;
    assert!(has_cluster(&now, "route/echo"));
    // Also not after another start.
    assert_eq!(scene.grants().await.revision, 42);
}

#[tokio::test]
async fn the_last_good_form_of_a_bad_document_outlives_two_restarts() {
    let scene = Loop::start(None);
    scene.lists(5, &[document("routes/m", MOCKED, 5)]).await;
    scene.publishes(|_| true).await;
    let bad = document("routes/m", "{", 6);
    let changes = vec![Change::Put(bad.clone())];
    let revision = 6;
    let event = Event::Changed {
        revision,
        changes,
        traced: Vec::new(),
    };
    scene.events.send(arrived(event)).await.unwrap();
    let mut granted = scene.grants().await;
    while granted.revision < 6 {
        granted = scene.grants().await;
    }
    let routes =
        |snapshot: &Arc<Snapshot>| snapshot.set(ResourceType::RouteConfiguration).version();
    let before = routes(&scene.publishes(|_| true).await);
    for _ in 0..2 {
        let expected = Kept {
            document: bad.clone(),
            good: Some(document("routes/m", MOCKED, 5)),
        };
        assert_eq!(granted.documents, [expected]);
        let next = Loop::start(Some(granted));
        next.lists(6, std::slice::from_ref(&bad)).await;
        let snapshot = next.publishes(|_| true).await;
        assert_eq!(routes(&snapshot), before);
        granted = next.grants().await;
    }
}

#[tokio::test]
async fn nothing_is_granted_twice_but_once_more_at_the_end() {
    let scene = Loop::start(None);
    scene.lists(5, &[document("routes/m", MOCKED, 5)]).await;
    let first = scene.grants().await;
    let progress = Event::Progress { revision: 9 };
    scene.events.send(arrived(progress)).await.unwrap();
    let (wish, mut granted) = oneshot::channel();
    scene.wishes.send(wish).await.unwrap();
    scene.publishes(|_| true).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(granted.try_recv().is_err(), "granted without a change");
    scene.shutdown.cancel();
    let last = timeout(DEADLINE, granted).await.unwrap().unwrap();
    assert_eq!((last.documents, last.revision), (first.documents, 9));
    scene.running.await.unwrap();
}

const KEYED: &str =
    r#"{"uri":"/keyed","plugins":{"mocking":{"response_status":204},"key-auth":{}}}"#;
const JACK: &str =
    r#"{"username":"jack","plugins":{"key-auth":{"key":"$secret://vault/1/jack/key"}}}"#;
const VAULT: &str = r#"{"uri":"https://vault","prefix":"kv","token":"t"}"#;

fn key_of_jack() -> SecretName {
    SecretName {
        manager: "secrets/vault/1".into(),
        key: "jack".into(),
        field: "key".into(),
    }
}

/// A loop on a saved state of these documents, which the store still has.
async fn keyed(secrets: &[SecretName]) -> Loop {
    let documents = [
        document("routes/keyed", KEYED, 42),
        document("consumers/jack", JACK, 42),
        document("secrets/vault/1", VAULT, 42),
    ];
    let kept = |document: &Document| Kept {
        document: document.clone(),
        good: None,
    };
    let scene = Loop::start(Some(Saved {
        documents: documents.iter().map(kept).collect(),
        secrets: secrets.iter().cloned().collect(),
        ..saved()
    }));
    scene.lists(42, &documents).await;
    scene
}

#[tokio::test]
async fn what_a_manager_had_answered_before_is_waited_for() {
    let scene = keyed(&[key_of_jack()]).await;
    let says = async |verdict| {
        let told = vec![(Subject::Secret(key_of_jack()), verdict)];
        scene.outside.send(arrived(told)).await.unwrap();
    };
    let nothing = async || {
        let soon = Duration::from_millis(500);
        let published = timeout(soon, scene.publishes(|_| true)).await;
        assert!(published.is_err(), "{published:?}");
    };
    nothing().await;
    // Who is not let in is told nothing of what there is.
    says(Verdict::Denied("which is denied".to_owned())).await;
    nothing().await;
    says(Verdict::Value("pl4nted".to_owned())).await;
    scene.publishes(|_| true).await;
    let saved = scene.grants().await;
    assert_eq!(saved.secrets, [key_of_jack()].into());
    assert!(!format!("{saved:?}").contains("pl4nted"));
}

#[tokio::test]
async fn what_no_manager_had_answered_before_holds_nobody_up() {
    let scene = keyed(&[]).await;
    scene.publishes(|_| true).await;
    let settled = scene.gateways.settled().borrow().clone();
    let problem = &settled.problems["consumers/jack"];
    assert_eq!(problem.cause.as_str(), "waiting");
    assert!(scene.grants().await.secrets.is_empty());
}
