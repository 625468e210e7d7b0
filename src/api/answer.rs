//! Answers of the HTTP side, and what gRPC's codes are there.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tonic::{Code, Status};

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
    json(http, body.to_string())
}

pub fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
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
