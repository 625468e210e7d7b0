//! Compiles the control API's contract, and brings the descriptors of Envoy's messages, by which they are shown as JSON.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    fs::copy(&envoy, out.join("envoy.bin"))
        .map_err(|error| format!("{}: {error}", envoy.display()))?;
    Ok(())
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
