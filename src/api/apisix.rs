//! Documents over HTTP, as the Admin API of APISIX has them: its clients work with these paths unchanged. The store stays
//! the one source of truth: what is written here is what `etcdctl` would write, checked before.

mod about;
mod answer;
mod asked;
mod change;
pub(super) mod list;
pub mod openapi;
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
use crate::editing::{Editor, Refused};
use crate::model::{Key, Kind};
use crate::telemetry::metrics::Template;

use answer::{Refusal, Secrets};
use list::Filter;
use target::{Target, Unknown};

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
    let path = request.uri().path().to_owned();
    let read = target::read(path.strip_prefix(ROOT).unwrap_or_default());
    let template = read.as_ref().ok().map(Target::template);
    let mut answer = called(api, address, request, read).await;
    if let Some(template) = template {
        let template = Template(format!("{ROOT}{template}"));
        answer.extensions_mut().insert(template);
    }
    let headers = answer.headers_mut();
    headers.insert(VERSION, HeaderValue::from_static("v3"));
    let server = concat!("Chancery/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::SERVER, HeaderValue::from_static(server));
    answer
}

async fn called(
    api: Api,
    address: SocketAddr,
    request: Request,
    read: Result<Target<'_>, Unknown>,
) -> Response {
    let method = request.method().clone();
    if let (Ok(Target::Root), &Method::HEAD) = (&read, &method) {
        return StatusCode::OK.into_response();
    }
    let role = read
        .as_ref()
        .map_or(Role::Read, |target| role(&method, target));
    let caller = match api.access.admit(role, &request, address, Place::Apisix) {
        Ok(caller) => caller,
        Err(denied) => return answer::denied(&denied.told().await),
    };
    let answered = async {
        let target = read?;
        let call = Call::read(api, caller, request).await?;
        call.answered(target).await
    };
    answered.await.unwrap_or_else(Refusal::into_response)
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
    async fn read(api: Api, caller: Caller, request: Request) -> Result<Self, Refusal> {
        let query = request.uri().query().unwrap_or_default();
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned();
        Ok(Self {
            api,
            caller,
            method: request.method().clone(),
            query: query.collect(),
            headers: request.headers().clone(),
            body: body(request)
                .await
                .map_err(|said| Refusal::misread(&said))?,
        })
    }

    async fn answered(&self, target: Target<'_>) -> Result<Response, Refusal> {
        let reads = self.method == Method::GET;
        match target {
            Target::All { kind, folder } if reads => self.list(kind, &folder).await,
            Target::All { kind, folder } => self.write_below(kind, &folder).await,
            Target::One { steps, .. } if reads && !steps.is_empty() => Err(Unknown::Path.into()),
            Target::One { key, .. } if reads => self.read_one(&key).await,
            Target::One { key, steps } => self.write(&key, &steps).await,
            other => self.about(other).await,
        }
    }

    /// The parameter of this name; the last where there are several.
    fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.query.iter().rev();
        all.find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    fn secrets(&self) -> Secrets {
        if self.caller.writes && self.parameter("masked") != Some("true") {
            Secrets::Shown
        } else {
            Secrets::Hidden
        }
    }

    fn editor(&self) -> Result<&Editor, Refusal> {
        self.api.editor.as_deref().ok_or_else(|| {
            let said = "documents are in files (--files), which Chancery does not write: edit them there, or have \
                        documents in etcd";
            Refusal::Said(StatusCode::NOT_IMPLEMENTED, said.to_owned())
        })
    }

    async fn list(&self, kind: Kind, folder: &str) -> Result<Response, Refusal> {
        let filter = Filter::read(&self.query).map_err(Refusal::bad)?;
        let (mut documents, prefix) = self.all(folder).await?;
        // Credentials lie below their consumer.
        documents.retain(|held| {
            let key = held.path.parse::<Key>();
            key.map_or(!held.path[folder.len()..].contains('/'), |key| {
                key.kind == kind
            })
        });
        if kind == Kind::Credential && documents.is_empty() {
            return Err(Refused::Absent.into());
        }
        let secrets = self.secrets();
        // Texts are read one by one: not on the threads that answer others.
        let answered = tokio::task::spawn_blocking(move || {
            let key = |path: &str| format!("{prefix}/{path}");
            filter.answer(documents, secrets, key).to_string()
        });
        let body = answered.await.map_err(|error| Refusal::fault(&error))?;
        let content_type = [(header::CONTENT_TYPE, "application/json")];
        Ok((content_type, Body::from(body)).into_response())
    }

    async fn read_one(&self, key: &Key) -> Result<Response, Refusal> {
        let path = key.to_string();
        let found = match &self.api.editor {
            Some(editor) => editor.read(&path).await?,
            None => {
                let (all, _) = self.all(&path).await?;
                all.into_iter().find(|held| *held.path == *path)
            }
        };
        let held = found.ok_or(Refused::Absent)?;
        let body = answer::held(&self.key(&path), &held, self.secrets());
        let mut answer = answer::json(StatusCode::OK, &body);
        answer::tag(&mut answer, Some(held.modified));
        Ok(answer)
    }

    /// The whole key of a document.
    fn key(&self, path: &str) -> String {
        match &self.api.editor {
            Some(editor) => editor.key(path),
            None => format!("/{path}"),
        }
    }
}
