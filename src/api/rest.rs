//! What can be called: every call with its path, its role and who answers it. What is not in the table is refused.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodFilter, any, get, on};
use futures_util::future::BoxFuture;
use tonic::Status;
use tonic::server::NamedService;
use tonic_reflection::server::Builder;

use super::access::{Place, Role};
use super::asked::{Asked, Rendering};
use super::pb::control_server::{Control, ControlServer};
use super::shared::Api;
use super::{answer, apisix, drains, json, openapi, pb};

/// The largest gRPC request, in bytes.
const REQUEST: usize = 2 * 1024 * 1024;

/// What can be called, as gRPC and over HTTP.
struct Call {
    /// The method of the gRPC service.
    name: &'static str,
    method: MethodFilter,
    path: &'static str,
    /// What a caller needs for either.
    role: Role,
    /// What becomes of it over HTTP.
    answer: fn(Asked) -> BoxFuture<'static, Response>,
}

const GET: MethodFilter = MethodFilter::GET;

#[rustfmt::skip]
const CALLS: &[Call] = &[
    Call { name: "ReadStatus", method: GET, path: "/v1/status", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.read_status(request))
    } },
    Call { name: "ListNodes", method: GET, path: "/v1/nodes", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.list_nodes(request))
    } },
    Call { name: "ListSnapshots", method: GET, path: "/v1/snapshots", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.list_snapshots(request))
    } },
    Call { name: "ReadSnapshot", method: GET, path: "/v1/snapshots/{gateway}", role: Role::Read, answer: |asked| {
        let rendering = Rendering { write: json::terse, ..Rendering::WHOLE };
        asked.answer(rendering, |api, request| api.read_snapshot(request))
    } },
    Call { name: "ListProblems", method: GET, path: "/v1/problems", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.list_problems(request))
    } },
    Call { name: "Release", method: MethodFilter::POST, path: "/v1/release", role: Role::Operate, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.release(request))
    } },
    Call { name: "ListDocuments", method: GET, path: "/v1/documents", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.list_documents(request))
    } },
    Call { name: "ReadEffective", method: GET, path: "/v1/documents/{document}/effective", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.read_effective(request))
    } },
    Call { name: "ListCertificates", method: GET, path: "/v1/certificates", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.list_certificates(request))
    } },
    Call { name: "ListServices", method: GET, path: "/v1/services", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.list_services(request))
    } },
    Call { name: "Accept", method: MethodFilter::POST, path: "/v1/accept", role: Role::Operate, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.accept(request))
    } },
    Call { name: "ListTexts", method: GET, path: "/v1/texts", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.list_texts(request))
    } },
    Call { name: "Apply", method: MethodFilter::POST, path: "/v1/changes", role: Role::Admin, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.apply(request))
    } },
    Call { name: "ListHistory", method: GET, path: "/v1/history", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.list_history(request))
    } },
    Call { name: "Diff", method: GET, path: "/v1/diff", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.diff(request))
    } },
    Call { name: "RollBack", method: MethodFilter::POST, path: "/v1/rollback", role: Role::Admin, answer: |asked| {
        asked.answer(Rendering::with_status(rolled_back), |api, request| api.roll_back(request))
    } },
    Call { name: "Explain", method: GET, path: "/v1/explain", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.explain(request))
    } },
    Call { name: "Wait", method: GET, path: "/v1/wait", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::with_status(waited), |api, request| api.wait(request))
    } },
    Call { name: "WaitStream", method: GET, path: "/v1/wait/stream", role: Role::Read, answer: |asked| {
        asked.stream(|api, request| api.wait_stream(request))
    } },
    Call { name: "Watch", method: GET, path: "/v1/events", role: Role::Read, answer: |asked| {
        asked.stream(|api, request| api.watch(request))
    } },
    Call { name: "Drain", method: MethodFilter::POST, path: "/v1/drains", role: Role::Drain, answer: |asked| {
        if let Err(status) = asked.message::<pb::DrainRequest>() {
            drains::misread(&asked.api, &asked.caller, &pb::DrainRequest::default(), &status);
        }
        asked.answer(Rendering::with_status(drained), |api, request| api.drain(request))
    } },
    Call { name: "ListDrains", method: GET, path: "/v1/drains", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.list_drains(request))
    } },
    Call { name: "ReadDrain", method: GET, path: "/v1/drains/{id}", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::with_status(standing), |api, request| api.read_drain(request))
    } },
    Call { name: "Undrain", method: MethodFilter::DELETE, path: "/v1/drains/{id}", role: Role::Drain, answer: |asked| {
        asked.answer(Rendering::with_status(undrained), |api, request| api.undrain(request))
    } },
    Call { name: "Prolong", method: MethodFilter::POST, path: "/v1/prolong", role: Role::Drain, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.prolong(request))
    } },
    Call { name: "ListAudit", method: GET, path: "/v1/audit", role: Role::Read, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.list_audit(request))
    } },
    Call { name: "ReadProcess", method: GET, path: "/v1/process", role: Role::Admin, answer: |asked| {
        asked.answer(Rendering::WHOLE, |api, request| api.read_process(request))
    } },
];

