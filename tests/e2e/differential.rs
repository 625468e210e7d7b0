//! Documents and requests as APISIX's users write them, with what APISIX answers: from its documentation and source, a file
//! for each plugin in `differential/`. All of them are played through one real Envoy, and what comes of it is a table, which
//! `docs/reference/apisix.md` has.
//!
//! A case is a route with plugins, what else it needs, and requests with the answers of APISIX. The route has a host of its own
//! and an echoing upstream unless it says others. `@c` is the case's name, `@node` the echo, `@dead` where nobody listens, `@mute` who never answers,
//! `@redis` the host of a Redis, `@agent` who is asked for policies, `@greeter` a service of gRPC, `@issuer` where an identity provider
//! says what it is.
//! `differs` says what is otherwise here, and `refused` what to write instead: both must be so, or the case is a failure. A
//! document that APISIX refuses is `invalid`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, ensure};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::support::agent::Agent;
use crate::support::greeter::Greeter;
use crate::support::http::{self, Answer};
use crate::support::instance::Instance;
use crate::support::logs;
use crate::support::openbao::OpenBao;
use crate::support::redis;
use crate::support::stage::{Stage, gateway, settled};
use crate::support::{eventually, own_address};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    #[serde(default)]
    route: Map<String, Value>,
    #[serde(default)]
    also: BTreeMap<String, Value>,
    #[serde(default)]
    ask: Vec<Ask>,
    differs: Option<String>,
    refused: Option<String>,
    /// APISIX refuses the document too.
    #[serde(default)]
    invalid: bool,
}

/// A request, and what APISIX makes of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// `GET /path?query`
    send: String,
    #[serde(default)]
    with: BTreeMap<String, String>,
    #[serde(default)]
    data: String,
    /// One for each time that it is sent.
    status: Vec<u16>,
    body: Option<String>,
    /// What the body has somewhere.
    says: Option<String>,
    /// Headers of the answer; nothing where there is none.
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    /// What reaches the instance: `method`, `path`, or a header's value, nothing where there is none.
    #[serde(default)]
    seen: BTreeMap<String, Option<String>>,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Same,
    Differs(String),
    Refused(String),
}

#[tokio::test]
async fn documents_mean_what_they_mean_in_apisix() {
    let stage = Stage::set().await;
    let echo = stage.instance("echo").await;
    // Takes connections, and never says a word.
    let mute = TcpListener::bind((stage.address, 0)).await.unwrap();
    let (_redis, _limiter) = redis::counting(&stage).await;
    let _logs = logs::logging(&stage, &[]).await;
    let both = redis::names_who_counts(logs::names_who_posts(gateway(stage.envoy.listener())));
    stage.etcd.put("gateways/default", &both).await;
    let agent = Agent::start(stage.address).await;
    let greeter = Greeter::start(stage.address).await;
    let bao = OpenBao::start(stage.address, stage.folder()).await;
    let issuer = format!(
        "{}/v1/identity/oidc/provider/default/.well-known/openid-configuration",
        bao.url()
    );
    let others = [
        ("@mute", mute.local_addr().unwrap().to_string()),
        ("@redis", stage.address.to_string()),
        ("@agent", agent.address.to_string()),
        ("@greeter", greeter.node()),
        ("@issuer", issuer),
    ];
    let plugins = cases(&echo, &others);
    for case in plugins.values().flatten() {
        for (name, document) in &case.also {
            stage.etcd.put(name, document).await;
        }
    }
    is_asked(&stage, &bao).await;
    settled(&stage.etcd, &stage.chancery).await;
    let rejected = rejected(&stage).await;
    let (mut table, mut wrong) = (String::new(), Vec::new());
    let mut sums = [0; 3];
    for (plugin, cases) in &plugins {
        let outcomes = stream::iter(cases).map(|case| outcome(&stage, case, &rejected));
        let outcomes: Vec<_> = outcomes.buffered(8).collect().await;
        let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|one| is(one)).count();
        let counts = [
            count(|one| *one == Outcome::Same),
            count(|one| matches!(one, Outcome::Differs(_))),
            count(|one| matches!(one, Outcome::Refused(_))),
        ];
        let _ = writeln!(
            table,
            "| {plugin} | {} | {} | {} |",
            counts[0], counts[1], counts[2]
        );
        sums.iter_mut()
            .zip(counts)
            .for_each(|(sum, count)| *sum += count);
        for (case, outcome) in cases.iter().zip(outcomes) {
            let said = match (&outcome, &case.differs, &case.refused) {
                (Outcome::Same, None, None)
                | (Outcome::Differs(_), Some(_), None)
                | (Outcome::Refused(_), None, Some(_)) => continue,
                (Outcome::Same, ..) => "it is the same now".to_owned(),
                (Outcome::Differs(how) | Outcome::Refused(how), ..) => how.clone(),
            };
            wrong.push(format!("{plugin}: {}: {said}", case.case));
        }
    }
    let [same, differs, refused] = sums;
    let all = same + differs + refused;
    let _ = writeln!(table, "| all {all} | {same} | {differs} | {refused} |");
    println!("{table}");
    assert!(
        wrong.is_empty(),
        "{} of {all}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(all >= 300, "{all} cases");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/reference/apisix.md")).unwrap();
    for line in table.lines().chain(told(&plugins).lines()) {
        assert!(
            page.contains(line),
            "docs/reference/apisix.md does not say\n{line}\nof\n{table}\n{}",
            told(&plugins)
        );
    }
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let quoted = format!("{same} of {all}");
    assert!(readme.contains(&quoted), "README.md does not say {quoted}");
}

