//! The HTTP side: paths and queries to requests, answers to JSON.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use futures_util::StreamExt;
use prost::{Message, Name};
use tonic::server::NamedService;
use tonic::{Code, Request, Status};
use tonic_reflection::server::Builder;

use super::pb::control_server::{Control, ControlServer};
use super::{Api, json, pb};

/// The largest gRPC request, in bytes.
const REQUEST: usize = 64 * 1024;

/// The routes of the control API, gRPC's included.
pub fn router(api: Api) -> Router {
    let grpc = ControlServer::new(api.clone()).max_decoding_message_size(REQUEST);
    let grpc_path = format!("/{}/{{method}}", ControlServer::<Api>::NAME);
    Router::new()
        .merge(reflection())
        .route("/v1/nodes", get(nodes))
        .route("/v1/snapshots", get(list_snapshots))
        .route("/v1/snapshots/{gateway}", get(read_snapshot))
        .route("/v1/problems", get(problems))
        .route("/v1/documents", get(documents))
        .route("/v1/wait", get(wait))
        .route("/v1/events", get(events))
        .route(
            "/v1/{*path}",
            any(async || error(&Status::not_found("no such path in the control API"))),
        )
        .with_state(api)
        .route_service(&grpc_path, grpc)
}

/// gRPC reflection of the contract.
fn reflection() -> Router<Api> {
    let builder = Builder::configure().register_encoded_file_descriptor_set(json::OWN_FILES);
    match builder.build_v1() {
        Ok(service) => Router::new().route_service(
            "/grpc.reflection.v1.ServerReflection/{method}",
            service.max_decoding_message_size(REQUEST),
        ),
        Err(error) => {
            tracing::error!(%error, "the control API is served without reflection");
            Router::new()
        }
    }
}

async fn nodes(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    answer(json::whole, async {
        let request = json::request::<pb::ListNodesRequest>(&[], query.as_deref())?;
        api.list_nodes(Request::new(request)).await
    })
    .await
}

async fn list_snapshots(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    answer(json::whole, async {
        let request = json::request::<pb::ListSnapshotsRequest>(&[], query.as_deref())?;
        api.list_snapshots(Request::new(request)).await
    })
    .await
}

async fn read_snapshot(
    State(api): State<Api>,
    Path(gateway): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    answer(json::terse, async {
        let path = [("gateway", gateway.as_str())];
        let request = json::request::<pb::ReadSnapshotRequest>(&path, query.as_deref())?;
        api.read_snapshot(Request::new(request)).await
    })
    .await
}

async fn documents(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    answer(json::whole, async {
        let request = json::request::<pb::ListDocumentsRequest>(&[], query.as_deref())?;
        api.list_documents(Request::new(request)).await
    })
    .await
}

async fn problems(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    answer(json::whole, async {
        let request = json::request::<pb::ListProblemsRequest>(&[], query.as_deref())?;
        api.list_problems(Request::new(request)).await
    })
    .await
}

async fn wait(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    let request = json::request::<pb::WaitRequest>(&[], query.as_deref());
    let answered = match request {
        Ok(request) => api.wait(Request::new(request)).await,
        Err(status) => Err(status),
    };
    let confirmed = answered
        .as_ref()
        .is_ok_and(|answer| answer.get_ref().confirmed);
    let mut response = answer(json::whole, async { answered }).await;
    if response.status() == StatusCode::OK && !confirmed {
        *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    }
    response
}

async fn events(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    let request = json::request::<pb::WatchRequest>(&[], query.as_deref());
    let events = match request {
        Ok(request) => api.watch(Request::new(request)).await,
        Err(status) => Err(status),
    };
    match events {
        Ok(events) => {
            let lines = events.into_inner().map(|event| line(&event?));
            let content_type = [(header::CONTENT_TYPE, "application/x-ndjson")];
            (content_type, Body::from_stream(lines)).into_response()
        }
        Err(status) => error(&status),
    }
}

fn line(event: &pb::Event) -> Result<String, Status> {
    let mut line = json::whole(event)?;
    line.push('\n');
    Ok(line)
}

/// Answers with a message in JSON, or with an error.
async fn answer<M: Message + Name>(
    write: impl Fn(&M) -> Result<String, Status>,
    call: impl Future<Output = Result<tonic::Response<M>, Status>>,
) -> Response {
    match call.await.and_then(|answer| write(answer.get_ref())) {
        Ok(text) => json_response(StatusCode::OK, text),
        Err(status) => error(&status),
    }
}

fn error(status: &Status) -> Response {
    let body = serde_json::json!({ "code": i32::from(status.code()), "message": status.message() });
    let http = match status.code() {
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    json_response(http, body.to_string())
}

fn json_response(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