/// A call as it is told to people.
pub struct Listed {
    pub name: &'static str,
    /// As OpenAPI has it, in small letters.
    pub method: &'static str,
    pub path: &'static str,
    pub role: &'static str,
}

/// Everything that can be called.
pub fn table() -> impl Iterator<Item = Listed> {
    let method = |call: &Call| {
        if call.method == MethodFilter::POST {
            "post"
        } else if call.method == MethodFilter::DELETE {
            "delete"
        } else {
            "get"
        }
    };
    CALLS.iter().map(move |call| Listed {
        name: call.name,
        method: method(call),
        path: call.path,
        role: call.role.as_str(),
    })
}

/// What a caller of each method of the gRPC service needs, over HTTP too.
pub fn roles() -> impl Iterator<Item = (&'static str, Role)> {
    CALLS.iter().map(|call| (call.name, call.role))
}

fn waited(answer: &pb::WaitResponse) -> StatusCode {
    if answer.confirmed {
        StatusCode::OK
    } else {
        StatusCode::GATEWAY_TIMEOUT
    }
}

/// 202 while a proxy has it not.
fn rolled_back(answer: &pb::RollBackResponse) -> StatusCode {
    match &answer.waited {
        Some(waited) if !waited.confirmed => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    }
}

fn drained(answer: &pb::DrainResponse) -> StatusCode {
    if answer.confirmed && !answer.existed {
        StatusCode::CREATED
    } else {
        standing(answer)
    }
}

/// 202 while somebody has not confirmed it.
fn standing(answer: &pb::DrainResponse) -> StatusCode {
    if answer.confirmed {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    }
}

fn undrained(answer: &pb::UndrainResponse) -> StatusCode {
    if answer.pending.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    }
}

/// The routes of the control API, gRPC's included.
pub fn router(api: Api) -> Router {
    let mut router = Router::new();
    for call in CALLS {
        let serve = move |State(api): State<Api>,
                          ConnectInfo(address): ConnectInfo<SocketAddr>,
                          request: Request| serve(call, api, address, request);
        router = router.route(call.path, on(call.method, serve));
    }
    let unknown = async || answer::error(&Status::not_found("no such path in the control API"));
    router
        .route("/v1/{*path}", any(unknown))
        .route(openapi::PATH, get(openapi::serve))
        .merge(apisix::router())
        .merge(grpc(&api))
        .with_state(api)
}

/// `/metrics`, answered to whom the settings allow it: everybody, unless they say that it takes a key.
pub fn guarded(metrics: Router, api: Api) -> Router {
    metrics.layer(from_fn_with_state(api, scrape))
}

async fn scrape(
    State(api): State<Api>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if api.access.rules.borrow().metrics_need_key {
        let admitted = api
            .access
            .admit(Role::Metrics, &request, address, Place::Scraper);
        if let Err(denied) = admitted {
            return answer::error(&denied.told().await);
        }
    }
    next.run(request).await
}

async fn serve(call: &'static Call, api: Api, address: SocketAddr, request: Request) -> Response {
    let admitted = api
        .access
        .admit(call.role, &request, address, Place::Header);
    let caller = match admitted {
        Ok(caller) => caller,
        Err(denied) => {
            let status = denied.told().await;
            return answer::refusal(request.headers(), status);
        }
    };
    match Asked::read(api, caller, request).await {
        Ok(asked) => (call.answer)(asked).await,
        Err(refused) => refused,
    }
}

/// The gRPC side: the service, and the reflection of its contract.
fn grpc(api: &Api) -> Router<Api> {
    let service = ControlServer::new(api.clone()).max_decoding_message_size(REQUEST);
    let path = format!("/{}/{{method}}", ControlServer::<Api>::NAME);
    let router = Router::new().route_service(&path, service);
    let reflection = Builder::configure()
        .register_encoded_file_descriptor_set(json::OWN_FILES)
        .build_v1();
    let router = match reflection {
        Ok(service) => router.route_service(
            &format!("{REFLECTION}{{method}}"),
            service.max_decoding_message_size(REQUEST),
        ),
        Err(error) => {
            tracing::error!(%error, "the control API is served without reflection");
            router
        }
    };
    router.layer(from_fn_with_state(api.clone(), check))
}

const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/";

/// Lets a gRPC call through with its caller, or answers it.
async fn check(
    State(api): State<Api>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let Some(role) = role(path) else {
        let status = Status::unimplemented(format!("{} is not served", json::shown(path)));
        return answer::refusal(request.headers(), status);
    };
    match api.access.admit(role, &request, address, Place::Header) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(denied) => {
            let status = denied.told().await;
            answer::refusal(request.headers(), status)
        }
    }
}

/// What a gRPC call needs; nothing for one that is not listed.
fn role(path: &str) -> Option<Role> {
    if path.starts_with(REFLECTION) {
        return Some(Role::Read);
    }
    let name = path
        .strip_prefix('/')?
        .strip_prefix(ControlServer::<Api>::NAME)?
        .strip_prefix('/')?;
    let call = CALLS.iter().find(|call| call.name == name)?;
    Some(call.role)
}

#[cfg(test)]
mod tests;