/// Waits until the identity provider has been asked, and documents about it do not wait any more.
async fn is_asked(stage: &Stage, bao: &OpenBao) {
    settled(&stage.etcd, &stage.chancery).await;
    eventually(async || {
        let waiting = stage.chancery.admin("v1/documents?state=waiting").await?;
        ensure!(!waiting.body.contains(&bao.url()), "{}", waiting.body);
        Ok(())
    })
    .await;
}

/// What is otherwise, and what is refused.
fn told(plugins: &BTreeMap<String, Vec<Case>>) -> String {
    let all = plugins
        .iter()
        .flat_map(|(plugin, cases)| cases.iter().map(move |case| (plugin, case)));
    let lines = all.filter_map(
        |(
            plugin,
            Case {
                case,
                differs,
                refused,
                ..
            },
        )| match (differs, refused) {
            (Some(how), _) => Some(format!("| {plugin} | {case} | {how} |\n")),
            (_, Some(instead)) => Some(format!("| {plugin} | {case} | refused: {instead} |\n")),
            _ => None,
        },
    );
    lines.collect()
}

/// All cases by plugin, with names of their own.
fn cases(echo: &Instance, others: &[(&str, String)]) -> BTreeMap<String, Vec<Case>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/differential");
    let mut plugins = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let plugin = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let cases: Vec<Value> = serde_saphyr::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let dead = format!("{}:9", own_address());
        let cases = cases.into_iter().enumerate().map(|(at, case)| {
            let name = format!("{plugin}-{at}");
            let text = case.to_string().replace("@c", &name);
            let text = text.replace("@node", &echo.node()).replace("@dead", &dead);
            let text = others
                .iter()
                .fold(text, |text, (sign, at)| text.replace(sign, at));
            let mut case: Case = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
            case.also.insert(
                format!("routes/{name}"),
                Value::Object(std::mem::take(&mut case.route)),
            );
            for (key, document) in &mut case.also {
                if key.starts_with("routes/") {
                    complete(document, &name, echo);
                }
            }
            case
        });
        plugins.insert(plugin.clone(), cases.collect());
    }
    plugins
}

