//! Documents over HTTP, as the Admin API of APISIX has them: its clients work with these paths unchanged. The store stays
//! the one source of truth: what is written here is what `etcdctl` would write, checked before.

mod about;
mod answer;
mod change;
mod list;
mod target;

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::access::{Place, Role};
use super::shared::Api;
use crate::drain::Caller;
use crate::editing::Editor;
use crate::model::Kind;

use answer::Secrets;
use list::Filter;
use target::Target;

const ROOT: &str = "/apisix/admin";
/// The largest body, in bytes.
const BODY: usize = 1024 * 1024 * 3 / 2;
const VERSION: HeaderName = HeaderName::from_static("x-api-version");

/// Everything below `/apisix/admin`.
pub fn router() -> Router<Api> {
    let rest = format!("{ROOT}/{{*rest}}");
    Router::new()
        .route(ROOT, any(serve))
        .route(&format!("{ROOT}/"), any(serve))
        .route(&rest, any(serve))
}

/// What a call of this method needs.
fn role(method: &Method, target: &Target<'_>) -> Role {
    match target {
        // They change nothing.
        Target::Validate(_) | Target::ValidateAll => Role::Read,
        _ if method == Method::GET || method == Method::HEAD => Role::Read,
        _ => Role::Admin,
    }
}

/// One call, by somebody who may.
struct Call {
    api: Api,
    caller: Caller,
    method: Method,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
}

async fn serve(
    State(api): State<Api>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let mut answer = called(api, address, request).await;
    let headers = answer.headers_mut();
    headers.insert(VERSION, HeaderValue::from_static("v3"));
    let server = concat!("Chancery/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::SERVER, HeaderValue::from_static(server));
    answer
}

async fn called(api: Api, address: SocketAddr, request: Request) -> Response {
    let uri = request.uri().clone();
    let path = uri.path().strip_prefix(ROOT).unwrap_or_default();
    let method = request.method().clone();
    let read = target::read(path);
    if let (Ok(Target::Root), &Method::HEAD) = (&read, &method) {
        return StatusCode::OK.into_response();
    }
    let role = read
        .as_ref()
        .map_or(Role::Read, |target| role(&method, target));
    let caller = match api.access.admit(role, &request, address, Place::Apisix) {
        Ok(caller) => caller,
        Err(status) => return answer::denied(&status),
    };
    let target = match read {
        Ok(target) => target,
        Err(unknown) => return answer::unknown(&unknown),
    };
    let query = uri.query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned();
    let call = Call {
        api,
        caller,
        method,
        query: query.collect(),
        headers: request.headers().clone(),
        body: match body(request).await {
            Ok(body) => body,
            Err(said) => return answer::misread(&said),
        },
    };
    match target {
        Target::All { kind, folder } if call.method == Method::GET => {
            call.list(kind, &folder).await
        }
        Target::All { kind, folder } => call.write_below(kind, &folder).await,
        Target::One { key, steps } if call.method == Method::GET => {
            if steps.is_empty() {
                call.read(&key.to_string()).await
            } else {
                answer::unknown(&target::Unknown::Path)
            }
        }
        Target::One { key, steps } => call.write(key, &steps).await,
        other => call.about(other).await,
    }
}

/// The body of a call that may have one.
async fn body(request: Request) -> Result<Bytes, String> {
    let size = request.headers().get(header::CONTENT_LENGTH);
    let size = size.and_then(|size| size.to_str().ok()?.parse::<usize>().ok());
    match (axum::body::to_bytes(request.into_body(), BODY).await, size) {
        (Ok(body), _) => Ok(body),
        (Err(_), Some(size)) if size > BODY => Err(format!(
            "request size {size} is greater than the maximum size {BODY} allowed"
        )),
        (Err(error), _) => Err(format!("{error}; at most {BODY} bytes are allowed")),
    }
}

impl Call {
    /// The parameter of this name; the last where there are several.
    fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.query.iter().rev();
        all.find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    fn secrets(&self) -> Secrets {
        if self.caller.writes {
            Secrets::Shown
        } else {
            Secrets::Hidden
        }
    }

    fn editor(&self) -> Result<&Editor, Response> {
        self.api.editor.as_deref().ok_or_else(|| {
            let said = "documents are in files (--files), which Chancery does not write: edit them there, or have \
                        documents in etcd";
            answer::error(StatusCode::NOT_IMPLEMENTED, said)
        })
    }

    async fn list(&self, kind: Kind, folder: &str) -> Response {
        let filter = match Filter::read(&self.query) {
            Ok(filter) => filter,
            Err(said) => return answer::error(StatusCode::BAD_REQUEST, said),
        };
        let (mut documents, prefix) = match self.all(folder).await {
            Ok(found) => found,
            Err(refused) => return refused,
        };
        // Credentials lie below their consumer.
        documents.retain(|held| {
            let key = held.path.parse::<crate::model::Key>();
            key.map_or(!held.path[folder.len()..].contains('/'), |key| {
                key.kind == kind
            })
        });
        if kind == Kind::Credential && documents.is_empty() {
            return answer::refused(&crate::editing::Refused::Absent);
        }
        let secrets = self.secrets();
        // Texts are read one by one: not on the threads that answer others.
        let answered = tokio::task::spawn_blocking(move || {
            filter
                .answer(documents, secrets, |path| format!("{prefix}/{path}"))
                .to_string()
        });
        match answered.await {
            Ok(body) => {
                let content_type = [(header::CONTENT_TYPE, "application/json")];
                (content_type, Body::from(body)).into_response()
            }
            Err(error) => answer::error(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }

    async fn read(&self, path: &str) -> Response {
        let found = match &self.api.editor {
            Some(editor) => match editor.read(path).await {
                Ok(found) => found,
                Err(refused) => return answer::refused(&refused),
            },
            None => match self.all("").await {
                Ok((all, _)) => all.into_iter().find(|held| &*held.path == path),
                Err(refused) => return refused,
            },
        };
        match found {
            Some(held) => {
                let body = answer::held(&self.key(&held.path), &held, self.secrets());
                let mut answer = answer::json(StatusCode::OK, &body);
                answer::tag(&mut answer, Some(held.modified));
                answer
            }
            None => answer::refused(&crate::editing::Refused::Absent),
        }
    }

    /// The whole key of a document.
    fn key(&self, path: &str) -> String {
        match &self.api.editor {
            Some(editor) => editor.key(path),
            None => format!("/{path}"),
        }
    }
}
