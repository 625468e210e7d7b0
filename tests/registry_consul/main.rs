//! Instances as the real Consul tells them: registered, failing, in maintenance, gone; and Consul itself restarted,
//! wiped, hanging, behind TLS, and with a token that it does not know.

// All of it is tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod cluster;
mod many;
mod process;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chancery::model::instance::Status;
use chancery::model::{Discovery, ServiceKey};
use chancery::registry::Answer;
use chancery::registry::consul::{self, Settings, WAIT};
use chancery::registry::freshness::Freshness;
use chancery::telemetry::Source;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use process::{Consul, DEADLINE};

/// A watch, as the control loop would hold it.
struct Watch {
    source: Source,
    answers: mpsc::Receiver<Answer>,
    wanted: watch::Sender<Arc<BTreeSet<ServiceKey>>>,
    _shutdown: DropGuard,
}

fn settings(url: &str) -> Settings {
    Settings {
        addresses: vec![url.to_owned()],
        token: None,
        token_file: None,
        ca: None,
        cert: None,
        key: None,
        wait: WAIT,
        connections: chancery::registry::consul::CONNECTIONS,
    }
}

impl Watch {
    fn start(settings: Settings, services: &[&str]) -> Self {
        let source = Source::new("consul");
        let services = services
            .iter()
            .map(|name| ServiceKey::new(Discovery::Consul, *name))
            .collect();
        let (wanted, wants) = watch::channel(Arc::new(services));
        let (answers_in, answers) = mpsc::channel(1024);
        let shutdown = CancellationToken::new();
        tokio::spawn(consul::watch(
            settings,
            source.clone(),
            Freshness::default(),
            wants,
            answers_in,
            shutdown.clone(),
        ));
        Self {
            source,
            answers,
            wanted,
            _shutdown: shutdown.drop_guard(),
        }
    }

    async fn answer(&mut self) -> Answer {
        let next = timeout(DEADLINE, self.answers.recv()).await;
        next.expect("an answer in time").unwrap()
    }

    /// Reads answers until one has exactly these ports; none on the way is empty unless that is what is waited for.
    async fn comes_to(&mut self, ports: &[u16]) {
        let until = Instant::now() + DEADLINE;
        loop {
            let answer = self.answer().await;
            let found: Vec<_> = answer
                .instances
                .iter()
                .filter(|instance| instance.status == Status::Passing)
                .map(|instance| instance.port)
                .collect();
            if found == ports {
                return;
            }
            assert!(!found.is_empty(), "emptied on the way to {ports:?}");
            assert!(Instant::now() < until, "{found:?} instead of {ports:?}");
        }
    }

    fn assert_quiet(&mut self) {
        if let Ok(answer) = self.answers.try_recv() {
            panic!("nothing has changed, and yet: {answer:?}");
        }
    }

    /// Reads answers until every service has had its first one.
    async fn is_complete(&mut self) {
        let mut unanswered = (**self.wanted.borrow()).clone();
        while !unanswered.is_empty() {
            let answer = self.answer().await;
            unanswered.remove(&answer.service);
        }
    }

    async fn is_well(&self) {
        let until = Instant::now() + DEADLINE;
        while let Some(error) = self.source.report().error {
            assert!(Instant::now() < until, "{error}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn is_lost(&self) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(error) = self.source.report().error {
                return error;
            }
            assert!(Instant::now() < until, "nobody noticed");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn instances_follow_checks_maintenance_and_registration() {
    let consul = Consul::dev().await;
    for port in [8081, 8082, 8083] {
        consul.register("echo", port).await;
    }
    let mut watch = Watch::start(settings(&consul.url()), &["echo"]);
    watch.comes_to(&[8081, 8082, 8083]).await;
    consul.check(8083, "critical", "").await;
    watch.comes_to(&[8081, 8082]).await;
    consul.maintain("echo", 8082, true).await;
    watch.comes_to(&[8081]).await;
    consul.deregister("echo", 8081).await;
    watch.comes_to(&[]).await;

    consul.check(8083, "passing", "").await;
    watch.comes_to(&[8083]).await;
    consul.maintain_node(true).await;
    watch.comes_to(&[]).await;
    consul.maintain_node(false).await;
    watch.comes_to(&[8083]).await;
}

#[tokio::test]
async fn what_does_not_concern_the_instances_pushes_nothing() {
    let consul = Consul::dev().await;
    consul.register("echo", 8081).await;
    let mut watch = Watch::start(settings(&consul.url()), &["echo"]);
    watch.comes_to(&[8081]).await;

    for round in 0..20 {
        consul.write("elsewhere", &round.to_string()).await;
        consul.register("users", 9000 + round).await;
        consul.register("echo", 8081).await;
        consul
            .check(8081, "passing", &format!("well, for the {round}th time"))
            .await;
    }
    consul.register("echo", 8082).await;
    let answer = watch.answer().await;
    assert_eq!(
        answer.instances.len(),
        2,
        "the first push since is the first change"
    );
    watch.assert_quiet();
}

#[tokio::test]
async fn a_service_on_another_node_is_reached_at_the_nodes_address() {
    let consul = Consul::dev().await;
    consul.register_in_catalog("echo", 8081).await;
    let mut watch = Watch::start(settings(&consul.url()), &["echo"]);
    let answer = watch.answer().await;
    assert_eq!(answer.service.to_string(), "consul/echo");
    assert_eq!(&*answer.instances[0].id, "node-2/echo-8081");
    assert_eq!(answer.instances[0].address.to_string(), "10.0.0.2");
    assert_eq!(&*answer.instances[0].zone, "dc1");
}

#[tokio::test]
async fn a_restart_of_consul_empties_nothing_and_new_state_follows() {
    let mut consul = Consul::persistent().await;
    // Not at the agent: that calls every check critical until it has run again.
    consul.register_in_catalog("echo", 8081).await;
    let mut watch = Watch::start(settings(&consul.url()), &["echo"]);
    watch.comes_to(&[8081]).await;
    for round in 1..=3 {
        consul.kill();
        assert!(watch.is_lost().await.contains("unreachable"));
        consul.start_again().await;
        consul.register_in_catalog("echo", 8081 + round).await;
        let ports: Vec<_> = (8081..=8081 + round).collect();
        watch.comes_to(&ports).await;
    }
}

#[tokio::test]
async fn a_consul_that_comes_back_with_another_state_is_believed() {
    let mut consul = Consul::dev().await;
    for port in 8081..8091 {
        consul.register("echo", port).await;
    }
    let mut watch = Watch::start(settings(&consul.url()), &["echo"]);
    watch.comes_to(&(8081..8091).collect::<Vec<_>>()).await;
    consul.kill();
    watch.is_lost().await;
    watch.assert_quiet();
    consul.start_again().await;
    consul.register("echo", 9090).await;
    // What comes first, empty or not, is the word of a Consul that has forgotten everything.
    while watch
        .answer()
        .await
        .instances
        .first()
        .map(|first| first.port)
        != Some(9090)
    {}
}

#[tokio::test]
async fn a_consul_that_hangs_is_noticed() {
    let consul = Consul::dev().await;
    consul.register("echo", 8081).await;
    let short = Settings {
        wait: Duration::from_secs(1),
        ..settings(&consul.url())
    };
    let mut watch = Watch::start(short, &["echo"]);
    watch.comes_to(&[8081]).await;
    consul.pause();
    let error = watch.is_lost().await;
    assert!(error.contains("did not answer within"), "{error}");
    watch.assert_quiet();
    consul.resume();
    consul.register("echo", 8082).await;
    watch.comes_to(&[8081, 8082]).await;
}
