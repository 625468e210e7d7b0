//! What can be called, and by whom: with a key for reading, one for draining, and none.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode, header};
use tokio::sync::watch;
use tower::ServiceExt;

use crate::api::access::{Access, ApiKey, HEADER, Hash, Role, Rules};
use crate::api::replicas::Others;
use crate::api::{Api, router};
use crate::drain::audit::Trail;
use crate::xds::{Gateways, Nodes};

const UNAUTHENTICATED: u16 = 16;
const DENIED: u16 = 7;
const UNIMPLEMENTED: u16 = 12;

fn api() -> Router {
    let key = |name: &str, role| ApiKey {
        name: name.to_owned(),
        hash: Hash::of(name.as_bytes()),
        roles: vec![role],
    };
    let rules = Rules {
        keys: vec![key("looker", Role::Read), key("deploy", Role::Drain)],
        ..Rules::default()
    };
    let access = Access {
        rules: watch::channel(rules).1,
        trail: Trail::to_log(),
        port: ([127, 0, 0, 1], 9180).into(),
        tls: false,
        failures: Arc::default(),
        rates: Arc::default(),
    };
    router(Api::new(
        Arc::new(Gateways::new().0),
        Arc::new(Nodes::default()),
        (Others::none(), Arc::default()),
        tokio::sync::mpsc::channel(1).0,
        crate::api::Writers {
            drainer: None,
            editor: None,
            reader: Default::default(),
        },
        access,
        Default::default(),
    ))
}

async fn call(
    builder: axum::http::request::Builder,
    key: Option<&str>,
) -> axum::response::Response {
    // An empty message, as gRPC frames it.
    let mut request = builder.body(Body::from(vec![0; 5])).unwrap();
    if let Some(key) = key {
        request.headers_mut().insert(HEADER, key.parse().unwrap());
    }
    let address: std::net::SocketAddr = "127.0.0.1:5000".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(address));
    api().oneshot(request).await.unwrap()
}

async fn http(method: &str, path: &str, key: Option<&str>) -> StatusCode {
    let request = Request::builder().method(method).uri(path);
    call(request, key).await.status()
}

/// The status of a gRPC call; nothing when it is not in the headers, as the call was begun.
async fn grpc(service: &str, method: &str, key: Option<&str>) -> Option<u16> {
    let request = Request::post(format!("/{service}/{method}"))
        .header(header::CONTENT_TYPE, "application/grpc");
    let response = call(request, key).await;
    let status = response.headers().get("grpc-status")?;
    Some(status.to_str().unwrap().parse().unwrap())
}

#[tokio::test]
async fn what_is_not_listed_is_refused_whoever_calls() {
    for key in [None, Some("looker"), Some("deploy"), Some("stranger")] {
        for (method, path, status) in [
            ("GET", "/v1/elsewhere", StatusCode::NOT_FOUND),
            ("DELETE", "/v1/elsewhere", StatusCode::NOT_FOUND),
            ("PATCH", "/v1/nodes", StatusCode::METHOD_NOT_ALLOWED),
            ("DELETE", "/v1/drains", StatusCode::METHOD_NOT_ALLOWED),
            ("POST", "/v1/drains/1", StatusCode::METHOD_NOT_ALLOWED),
        ] {
            assert_eq!(
                http(method, path, key).await,
                status,
                "{method} {path} {key:?}"
            );
        }
        for method in ["Purge", "drain", "Drain2"] {
            let status = grpc("chancery.v1.Control", method, key).await;
            assert_eq!(status, Some(UNIMPLEMENTED), "{method} {key:?}");
        }
    }
}

#[tokio::test]
async fn what_is_listed_wants_its_role() {
    let reads = ["nodes", "snapshots", "problems", "drains/1", "audit"];
    for path in reads.map(|path| format!("/v1/{path}")) {
        assert_eq!(
            http("GET", &path, None).await,
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
        for key in ["looker", "deploy"] {
            let status = http("GET", &path, Some(key)).await;
            assert!(!status.is_client_error(), "{path}: {status}");
        }
    }
    for (method, path) in [("POST", "/v1/drains"), ("DELETE", "/v1/drains/1")] {
        for (key, status) in [
            (None, StatusCode::UNAUTHORIZED),
            (Some("stranger"), StatusCode::UNAUTHORIZED),
            (Some("looker"), StatusCode::FORBIDDEN),
        ] {
            assert_eq!(http(method, path, key).await, status, "{method} {path}");
        }
        let status = http(method, path, Some("deploy")).await;
        assert_ne!(status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    for (method, key, status) in [
        ("ListNodes", None, Some(UNAUTHENTICATED)),
        ("ListNodes", Some("looker"), None),
        ("Drain", Some("looker"), Some(DENIED)),
        ("Undrain", Some("looker"), Some(DENIED)),
        ("Accept", Some("looker"), Some(DENIED)),
        ("Accept", Some("deploy"), Some(DENIED)),
    ] {
        assert_eq!(
            grpc("chancery.v1.Control", method, key).await,
            status,
            "{method}"
        );
    }
    let reflection = "grpc.reflection.v1.ServerReflection";
    let info = "ServerReflectionInfo";
    assert_eq!(grpc(reflection, info, None).await, Some(UNAUTHENTICATED));
    assert_eq!(grpc(reflection, info, Some("looker")).await, None);
}

#[test]
fn every_call_of_the_contract_is_listed_once() {
    let pool = prost_reflect::DescriptorPool::decode(crate::api::json::OWN_FILES).unwrap();
    let service = pool.get_service_by_name("chancery.v1.Control").unwrap();
    let mut contract: Vec<_> = service.methods().map(|it| it.name().to_owned()).collect();
    let mut listed: Vec<_> = super::CALLS.iter().map(|call| call.name).collect();
    contract.sort();
    listed.sort_unstable();
    assert_eq!(listed, contract);
}
