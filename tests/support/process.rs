//! A server as a child process: started, stopped, killed, paused, started again with the same ports and data. It never
//! outlives its scene, and when the scene fails its last words are printed.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::Context;

use super::eventually;
use super::tools::on_path;

/// How much of a server's output is printed when its scene fails.
const LAST_WORDS: usize = 6_000;

/// A server. All its output goes to one file, that of earlier lives included.
pub struct Process {
    name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    output: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Starts `program`; its output goes to a file in `folder`.
    pub fn start<A: Into<OsString>>(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        folder: &Path,
    ) -> Self {
        let mut process = Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            output: folder.join(format!("{name}.log")),
            child: None,
        };
        process.start_again();
        process
    }

    /// Starts it as it was started the first time. It must not run.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.output)
            .unwrap();
        let child = self
            .command()
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stderr(output.try_clone().unwrap())
            .stdout(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.name));
        self.child = Some(child);
    }

    /// Through `setpriv` where there is one, so that not even a killed test run leaves a server behind.
    fn command(&self) -> Command {
        let Some(setpriv) = on_path("setpriv") else {
            return Command::new(&self.program);
        };
        let mut command = Command::new(setpriv);
        command.args(["--pdeathsig", "KILL"]).arg(&self.program);
        command
    }

    /// Ends it the hard way.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.ended().await
    }

    /// Asks it to end, and does not wait.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Waits for it to end by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let status = eventually(async || {
            let child = self.child.as_mut().context("it does not run")?;
            child
                .try_wait()?
                .with_context(|| format!("{} still runs", self.name))
        })
        .await;
        self.child = None;
        status
    }

    /// Freezes it: it keeps its connections and answers nothing.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets a frozen one go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// All that it wrote, in all its lives.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// How much memory it has.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
        kilobytes.parse::<u64>().unwrap() * 1024
    }

    /// Fails when it ended by itself.
    pub fn alive(&mut self) -> anyhow::Result<()> {
        match self.child.as_mut().context("it does not run")?.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("{} ended: {status}", self.name),
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        let child = self.child.as_ref().expect("it runs");
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", signal])
            .arg(child.id().to_string())
            .status();
        assert!(status.unwrap().success(), "{signal} to {}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let output = self.output();
            let mut from = output.len().saturating_sub(LAST_WORDS);
            while !output.is_char_boundary(from) {
                from += 1;
            }
            eprintln!("--- {} said:\n{}", self.name, &output[from..]);
        }
    }
}