fn complete(route: &mut Value, name: &str, echo: &Instance) {
    let route = route.as_object_mut().unwrap();
    if !["uri", "uris"]
        .iter()
        .any(|field| route.contains_key(*field))
    {
        route.insert("uri".to_owned(), json!("/*"));
    }
    if !["host", "hosts", "service_id"]
        .iter()
        .any(|field| route.contains_key(*field))
    {
        route.insert("host".to_owned(), json!(format!("{name}.test")));
    }
    if !["upstream", "upstream_id", "service_id"]
        .iter()
        .any(|field| route.contains_key(*field))
    {
        let nodes = json!({ echo.node(): 1 });
        route.insert(
            "upstream".to_owned(),
            json!({ "type": "roundrobin", "nodes": nodes }),
        );
    }
}

/// The documents that are refused, and why.
async fn rejected(stage: &Stage) -> BTreeMap<String, String> {
    let mut rejected = BTreeMap::new();
    for state in ["rejected", "refused"] {
        let answer = stage
            .chancery
            .admin(&format!("v1/documents?state={state}"))
            .await
            .unwrap();
        let listed: Value = serde_json::from_str(&answer.body).unwrap();
        for one in listed["documents"].as_array().into_iter().flatten() {
            let (name, reason) = (&one["document"], &one["reason"]);
            rejected.insert(name.as_str().unwrap().to_owned(), reason.to_string());
        }
    }
    rejected
}

async fn outcome(stage: &Stage, case: &Case, rejected: &BTreeMap<String, String>) -> Outcome {
    let reasons = case.also.keys().filter_map(|name| rejected.get(name));
    match (reasons.into_iter().next(), case.invalid) {
        (Some(_), true) => return Outcome::Same,
        (Some(reason), false) => return Outcome::Refused(reason.clone()),
        (None, true) => return Outcome::Differs("it is in force".to_owned()),
        (None, false) => {}
    }
    let route = case
        .also
        .iter()
        .find(|(name, _)| name.starts_with("routes/"))
        .unwrap()
        .1;
    let host = route["host"]
        .as_str()
        .or(route["hosts"][0].as_str())
        .unwrap_or("any.test");
    for ask in &case.ask {
        for (at, status) in ask.status.iter().enumerate() {
            let answer = match asked(stage, host, ask).await {
                Ok(answer) => answer,
                Err(error) => return Outcome::Differs(format!("{}: {error:#}", ask.send)),
            };
            if let Err(error) = compare(&answer, ask, *status) {
                return Outcome::Differs(format!(
                    "{} ({at}): {error:#}; {:?} {:?}",
                    ask.send, answer.body, answer.headers
                ));
            }
        }
    }
    Outcome::Same
}

async fn asked(stage: &Stage, host: &str, ask: &Ask) -> anyhow::Result<Answer> {
    let (method, path) = ask.send.split_once(' ').context("METHOD /path")?;
    let url = stage.envoy.url(path);
    let mut request = http::client().request(method.parse()?, url);
    if !ask.with.contains_key("host") {
        request = request.header("host", host);
    }
    for (name, value) in &ask.with {
        request = request.header(name, value);
    }
    let response = request.body(ask.data.clone()).send().await?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await?,
    })
}

fn compare(answer: &Answer, ask: &Ask, status: u16) -> anyhow::Result<()> {
    ensure!(
        answer.status == status,
        "{} and not {status}",
        answer.status
    );
    if let Some(body) = &ask.body {
        ensure!(
            answer.body.trim_end() == body.trim_end(),
            "not the body {body:?}"
        );
    }
    if let Some(part) = &ask.says {
        ensure!(answer.body.contains(part), "no {part:?} in the body");
    }
    for (name, value) in &ask.headers {
        let all = answer
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        let found = all.reduce(|a, b| format!("{a},{b}").into());
        ensure!(
            found.as_deref() == value.as_deref(),
            "{name}: {found:?} and not {value:?}"
        );
    }
    if !ask.seen.is_empty() {
        let seen: Value = serde_json::from_str(&answer.body).context("no echo")?;
        for (name, value) in &ask.seen {
            let found = match name.as_str() {
                "method" | "path" => seen[name].as_str(),
                _ => seen["headers"][name].as_str(),
            };
            ensure!(
                found == value.as_deref(),
                "seen {name}: {found:?} and not {value:?}"
            );
        }
    }
    Ok(())
}
