use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::build::{Refusal, Unproven};
use crate::cohort::Cohort;
use crate::model::document::Format;
use crate::model::instance::Status;
use crate::model::service_key::Scope;
use crate::model::{Discovery, Instance, Provider, SecretName, ServiceKey};
use crate::snapshot::{Resource, ResourceType, Version};
use crate::telemetry::Metrics;

/// How long something may take that takes no time where nothing is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn document(path: &str, value: &[u8], revision: i64) -> Document {
    Document {
        path: path.into(),
        source: format!("/chancery/{path}").into(),
        format: Format::Json,
        value: value.to_vec().into(),
        revision,
    }
}

pub(super) fn answered(service: &str, instances: u16) -> Answered {
    let instance = |port| Instance {
        status: Status::Warning,
        weight: 3,
        region: "eu".into(),
        zone: "dc1".into(),
        tags: ["v2".into()].into(),
        metadata: [("version".to_owned(), "v2".to_owned())].into(),
        tagged: [("wan".into(), ([192, 0, 2, 1], port).into())].into(),
        service_id: format!("{service}-{port}").into(),
        node: "node-1".into(),
        node_address: "10.0.0.9".into(),
        ..Instance::new(
            format!("node-1/{service}-{port}"),
            [10, 0, 0, 1].into(),
            port,
        )
    };
    let service = ServiceKey {
        near: Some("_agent".into()),
        scope: Scope {
            datacenter: Some("dc2".into()),
            namespace: Some("team".into()),
            partition: Some("part".into()),
        },
        ..ServiceKey::new(Discovery::Consul, service)
    };
    Answered {
        answer: Answer::new(service, (1..=instances).map(instance).collect()),
        as_of: UNIX_EPOCH + Duration::from_secs(1_700_000_100),
    }
}

