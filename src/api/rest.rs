//! The HTTP side: paths and queries to requests, answers to JSON.

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use futures_util::StreamExt;
use prost::{Message, Name};
use tonic::server::NamedService;
use tonic::{Code, Request, Status};
use tonic_reflection::server::Builder;

use super::pb::control_server::{Control, ControlServer};
use crate::drain::Caller;

use super::{Api, access, drains, json, pb};

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
        .route("/v1/services", get(services))
        .route("/v1/explain", get(explain))
        .route("/v1/wait", get(wait))
        .route("/v1/events", get(events))
        .route("/v1/drains", post(drain).get(list_drains))
        .route("/v1/drains/{id}", get(read_drain).delete(undrain))
        .route("/v1/audit", get(audit))
        .route(
            "/v1/{*path}",
            any(async || error(&Status::not_found("no such path in the control API"))),
        )
        .with_state(api.clone())
        .route_service(&grpc_path, grpc)
        .layer(from_fn_with_state(api, access::check))
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

async fn services(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    answer(json::whole, async {
        let request = json::request::<pb::ListServicesRequest>(&[], query.as_deref())?;
        api.list_services(Request::new(request)).await
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

async fn explain(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    answer(json::whole, async {
        let request = json::request::<pb::ExplainRequest>(&[], query.as_deref())?;
        api.explain(Request::new(request)).await
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
    let status = match confirmed {
        true => StatusCode::OK,
        false => StatusCode::GATEWAY_TIMEOUT,
    };
    with_status(status, answer(json::whole, async { answered }).await)
}

async fn drain(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    body: axum::body::Bytes,
) -> Response {
    let answered = match json::strict::<pb::DrainRequest>(&body) {
        Ok(request) => api.drain(called_by(request, caller)).await,
        Err(status) => {
            drains::misread(&api, &caller, &pb::DrainRequest::default(), &status);
            Err(status)
        }
    };
    drained(answered, StatusCode::CREATED).await
}

async fn list_drains(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    answer(json::whole, async {
        let request = json::request::<pb::ListDrainsRequest>(&[], query.as_deref())?;
        api.list_drains(Request::new(request)).await
    })
    .await
}

async fn read_drain(
    State(api): State<Api>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let request = json::request::<pb::ReadDrainRequest>(&[("id", &id)], query.as_deref());
    let answered = match request {
        Ok(request) => api.read_drain(Request::new(request)).await,
        Err(status) => Err(status),
    };
    drained(answered, StatusCode::OK).await
}

/// 202 while somebody has not confirmed it.
async fn drained(
    answered: Result<tonic::Response<pb::DrainResponse>, Status>,
    confirmed: StatusCode,
) -> Response {
    let status = answered.as_ref().map(|answer| {
        let answer = answer.get_ref();
        match answer.confirmed {
            true if answer.existed => StatusCode::OK,
            true => confirmed,
            false => StatusCode::ACCEPTED,
        }
    });
    let status = status.unwrap_or_default();
    with_status(status, answer(json::whole, async { answered }).await)
}

async fn undrain(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let request = json::request::<pb::UndrainRequest>(&[("id", &id)], query.as_deref());
    let answered = match request {
        Ok(request) => api.undrain(called_by(request, caller)).await,
        Err(status) => Err(status),
    };
    let pending = answered
        .as_ref()
        .is_ok_and(|answer| !answer.get_ref().pending.is_empty());
    let status = match pending {
        true => StatusCode::ACCEPTED,
        false => StatusCode::OK,
    };
    with_status(status, answer(json::whole, async { answered }).await)
}

async fn audit(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    answer(json::whole, async {
        let request = json::request::<pb::ListAuditRequest>(&[], query.as_deref())?;
        api.list_audit(Request::new(request)).await
    })
    .await
}

/// A request with who sends it.
fn called_by<M>(message: M, caller: Caller) -> Request<M> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(caller);
    request
}

/// An answer that is no error has that status.
fn with_status(status: StatusCode, mut response: Response) -> Response {
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
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

pub(super) fn error(status: &Status) -> Response {
    let body = serde_json::json!({ "code": i32::from(status.code()), "message": status.message() });
    let http = match status.code() {
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::FailedPrecondition => StatusCode::CONFLICT,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        // What another system, the registry, said.
        Code::Unknown => StatusCode::BAD_GATEWAY,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    json_response(http, body.to_string())
}

fn json_response(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
