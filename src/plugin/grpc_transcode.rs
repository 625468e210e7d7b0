//! `grpc-transcode`: requests over HTTP with JSON, forms or a query become calls of a gRPC service's method.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::extensions::filters::http::grpc_json_transcoder::v3::GrpcJsonTranscoder;
use envoy_types::pb::envoy::extensions::filters::http::grpc_json_transcoder::v3::grpc_json_transcoder::{
    DescriptorSet, PrintOptions,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::contract::{Definition, Grown, Plugin, Reading, refused, schema};
use super::shared::asked::TRANSCODES;
use super::shared::{header, script};
use crate::envoy::filter;
use crate::model::decode;
use crate::model::key::Id;
use crate::model::problem::Remark;
use crate::model::protos::Protos;
use crate::model::scalar::Within;
use crate::model::upstream::Cluster;

const FILTER: &str = "chancery.grpc-transcode";

pub(super) const ENTRY: Definition = Definition {
    name: "grpc-transcode",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "pb_option",
            "64-bit integers of an answer are texts (`\"1\"`), as JSON has no such numbers: a method that gives some is refused \
            without `int64_as_string`, and they have no `#`",
        ),
        (
            "pb_option",
            "of a message that is not proto3, what is not set is not written",
        ),
        (
            "",
            "`bytes` are base64 on both sides, and `google.protobuf.Timestamp` and its like are as protobuf's JSON has them",
        ),
        ("", "fields have their camel case names as well in requests"),
        (
            "",
            "what is no JSON, or of another type than its field, is answered with 400 in other words; a body above `buffer_bytes` \
            of the gateway with 413",
        ),
        (
            "",
            "an error that comes behind an answer's head has its status too",
        ),
        (
            "show_status_in_body",
            "`error` has the code and the message of an error without details as well; of one whose details are of a type that is \
            not known here, the body is empty",
        ),
        ("status_detail_type", "each detail has its type, as `@type`"),
        ("", "a gRPC request passes as it is"),
    ],
    http_filters,
};

/// Turns HTTP requests into calls of a gRPC service's method, and its answers into JSON.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The document of `protos` that has the service.
    proto_id: Id,
    /// The service with its package: `helloworld.Greeter`.
    service: String,
    /// The method: `SayHello`. It takes one message and gives one.
    method: String,
    /// How many milliseconds the service is given (`grpc-timeout`); 0 says nothing.
    #[serde(default = "none")]
    deadline: Within<0, 99_999_999>,
    /// How answers are written. Of two that exclude each other the later holds.
    pb_option: Option<Vec<Written>>,
    /// Whether the body of an error has its code, message and details.
    #[serde(default)]
    show_status_in_body: bool,
    /// The message that details of errors are of.
    status_detail_type: Option<String>,
}

impl decode::Form for Form {}

fn none() -> Within<0, 99_999_999> {
    Within(0)
}

/// How something is written in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Written {
    /// Values of enums by their names, which is the default.
    EnumAsName,
    /// Values of enums as numbers.
    EnumAsValue,
    /// As is the default, for methods that give no integers of 64 bits.
    #[serde(rename = "int64_as_number")]
    WideAsNumber,
    /// Integers of 64 bits as texts.
    #[serde(rename = "int64_as_string")]
    WideAsString,
    /// With the defaults of what is not set, which is the default.
    AutoDefaultValues,
    /// Without what is not set.
    NoDefaultValues,
    /// As it is anyway.
    DisableHooks,
}

