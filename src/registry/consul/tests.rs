mod certificates;
mod feed;
pub(super) mod scripted;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{Settings, WAIT};
use crate::model::{Discovery, ServiceKey};
use crate::registry::Answer;
use crate::registry::freshness::Freshness;
use crate::telemetry::Source;
use scripted::{DEADLINE, Scripted};

/// A watch of the scripted server, as the control loop would hold it.
struct Watch {
    source: Source,
    wanted: watch::Sender<Arc<BTreeSet<ServiceKey>>>,
    answers: mpsc::Receiver<Answer>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

fn settings(address: &str) -> Settings {
    Settings {
        addresses: vec![address.to_owned()],
        token: Some("9a1c-secret".to_owned()),
        token_file: None,
        ca: None,
        cert: None,
        key: None,
        wait: WAIT,
        connections: crate::registry::consul::CONNECTIONS,
    }
}

fn services<'a>(names: impl IntoIterator<Item = &'a str>) -> Arc<BTreeSet<ServiceKey>> {
    let key = |name| ServiceKey::new(Discovery::Consul, name);
    Arc::new(names.into_iter().map(key).collect())
}

impl Watch {
    fn start<'a>(address: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        let source = Source::new("consul");
        let wanted = watch::Sender::new(services(names));
        let (answers_in, answers) = mpsc::channel(8);
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(super::watch(
            settings(address),
            source.clone(),
            Freshness::default(),
            wanted.subscribe(),
            answers_in,
            shutdown.clone(),
        ));
        Self {
            source,
            wanted,
            answers,
            shutdown,
            task,
        }
    }

    async fn answer(&mut self) -> Answer {
        let next = timeout(DEADLINE, self.answers.recv()).await;
        next.expect("an answer within the deadline").unwrap()
    }

    async fn ports(&mut self) -> Vec<u16> {
        let answer = self.answer().await;
        answer
            .instances
            .iter()
            .map(|instance| instance.port)
            .collect()
    }

    /// Waits until the source says an error with all of `words`, and that nothing has been answered meanwhile.
    async fn assert_fails(&mut self, words: &[&str]) {
        self.says(|error| error.is_some_and(|error| words.iter().all(|word| error.contains(word))))
            .await;
        self.answers.try_recv().expect_err("an error is no answer");
    }

    async fn assert_well(&self) {
        self.says(|error| error.is_none()).await;
    }

    async fn says(&self, right: impl Fn(Option<&str>) -> bool) {
        let until = Instant::now() + DEADLINE;
        loop {
            let error = self.source.report().error;
            if right(error.as_deref()) {
                return;
            }
            assert!(Instant::now() < until, "the source says {error:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_service_is_asked_for_at_once_and_then_by_blocking_queries() {
    let mut consul = Scripted::start().await;
    let mut watch = Watch::start(&consul.address, ["echo"]);

    let query = consul.query().await;
    assert_eq!(query.service, "echo");
    assert_eq!(query.index(), None);
    assert!(query.parameters.contains_key("consistent"));
    assert!(query.head.contains("x-consul-token: 9a1c-secret"));
    query.answer(7, &[1, 2]);
    assert_eq!(watch.ports().await, [1, 2]);

    let query = consul.query().await;
    assert_eq!(query.index(), Some(7));
    assert_eq!(query.parameters["wait"], "10000ms");
    query.answer(8, &[1]);
    assert_eq!(watch.ports().await, [1]);
    assert_eq!(consul.query().await.index(), Some(8));
}

#[tokio::test]
async fn an_index_that_went_back_is_asked_again_without_index() {
    let mut consul = Scripted::start().await;
    let mut watch = Watch::start(&consul.address, ["echo"]);
    consul.query().await.answer(32, &[1]);
    assert_eq!(watch.ports().await, [1]);

    let query = consul.query().await;
    assert_eq!(query.index(), Some(32));
    query.answer(12, &[]);
    let query = consul.query().await;
    assert_eq!(query.index(), None);
    query.answer(12, &[2]);
    assert_eq!(
        watch.ports().await,
        [2],
        "the answer with the lower index was not believed"
    );
    assert_eq!(consul.query().await.index(), Some(12));
}

#[tokio::test]
async fn index_0_is_not_blocked_on() {
    let mut consul = Scripted::start().await;
    let mut watch = Watch::start(&consul.address, ["echo"]);
    consul.query().await.answer(0, &[1]);
    assert_eq!(watch.ports().await, [1]);
    assert_eq!(consul.query().await.index(), Some(1));
}

#[tokio::test]
async fn a_server_that_does_not_block_is_not_asked_in_a_busy_loop() {
    let mut consul = Scripted::start().await;
    let _watch = Watch::start(&consul.address, ["echo"]);
    let until = Instant::now() + Duration::from_secs(2);
    let mut asked = 0;
    while Instant::now() < until {
        consul.query().await.answer(7, &[1]);
        asked += 1;
    }
    assert!(asked < 20, "asked {asked} times in two seconds");
}

#[tokio::test]
async fn half_an_answer_empties_nothing_and_is_asked_again_without_index() {
    let mut consul = Scripted::start().await;
    let mut watch = Watch::start(&consul.address, ["echo"]);
    consul.query().await.answer(7, &[1, 2]);
    assert_eq!(watch.ports().await, [1, 2]);

    consul.query().await.break_off(8, &[1]);
    watch.assert_fails(&["unreachable"]).await;
    let query = consul.query().await;
    assert_eq!(query.index(), None);
    query.answer(8, &[1]);
    assert_eq!(watch.ports().await, [1]);
    watch.assert_well().await;
}

#[tokio::test]
async fn what_is_no_answer_empties_nothing() {
    let index = "X-Consul-Index: 8\r\n";
    let cases = [
        (500, "", "No cluster leader", ["500", "No cluster leader"]),
        (500, "", "rpc error making call: EOF", ["500", "rpc error"]),
        (403, "", "ACL not found", ["service:read", "node:read"]),
        (
            302,
            "Location: http://127.0.0.1:1/\r\n",
            "",
            ["302", "`echo`"],
        ),
        (404, "", "no such page", ["404", "no such page"]),
        (200, "", "[]", ["`echo`", "x-consul-index"]),
        (200, index, "null", ["`echo`", "null"]),
        (200, index, "<html>", ["`echo`", "cannot be used"]),
        (
            200,
            "X-Consul-Index: 8\r\nX-Consul-KnownLeader: false\r\n",
            "[]",
            ["127.0.0.1", "no leader"],
        ),
        (
            200,
            "X-Consul-Index: 8\r\nX-Consul-Results-Filtered-By-ACLs: true\r\n",
            "[]",
            ["token", "service:read"],
        ),
    ];
    let mut consul = Scripted::start().await;
    let mut watch = Watch::start(&consul.address, ["echo"]);
    consul.query().await.answer(7, &[1, 2]);
    assert_eq!(watch.ports().await, [1, 2]);
    for (status, headers, body, words) in cases {
        consul.query().await.reply(status, headers, body);
        watch.assert_fails(&words).await;
        // The same as before is no news, and the next pause is short again.
        consul.query().await.answer(7, &[1, 2]);
    }
    consul.query().await.reply(500, "", "No cluster leader");
    let query = consul.query().await;
    assert_eq!(query.index(), None);
    query.answer(9, &[]);
    assert_eq!(
        watch.ports().await,
        [] as [u16; 0],
        "but Consul's word does"
    );
}

#[tokio::test]
async fn the_pause_that_consul_asks_for_is_kept() {
    let mut consul = Scripted::start().await;
    let mut watch = Watch::start(&consul.address, ["echo"]);
    consul
        .query()
        .await
        .reply(429, "Retry-After: 2\r\n", "too many connections");
    let refused = Instant::now();
    watch.assert_fails(&["429", "too many connections"]).await;
    consul.query().await.answer(7, &[1]);
    assert!(refused.elapsed() >= Duration::from_secs(2));
    assert_eq!(watch.ports().await, [1]);
}

#[tokio::test]
async fn a_service_that_is_no_longer_wanted_is_no_longer_asked_for() {
    let mut consul = Scripted::start().await;
    let mut watch = Watch::start(&consul.address, ["echo"]);
    consul.query().await.answer(7, &[1]);
    watch.ports().await;
    let echo = consul.query().await;

    watch.wanted.send_replace(services(["echo", "users"]));
    let users = consul.query().await;
    assert_eq!(users.service, "users", "echo's query goes on as it is");
    users.answer(8, &[2]);
    assert_eq!(&*watch.answer().await.service.name, "users");
    let users = consul.query().await;

    watch.wanted.send_replace(services(["users"]));
    echo.given_up().await;
    users.answer(9, &[3]);
    assert_eq!(watch.ports().await, [3]);
    let users = consul.query().await;
    assert_eq!(users.service, "users");
    assert!(!consul.is_asked_within(Duration::from_millis(500)).await);
}

#[tokio::test]
async fn a_service_that_fails_does_not_hold_the_others_and_the_source_stays_lost() {
    let mut consul = Scripted::start().await;
    let mut watch = Watch::start(&consul.address, ["echo", "users"]);
    let mut users_failed = false;
    let mut users_asked_again = Vec::new();
    let mut echo_asked = 0;
    while echo_asked < 4 || users_asked_again.is_empty() {
        let query = consul.query().await;
        if query.service == "echo" {
            echo_asked += 1;
            query.answer(echo_asked, &[1]);
        } else if users_failed {
            users_asked_again.push(query);
        } else {
            users_failed = true;
            query.reply(500, "", "rpc error");
        }
    }
    assert_eq!(watch.ports().await, [1]);
    watch.assert_fails(&["`users`", "rpc error"]).await;

    watch.wanted.send_replace(services(["echo"]));
    let answering = async {
        loop {
            let query = consul.query().await;
            if query.service == "echo" {
                query.answer(9, &[1]);
            }
        }
    };
    tokio::select! {
        () = watch.assert_well() => {}
        () = answering => {}
    }
}

#[tokio::test]
async fn any_service_name_reaches_consul_whole() {
    let mut consul = Scripted::start().await;
    let _watch = Watch::start(&consul.address, ["a b/c?d#e"]);
    assert_eq!(consul.query().await.service, "a%20b%2Fc%3Fd%23e");
}

#[tokio::test]
async fn a_consul_that_is_not_there_yet_is_waited_for() {
    let address = {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", port.local_addr().unwrap())
    };
    let mut watch = Watch::start(&address, ["echo"]);
    watch
        .assert_fails(&[&address, "unreachable", "refused"])
        .await;
}

#[tokio::test]
async fn settings_that_cannot_be_used_say_so_and_are_tried_again() {
    let mut watch = Watch::start("127.0.0.1:8500", ["echo"]);
    watch
        .assert_fails(&["address", "http://127.0.0.1:8500"])
        .await;
    assert!(!watch.task.is_finished());
    watch.shutdown.cancel();
    timeout(DEADLINE, watch.task).await.unwrap().unwrap();
}

#[test]
fn the_token_is_not_printed() {
    let printed = format!("{:?}", settings("http://127.0.0.1:8500"));
    assert!(!printed.contains("9a1c"), "{printed}");
}
