//! A collector of traces, over both of OTLP's protocols: it keeps what it is sent.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use prost::Message;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// The header that it demands, as OTLP's variable has it.
pub const HEADER: &str = "x-tenant=edge";

/// A collector; it is away when dropped.
pub struct Collector {
    kept: Kept,
    _shutdown: DropGuard,
}

/// One span that was sent.
#[derive(Debug, Clone)]
pub struct Span {
    /// `service.instance.id` of who sent it.
    pub instance: String,
    pub name: String,
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub began: u64,
    pub ended: u64,
    pub attributes: BTreeMap<String, String>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Span>>>);

impl Collector {
    /// The URLs of one at this address, over gRPC and over HTTP.
    pub fn urls(address: Ipv4Addr) -> [String; 2] {
        [4317, 4318].map(|port| format!("http://{address}:{port}"))
    }

    pub async fn start(address: Ipv4Addr) -> Self {
        let shutdown = CancellationToken::new();
        let kept = Kept::default();
        let listener = TcpListener::bind(SocketAddr::from((address, 4317))).await;
        let grpc = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(kept.clone()))
            .serve_with_incoming_shutdown(
                TcpIncoming::from(listener.unwrap()),
                shutdown.clone().cancelled_owned(),
            );
        tokio::spawn(grpc);
        let listener = TcpListener::bind(SocketAddr::from((address, 4318))).await;
        let keeper = kept.clone();
        let export = async move |headers: HeaderMap, body: Bytes| {
            if headers["content-type"] != "application/x-protobuf" {
                return (StatusCode::UNSUPPORTED_MEDIA_TYPE, Vec::new());
            }
            if headers
                .get("x-tenant")
                .is_none_or(|tenant| tenant != "edge")
            {
                return (StatusCode::UNAUTHORIZED, Vec::new());
            }
            keeper.keep(ExportTraceServiceRequest::decode(body).unwrap());
            let answer = ExportTraceServiceResponse::default();
            (StatusCode::OK, answer.encode_to_vec())
        };
        let app = Router::new().route("/v1/traces", post(export));
        let http = axum::serve(listener.unwrap(), app)
            .with_graceful_shutdown(shutdown.clone().cancelled_owned());
        tokio::spawn(http.into_future());
        Self {
            kept,
            _shutdown: shutdown.drop_guard(),
        }
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        self.kept.0.lock().unwrap().clone()
    }
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let tenant = request.metadata().get("x-tenant");
        if tenant.is_none_or(|tenant| tenant != "edge") {
            return Err(Status::unauthenticated("who is it?"));
        }
        self.keep(request.into_inner());
        let answer = ExportTraceServiceResponse::default();
        Ok(Response::new(answer))
    }
}

impl Kept {
    fn keep(&self, request: ExportTraceServiceRequest) {
        let mut kept = self.0.lock().unwrap();
        for of_resource in request.resource_spans {
            let resource = texts(&of_resource.resource.unwrap().attributes);
            assert_eq!(resource["service.name"], "chancery");
            let instance = &resource["service.instance.id"];
            let scopes = of_resource.scope_spans.into_iter();
            let spans = scopes.flat_map(|of_scope| of_scope.spans);
            kept.extend(spans.map(|span| Span::read(instance, span)));
        }
    }
}

impl Span {
    fn read(instance: &str, span: otlp::Span) -> Self {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let status = span.status.unwrap_or_default();
        let failed = status.code() == otlp::status::StatusCode::Error;
        Self {
            instance: instance.to_owned(),
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            began: span.start_time_unix_nano,
            ended: span.end_time_unix_nano,
            attributes: texts(&span.attributes),
            error: failed.then_some(status.message),
            name: span.name,
        }
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |each: &KeyValue| {
        let value = match each.value.clone()?.value? {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            other => panic!("{other:?}"),
        };
        Some((each.key.clone(), value))
    };
    attributes.iter().filter_map(text).collect()
}