/// One of everything: a document that is good, one that is bad after a good form, one that is not even text, a service
/// with instances and one without.
pub(super) fn saved() -> Saved {
    let good = |document| Kept {
        document,
        good: None,
    };
    let mut yaml = document("routes/yaml", b"uri: /yaml", 3);
    yaml.format = Format::Yaml;
    let provider = Provider {
        address: "https://login.example.com/d".into(),
        verify: true,
        keys: true,
        login: true,
    };
    Saved {
        revision: 42,
        as_of: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        documents: vec![
            good(document("routes/echo", br#"{"uri":"/echo"}"#, 40)),
            good(yaml),
            good(document("routes/bytes", b"\xff\x00{", 41)),
            Kept {
                document: document("routes/bad", b"{", 42),
                good: Some(document("routes/bad", br#"{"uri":"/good"}"#, 7)),
            },
        ],
        answers: vec![answered("echo", 2), answered("nobody", 0)],
        acceptances: vec![acceptance()],
        secrets: [SecretName {
            manager: "secrets/vault/1".into(),
            key: "shop/jack".into(),
            field: "key".into(),
        }]
        .into(),
        providers: [(provider, "what it said".to_owned())].into(),
    }
}

/// Proxies that refuse a route and a cluster, of which forms were accepted before, and a listener, of which none was; and a
/// route that is among suspects.
fn acceptance() -> Acceptance {
    let nodes = BTreeSet::from(["one".into(), "two".into()]);
    let refusal = Refusal::new("no".into(), "one".into(), 1_700_000_000);
    let cluster = Resource::new(
        ResourceType::Cluster,
        "consul/echo",
        b"a cluster",
        [(ResourceType::LoadAssignment, "consul/echo".into())].into(),
    );
    let cluster = Unproven {
        good: Some(Arc::new(cluster.of_full_name(Some("echo".to_owned())))),
        searched: false,
        refusal: Some(refusal.of_need()),
    };
    let listener = Unproven {
        good: None,
        searched: false,
        refusal: Some(refusal.clone()),
    };
    let route = Unproven {
        good: Some(vec![document("routes/echo", br#"{"uri":"/before"}"#, 5)]),
        searched: false,
        refusal: Some(refusal),
    };
    let suspect = Unproven {
        good: None,
        searched: true,
        refusal: None,
    };
    Acceptance {
        gateway: "edge".parse().unwrap(),
        cohort: Cohort::named("envoy 1.40.0+000000ff").unwrap(),
        nodes,
        versions: ResourceType::ALL.map(|of| Version::of(of.as_str().as_bytes())),
        routes: vec![
            ("echo".parse().unwrap(), route),
            ("new".parse().unwrap(), suspect),
        ],
        resources: vec![
            (ResourceType::Cluster, "consul/echo".into(), cluster),
            (ResourceType::Listener, "edge/http".into(), listener),
        ],
    }
}

pub(super) fn origin() -> Origin {
    Origin {
        store: etcd(
            &["http://10.0.0.5:2379", "http://10.0.0.6:2379"],
            "/chancery",
        ),
        registries: consul("http://127.0.0.1:8500"),
    }
}

fn consul(agent: &str) -> BTreeMap<Discovery, BTreeSet<String>> {
    [(Discovery::Consul, [agent.into()].into())].into()
}

fn etcd(endpoints: &[&str], prefix: &str) -> Place {
    Place::Etcd {
        endpoints: endpoints.iter().map(ToString::to_string).collect(),
        prefix: prefix.into(),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_saved_is_loaded_and_nobody_else_can_read_it() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("made/on/the/way");
    assert_eq!(load(&folder, &origin()), None);
    file::save(&folder, &origin(), saved()).unwrap();
    file::save(&folder, &origin(), saved()).unwrap();
    assert_eq!(load(&folder, &origin()), Some(saved()));
    assert_eq!(names(&folder), ["inputs"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("inputs")), 0o600);
}

#[test]
fn damaged_files_are_set_aside_and_the_newest_are_kept() {
    let made = tempfile::tempdir().unwrap();
    let folder = made.path();
    for n in 1..=11 {
        fs::write(folder.join("inputs"), format!("damage {n}")).unwrap();
        assert_eq!(load(folder, &origin()), None);
    }
    let expected: Vec<_> = (1..=9).map(|n| format!("inputs.damaged-{n}")).collect();
    assert_eq!(names(folder), expected);
    let last = fs::read_to_string(folder.join("inputs.damaged-9")).unwrap();
    assert_eq!(last, "damage 11");
    // And the folder can be used again.
    file::save(folder, &origin(), saved()).unwrap();
    assert_eq!(load(folder, &origin()), Some(saved()));
}

#[test]
fn what_cannot_be_read_stays_and_is_not_fatal() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("inputs")).unwrap();
    assert_eq!(load(folder.path(), &origin()), None);
    assert_eq!(names(folder.path()), ["inputs"]);
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(load(&file, &origin()), None);
    assert!(file::save(&file, &origin(), saved()).is_err());
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inputs");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let (sender, told) = std::sync::mpsc::channel();
    let within = folder.path().to_owned();
    std::thread::spawn(move || sender.send(load(&within, &origin())).is_ok());
    let loaded = told.recv_timeout(PATIENCE);
    assert_eq!(loaded.expect("it hangs"), None);
    // And the next state takes its place.
    file::save(folder.path(), &origin(), saved()).unwrap();
    assert_eq!(load(folder.path(), &origin()), Some(saved()));
}

#[test]
fn an_unfinished_file_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    file::save(folder.path(), &origin(), saved()).unwrap();
    fs::write(folder.path().join("inputs.0123.tmp"), "half").unwrap();
    assert_eq!(load(folder.path(), &origin()), Some(saved()));
    assert_eq!(names(folder.path()), ["inputs"]);
}

#[test]
fn a_state_of_other_documents_is_set_aside() {
    let others = [
        etcd(&["http://10.0.0.5:2379"], "/apisix"),
        etcd(&["http://10.0.0.9:2379"], "/chancery"),
        Place::Files("/chancery".into()),
    ];
    for store in others {
        let folder = tempfile::tempdir().unwrap();
        file::save(folder.path(), &origin(), saved()).unwrap();
        let other = Origin { store, ..origin() };
        assert_eq!(load(folder.path(), &other), None);
        assert_eq!(names(folder.path()), ["inputs.other-1"]);
    }
}

#[test]
fn an_etcd_with_a_new_member_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    file::save(folder.path(), &origin(), saved()).unwrap();
    let members = ["http://10.0.0.6:2379", "http://10.0.0.7:2379"];
    let grown = Origin {
        store: etcd(&members, "/chancery"),
        ..origin()
    };
    assert_eq!(load(folder.path(), &grown), Some(saved()));
}

#[test]
fn instances_of_another_consul_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    file::save(folder.path(), &origin(), saved()).unwrap();
    let elsewhere = Origin {
        registries: consul("http://10.0.0.8:8500"),
        ..origin()
    };
    let loaded = load(folder.path(), &elsewhere).unwrap();
    assert_eq!(loaded.documents, saved().documents);
    assert_eq!(loaded.answers, []);
}

#[test]
fn files_count_their_revisions_anew() {
    let folder = tempfile::tempdir().unwrap();
    let files = Origin {
        store: Place::Files("/documents".into()),
        registries: BTreeMap::new(),
    };
    file::save(folder.path(), &files, saved()).unwrap();
    assert_eq!(load(folder.path(), &files).unwrap().revision, 0);
}

#[test]
fn ten_thousand_documents_and_five_thousand_services_load_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = include_bytes!("../../examples/etcd/routes/echo.json");
    let kept = |n| Kept {
        document: document(&format!("routes/{n}"), text, n),
        good: None,
    };
    let large = Saved {
        documents: (0..10_000).map(kept).collect(),
        answers: (0..5_000).map(|n| answered(&format!("s{n}"), 3)).collect(),
        ..saved()
    };
    file::save(folder.path(), &origin(), large.clone()).unwrap();
    let began = Instant::now();
    let loaded = load(folder.path(), &origin()).unwrap();
    let took = began.elapsed();
    assert!(loaded == large);
    // A tenth of it without optimization, a hundredth with it.
    assert!(took < Duration::from_secs(10), "it took {took:?}");
}

/// A keeper of `folder`, and the wishes that it has.
fn keeper(folder: &Path) -> (mpsc::Receiver<SaveRequest>, Arc<Metrics>, CancellationToken) {
    let (wisher, wishes) = mpsc::channel(1);
    let (metrics, shutdown) = (Arc::new(Metrics::default()), CancellationToken::new());
    tokio::spawn(keep(
        folder.to_owned(),
        origin(),
        wisher,
        metrics.clone(),
        shutdown.clone(),
    ));
    (wishes, metrics, shutdown)
}

#[tokio::test]
async fn the_keeper_writes_what_it_is_granted_and_ends_with_the_loop() {
    let folder = tempfile::tempdir().unwrap();
    let (mut wishes, _, shutdown) = keeper(folder.path());
    wishes.recv().await.unwrap().send(saved()).unwrap();
    // The next wish tells that the first one is on disk; a shutdown spares the pause before it.
    shutdown.cancel();
    let next = wishes.recv().await.unwrap();
    assert_eq!(load(folder.path(), &origin()), Some(saved()));
    drop(next);
    assert!(wishes.recv().await.is_none());
}

#[tokio::test]
async fn the_keeper_tries_again_until_it_can_write() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("state");
    fs::write(&folder, "in the way").unwrap();
    let (mut wishes, metrics, _shutdown) = keeper(&folder);
    wishes.recv().await.unwrap().send(saved()).unwrap();
    let tried = async {
        while metrics.state_write_failures.get() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, tried).await.unwrap();
    fs::remove_file(&folder).unwrap();
    // Nothing newer is granted.
    let _wish = wishes.recv().await.unwrap();
    let written = async {
        while load(&folder, &origin()) != Some(saved()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, written).await.unwrap();
}

#[tokio::test]
async fn the_newest_state_takes_the_place_of_one_that_cannot_be_written() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("state");
    fs::write(&folder, "in the way").unwrap();
    let (mut wishes, metrics, _shutdown) = keeper(&folder);
    let too_large = saved();
    wishes.recv().await.unwrap().send(too_large).unwrap();
    let newest = Saved {
        revision: 43,
        documents: Vec::new(),
        ..saved()
    };
    // It is asked for while the one before is not written.
    let asked = tokio::time::timeout(PATIENCE, wishes.recv()).await;
    let next = asked.expect("the newest is never asked for").unwrap();
    assert!(metrics.state_write_failures.get() > 0);
    fs::remove_file(&folder).unwrap();
    next.send(newest.clone()).unwrap();
    let _written = wishes.recv().await.unwrap();
    assert_eq!(load(&folder, &origin()), Some(newest));
}
