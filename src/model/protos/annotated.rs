//! A method with the annotation that has every request of a route be a call of it (`google.api.http`), as bytes. The annotation
//! is an extension, for which the descriptors of `prost-types` have no room: so the service is written by itself, behind its file.

use prost::Message;
use prost_types::{MethodDescriptorProto, ServiceDescriptorProto};

use super::cut::Cut;

/// `FileDescriptorSet`
#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

/// What is left of a `FileDescriptorProto`: messages in a row are one.
#[derive(Clone, PartialEq, Message)]
struct Services {
    #[prost(message, optional, tag = "6")]
    service: Option<Service>,
}

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    method: Option<Called>,
}

#[derive(Clone, PartialEq, Message)]
struct Called {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    input: String,
    #[prost(string, tag = "3")]
    output: String,
    #[prost(message, optional, tag = "4")]
    options: Option<Options>,
}

#[derive(Clone, PartialEq, Message)]
struct Options {
    #[prost(message, optional, tag = "72295728")]
    http: Option<Rule>,
}

/// `google.api.HttpRule`
#[derive(Clone, PartialEq, Message)]
struct Rule {
    #[prost(string, optional, tag = "3")]
    put: Option<String>,
    #[prost(string, optional, tag = "4")]
    post: Option<String>,
    #[prost(string, optional, tag = "6")]
    patch: Option<String>,
    #[prost(message, optional, tag = "8")]
    custom: Option<Custom>,
    #[prost(string, tag = "7")]
    body: String,
    #[prost(message, repeated, tag = "11")]
    additional: Vec<Rule>,
}

#[derive(Clone, PartialEq, Message)]
struct Custom {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    path: String,
}

/// The set of descriptors of a method alone.
pub fn encoded(
    cut: &Cut,
    service: &ServiceDescriptorProto,
    method: &MethodDescriptorProto,
) -> Vec<u8> {
    let called = Called {
        name: method.name().to_owned(),
        input: method.input_type().to_owned(),
        output: method.output_type().to_owned(),
        options: Some(Options {
            http: Some(every_request()),
        }),
    };
    let service = Services {
        service: Some(Service {
            name: service.name().to_owned(),
            method: Some(called),
        }),
    };
    let mut file: Vec<Vec<u8>> = cut.files.iter().map(Message::encode_to_vec).collect();
    file[cut.of_service].extend(service.encode_to_vec());
    Set { file }.encode_to_vec()
}

/// Which requests are meant is said by routes: here it is all, whatever their path. With these methods fields come in a body, with
/// all others in the query.
fn every_request() -> Rule {
    let path = || Some("/**".to_owned());
    let body = || "*".to_owned();
    let rules = [
        Rule {
            post: path(),
            body: body(),
            ..Rule::default()
        },
        Rule {
            put: path(),
            body: body(),
            ..Rule::default()
        },
        Rule {
            patch: path(),
            body: body(),
            ..Rule::default()
        },
    ];
    Rule {
        custom: Some(Custom {
            kind: "*".to_owned(),
            path: "/**".to_owned(),
        }),
        additional: rules.into(),
        ..Rule::default()
    }
}
