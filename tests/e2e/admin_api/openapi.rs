//! What `/openapi.json` tells of calls, played: its examples are answered as it says, and what it does not tell is refused.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::Desk;
use crate::support::certificates::Authority;

/// In this order each call finds what it is about.
const ORDER: [&str; 5] = ["put", "post", "get", "patch", "delete"];

/// Of what nothing is there: no drain has that id, and no proxy that could confirm anything is connected.
const REFUSED: [(&str, u16); 4] = [
    ("Prolong", 404),
    ("ReadDrain", 404),
    ("Undrain", 404),
    ("Wait", 504),
];

struct Player {
    client: Client,
    url: String,
    told: Value,
}

impl Player {
    /// A path with the examples of its parameters, and the query.
    fn at(&self, path: &str, call: &Value) -> (String, Vec<(String, String)>) {
        let (mut path, mut query) = (path.to_owned(), Vec::new());
        for parameter in call["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let text = match &parameter["example"] {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            match parameter["in"].as_str().unwrap() {
                // One step of the path, whatever it holds.
                "path" => path = path.replace(&format!("{{{name}}}"), &text.replace('/', "%2F")),
                "query" => query.push((name.to_owned(), text)),
                other => panic!("an example in {other}"),
            }
        }
        assert!(
            !path.contains('{'),
            "{path} has parameters without an example"
        );
        (path, query)
    }

    /// Whether a body is what the schema says; references are to the whole.
    fn check(&self, at: &str, schema: &Value, body: &Value) {
        let whole = json!({ "components": self.told["components"], "allOf": [schema] });
        let validator = jsonschema::validator_for(&whole).unwrap();
        if let Err(error) = validator.validate(body) {
            panic!("{at}: {error} at {}: {body}", error.instance_path());
        }
    }

    /// Plays a call; a write first as one that writes nothing, where it can be told so.
    async fn play(&self, path: &str, method: &str, call: &Value) {
        let parameters = call["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|parameter| parameter["name"] == "dry_run") {
            let mut dry = call.clone();
            let mut parameter = parameter.clone();
            parameter["example"] = json!(true);
            dry["parameters"].as_array_mut().unwrap().push(parameter);
            self.play_once(path, method, &dry).await;
        }
        self.play_once(path, method, call).await;
    }

    async fn play_once(&self, path: &str, method: &str, call: &Value) {
        let at = format!("{method} {path}");
        let (path, query) = self.at(path, call);
        let url = format!("{}{path}", self.url);
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let mut request = self.client.request(method, url).query(&query);
        let content = &call["requestBody"]["content"]["application/json"];
        if let Some(example) = content.get("example") {
            self.check(&at, &content["schema"], example);
            request = request.json(&with_pair(example));
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let id = call["operationId"].as_str().unwrap_or_default();
        match REFUSED.iter().find(|(refused, _)| *refused == id) {
            Some((_, expected)) => assert_eq!(status.as_u16(), *expected, "{at}"),
            None if status.is_success() => {}
            None => panic!("{at}: {status} {}", response.text().await.unwrap()),
        }
        let class = format!("{}XX", status.as_u16() / 100);
        let answers = &call["responses"];
        let answer = [status.as_str(), &class, "default"]
            .iter()
            .find_map(|name| answers.get(name));
        let answer = answer.unwrap_or_else(|| panic!("{at}: nothing says {status}"));
        assert!(
            status.as_u16() >= 400 || answer != &answers["default"],
            "{at}: nothing says {status}"
        );
        if let Some(content) = answer["content"].get("application/json") {
            let body: Value = response.json().await.unwrap();
            self.check(&at, &content["schema"], &body);
        }
    }
}

/// No private key stands in the program: who plays brings one.
fn with_pair(example: &Value) -> Value {
    let mut body = example.clone();
    if body["key"] == "(PEM)" {
        let pair = Authority::new().identity(&["www.example.com"]);
        (body["cert"], body["key"]) = (pair.cert.into(), pair.key.into());
    }
    body
}

#[tokio::test]
async fn what_openapi_tells_of_calls_is_so() {
    let desk = Desk::set().await;
    let told = desk.chancery.admin("openapi.json").await.unwrap();
    assert_eq!(told.status, 200);
    let told: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(told["openapi"], "3.1.0");
    let player = Player {
        client: Client::new(),
        url: desk.chancery.url(),
        told,
    };
    let paths = player.told["paths"].as_object().unwrap();
    let mut played = 0;
    for method in ORDER {
        let mut calls: Vec<_> = paths
            .iter()
            .filter(|(_, calls)| calls.get(method).is_some())
            .collect();
        if method == "delete" {
            // Credentials go before their consumer.
            calls.reverse();
        }
        for (path, calls) in calls {
            player.play(path, method, &calls[method]).await;
            played += 1;
        }
    }
    assert!(played > 80, "{played} calls");
    for (path, calls) in paths {
        for method in ORDER.iter().filter(|method| calls.get(**method).is_none()) {
            let call = calls.as_object().unwrap().values().next().unwrap();
            let (path, _) = player.at(path, call);
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let url = format!("{}{path}", player.url);
            let refused = player
                .client
                .request(method.clone(), url)
                .body("{}")
                .send()
                .await
                .unwrap();
            let status = refused.status().as_u16();
            assert!(
                [400, 404, 405].contains(&status),
                "{method} {path}: {status}"
            );
        }
    }
}
