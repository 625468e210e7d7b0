//! Verifies the demo with real requests: a route answers, an edit changes the answer, deleting it gives 404.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::time::{Instant, sleep, timeout};

use super::documents::{Documents, Taken};
use super::stage::{HELLO, Stage};

/// How long a change may take to be seen; it takes milliseconds.
const LIVE: Duration = Duration::from_secs(10);

/// One answer of Envoy.
struct HttpAnswer {
    status: u16,
    body: String,
}

/// Waits until the echo route is served.
pub async fn until_served(stage: &Stage, within: Duration) -> Result<()> {
    until(&stage.url("/testecho/hello"), within, |answer| {
        answer.status == 200
    })
    .await
    .map(drop)
    .with_context(|| format!("see {}", stage.envoy_log().display()))
}

/// Plays the scenes.
pub async fn verify(stage: &Stage) -> Result<()> {
    let mut instances = BTreeSet::new();
    for _ in 0..10 {
        let answer = get(&stage.url("/testecho/hello")).await?;
        ensure!(
            answer.status == 200,
            "/testecho/hello: status {}",
            answer.status
        );
        ensure!(
            answer.body.contains(r#""path":"/hello""#),
            "not rewritten: {}",
            answer.body
        );
        instances.extend(
            ["echo-1", "echo-2"]
                .into_iter()
                .filter(|name| answer.body.contains(name)),
        );
    }
    ensure!(
        instances.len() == 2,
        "only {instances:?} answered 10 requests"
    );
    println!("ok  the route answers, by both instances in turn");

    let edited = HELLO.replace("world", "edited");
    ensure!(HELLO != edited, "the example has no \"world\" to edit");
    let url = stage.url("/hello");
    until(&url, LIVE, |answer| {
        answer.status == 200 && answer.body.contains("world")
    })
    .await?;
    stage.documents.put("routes/hello", &edited).await?;
    let took = until(&url, LIVE, |answer| answer.body.contains("edited")).await?;
    println!(
        "ok  an edit changes the answer, after {} ms",
        took.as_millis()
    );

    let bad = "uri: [not, a, path]\n";
    let taken = stage.documents.put("routes/hello", bad).await?;
    let refused = matches!(taken, Taken::No(_));
    let checks = matches!(stage.documents, Documents::Etcd(_));
    ensure!(refused == checks, "a bad edit: {taken:?}");
    sleep(Duration::from_millis(500)).await;
    let answer = get(&url).await?;
    ensure!(
        answer.status == 200 && answer.body.contains("edited"),
        "a bad edit was applied"
    );
    println!("ok  a bad edit changes nothing");

    stage.documents.delete("routes/hello").await?;
    let not_found = r#"{"error_msg":"404 Route Not Found"}"#;
    let took = until(&url, LIVE, |answer| {
        answer.status == 404 && answer.body.trim() == not_found
    })
    .await?;
    println!(
        "ok  what is deleted is a 404, after {} ms",
        took.as_millis()
    );
    let answer = get(&stage.url("/testecho/hello")).await?;
    ensure!(
        answer.status == 200,
        "the other route: status {}",
        answer.status
    );
    println!("ok  the other route still answers");
    Ok(())
}

/// Asks until the answer is as wanted, and tells how long that took.
async fn until(
    url: &str,
    within: Duration,
    wanted: impl Fn(&HttpAnswer) -> bool,
) -> Result<Duration> {
    let begun = Instant::now();
    loop {
        let last = match get(url).await {
            Ok(answer) if wanted(&answer) => return Ok(begun.elapsed()),
            Ok(answer) => format!("status {}: {}", answer.status, answer.body),
            Err(error) => format!("{error:#}"),
        };
        if begun.elapsed() > within {
            bail!(
                "{url} is not as expected after {} s; last: {last}",
                within.as_secs()
            );
        }
        sleep(Duration::from_millis(2)).await;
    }
}

async fn get(url: &str) -> Result<HttpAnswer> {
    let ask = async {
        let response = reqwest::get(url).await?;
        let status = response.status().as_u16();
        Ok::<_, reqwest::Error>(HttpAnswer {
            status,
            body: response.text().await?,
        })
    };
    Ok(timeout(Duration::from_secs(5), ask)
        .await
        .context("no answer in 5 s")??)
}
