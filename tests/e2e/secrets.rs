//! Secrets: planted in every field of a document that may hold one, they are in no output.

use std::fs;
use std::path::Path;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::chancery::Chancery;
use crate::support::{eventually, own_address};

/// What is planted. No other text has it.
pub const PLANTED: &str = "pl4nted";

/// The same in base64.
const ENCODED: &str = "cGw0bnRlZA";

pub fn documents() -> Vec<(&'static str, Value)> {
    let upstream = json!({ "nodes": { "127.0.0.1:80": 1 } });
    let route = |name: &str, plugins: Value| json!({ "uri": format!("/{name}"), "upstream": upstream, "plugins": plugins });
    let set = json!({
        "Authorization": format!("Bearer {PLANTED}"), "Cookie": PLANTED, "X-Api-Key": PLANTED,
        "x-auth-token": PLANTED, "Proxy-Authorization": PLANTED, "Client-Secret": PLANTED,
    });
    let lines = [format!("Set-Cookie: session={PLANTED}")];
    let consumer = |name: &str, plugin: &str, fields: Value| json!({ "username": name, "plugins": { plugin: fields } });
    let forward = |uri: &str| route("wrong", json!({ "forward-auth": { "uri": uri } }));
    let jwt = |field: &str, value: Value| {
        let mut fields = json!({ "key": "a", "secret": PLANTED });
        fields[field] = value;
        consumer("wrong", "jwt-auth", fields)
    };
    vec![
        // In force.
        (
            "routes/set",
            route("set", json!({ "proxy-rewrite": { "headers": set } })),
        ),
        (
            "routes/add",
            route(
                "add",
                json!({ "proxy-rewrite": { "headers": { "add": set } } }),
            ),
        ),
        (
            "routes/response",
            route(
                "response",
                json!({ "response-rewrite": { "headers": { "set": set, "add": lines } } }),
            ),
        ),
        (
            "routes/answer",
            route(
                "answer",
                json!({ "response-rewrite": { "body": "a", "headers": set } }),
            ),
        ),
        (
            "routes/mock",
            route(
                "mock",
                json!({ "mocking": { "response_example": "a", "response_headers": set } }),
            ),
        ),
        (
            "routes/abort",
            route(
                "abort",
                json!({ "fault-injection": { "abort": { "http_status": 500, "headers": set } } }),
            ),
        ),
        (
            "routes/ask",
            route(
                "ask",
                json!({ "forward-auth": {
            "uri": format!("http://127.0.0.1:81/a?api_key={PLANTED}"), "extra_headers": set,
        } }),
            ),
        ),
        (
            "routes/vars",
            json!({ "uri": "/vars", "upstream": upstream, "vars": [
            ["http_x_api_key", "==", PLANTED], ["cookie_session", "!", "==", PLANTED], ["arg_token", "==", PLANTED],
        ] }),
        ),
        (
            "consumers/key",
            consumer("key", "key-auth", json!({ "key": PLANTED })),
        ),
        (
            "consumers/basic",
            consumer(
                "basic",
                "basic-auth",
                json!({ "username": "b", "password": PLANTED }),
            ),
        ),
        (
            "consumers/jwt",
            consumer("jwt", "jwt-auth", json!({ "key": "a", "secret": PLANTED })),
        ),
        // Wrong.
        (
            "routes/variable",
            route(
                "wrong",
                json!({ "proxy-rewrite": { "headers": { "Authorization": format!("a${PLANTED}") } } }),
            ),
        ),
        (
            "routes/backslash",
            route(
                "wrong",
                json!({ "proxy-rewrite": { "headers": { "Authorization": format!("a\\${PLANTED}") } } }),
            ),
        ),
        (
            "routes/none",
            route(
                "wrong",
                json!({ "fault-injection": { "abort": { "http_status": 500, "headers": { "Cookie": format!("${PLANTED}") } } } }),
            ),
        ),
        (
            "routes/user",
            forward(&format!("http://user:{PLANTED}@auth/check")),
        ),
        (
            "routes/user2",
            forward(&format!("user:{PLANTED}@auth/check")),
        ),
        (
            "routes/user3",
            forward(&format!("http://{PLANTED}:pa@ss@auth/check")),
        ),
        (
            "routes/query",
            forward(&format!("auth/check?key={PLANTED}")),
        ),
        (
            "routes/nodes",
            json!({ "uri": "/wrong", "upstream": { "nodes": { format!("http://user:{PLANTED}@host:80"): 1 } } }),
        ),
        (
            "routes/tls",
            json!({ "uri": "/wrong", "upstream": {
            "nodes": { "a:80": 1 }, "scheme": "https", "tls": { "client_cert": "a", "client_key": PLANTED },
        } }),
        ),
        (
            "ssls/key",
            json!({ "snis": ["a"], "cert": "a", "key": PLANTED }),
        ),
        (
            "ssls/keys",
            json!({ "snis": ["a"], "cert": "a", "key": "a", "certs": ["a"], "keys": [PLANTED] }),
        ),
        ("consumers/wrong1", jwt("base64_secret", json!(PLANTED))),
        ("consumers/wrong2", jwt("algorithm", json!(PLANTED))),
        ("consumers/wrong3", jwt("exp", json!(PLANTED))),
        (
            "consumers/wrong4",
            jwt("lifetime_grace_period", json!(PLANTED)),
        ),
        ("consumers/wrong5", jwt("secret", json!([PLANTED]))),
        (
            "consumers/wrong6",
            consumer(
                "wrong6",
                "key-auth",
                json!({ "key": format!("{PLANTED} {PLANTED}") }),
            ),
        ),
        (
            "consumers/wrong7",
            consumer(
                "wrong7",
                "basic-auth",
                json!({ "username": "a", "password": [PLANTED] }),
            ),
        ),
        (
            "consumers/wrong8",
            consumer(
                "wrong8",
                "jwt-auth",
                json!({ "key": "a", "algorithm": "RS256", "public_key": PLANTED }),
            ),
        ),
        (
            "consumers/wrong9",
            consumer("wrong9", "key-auth", json!(PLANTED)),
        ),
    ]
}

