//! One call of the HTTP side: what was asked, read into the request that gRPC has for it, and the answer as JSON.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request as HttpRequest};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response as HttpResponse};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use prost::{Message, Name};
use tonic::{Request, Response, Status};

use crate::drain::Caller;

use super::shared::Api;
use super::{answer, json};

/// What the service does with a call, as `tonic` has it.
type Answered<'a, A> = BoxFuture<'a, Result<Response<A>, Status>>;

/// One call, by somebody who may.
pub struct Asked {
    pub api: Api,
    pub caller: Caller,
    source: Source,
}

/// Where the request's fields are.
enum Source {
    Body(Bytes),
    Parameters {
        path: Vec<(String, String)>,
        query: Option<String>,
    },
}

/// How an answer is written.
pub struct Rendering<A> {
    pub write: fn(&A) -> Result<String, Status>,
    /// Its status, unless it is an error.
    pub status: fn(&A) -> StatusCode,
}

impl<A: Message + Name> Rendering<A> {
    /// All fields, 200.
    pub const WHOLE: Self = Self::with_status(|_| StatusCode::OK);

    /// All fields, and a status that tells how far it is.
    pub const fn with_status(status: fn(&A) -> StatusCode) -> Self {
        let write = json::whole;
        Self { write, status }
    }
}

impl Asked {
    /// Takes a call apart.
    pub async fn read(
        api: Api,
        caller: Caller,
        request: HttpRequest,
    ) -> Result<Self, HttpResponse> {
        let source = if request.method() == Method::POST {
            let body = Bytes::from_request(request, &()).await;
            Source::Body(body.map_err(IntoResponse::into_response)?)
        } else {
            let (mut parts, _) = request.into_parts();
            let path = RawPathParams::from_request_parts(&mut parts, &())
                .await
                .map_err(IntoResponse::into_response)?
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let query = parts.uri.query().map(ToOwned::to_owned);
            Source::Parameters { path, query }
        };
        Ok(Self {
            api,
            caller,
            source,
        })
    }

    /// The request of the contract.
    pub fn message<M: Message + Name + Default>(&self) -> Result<M, Status> {
        match &self.source {
            Source::Body(body) => json::strict(body),
            Source::Parameters { path, query } => {
                let pairs: Vec<_> = path
                    .iter()
                    .map(|(name, value)| (&**name, &**value))
                    .collect();
                json::request(&pairs, query.as_deref())
            }
        }
    }

    /// Has a call answered.
    pub fn answer<M, A>(
        self,
        rendering: Rendering<A>,
        call: impl for<'a> FnOnce(&'a Api, Request<M>) -> Answered<'a, A> + Send + 'static,
    ) -> BoxFuture<'static, HttpResponse>
    where
        M: Message + Name + Default + 'static,
        A: Message + 'static,
    {
        Box::pin(async move {
            let answered = match self.message() {
                Ok(message) => call(&self.api, called_by(message, self.caller)).await,
                Err(status) => Err(status),
            };
            let written = answered.and_then(|response| {
                let answer = response.get_ref();
                Ok(((rendering.status)(answer), (rendering.write)(answer)?))
            });
            match written {
                Ok((status, text)) => answer::json(status, text),
                Err(status) => answer::error(&status),
            }
        })
    }

    /// Has a call answered line by line, for as long as there is something to say.
    pub fn stream<M, A>(
        self,
        call: impl for<'a> FnOnce(
            &'a Api,
            Request<M>,
        ) -> Answered<'a, BoxStream<'static, Result<A, Status>>>
        + Send
        + 'static,
    ) -> BoxFuture<'static, HttpResponse>
    where
        M: Message + Name + Default + 'static,
        A: Message + Name + 'static,
    {
        Box::pin(async move {
            let answered = match self.message() {
                Ok(message) => call(&self.api, called_by(message, self.caller)).await,
                Err(status) => Err(status),
            };
            match answered {
                Ok(answers) => {
                    let lines = answers.into_inner().map(|answer| line(&answer?));
                    let content_type = [(header::CONTENT_TYPE, "application/x-ndjson")];
                    (content_type, Body::from_stream(lines)).into_response()
                }
                Err(status) => answer::error(&status),
            }
        })
    }
}

/// A request with who sends it.
fn called_by<M>(message: M, caller: Caller) -> Request<M> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(caller);
    request
}

fn line<A: Message + Name>(answer: &A) -> Result<String, Status> {
    let mut line = json::whole(answer)?;
    line.push('\n');
    Ok(line)
}
