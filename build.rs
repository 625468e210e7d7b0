//! Compiles the control API's contract, and brings the descriptors of Envoy's messages, by which they are shown as JSON.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message;
use prost_types::FileDescriptorSet;

/// Where the services of the xDS port are defined.
const SERVICES: [&str; 8] = [
    "discovery/v3/ads",
    "cluster/v3/cds",
    "endpoint/v3/eds",
    "listener/v3/lds",
    "route/v3/rds",
    "secret/v3/sds",
    "extension/v3/config_discovery",
    "status/v3/csds",
];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut prost = prost_build::Config::new();
    prost.enable_type_names();
    tonic_prost_build::configure()
        .file_descriptor_set_path(out.join("chancery.bin"))
        .btree_map(".")
        .compile_with_config(prost, &["proto/chancery/v1/control.proto"], &["proto"])?;
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=Cargo.lock");
    // The crate ships its descriptors beside its sources and does not export them.
    let envoy = envoy_types()?.join("src/generated/types.bin");
    let envoy = fs::read(&envoy).map_err(|error| format!("{}: {error}", envoy.display()))?;
    let services = services(FileDescriptorSet::decode(envoy.as_slice())?)?;
    fs::write(out.join("envoy.bin"), &envoy)?;
    fs::write(out.join("services.bin"), services.encode_to_vec())?;
    Ok(())
}

/// The files of the xDS port's services, for reflection: with what they import, and without comments.
fn services(all: FileDescriptorSet) -> Result<FileDescriptorSet, Box<dyn Error>> {
    let mut by_name: BTreeMap<_, _> = all
        .file
        .into_iter()
        .map(|file| (file.name().to_owned(), file))
        .collect();
    let mut wanted: Vec<_> = SERVICES
        .map(|name| format!("envoy/service/{name}.proto"))
        .into();
    let mut found = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let file = by_name.remove(&name);
        let mut file = file.ok_or_else(|| format!("envoy-types does not describe {name}"))?;
        file.source_code_info = None;
        wanted.extend(file.dependency.iter().cloned());
        found.insert(name, file);
    }
    let file = found.into_values().collect();
    Ok(FileDescriptorSet { file })
}

/// The folder of the crate `envoy-types`: cargo knows.
fn envoy_types() -> Result<PathBuf, Box<dyn Error>> {
    let output = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["metadata", "--offline", "--format-version=1"])
        // Without it, it would ask for the sources of packages that only other platforms need.
        .args(["--filter-platform", &env::var("HOST")?])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let manifest = packages
        .find(|package| package["name"] == "envoy-types")
        .and_then(|package| package["manifest_path"].as_str())
        .ok_or("envoy-types is not among the dependencies")?;
    let folder = Path::new(manifest).parent();
    Ok(folder.ok_or("a manifest lies in a folder")?.to_owned())
}
