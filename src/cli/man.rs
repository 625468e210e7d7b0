//! `chancery man`: a manual page for each command, from what `--help` says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What `man` takes.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// The folder to write them to, made where there is none: each is DIR/chancery-COMMAND.1
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    folder: PathBuf,
}

pub fn run(man: &Man) -> ExitCode {
    match write(&man.folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chancery man: {}: {error}", man.folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(super::command(), folder)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The commands below a command, as their pages are called.
    fn names(command: &clap::Command, name: &str) -> BTreeSet<String> {
        let below = command.get_subcommands();
        let below = below.flat_map(|one| names(one, &format!("{name}-{}", one.get_name())));
        below.chain([format!("{name}.1")]).collect()
    }

    #[test]
    fn every_command_has_a_page_that_tells_its_flags() {
        let folder = tempfile::tempdir().unwrap();
        let pages = folder.path().join("usr/share/man/man1");
        write(&pages).unwrap();
        let written = fs::read_dir(&pages).unwrap();
        let written = written.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let commands = names(&super::super::command(), "chancery");
        assert_eq!(written.collect::<BTreeSet<_>>(), commands);
        assert!(commands.contains("chancery-files.1"));
        let serve = fs::read_to_string(pages.join("chancery-serve.1")).unwrap();
        assert!(serve.contains(r"\-\-etcd\-prefix") && serve.contains("CHANCERY_ETCD_PREFIX"));
    }
}
