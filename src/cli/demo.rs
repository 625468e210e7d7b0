//! `chancery demo`: the whole picture on one machine, on files: Chancery, two echo instances and a real Envoy, all children
//! of this process. With `--check`, verifies that it works and exits.

mod check;
mod stage;

use std::path::PathBuf;
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
    let stage = Stage::set(&demo.folder)?;
    let mut children = start(&stage, &demo.envoy)?;
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
    eprintln!("waiting for Envoy to serve the first route …");
    check::until_served(stage, START).await?;
    if check {
        return check::verify(stage).await;
    }
    println!("{}", stage.guide());
    super::terminated().await;
    eprintln!("ending Envoy, the instances and Chancery");
    Ok(())
}

type Children = Vec<(&'static str, Child)>;

fn start(stage: &Stage, envoy: &std::path::Path) -> Result<Children> {
    let chancery = std::env::current_exe().context("cannot find this program's own file")?;
    let mut children = Vec::new();
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
    serve.args([
        "--admin",
        &format!("127.0.0.1:{}", stage.ports.admin),
        "--files",
    ]);
    serve.arg(stage.documents());
    children.push(("chancery", spawn(serve)?));
    let mut command = Command::new(envoy);
    command
        .arg("-c")
        .arg(stage.bootstrap())
        .args(["--service-node", "demo", "--concurrency", "1"]);
    command
        .args(["--disable-hot-restart", "--log-path"])
        .arg(stage.envoy_log());
    let proxy = spawn(command)
        .context("cannot start Envoy: run `make demo`, which brings one, or give --envoy FILE")?;
    children.push(("envoy", proxy));
    Ok(children)
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
