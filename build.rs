//! Compiles the control API's contract. Calls nothing but the protoc that a build dependency carries.

use std::env;
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut prost = prost_build::Config::new();
    prost.enable_type_names();
    // On other platforms prost looks for one on the PATH.
    #[cfg(all(
        any(target_os = "linux", target_os = "macos"),
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    prost.protoc_executable(protoc::protoc_bin_path());
    tonic_prost_build::configure()
        .file_descriptor_set_path(out.join("chancery.bin"))
        .btree_map(".")
        .compile_with_config(prost, &["proto/chancery/v1/control.proto"], &["proto"])?;
    println!("cargo:rerun-if-changed=proto/chancery");
    Ok(())
}