#[derive(Debug, Clone)]
struct GrpcTranscode {
    proto: Id,
    service: String,
    method: String,
    detail: Option<String>,
    deadline: u32,
    /// Whether clients read integers of 64 bits as texts.
    wide: bool,
    print: PrintOptions,
    shows_status: bool,
    /// The method, once the document is there.
    descriptors: Option<Arc<[u8]>>,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    if form.status_detail_type.is_some() && !form.show_status_in_body {
        let message = "has no effect without `show_status_in_body`";
        let remark = Remark::new("status_detail_type", message);
        reading.warnings.push(remark);
    }
    let mut print = PrintOptions {
        preserve_proto_field_names: true,
        always_print_primitive_fields: true,
        ..PrintOptions::default()
    };
    let mut wide = false;
    for option in form.pb_option.into_iter().flatten() {
        match option {
            Written::EnumAsName => print.always_print_enums_as_ints = false,
            Written::EnumAsValue => print.always_print_enums_as_ints = true,
            Written::WideAsNumber => wide = false,
            Written::WideAsString => wide = true,
            Written::AutoDefaultValues => print.always_print_primitive_fields = true,
            Written::NoDefaultValues => print.always_print_primitive_fields = false,
            Written::DisableHooks => {}
        }
    }
    Ok(Arc::new(GrpcTranscode {
        proto: form.proto_id,
        service: form.service,
        method: form.method,
        detail: form.status_detail_type.filter(|_| form.show_status_in_body),
        deadline: form.deadline.0,
        wide,
        print,
        shows_status: form.show_status_in_body,
        descriptors: None,
    }))
}

/// The script stands before the filter: it sees requests first, and answers last.
fn http_filters() -> Vec<HttpFilter> {
    let nothing = GrpcJsonTranscoder {
        descriptor_set: Some(DescriptorSet::ProtoDescriptorBin(Vec::new())),
        ..GrpcJsonTranscoder::default()
    };
    vec![
        script::discovered(TRANSCODES),
        filter::disabled(FILTER, &nothing),
    ]
}

impl Plugin for GrpcTranscode {
    fn proto(&self) -> Option<&Id> {
        Some(&self.proto)
    }

    fn with_proto(&self, protos: &Protos) -> Result<Option<Grown>, Remark> {
        let detail = self.detail.as_deref();
        let method = protos.method(&self.service, &self.method, detail)?;
        if let (Some(field), false) = (method.wide, self.wide) {
            let message = format!(
                "has no `int64_as_string`, and `{field}` is an integer of 64 bits, which Envoy writes as a text: allowed with \
                 `int64_as_string`, where clients take \"1\" for 1"
            );
            return Err(Remark::new("pb_option", message));
        }
        let bytes = method.descriptors.len();
        let mut whole = self.clone();
        whole.descriptors = Some(method.descriptors.into());
        Ok(Some((Arc::new(whole), bytes)))
    }

    fn speaks_grpc(&self) -> bool {
        true
    }

    fn runs(&self) -> Vec<&'static str> {
        vec![TRANSCODES]
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        let Some(descriptors) = &self.descriptors else {
            return;
        };
        filter::enable(route, FILTER, &self.transcoder(descriptors));
        let told = [("wraps".to_owned(), json!(self.shows_status))];
        script::enable(route, TRANSCODES, &Map::from_iter(told));
        if self.deadline > 0 {
            let deadline = header::set("grpc-timeout", &format!("{}m", self.deadline));
            route.request_headers_to_add.push(deadline);
        }
        // The path is the method's, whatever another plugin made of the request's.
        if let Some(Action::Route(action)) = &mut route.action {
            action.regex_rewrite = None;
            action.prefix_rewrite.clear();
            action.path_rewrite.clear();
        }
    }
}

impl GrpcTranscode {
    fn transcoder(&self, descriptors: &[u8]) -> GrpcJsonTranscoder {
        GrpcJsonTranscoder {
            descriptor_set: Some(DescriptorSet::ProtoDescriptorBin(descriptors.to_vec())),
            services: vec![self.service.clone()],
            print_options: Some(self.print),
            // The route that was chosen stays, as the method's path would choose another.
            match_incoming_request_route: true,
            ignore_unknown_query_parameters: true,
            query_param_unescape_plus: true,
            convert_grpc_status: self.shows_status,
            ..GrpcJsonTranscoder::default()
        }
    }
}

#[cfg(test)]
mod tests;