pub fn holds_none(of: &str, output: &str) {
    for planted in [PLANTED, ENCODED] {
        if let Some(at) = output.find(planted) {
            let from = output[..at].char_indices().rev().nth(300);
            panic!(
                "{of}: {}",
                &output[from.map_or(0, |(at, _)| at)..at + planted.len()]
            );
        }
    }
}

fn write(folder: &Path) {
    let documents = documents();
    for (name, document) in &documents {
        let path = folder.join(format!("{name}.json"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, document.to_string()).unwrap();
    }
    let halves = [
        "routes/half.json",
        "routes/half.yaml",
        "consumers/half.yaml",
    ];
    for name in halves {
        let text = format!("{{\"plugins\": {{\"key-auth\": {{\"key\": \"{PLANTED}\"");
        fs::write(folder.join(name), text).unwrap();
    }
}

#[tokio::test]
async fn what_is_planted_in_documents_is_in_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("documents");
    write(&documents);
    let path = documents.display().to_string();
    for form in ["table", "json"] {
        let output = Chancery::run(&["validate", "-f", &path, "-o", form]);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("wrong9"), "{said}");
        holds_none("validate", &said);
    }
    let mut chancery = Chancery::serve_files(own_address(), &documents, folder.path());
    chancery.ready().await;
    eventually(async || {
        let shown = chancery.admin("v1/snapshots/default?type=routes").await?;
        ensure!(shown.body.contains("/abort"), "{}", shown.body);
        Ok(())
    })
    .await;
    for path in [
        "v1/snapshots/default",
        "v1/problems",
        "v1/documents",
        "v1/explain?gateway=default&url=/vars",
        "v1/explain?gateway=default&url=/vars&header=x-api-key:a",
        "v1/nodes",
        "v1/services",
        "metrics",
    ] {
        let answer = chancery.admin(path).await.unwrap();
        holds_none(path, &answer.body);
    }
    let shown = chancery.admin("v1/snapshots/default").await.unwrap().body;
    assert!(
        shown.contains("[redacted]") && shown.contains("x-api-key"),
        "{shown}"
    );
    let problems = chancery.admin("v1/problems").await.unwrap().body;
    assert!(problems.contains("consumers/wrong2"), "{problems}");
    holds_none("the log", &chancery.process.output());
}

/// The hash of a key.
pub fn hash(key: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let digits = digest.as_ref().iter();
    digits.map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn values_of_headers_are_shown_to_operators_alone_whatever_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("documents");
    fs::create_dir_all(documents.join("routes")).unwrap();
    let set = json!({ "x-tenant": PLANTED, "x-trace": "$http_x_here" });
    let both = json!({ "set": set, "add": { "x-partner": PLANTED } });
    let plugins = json!({
        "proxy-rewrite": { "headers": both },
        "fault-injection": { "abort": { "http_status": 503, "percentage": 1, "headers": { "x-reason": PLANTED } } },
    });
    let upstream = json!({ "nodes": { "127.0.0.1:80": 1 } });
    let route = json!({ "uri": "/all", "upstream": upstream, "plugins": plugins, "vars": [
        ["http_x_member", "==", PLANTED], ["cookie_member", "~~", format!("{PLANTED}.*")],
    ] });
    fs::write(documents.join("routes/all.json"), route.to_string()).unwrap();
    let response = json!({ "uri": "/other", "upstream": upstream, "plugins": {
        "response-rewrite": { "headers": { "set": { "x-served": PLANTED }, "add": [format!("x-more: {PLANTED}")] } },
    } });
    fs::write(documents.join("routes/other.json"), response.to_string()).unwrap();
    let keys = ["read", "operate"].map(|role| {
        let hash = hash(role);
        format!("- {{ name: {role}, hash: 'sha256:{hash}', roles: [{role}] }}\n")
    });
    let file = folder.path().join("chancery.yaml");
    fs::write(&file, format!("api-keys:\n{}", keys.concat())).unwrap();
    let path = file.display().to_string();
    let config = ["--config", path.as_str()];
    let mut chancery =
        Chancery::serve_files_with(own_address(), &documents, &config, folder.path());
    chancery.ready().await;
    let url = chancery.url();
    let read = async |key: &str| {
        let url = format!("{url}/v1/snapshots/default");
        let answer = reqwest::Client::new().get(url).header("x-api-key", key);
        answer
            .send()
            .await?
            .text()
            .await
            .map_err(anyhow::Error::from)
    };
    eventually(async || {
        let shown = read("operate").await?;
        let planted = shown.matches(PLANTED).count();
        ensure!(planted >= 6, "{planted} are shown: {shown}");
        Ok(())
    })
    .await;
    let shown = read("read").await.unwrap();
    holds_none("what a reader is shown", &shown);
    for named in [
        "x-tenant",
        "x-partner",
        "x-served",
        "x-more",
        "x-member",
        "%REQ(x-here)%",
    ] {
        assert!(shown.contains(named), "{named}: {shown}");
    }
}
