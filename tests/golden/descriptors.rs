//! The descriptors of Envoy's messages. `envoy-types` ships them beside its sources and does not export them, so what
//! Chancery needs of them lies in `proto/envoy/`, made here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use bytes::Buf;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;

/// Where the services of the xDS port are defined.
const SERVICES: [&str; 9] = [
    "discovery/v3/ads",
    "cluster/v3/cds",
    "endpoint/v3/eds",
    "listener/v3/lds",
    "route/v3/rds",
    "route/v3/srds",
    "secret/v3/sds",
    "extension/v3/config_discovery",
    "status/v3/csds",
];

/// The number of `file` in a set of files, and of `source_code_info` in a file: comments, three quarters of the whole.
const FILE: u32 = 1;
const SOURCE_CODE_INFO: u32 = 9;

/// All of Envoy's messages, as of the version of `envoy-types` that is built with.
pub fn pool() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        DescriptorPool::decode(shipped().as_slice()).expect("types.bin is a FileDescriptorSet")
    });
    &POOL
}

/// Two sets of files without comments: those of the services with what they import, and the others. Cut on the wire, as
/// the options that Envoy defines for itself (what is sensitive) would not survive decoding.
pub fn stripped() -> (Vec<u8>, Vec<u8>) {
    let shipped = shipped();
    let files: BTreeMap<String, (FileDescriptorProto, Vec<u8>)> = fields(&shipped)
        .into_iter()
        .map(|(_, _, file)| {
            let kept = fields(file).into_iter();
            let kept = kept.filter(|(number, _, _)| *number != SOURCE_CODE_INFO);
            let kept = kept.flat_map(|(_, whole, _)| whole).copied().collect();
            let decoded = FileDescriptorProto::decode(file).expect("a file's descriptor");
            (decoded.name().to_owned(), (decoded, kept))
        })
        .collect();
    let mut wanted: Vec<_> = SERVICES
        .map(|name| format!("envoy/service/{name}.proto"))
        .into();
    let mut served = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        let imported = &files[&name].0.dependency;
        if served.insert(name) {
            wanted.extend(imported.iter().cloned());
        }
    }
    let (mut services, mut types) = (Vec::new(), Vec::new());
    for (name, (_, kept)) in &files {
        let set = if served.contains(name) {
            &mut services
        } else {
            &mut types
        };
        encode_key(FILE, WireType::LengthDelimited, set);
        encode_varint(kept.len() as u64, set);
        set.extend_from_slice(kept);
    }
    (services, types)
}

/// The fields of a message that has none but strings, messages and small numbers: number, the whole, the content.
fn fields(mut message: &[u8]) -> Vec<(u32, &[u8], &[u8])> {
    let mut fields = Vec::new();
    while message.has_remaining() {
        let start = message;
        let (number, wire_type) = decode_key(&mut message).expect("a key");
        let value = decode_varint(&mut message).expect("a number");
        let length = match wire_type {
            WireType::LengthDelimited => usize::try_from(value).expect("a length"),
            _ => 0,
        };
        let content = &message[..length];
        message.advance(length);
        fields.push((number, &start[..start.len() - message.len()], content));
    }
    fields
}

/// What the crate ships.
fn shipped() -> Vec<u8> {
    let file = envoy_types().join("src/generated/types.bin");
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The folder of the crate's sources: cargo knows.
fn envoy_types() -> PathBuf {
    let version = cargo(&["-vV"]);
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("cargo -vV names the host");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    // Without the platform it would ask for the sources of packages that only other platforms need.
    let metadata = cargo(&[
        "metadata",
        "--offline",
        "--format-version=1",
        "--filter-platform",
        host,
        "--manifest-path",
        manifest,
    ]);
    let metadata: serde_json::Value =
        serde_json::from_str(&metadata).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages
        .iter()
        .find(|package| package["name"] == "envoy-types")
        .expect("envoy-types is a dependency");
    let manifest = PathBuf::from(package["manifest_path"].as_str().expect("manifest_path"));
    manifest
        .parent()
        .expect("a manifest lies in a folder")
        .to_owned()
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .output()
        .expect("cargo can be run");
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("cargo writes text")
}
