//! A server that says of tokens whether they are good, as RFC 7662 has it, to whoever shows the right credential.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::form_urlencoded;

/// What has to be shown, as `Authorization`.
type Shown = Arc<Mutex<String>>;

/// It ends when it is dropped.
pub struct Issuer {
    pub address: SocketAddr,
    shown: Shown,
    task: JoinHandle<()>,
}

impl Issuer {
    pub async fn start(address: Ipv4Addr, shown: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shown = Arc::new(Mutex::new(shown.to_owned()));
        let app = Router::new()
            .route("/introspect", post(answer))
            .with_state(shown.clone());
        let task = tokio::spawn(async {
            axum::serve(listener, app).await.unwrap();
        });
        Self {
            address,
            shown,
            task,
        }
    }

    /// Wants another credential from now on.
    pub fn wants(&self, shown: &str) {
        *self.shown.lock().unwrap() = shown.to_owned();
    }

    /// Is away, and its connections with it.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(shown): State<Shown>, headers: HeaderMap, body: String) -> Response {
    let wanted = shown.lock().unwrap().clone();
    if headers
        .get(header::AUTHORIZATION)
        .is_none_or(|one| *one != wanted)
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|form| form == "application/x-www-form-urlencoded");
    let mut fields = form_urlencoded::parse(body.as_bytes()).filter(|_| is_form);
    let token = fields.find(|(name, _)| name == "token");
    let claims = match token.map(|(_, token)| token).unwrap_or_default().as_ref() {
        "good+1/~" => json!({"active": true, "scope": "read write", "aud": ["me"], "sub": "ann"}),
        "narrow" => json!({"active": true, "scope": "read", "aud": "me"}),
        "foreign" => json!({"active": true, "scope": "read write", "aud": "you"}),
        "text" => json!({"active": "true", "scope": "read write", "aud": "me"}),
        "failing" => {
            return (StatusCode::INTERNAL_SERVER_ERROR, r#"{"active":true}"#).into_response();
        }
        "nonsense" => return "active".into_response(),
        _ => json!({"active": false}),
    };
    (
        [(header::CONTENT_TYPE, "application/json")],
        claims.to_string(),
    )
        .into_response()
}
