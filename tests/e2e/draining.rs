//! S4, instances that a deploy platform takes out before it kills them: the registry first, then every Envoy, and only then
//! the answer.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use futures_util::StreamExt;
use futures_util::future::{join, join_all};
use futures_util::stream;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::support::chancery::{BINARY, Chancery};
use crate::support::instance::Instance;
use crate::support::load::Load;
use crate::support::process::Process;
use crate::support::stage::{Stage, route_to_service};
use crate::support::{PATIENCE, PATIENTLY, eventually, http, many, own_address};

/// Calls the control API; an answer without a body is `null`.
pub async fn call(
    chancery: &Chancery,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let url = format!("{}/{path}", chancery.url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method, url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

pub async fn drain(chancery: &Chancery, wish: Value) -> (u16, Value) {
    call(chancery, Method::POST, "v1/drains", Some(wish)).await
}

pub async fn undrain(chancery: &Chancery, answer: &Value) -> (u16, Value) {
    let path = format!("v1/drains/{}", answer["drain"]["id"].as_str().unwrap());
    call(chancery, Method::DELETE, &path, None).await
}

/// What drains are in force, by instance.
async fn drains(chancery: &Chancery) -> Vec<String> {
    let (status, answer) = call(chancery, Method::GET, "v1/drains", None).await;
    assert_eq!(status, 200, "{answer}");
    let drains = answer["drains"].as_array().unwrap();
    let names = drains.iter().map(|drain| drain["instance"].as_str());
    names.map(|name| name.unwrap().to_owned()).collect()
}

pub fn wish(at: SocketAddr) -> Value {
    json!({ "address": at.ip(), "port": at.port(), "wait": PATIENTLY })
}

/// Two instances of the service `echo` that Envoy serves.
pub async fn two(stage: &Stage) -> [Instance; 2] {
    let two = [stage.instance("a").await, stage.instance("b").await];
    for instance in &two {
        let (name, at) = (&instance.name, instance.address);
        stage.consul.register("echo", name, at).await;
    }
    let route = route_to_service("/echo", "echo");
    stage.etcd.put("routes/echo", &route).await;
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
    two
}

/// The instance gets no request, however many there are: a few may miss it by chance.
async fn is_left_out(stage: &Stage, instance: &str) {
    for _ in 0..40 {
        let answer = stage.envoy.get("/echo").await;
        assert_ne!(answer.instance().unwrap(), instance);
    }
}

/// An instance that is a process of its own, to be killed.
fn echo(name: &str, at: SocketAddr, folder: &Path) -> Process {
    let listen = at.to_string();
    let arguments = ["echo", "--listen", &listen, "--name", name];
    Process::start(name, Path::new(BINARY), arguments, folder)
}

async fn answers(at: SocketAddr) {
    let client = http::client();
    let url = format!("http://{at}/");
    eventually(async || http::send(&client, Method::GET, &url, &[]).await).await;
}

#[tokio::test]
async fn four_instances_are_deployed_anew_under_load() {
    let stage = Stage::set().await;
    let names = ["a", "b", "c", "d"];
    let places: Vec<_> = (0..4)
        .map(|number| SocketAddr::from((stage.address, 7001 + number)))
        .collect();
    let mut instances = Vec::new();
    for (name, at) in names.iter().zip(&places) {
        instances.push(echo(name, *at, stage.folder()));
        answers(*at).await;
        stage.consul.register_checked("echo", name, *at).await;
    }
    let route = route_to_service("/echo", "echo");
    stage.etcd.put("routes/echo", &route).await;
    stage.envoy.answers_by_all("/echo", &names).await;

    let load = Load::on(&stage.envoy.url("/echo"), 400);
    for ((name, at), instance) in names.iter().zip(&places).zip(&mut instances) {
        let (status, answer) = drain(&stage.chancery, wish(*at)).await;
        assert_eq!(
            (status, &answer["confirmed"]),
            (201, &json!(true)),
            "{answer}"
        );
        assert_eq!(answer["replicas"][0]["nodes"]["default"], 1, "{answer}");
        instance.kill();
        assert!(
            !stage
                .consul
                .passing("echo")
                .await
                .contains(&(*name).to_owned())
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
        instance.start_again();
        answers(*at).await;
        let (status, answer) = undrain(&stage.chancery, &answer).await;
        assert_eq!(status, 200, "{answer}");
        stage.envoy.answers_by_all("/echo", &names).await;
    }
    let report = load.stop().await;
    report.assert_flawless();
    assert!(report.answered.keys().eq(names), "{report:?}");
    assert!(drains(&stage.chancery).await.is_empty());
}

#[tokio::test]
async fn the_same_instance_drained_twice_at_once_is_one_drain() {
    let stage = Stage::set().await;
    let [a, _b] = two(&stage).await;
    let same = || drain(&stage.chancery, wish(a.address));
    let (one, other) = join(same(), same()).await;
    let mut statuses = [one.0, other.0];
    statuses.sort();
    assert_eq!(statuses, [200, 201], "{one:?} {other:?}");
    assert_eq!(one.1["drain"]["id"], other.1["drain"]["id"]);
    assert_eq!(same().await.0, 200, "and so is it later");
    is_left_out(&stage, "a").await;
    let (status, _) = undrain(&stage.chancery, &one.1).await;
    assert_eq!(status, 200);
    assert_eq!(undrain(&stage.chancery, &one.1).await.0, 404);
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
}

#[tokio::test]
async fn what_cannot_be_drained_is_refused_with_the_reason() {
    let stage = Stage::set().await;
    let [a, b] = two(&stage).await;
    for (wish, status, said) in [
        (json!({ "address": "a.example" }), 400, "IP address"),
        (
            json!({ "address": "10.0.0.1", "ttl": "1s" }),
            400,
            "10s to 24h",
        ),
        (
            json!({ "address": "10.0.0.1", "wait": "soon" }),
            400,
            "wait: found `soon`",
        ),
        (json!({ "adress": "10.0.0.1" }), 400, "adress"),
        (
            json!({ "address": "10.9.9.9" }),
            404,
            "no service that documents name",
        ),
        (
            json!({ "address": stage.address, "service": "other" }),
            404,
            "other",
        ),
        (
            json!({ "address": stage.address }),
            400,
            "several instances",
        ),
    ] {
        let (found, answer) = drain(&stage.chancery, wish).await;
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(
            found == status && message.contains(said),
            "{found} {answer}"
        );
    }
    assert_eq!(drain(&stage.chancery, wish(a.address)).await.0, 201);
    let (status, answer) = drain(&stage.chancery, wish(b.address)).await;
    assert_eq!(status, 409, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("last healthy"));
    stage.envoy.answers_by_all("/echo", &["b"]).await;
    assert_eq!(stage.consul.passing("echo").await, ["b"]);

    let mut forced = wish(b.address);
    forced["force"] = json!(true);
    assert_eq!(drain(&stage.chancery, forced).await.0, 201);
    assert_eq!(stage.envoy.get("/echo").await.status, 503);
}

#[tokio::test]
async fn a_drain_while_consul_is_down_changes_nothing() {
    let mut stage = Stage::set().await;
    let [a, _b] = two(&stage).await;
    stage.consul.process.kill();
    let (status, answer) = drain(&stage.chancery, wish(a.address)).await;
    assert_eq!(status, 502, "{answer}");
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("nothing is changed"), "{message}");
    assert!(drains(&stage.chancery).await.is_empty());
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
}

#[tokio::test]
async fn a_drain_while_etcd_is_down_changes_nothing() {
    let mut stage = Stage::set().await;
    let [a, _b] = two(&stage).await;
    stage.etcd.process.kill();
    let (status, answer) = drain(&stage.chancery, wish(a.address)).await;
    assert_eq!(status, 503, "{answer}");
    assert_eq!(stage.consul.passing("echo").await, ["a", "b"]);
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
    stage.etcd.start_again().await;
    eventually(async || {
        let (status, answer) = drain(&stage.chancery, wish(a.address)).await;
        ensure!(status == 201, "{answer}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_envoy_that_is_frozen_is_named() {
    let stage = Stage::set().await;
    let [a, _b] = two(&stage).await;
    stage.envoy.process.pause();
    let mut asked = wish(a.address);
    asked["wait"] = json!("1s");
    let (status, answer) = drain(&stage.chancery, asked).await;
    assert_eq!(
        (status, &answer["confirmed"]),
        (202, &json!(false)),
        "{answer}"
    );
    assert_eq!(answer["behind"][0]["node"], "envoy-default", "{answer}");
    stage.envoy.process.resume();
    let id = answer["drain"]["id"].as_str().unwrap();
    let path = format!("v1/drains/{id}?wait={PATIENTLY}");
    let (status, answer) = call(&stage.chancery, Method::GET, &path, None).await;
    assert_eq!(
        (status, &answer["confirmed"]),
        (200, &json!(true)),
        "{answer}"
    );
    let (_, audit) = call(&stage.chancery, Method::GET, "v1/audit", None).await;
    let records = audit["records"].as_array().unwrap();
    let unconfirmed = |record: &&Value| record["result"] == "unconfirmed";
    let record = records.iter().find(unconfirmed).expect("a record of it");
    let detail = record["detail"].as_str().unwrap();
    assert!(detail.contains("envoy-default"), "{record}");
}

#[tokio::test]
async fn a_drain_ends_by_itself() {
    let stage = Stage::set().await;
    let [a, _b] = two(&stage).await;
    let mut asked = wish(a.address);
    asked["ttl"] = json!("20s");
    assert_eq!(drain(&stage.chancery, asked).await.0, 201);
    assert_eq!(stage.consul.passing("echo").await, ["b"]);
    // The lease, and whoever notices that it has ended.
    eventually(async || {
        let passing = stage.consul.passing("echo").await;
        ensure!(passing == ["a", "b"], "{passing:?}");
        Ok(())
    })
    .await;
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
    eventually(async || {
        let said = stage.chancery.log_of("audit");
        let expired = said.iter().any(|line| line.field("action") == "expire");
        ensure!(expired, "{said:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_the_registry_says_later_does_not_bring_an_instance_back() {
    let stage = Stage::set().await;
    let [a, _b] = two(&stage).await;
    assert_eq!(drain(&stage.chancery, wish(a.address)).await.0, 201);
    // Somebody ends the maintenance, and registers it once more under its own id.
    stage.consul.maintenance("a", false).await;
    stage.consul.register("echo", "a", a.address).await;
    assert_eq!(stage.consul.passing("echo").await, ["a", "b"]);
    let c = stage.instance("c").await;
    stage.consul.register("echo", "c", c.address).await;
    stage.envoy.answers_by_all("/echo", &["b", "c"]).await;
    is_left_out(&stage, "a").await;
    // Under a new id it is a new instance.
    stage.consul.deregister("a").await;
    stage.consul.register("echo", "a-2", a.address).await;
    stage.envoy.answers_by_all("/echo", &["a", "b", "c"]).await;
}

#[tokio::test]
async fn an_endpoint_may_stay_as_draining() {
    let stage = Stage::set().await;
    let [a, _b] = two(&stage).await;
    let load = Load::on(&stage.envoy.url("/echo"), 200);
    let mut asked = wish(a.address);
    asked["mode"] = json!("draining");
    assert_eq!(drain(&stage.chancery, asked).await.0, 201);
    let path = "v1/snapshots/default?type=endpoints";
    let (_, snapshot) = call(&stage.chancery, Method::GET, path, None).await;
    let text = snapshot.to_string();
    assert!(text.contains(r#""healthStatus":"DRAINING""#), "{text}");
    for _ in 0..20 {
        assert_eq!(stage.envoy.get("/echo").await.instance().unwrap(), "b");
    }
    load.stop().await.assert_flawless();
}

#[tokio::test]
async fn many_instances_are_drained() {
    let stage = Stage::set().await;
    // Ten services; the first instance of each stays.
    let each = many(20, 100) + 1;
    let all = 10 * each;
    let place = |number: usize| SocketAddr::from((stage.address, 10_000 + number as u16));
    let service = |number: usize| format!("many-{}", number / each);
    let numbers: Vec<usize> = (0..all).collect();
    for batch in numbers.chunks(100) {
        let register = batch.iter().map(async |number| {
            let id = format!("many-{number}");
            let service = service(*number);
            stage.consul.register(&service, &id, place(*number)).await;
        });
        join_all(register).await;
    }
    for number in numbers.iter().step_by(each) {
        let service = service(*number);
        let route = route_to_service(&format!("/{service}"), &service);
        stage.etcd.put(&format!("routes/{service}"), &route).await;
    }
    let endpoints = async || {
        let path = "v1/snapshots/default?type=endpoints";
        let (_, snapshot) = call(&stage.chancery, Method::GET, path, None).await;
        snapshot.to_string().matches("portValue").count()
    };
    let all_are_endpoints = async || {
        eventually(async || {
            let found = endpoints().await;
            ensure!(found == all, "{found} endpoints");
            Ok(())
        })
        .await;
    };
    all_are_endpoints().await;
    let ids: Vec<Value> = stream::iter(numbers.iter().filter(|number| *number % each > 0))
        .map(async |number| {
            let (status, answer) = drain(&stage.chancery, wish(place(*number))).await;
            assert_eq!(status, 201, "{answer}");
            answer
        })
        .buffer_unordered(32)
        .collect()
        .await;
    assert_eq!(drains(&stage.chancery).await.len(), all - 10);
    assert_eq!(endpoints().await, 10);
    stream::iter(&ids)
        .for_each_concurrent(32, async |answer| {
            let (status, answer) = undrain(&stage.chancery, answer).await;
            assert_eq!(status, 200, "{answer}");
        })
        .await;
    all_are_endpoints().await;
}

#[tokio::test]
async fn only_who_may_drains() {
    let stage = Stage::set().await;
    let [a, _b] = two(&stage).await;
    let hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let settings = stage.folder().join("chancery.yaml");
    let text = format!(
        "api-keys:\n- {{ name: deploy, hash: '{hash}', roles: [drain] }}\n\
         - {{ name: looker, hash: 'sha256:{}', roles: [read] }}\n",
        "0".repeat(64)
    );
    std::fs::write(&settings, text).unwrap();
    let settings = settings.display().to_string();
    let (etcd, consul) = (stage.etcd.url(), stage.consul.url());
    let serve = async |name: &str, more: &[&str]| {
        let folder = stage.folder().join(name);
        std::fs::create_dir(&folder).unwrap();
        let mut other = Chancery::serve_with(own_address(), &etcd, &consul, more, &folder);
        other.ready().await;
        other
    };
    let far = serve("far", &["--drain-networks", "10.0.0.0/8"]).await;
    let (status, answer) = drain(&far, wish(a.address)).await;
    assert_eq!(status, 403, "{answer}");
    assert!(
        answer["message"].as_str().unwrap().contains("127.0.0.1"),
        "{answer}"
    );
    let line = far.logs(0, "audit").await;
    assert_eq!(
        (line.field("result"), line.field("from")),
        ("refused".into(), "127.0.0.1".into())
    );
    assert_eq!(call(&far, Method::GET, "v1/drains", None).await.0, 200);

    let keyed = serve("keyed", &["--config", &settings]).await;
    assert_eq!(drain(&keyed, wish(a.address)).await.0, 401);
    assert_eq!(call(&keyed, Method::GET, "v1/drains", None).await.0, 401);
    let place = a.address.to_string();
    let refused = keyed.ask(&["drain", &place, "--api-key", "guessed"]).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let output = keyed
        .ask(&[
            "drain",
            &place,
            "--api-key",
            "secret",
            "--wait",
            PATIENTLY,
            "-o",
            "json",
        ])
        .await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["drain"]["by"], "deploy", "{answer}");
    let said = keyed.process.output();
    assert!(!said.contains("guessed") && !said.contains(hash), "{said}");
}

/// An agent before the real one: what it is told to do it does, and never answers.
struct Slow {
    address: SocketAddr,
    told: Arc<Notify>,
}

async fn slow(address: Ipv4Addr, consul: String) -> Slow {
    let told = Arc::new(Notify::new());
    let state = (consul, told.clone());
    let app = Router::new().fallback(pass_on).with_state(state);
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    Slow { address, told }
}

async fn pass_on(
    State((consul, told)): State<(String, Arc<Notify>)>,
    request: Request,
) -> StatusCode {
    let url = format!("{consul}{}", request.uri());
    let answer = http::send(&http::client(), Method::PUT, &url, &[]).await;
    if url.contains("enable=true") {
        told.notify_one();
        return pending().await;
    }
    StatusCode::from_u16(answer.unwrap().status).unwrap()
}

#[tokio::test]
async fn a_crash_between_the_registry_and_the_document_is_undone() {
    let stage = Stage::set().await;
    let [a, _b] = two(&stage).await;
    let slow = slow(stage.address, stage.consul.url()).await;
    let agent = format!("http://{}", slow.address);
    let (etcd, consul) = (stage.etcd.url(), stage.consul.url());
    let folder = tempfile::tempdir().unwrap();
    let settings = ["--consul-agent", &agent];
    let mut other = Chancery::serve_with(own_address(), &etcd, &consul, &settings, folder.path());
    other.ready().await;
    let url = format!("{}/v1/drains", other.url());
    let call = reqwest::Client::new()
        .post(url)
        .json(&wish(a.address))
        .send();
    let call = tokio::spawn(call);
    let told = tokio::time::timeout(PATIENCE, slow.told.notified());
    told.await.expect("the agent is told");
    other.process.kill();
    assert!(call.await.unwrap().is_err());
    assert_eq!(stage.consul.passing("echo").await, ["b"]);
    // Once the claim of the one that died has ended, another replica puts the instance back.
    eventually(async || {
        let passing = stage.consul.passing("echo").await;
        ensure!(passing == ["a", "b"], "{passing:?}");
        Ok(())
    })
    .await;
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
    let line = stage.chancery.logs(0, "audit").await;
    assert_eq!(line.field("action"), "repair");
    assert_eq!(drain(&stage.chancery, wish(a.address)).await.0, 201);
}

#[tokio::test]
async fn a_crash_after_the_document_leaves_the_drain_in_force() {
    let mut stage = Stage::set().await;
    let [a, _b] = two(&stage).await;
    stage.envoy.process.pause();
    let url = format!("{}/v1/drains", stage.chancery.url());
    let call = reqwest::Client::new()
        .post(url)
        .json(&wish(a.address))
        .send();
    let call = tokio::spawn(call);
    eventually(async || {
        ensure!(drains(&stage.chancery).await.len() == 1);
        Ok(())
    })
    .await;
    stage.chancery.process.kill();
    assert!(call.await.unwrap().is_err());
    // Only the document keeps it out now.
    stage.consul.maintenance("a", false).await;
    stage.chancery.process.start_again();
    stage.chancery.ready().await;
    stage.envoy.process.resume();
    // Before Envoy is back nobody has to confirm anything.
    let answer = eventually(async || {
        let (status, answer) = drain(&stage.chancery, wish(a.address)).await;
        assert_eq!(status, 200, "{answer}");
        ensure!(answer["replicas"][0]["nodes"]["default"] == 1, "{answer}");
        Ok(answer)
    })
    .await;
    is_left_out(&stage, "a").await;
    assert_eq!(undrain(&stage.chancery, &answer).await.0, 200);
    stage.envoy.answers_by_all("/echo", &["a", "b"]).await;
}

#[tokio::test]
async fn drains_are_seen_and_ended_on_the_command_line() {
    let stage = Stage::set().await;
    let [a, _b] = two(&stage).await;
    let place = a.address.to_string();
    let output = stage
        .chancery
        .ask(&[
            "drain",
            &place,
            "--wait",
            PATIENTLY,
            "--reason",
            "release 42",
        ])
        .await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let id = text.trim().rsplit(' ').next().unwrap().to_owned();
    let output = stage.chancery.ask(&["drains"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&id) && text.contains("release 42"), "{text}");
    let output = stage.chancery.ask(&["undrain", &id]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    eventually(async || {
        let output = stage.chancery.ask(&["audit"]).await;
        let text = String::from_utf8(output.stdout)?;
        for word in ["registry", "confirmation", "undrain", "consul/echo"] {
            ensure!(text.contains(word), "{text}");
        }
        Ok(())
    })
    .await;
}

/// A collector that keeps what it is sent as it came.
async fn collector(address: Ipv4Addr) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = async |State(kept): State<Arc<Mutex<Vec<u8>>>>, body: Bytes| {
        kept.lock().unwrap().extend_from_slice(&body);
        [("content-type", "application/grpc"), ("grpc-status", "0")]
    };
    let app = Router::new().fallback(keep).with_state(kept.clone());
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, kept)
}

#[tokio::test]
async fn the_audit_trail_goes_to_files_and_to_a_collector() {
    let stage = Stage::set().await;
    let (collector, kept) = collector(stage.address).await;
    let (folder, otlp) = (stage.folder().join("logs"), format!("http://{collector}"));
    let settings = ["--log-dir", folder.to_str().unwrap(), "--otlp", &otlp];
    let networks = ["--drain-networks", "10.0.0.0/8"];
    let (etcd, consul) = (stage.etcd.url(), stage.consul.url());
    let own = tempfile::tempdir().unwrap();
    let settings = [&settings[..], &networks].concat();
    let mut other = Chancery::serve_with(own_address(), &etcd, &consul, &settings, own.path());
    other.ready().await;
    let nobody = SocketAddr::from(([10, 9, 9, 9], 80));
    assert_eq!(drain(&other, wish(nobody)).await.0, 403);
    eventually(async || {
        let mut files = std::fs::read_dir(&folder)?;
        let file = files.next().context("no file")??.path();
        let text = std::fs::read_to_string(file)?;
        ensure!(text.contains(r#""target":"audit""#), "{text}");
        let kept = kept.lock().unwrap();
        let sent = String::from_utf8_lossy(&kept);
        ensure!(
            sent.contains("refused") && sent.contains("/v1/drains"),
            "{sent}"
        );
        Ok(())
    })
    .await;
    // What it says is said to the end.
    assert!(other.process.stop().await.success());
    let kept = kept.lock().unwrap();
    assert!(String::from_utf8_lossy(&kept).contains("shutting down"));
}
