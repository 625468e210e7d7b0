//! `chancery demo`: the whole picture on one machine, on files or with a real etcd and Consul: Chancery, two echo instances and
//! real Envoys, all children of this process. With `--check`, verifies that it works and exits.

mod check;
mod documents;
mod stage;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::{Child, Command};

use stage::Stage;

/// What `demo` takes.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// The Envoy to run
    #[arg(long, default_value = "envoy", value_name = "FILE")]
    envoy: PathBuf,
    /// The folder for documents, logs and Envoy's bootstrap; made anew each time
    #[arg(long, default_value = ".demo", value_name = "DIR")]
    folder: PathBuf,
    /// Verify with real requests that it works, then end
    #[arg(long)]
    check: bool,
    /// The etcd to run: documents are in it, and instances in Consul; without both, documents and instances are files
    #[arg(long, value_name = "FILE", requires = "consul")]
    etcd: Option<PathBuf>,
    /// The Consul to run
    #[arg(long, value_name = "FILE", requires = "etcd")]
    consul: Option<PathBuf>,
}

/// How long Envoy may take to serve the first route.
const START: Duration = Duration::from_secs(30);

pub async fn run(demo: Demo) -> ExitCode {
    match play(demo).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chancery demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn play(demo: Demo) -> Result<()> {
    let stage = Stage::set(&demo.folder, demo.etcd.is_some())?;
    let mut children = start(&stage, &demo)?;
    let outcome = tokio::select! {
        outcome = perform(&stage, demo.check) => outcome,
        died = first_to_die(&mut children) => Err(died),
    };
    for (_, child) in &mut children {
        // Gone already is as good.
        let _ = child.kill().await;
    }
    outcome
}

async fn perform(stage: &Stage, check: bool) -> Result<()> {
    stage.furnish(START).await?;
    eprintln!("waiting for Envoy to serve the first route …");
    check::until_served(stage, START).await?;
    if check {
        return check::verify(stage).await;
    }
    println!("{}", stage.guide(&own_file()?));
    super::terminated().await;
    eprintln!("ending Envoy, the instances and Chancery");
    Ok(())
}

fn own_file() -> Result<PathBuf> {
    std::env::current_exe().context("cannot find this program's own file")
}

type Children = Vec<(&'static str, Child)>;

fn start(stage: &Stage, demo: &Demo) -> Result<Children> {
    let chancery = own_file()?;
    let mut children = Vec::new();
    if let (Some(etcd), Some(consul)) = (&demo.etcd, &demo.consul) {
        children.push(("etcd", spawn(logged(etcd, stage.etcd(), stage)?)?));
        children.push(("consul", spawn(logged(consul, stage.consul(), stage)?)?));
    }
    for (name, port) in [
        ("echo-1", stage.ports.echo_1),
        ("echo-2", stage.ports.echo_2),
    ] {
        let mut echo = Command::new(&chancery);
        echo.args([
            "echo",
            "--name",
            name,
            "--listen",
            &format!("127.0.0.1:{port}"),
        ]);
        children.push((name, spawn(echo)?));
    }
    let mut serve = Command::new(&chancery);
    serve.args(["serve", "--xds", &format!("127.0.0.1:{}", stage.ports.xds)]);
    serve.args(["--admin", &format!("127.0.0.1:{}", stage.ports.admin)]);
    serve.args(stage.sources());
    children.push(("chancery", spawn(serve)?));
    for (name, bootstrap, log) in stage.envoys() {
        let mut command = Command::new(&demo.envoy);
        command
            .arg("-c")
            .arg(bootstrap)
            .args(["--service-node", name, "--concurrency", "1"]);
        command
            .args(["--disable-hot-restart", "--log-path"])
            .arg(log);
        let proxy = spawn(command).context(
            "cannot start Envoy: run `make demo`, which brings one, or give --envoy FILE",
        )?;
        children.push((name, proxy));
    }
    Ok(children)
}

/// A server whose output goes to a file of its name.
fn logged(program: &Path, args: Vec<String>, stage: &Stage) -> Result<Command> {
    let log = File::create(stage.log_of(program))?;
    let mut command = Command::new(program);
    command.args(args).stdout(log.try_clone()?).stderr(log);
    Ok(command)
}

fn spawn(mut command: Command) -> Result<Child> {
    let program = command.as_std().get_program().to_owned();
    command
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))
}

async fn first_to_die(children: &mut Children) -> anyhow::Error {
    loop {
        for (name, child) in children.iter_mut() {
            match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => return anyhow::anyhow!("{name} ended by itself: {status}"),
                Err(error) => return anyhow::anyhow!("{name} cannot be watched: {error}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
