//! The descriptors of Envoy's messages. `envoy-types` ships them beside its sources and does not export them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

/// All of Envoy's messages, as of the version of `envoy-types` that is built with.
pub fn pool() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        let file = envoy_types().join("src/generated/types.bin");
        let bytes =
            std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        DescriptorPool::decode(bytes.as_slice()).expect("types.bin is a FileDescriptorSet")
    });
    &POOL
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
