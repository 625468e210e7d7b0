//! Load: clients that keep sending requests at a bounded rate over kept connections, and remember whatever went wrong.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Method;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::http;

const CLIENTS: u32 = 8;

/// How many failures are kept word for word.
const WORD_FOR_WORD: usize = 10;

/// Load that runs.
pub struct Load {
    stop: CancellationToken,
    clients: JoinSet<Report>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Requests answered with 200, by the instance that answered.
    pub answered: BTreeMap<String, usize>,
    /// How many were not.
    pub failed: usize,
    /// The first failures: when, and what came instead.
    pub failures: Vec<String>,
}

impl Load {
    /// Sends `GET url` `per_second` times a second until [`Load::stop`].
    pub fn on(url: &str, per_second: u32) -> Self {
        Self::with(url, per_second, &[])
    }

    /// The same, with these headers.
    pub fn with(url: &str, per_second: u32, headers: &[(&str, &str)]) -> Self {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let stop = CancellationToken::new();
        let mut clients = JoinSet::new();
        let period = Duration::from_secs(1) * CLIENTS / per_second;
        for _ in 0..CLIENTS {
            clients.spawn(keep_asking(
                url.to_owned(),
                headers.clone(),
                period,
                stop.clone(),
            ));
        }
        Self { stop, clients }
    }

    /// Ends it; requests in flight are waited for.
    pub async fn stop(self) -> Report {
        self.stop.cancel();
        let mut total = Report::default();
        for report in self.clients.join_all().await {
            total.add(report);
        }
        total
    }
}

async fn keep_asking(
    url: String,
    headers: Vec<(String, String)>,
    period: Duration,
    stop: CancellationToken,
) -> Report {
    let client = http::client();
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let begin = Instant::now();
    let mut report = Report::default();
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let answer = http::send(&client, Method::GET, &url, &headers).await;
        match answer.and_then(|answer| answer.instance()) {
            Ok(instance) => *report.answered.entry(instance).or_default() += 1,
            Err(error) => report.fail(format!("after {:?}: {error:#}", begin.elapsed())),
        }
    }
    report
}

impl Report {
    /// Every request was answered with 200, and there were some.
    pub fn assert_flawless(&self) {
        let answered: usize = self.answered.values().sum();
        assert!(
            self.failed == 0 && answered > 0,
            "{} requests failed of {}: {:#?}",
            self.failed,
            self.failed + answered,
            self.failures
        );
    }

    fn fail(&mut self, failure: String) {
        self.failed += 1;
        if self.failures.len() < WORD_FOR_WORD {
            self.failures.push(failure);
        }
    }

    fn add(&mut self, other: Self) {
        for (instance, count) in other.answered {
            *self.answered.entry(instance).or_default() += count;
        }
        self.failed += other.failed;
        self.failures.extend(other.failures);
    }
}
