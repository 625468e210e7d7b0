//! `protos`: what methods of gRPC services take and give. Read once; for a route, a method of them is cut out.
//!
//! A text is parsed by `protox-parse`, and both a text and a set of descriptors are then checked by `prost-reflect`: what it
//! accepts has no name that nothing stands behind.

mod annotated;
mod cut;
mod files;
mod nesting;
mod text;

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_types::{
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use super::bookkeeping;
use super::bounds::{CONTENT, LongText};
use super::decode::{self, quoted};
use super::key::Key;
use super::problem::Remark;
use cut::Place;

/// What the methods of gRPC services take and give, for `grpc-transcode`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The text of a `.proto` file, or a set of descriptors in base64 (`protoc --include_imports --descriptor_set_out=…`).
    content: LongText<CONTENT>,
}

impl decode::Form for Form {}

impl bookkeeping::Kept for Form {}

pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<Form>(generator)
}

pub(crate) fn read(key: &Key, value: &Value) -> Result<Protos, Remark> {
    let (form, _) = bookkeeping::read::<Form>(key, value)?;
    of(&form.content.0).map_err(|said| Remark::new("content", said))
}

/// Files of descriptors, each behind those that it imports.
#[derive(Debug)]
pub struct Protos {
    files: Vec<FileDescriptorProto>,
    /// Where each message and enum stands, by its whole name (`.echo.v1.Ask`).
    types: HashMap<String, Place>,
}

/// A method, as a proxy has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// A set of descriptors with that method alone, which any request is mapped to.
    pub descriptors: Vec<u8>,
    /// A field of 64 bits in what it gives: JSON has no such numbers.
    pub wide: Option<String>,
}

/// The most names that an error lists.
const LISTED: usize = 20;

/// Reads what a document holds.
fn of(content: &str) -> Result<Protos, String> {
    let files = match binary(content) {
        Some(set) => without_places(set?.file),
        None => vec![text::parse(content)?],
    };
    let files = without_places(files::complete(files)?);
    let types = cut::places(&files);
    Ok(Protos { files, types })
}

/// Files without what says where in a text something stands.
fn without_places(mut files: Vec<FileDescriptorProto>) -> Vec<FileDescriptorProto> {
    for file in &mut files {
        file.source_code_info = None;
    }
    files
}

/// The set of descriptors that a text is in base64; nothing where it is none. A `.proto` file has other characters as well.
fn binary(content: &str) -> Option<Result<FileDescriptorSet, String>> {
    let bytes = content.bytes().filter(|b| !b.is_ascii_whitespace());
    let text: Vec<u8> = bytes.collect();
    let bytes = STANDARD.decode(&text).ok().filter(|_| !text.is_empty())?;
    let set = FileDescriptorSet::decode(bytes.as_slice());
    Some(set.map_err(|error| {
        format!(
            "is base64 of no set of descriptors ({error}), allowed: what `protoc --include_imports --descriptor_set_out=…` writes, \
             or the text of a .proto file"
        )
    }))
}

impl Protos {
    /// The method of a service that a route maps requests to. `detail` is a message that it has to know besides.
    pub(crate) fn method(
        &self,
        service: &str,
        method: &str,
        detail: Option<&str>,
    ) -> Result<Method, Remark> {
        let (file, found) = self.service(service)?;
        let called = found.method.iter().find(|one| one.name() == method);
        let Some(called) = called else {
            let names = found.method.iter().map(|one| one.name().to_owned());
            let allowed = listed(names);
            let message = format!(
                "found {}, which `{service}` does not have, allowed: {allowed}",
                quoted(method)
            );
            return Err(Remark::new("method", message));
        };
        if called.client_streaming() || called.server_streaming() {
            let message = format!(
                "found {}, which is a stream of messages, allowed: a method with one request and one answer",
                quoted(method)
            );
            return Err(Remark::new("method", message));
        }
        let detail = detail.map(|name| self.detail(name)).transpose()?;
        let cut = cut::Cut::of(self, file, called, detail.as_deref());
        Ok(Method {
            descriptors: annotated::encoded(&cut, found, called),
            wide: self.wide(called.output_type()),
        })
    }

    /// The service of that whole name, and the place of its file.
    fn service(&self, name: &str) -> Result<(usize, &ServiceDescriptorProto), Remark> {
        let all = || {
            let files = self.files.iter().enumerate();
            files.flat_map(|(at, file)| {
                let services = file.service.iter();
                services.map(move |service| (at, whole_name(file, service.name()), service))
            })
        };
        if let Some((at, _, service)) = all().find(|(_, whole, _)| whole == name) {
            return Ok((at, service));
        }
        let allowed = match all().next() {
            Some(_) => listed(all().map(|(_, whole, _)| whole)),
            None => "none, as the document has no service".to_owned(),
        };
        let message = format!(
            "found {}, which the document does not have, allowed: {allowed}",
            quoted(name)
        );
        Err(Remark::new("service", message))
    }

    /// The message of that name, as descriptors write it.
    fn detail(&self, name: &str) -> Result<String, Remark> {
        let whole = format!(".{}", name.trim_start_matches('.'));
        match self.message(&whole) {
            Some(_) => Ok(whole),
            None => {
                let message = format!(
                    "found {}, which is no message of the document, allowed: the whole name of one, such as `package.Message`",
                    quoted(name)
                );
                Err(Remark::new("status_detail_type", message))
            }
        }
    }
}

fn whole_name(file: &FileDescriptorProto, name: &str) -> String {
    match file.package() {
        "" => name.to_owned(),
        package => format!("{package}.{name}"),
    }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.take(LISTED + 1).collect();
    if names.len() > LISTED {
        names[LISTED] = "…".to_owned();
    }
    names.join(", ")
}

/// The two messages of a method, as descriptors write them.
fn messages(method: &MethodDescriptorProto) -> [&str; 2] {
    [method.input_type(), method.output_type()]
}

#[cfg(test)]
mod tests;
