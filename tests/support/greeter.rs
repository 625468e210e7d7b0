//! A gRPC service that greets: a real server of tonic's, with what `grpc-transcode` needs to know of it.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use prost::Message;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

/// What it understands.
pub const PROTO: &str = r#"syntax = "proto3";
package helloworld;
service Greeter {
  rpc SayHello (HelloRequest) returns (HelloReply);
  rpc Plus (PlusRequest) returns (PlusReply);
  rpc Fail (FailRequest) returns (HelloReply);
  rpc Watch (HelloRequest) returns (stream HelloReply);
}
enum Gender { GENDER_UNKNOWN = 0; GENDER_MALE = 1; GENDER_FEMALE = 2; }
message Person { string name = 1; int32 age = 2; }
message HelloRequest { string name = 1; repeated string items = 2; Gender gender = 3; Person person = 4; }
message HelloReply { string message = 1; repeated string items = 2; Gender gender = 3; Person person = 4; string deadline = 5; }
message PlusRequest { int64 a = 1; int64 b = 2; }
message PlusReply { int64 result = 1; }
message FailRequest { int32 code = 1; bool with_details = 2; }
message Reason { string why = 1; }
"#;

#[derive(Clone, PartialEq, Message)]
struct Person {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "2")]
    age: i32,
}

#[derive(Clone, PartialEq, Message)]
struct HelloRequest {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, repeated, tag = "2")]
    items: Vec<String>,
    #[prost(int32, tag = "3")]
    gender: i32,
    #[prost(message, optional, tag = "4")]
    person: Option<Person>,
}

#[derive(Clone, PartialEq, Message)]
struct HelloReply {
    #[prost(string, tag = "1")]
    message: String,
    #[prost(string, repeated, tag = "2")]
    items: Vec<String>,
    #[prost(int32, tag = "3")]
    gender: i32,
    #[prost(message, optional, tag = "4")]
    person: Option<Person>,
    #[prost(string, tag = "5")]
    deadline: String,
}

#[derive(Clone, PartialEq, Message)]
struct PlusRequest {
    #[prost(int64, tag = "1")]
    a: i64,
    #[prost(int64, tag = "2")]
    b: i64,
}

#[derive(Clone, PartialEq, Message)]
struct PlusReply {
    #[prost(int64, tag = "1")]
    result: i64,
}

#[derive(Clone, PartialEq, Message)]
struct FailRequest {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(bool, tag = "2")]
    with_details: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Reason {
    #[prost(string, tag = "1")]
    why: String,
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// One that runs; it is away when dropped.
pub struct Greeter {
    pub address: SocketAddr,
    _shutdown: DropGuard,
}

impl Greeter {
    pub async fn start(address: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serve = tonic::transport::Server::builder()
            .add_service(Calls)
            .serve_with_incoming_shutdown(
                TcpIncoming::from(listener),
                shutdown.clone().cancelled_owned(),
            );
        tokio::spawn(serve);
        Self {
            address,
            _shutdown: shutdown.drop_guard(),
        }
    }

    /// As the nodes of an upstream name it.
    pub fn node(&self) -> String {
        self.address.to_string()
    }
}

#[derive(Clone)]
struct Calls;

impl NamedService for Calls {
    const NAME: &'static str = "helloworld.Greeter";
}

impl Service<http::Request<Body>> for Calls {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/helloworld.Greeter/SayHello" => {
                    let mut grpc = Grpc::new(ProstCodec::<HelloReply, HelloRequest>::default());
                    grpc.unary(service_fn(say_hello), request).await
                }
                "/helloworld.Greeter/Plus" => {
                    let mut grpc = Grpc::new(ProstCodec::<PlusReply, PlusRequest>::default());
                    grpc.unary(service_fn(plus), request).await
                }
                "/helloworld.Greeter/Fail" => {
                    let mut grpc = Grpc::new(ProstCodec::<HelloReply, FailRequest>::default());
                    grpc.unary(service_fn(fail), request).await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

async fn say_hello(request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
    let deadline = request.metadata().get("grpc-timeout");
    let deadline = deadline
        .map_or("", |value| value.to_str().unwrap())
        .to_owned();
    let asked = request.into_inner();
    Ok(Response::new(HelloReply {
        message: format!("Hello {}", asked.name),
        items: asked.items,
        gender: asked.gender,
        person: asked.person,
        deadline,
    }))
}

async fn plus(request: Request<PlusRequest>) -> Result<Response<PlusReply>, Status> {
    let PlusRequest { a, b } = request.into_inner();
    Ok(Response::new(PlusReply {
        result: a.wrapping_add(b),
    }))
}

async fn fail(request: Request<FailRequest>) -> Result<Response<HelloReply>, Status> {
    let asked = request.into_inner();
    let code = Code::from_i32(asked.code);
    let message = "it \"fails\"";
    if !asked.with_details {
        return Err(Status::new(code, message));
    }
    let reason = Reason {
        why: "as asked".to_owned(),
    };
    let details = Details {
        code: asked.code,
        message: message.to_owned(),
        details: vec![prost_types::Any {
            type_url: "type.googleapis.com/helloworld.Reason".to_owned(),
            value: reason.encode_to_vec(),
        }],
    };
    Err(Status::with_details(
        code,
        message,
        details.encode_to_vec().into(),
    ))
}
