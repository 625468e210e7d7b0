//! gRPC reflection of the xDS port, so that `grpcurl` and the like need no `.proto` files. Names what is served and nothing
//! else.

use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};
use tonic_reflection::server::{Builder, Error};

use super::method::Method;
use crate::envoy::descriptors;

/// What the port has besides the discovery services.
const OTHERS: [&str; 3] = [
    "envoy.service.status.v3.ClientStatusDiscoveryService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
];

/// The longest question, in bytes.
const REQUEST: usize = 4 * 1024;

pub fn service() -> Result<ServerReflectionServer<impl ServerReflection>, Error> {
    let builder = Builder::configure()
        .register_encoded_file_descriptor_set(descriptors::SERVICES)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    // The files describe services that are not served, such as that of virtual hosts.
    let names = Method::services().chain(OTHERS.map(Into::into));
    let service = names.fold(builder, Builder::with_service_name).build_v1()?;
    Ok(service.max_decoding_message_size(REQUEST))
}
