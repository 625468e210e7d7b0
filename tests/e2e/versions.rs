//! Envoys of two versions in one gateway: each serves what it can.

use std::collections::BTreeSet;

use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::envoy::Envoy;
use crate::support::instance::Instance;
use crate::support::load::Load;
use crate::support::stage::{Stage, route_to};
use crate::support::{eventually, http};

/// How many connections are tried to meet both Envoys: the kernel deals them out, as both have the same port.
const CONNECTIONS: usize = 24;

#[tokio::test]
async fn a_fleet_of_two_versions_serves_what_each_of_them_can() {
    let mut stage = Stage::set().await;
    let (blue, green) = (stage.instance("blue").await, stage.instance("green").await);
    stage
        .etcd
        .put("routes/hello", &route_to("/hello", &[&blue]))
        .await;
    let listener = stage.envoy.listener();
    let old = Envoy::start_release("1.38", stage.chancery.xds(), listener, stage.folder()).await;
    stage.envoy.answers_by("/hello", "blue").await;
    both_are_up_to_date(&stage).await;
    let url = stage.envoy.url("/hello");
    let loads = [Load::on(&url, 100), Load::on(&url, 100)];

    // An edit reaches both.
    stage
        .etcd
        .put("routes/hello", &route_to("/hello", &[&green]))
        .await;
    answered(&url, &["200 green"]).await;

    // What the older one cannot do is there for the newer one only, and said.
    let mut teapot = route_to("/teapot", &[&blue]);
    teapot["plugins"] =
        json!({"fault-injection": {"abort": {"http_status": 418, "body": "short and stout"}}});
    stage.etcd.put("routes/teapot", &teapot).await;
    let teapot = stage.envoy.url("/teapot");
    answered(&teapot, &["404", "418"]).await;
    let said = not_served(&stage).await;
    let expected = "not served in gateway default by envoy 1.38.3";
    assert!(said.contains(expected), "{said}");
    let expected = "plugins.fault-injection: needs Envoy 1.40 or newer: ";
    assert!(said.contains(expected), "{said}");
    each_is_shown_what_it_is_sent(&stage).await;

    // A restart takes nothing from either.
    let before = (old.configured().await, stage.envoy.configured().await);
    stage.chancery.process.kill();
    stage.chancery.process.start_again();
    stage.chancery.ready().await;
    both_are_up_to_date(&stage).await;
    answered(&url, &["200 green"]).await;
    answered(&teapot, &["404", "418"]).await;
    assert!(not_served(&stage).await.contains("1.38.3"));
    let after = (old.configured().await, stage.envoy.configured().await);
    assert_eq!(after, before, "nothing is sent anew");

    for load in loads {
        load.stop().await.assert_flawless();
    }
    for envoy in [&old, &stage.envoy] {
        let served = envoy.stat("http.default/http.downstream_rq_2xx").await;
        assert!(served > 0, "it had its part of the load");
    }
    mends(&stage, &blue).await;
}

/// What proxies of each cohort are sent is shown apart.
async fn each_is_shown_what_it_is_sent(stage: &Stage) {
    let shown = async |arguments: &[&str]| {
        let output = stage.chancery.ask(arguments).await;
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let all = shown(&["snapshot"]).await;
    assert!(all.contains("envoy 1.38.3+"), "{all}");
    assert!(all.contains("envoy 1.40.0+"), "{all}");
    for (cohort, has) in [("envoy 1.38", false), ("envoy 1.40", true)] {
        let of = ["snapshot", "default", "--cohort", cohort, "-o", "json"];
        let routes = shown(&[&of[..], &["--type", "routes"]].concat()).await;
        assert_eq!(routes.contains("/teapot"), has, "{cohort}: {routes}");
    }
}

/// Once the document asks for nothing that the older one lacks, both serve it.
async fn mends(stage: &Stage, blue: &Instance) {
    let plain = route_to("/teapot", &[blue]);
    stage.etcd.put("routes/teapot", &plain).await;
    answered(&stage.envoy.url("/teapot"), &["200 blue"]).await;
    eventually(async || {
        let problems = stage.chancery.admin("v1/problems").await?;
        let problems: Value = serde_json::from_str(&problems.body)?;
        let problems = problems["problems"].as_array().cloned().unwrap_or_default();
        ensure!(problems.is_empty(), "{problems:?}");
        Ok(())
    })
    .await;
}

/// Waits until the answers of many new connections are these: the status, and who it was where it is 200.
async fn answered(url: &str, expected: &[&str]) {
    eventually(async || {
        let mut answers = BTreeSet::new();
        for _ in 0..CONNECTIONS {
            let answer = http::send(&http::client(), Method::GET, url, &[]).await?;
            answers.insert(match answer.status {
                200 => format!("200 {}", answer.instance()?),
                other => other.to_string(),
            });
        }
        ensure!(answers.iter().eq(expected), "{url}: {answers:?}");
        Ok(())
    })
    .await;
}

/// Waits until both Envoys have accepted everything.
async fn both_are_up_to_date(stage: &Stage) {
    eventually(async || {
        let answer = stage.chancery.admin("v1/nodes").await?;
        let nodes: Value = serde_json::from_str(&answer.body)?;
        let nodes = nodes["nodes"].as_array().cloned().unwrap_or_default();
        let synced = nodes.iter().filter(|node| node["synced"] == true);
        ensure!(synced.count() == 2, "{nodes:?}");
        Ok(())
    })
    .await;
}

/// Why a document is not served by some.
async fn not_served(stage: &Stage) -> String {
    eventually(async || {
        let answer = stage.chancery.admin("v1/problems").await?;
        let problems: Value = serde_json::from_str(&answer.body)?;
        let problem = &problems["problems"][0];
        ensure!(problem["document"] == "routes/teapot", "{problems}");
        ensure!(problem["kind"] == "not_served", "{problems}");
        Ok(problem["reason"].as_str().unwrap_or_default().to_owned())
    })
    .await
}
