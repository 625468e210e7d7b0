//! gRPC messages as they are on the wire, and a server of ADS that sends them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use futures_util::stream::BoxStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Response, Status, Streaming};

/// What a stream is sent.
pub type Responses = BoxStream<'static, Result<Bytes, Status>>;

/// A server of ADS: what it sends on a stream is for this to say.
#[derive(Clone)]
pub struct Ads<F>(pub F);

impl<F> NamedService for Ads<F> {
    const NAME: &'static str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
}

impl<F> tower::Service<http::Request<tonic::body::Body>> for Ads<F>
where
    F: Fn(Streaming<Bytes>) -> Responses + Clone + Send + Sync + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let Self(open) = self.clone();
        let open = tower::service_fn(move |request: Request<Streaming<Bytes>>| {
            std::future::ready(Ok(Response::new(open(request.into_inner()))))
        });
        Box::pin(async move { Ok(Grpc::new(Raw).streaming(open, request).await) })
    }
}

/// The codec of them.
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}
