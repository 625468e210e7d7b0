//! Instances that are deployed anew, and many at once.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};

use super::{call, drain, drains, undrain, wish};
use crate::support::chancery::BINARY;
use crate::support::load::Load;
use crate::support::process::Process;
use crate::support::stage::{Stage, route_to_service};
use crate::support::{eventually, http, many};

/// An instance that is a process of its own, to be killed.
fn echo(name: &str, at: SocketAddr, folder: &Path) -> Process {
    let listen = at.to_string();
    let arguments = ["echo", "--listen", &listen, "--name", name];
    Process::start(name, Path::new(BINARY), arguments, folder)
}

pub async fn answers(at: SocketAddr) {
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
    let client = http::client();
    let url = format!("{}/v1/drains", stage.chancery.url());
    let began = std::time::Instant::now();
    let ids: Vec<Value> = stream::iter(numbers.iter().filter(|number| *number % each > 0))
        .map(async |number| {
            let wish = wish(place(*number));
            let response = client.post(&url).json(&wish).send().await.unwrap();
            let status = response.status().as_u16();
            let answer: Value = response.json().await.unwrap();
            assert_eq!(status, 201, "{answer}");
            answer
        })
        .buffer_unordered(32)
        .collect()
        .await;
    println!("{} drains took {:?}", all - 10, began.elapsed());
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
