//! An agent that is asked as an Open Policy Agent is, over HTTP: it decides by the `input` that it is sent. Its policies are those
//! that APISIX's documentation has, and some whose decisions are odd.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, Path};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// An agent. It ends when it is dropped.
pub struct Agent {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Agent {
    pub async fn start(address: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        // Another method, or a body that is not told to be JSON, is refused.
        let app = Router::new().route("/v1/data/{*policy}", post(answer));
        let task = tokio::spawn(async {
            axum::serve(listener, app).await.unwrap();
        });
        Self { address, task }
    }

    /// Is away, and its connections with it.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(Path(policy): Path<String>, Json(asked): Json<Value>) -> Response {
    let json = |text: String| ([(header::CONTENT_TYPE, "application/json")], text);
    match policy.as_str() {
        "nonsense" => "allow".into_response(),
        "list" => json("[]".to_owned()).into_response(),
        "late" => {
            tokio::time::sleep(Duration::from_secs(5)).await;
            json(json!({"result": {"allow": true}}).to_string()).into_response()
        }
        "failing" => {
            let allowed = json(json!({"result": {"allow": true}}).to_string());
            (StatusCode::INTERNAL_SERVER_ERROR, allowed).into_response()
        }
        "large" => {
            let long = "a".repeat(1024 * 1024);
            json(json!({"result": {"allow": true, "reason": long}}).to_string()).into_response()
        }
        _ => {
            let decided = decided(&policy, &asked["input"]);
            let answer = decided.map_or_else(|| json!({}), |result| json!({"result": result}));
            json(answer.to_string()).into_response()
        }
    }
}

/// What a policy says of a request; nothing where there is no such policy.
fn decided(policy: &str, input: &Value) -> Option<Value> {
    let request = &input["request"];
    let is_get = request["method"] == "GET";
    Some(match policy {
        "example1" => json!({"allow": is_get}),
        "example1/allow" => json!(is_get),
        "example2" if is_get => json!({"allow": true}),
        "example2" => json!({
            "allow": false, "reason": "test", "status_code": 302,
            "headers": {"Location": "http://example.com/auth"},
        }),
        "echo" => json!({"allow": false, "reason": input}),
        "users" => of_user(request),
        "told" => json!({"allow": true, "headers": request["query"]}),
        // What no answer can have.
        "odd" => json!({
            "allow": false, "status_code": 99, "reason": 5,
            "headers": {
                "content-length": "1", "transfer-encoding": "chunked", ":path": "/", "a b": "c", "x-lines": "a\r\nx-more: b",
                "x-list": ["a", 2], "x-object": {}, "x-number": 1,
            },
        }),
        "unsure" => json!({"allow": null}),
        _ => return None,
    })
}

/// As a policy of APISIX's own tests has it.
fn of_user(request: &Value) -> Value {
    let user = request["query"]["user"].as_str().unwrap_or_default();
    let known = request["headers"]["test-header"] == "only-for-test";
    match user {
        "alice" if known => json!({
            "allow": false, "status_code": 302, "headers": {"location": "http://example.com/auth"},
        }),
        "bob" if known => json!({"allow": false, "headers": {"test": "abcd", "abcd": "test"}}),
        "carla" if known => json!({"allow": false, "reason": "Give you a string reason"}),
        "dylon" if known => json!({
            "allow": false, "reason": {"code": 40001, "desc": "Give you a object reason"},
        }),
        "elisa" if known && request["path"] == "/hello there" => json!({"allow": true}),
        _ => json!({"allow": false}),
    }
}
