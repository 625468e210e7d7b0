//! Answers of the HTTP side, and what gRPC's codes are there.

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tonic::{Code, Status};

/// Where a status says, in seconds, when to try again.
pub const RETRY_AFTER: &str = "retry-after";

/// A refusal as HTTP tells it.
pub fn error(status: &Status) -> Response {
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
    let mut answer = json(http, body.to_string());
    tell_when(&mut answer, status);
    answer
}

/// Says when to try again, where the status does.
pub fn tell_when(answer: &mut Response, status: &Status) {
    let seconds = status.metadata().get(RETRY_AFTER);
    if let Some(seconds) = seconds.and_then(|it| HeaderValue::from_bytes(it.as_bytes()).ok()) {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
}

pub fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Answers calls in plain text to a port that speaks TLS.
pub fn plain_text() -> Router {
    Router::new().fallback(async |headers: HeaderMap| {
        refusal(
            &headers,
            Status::invalid_argument(
                "found plain HTTP, and this port speaks HTTPS (admin-cert): say https:// rather than http://",
            ),
        )
    })
}

/// A refusal in the language of a call with these headers.
pub fn refusal(headers: &HeaderMap, status: Status) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE);
    let grpc = content_type.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc"));
    if grpc {
        status.into_http::<axum::body::Body>().into_response()
    } else {
        error(&status)
    }
}
