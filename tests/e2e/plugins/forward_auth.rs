//! A service of the user's that is asked whether a request may pass.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::stage::{Stage, route_to};

/// Says yes to whoever is `ann`, in 204, and tells the others what it was asked.
async fn judge(request: Request) -> Response {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value
            .map_or("-", |value| value.to_str().unwrap())
            .to_owned()
    };
    if header("x-who") == "ann" {
        return (StatusCode::NO_CONTENT, [("x-user", "Ann")]).into_response();
    }
    if header("x-who") == "nobody" {
        return StatusCode::OK.into_response();
    }
    let names = [
        "host",
        "x-forwarded-method",
        "x-forwarded-uri",
        "x-who",
        "authorization",
    ];
    let asked = format!(
        "{} {} {}",
        request.method(),
        request.uri(),
        names.map(header).join(" ")
    );
    let headers = [("x-reason", "unknown"), ("www-authenticate", "Basic")];
    (StatusCode::UNAUTHORIZED, headers, asked).into_response()
}

#[tokio::test]
async fn a_service_is_asked_whether_a_request_may_pass() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let listener = TcpListener::bind((stage.address, 0)).await.unwrap();
    let auth = listener.local_addr().unwrap();
    let service = tokio::spawn(async {
        let app = Router::new().fallback(judge);
        axum::serve(listener, app).await.unwrap();
    });
    let asked = |uri: &str, degraded: bool| {
        let mut route = route_to(uri, &[&blue]);
        route["plugins"] = json!({ "forward-auth": {
            "uri": format!("http://{auth}/check?a=b"), "request_headers": ["X-Who"],
            "upstream_headers": ["X-User"], "client_headers": ["X-Reason"],
            "allow_degradation": degraded,
        } });
        route
    };
    stage
        .etcd
        .put("routes/strict", &asked("/strict", false))
        .await;
    stage
        .etcd
        .put("routes/lenient", &asked("/lenient", true))
        .await;
    stage
        .etcd
        .put("routes/marker", &route_to("/marker", &[&blue]))
        .await;
    stage.envoy.answers_by("/marker", "blue").await;
    let send = async |path: &str, who: &str| {
        let headers = [
            ("x-who", who),
            ("x-user", "forged"),
            ("authorization", "secret"),
        ];
        stage
            .envoy
            .send(Method::POST, path, &headers)
            .await
            .unwrap()
    };

    let seen = send("/strict", "ann").await.seen().unwrap();
    assert_eq!(seen["headers"]["x-user"], "Ann");
    assert_eq!(seen["method"], "POST");
    let seen = send("/strict", "nobody").await.seen().unwrap();
    assert!(seen["headers"].get("x-user").is_none(), "{seen}");

    let answer = send("/strict?q=1", "bob").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.headers["x-reason"], "unknown");
    assert!(
        answer.headers.get("www-authenticate").is_none(),
        "{answer:?}"
    );
    let said = format!("GET /check?a=b {auth} POST /strict?q=1 bob -");
    assert_eq!(answer.body, said);

    service.abort();
    let _ = service.await;
    crate::support::eventually(async || {
        let answer = send("/strict", "ann").await;
        anyhow::ensure!(answer.status == 403, "{answer:?}");
        Ok(())
    })
    .await;
    assert_eq!(send("/lenient", "ann").await.instance().unwrap(), "blue");
}
