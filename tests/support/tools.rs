//! Where the real servers are: `$CHANCERY_TOOLS`, else `.tools/bin`, else the PATH. A missing one is a failure, never a
//! skipped test.

use std::env;
use std::path::{Path, PathBuf};

/// The program `name`.
pub fn tool(name: &str) -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/bin");
    let given = env::var_os("CHANCERY_TOOLS").map(PathBuf::from);
    given
        .into_iter()
        .chain([own])
        .find_map(|folder| program_in(&folder, name))
        .or_else(|| on_path(name))
        .unwrap_or_else(|| panic!("{name} is not installed; run: scripts/tools {name}"))
}

/// The Envoy of another release, such as `1.38`.
pub fn envoy_of(release: &str) -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!(".tools/envoy-{release}"));
    program_in(&own, "envoy").unwrap_or_else(|| {
        panic!("Envoy {release} is not there; run: scripts/tools envoy={release}")
    })
}

/// The program `name` as the PATH has it.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).find_map(|folder| program_in(&folder, name))
}

fn program_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let program = folder.join(name);
    program.is_file().then_some(program)
}
