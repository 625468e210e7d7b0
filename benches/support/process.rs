//! A child process, and what the machine says of it. It is ended with its handle, also when the run fails.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::{Child, Command};

/// The unit of times in `/proc/<pid>/stat`, in milliseconds: the same on every Linux.
const TICK_MS: f64 = 10.0;

/// A child process. Its input is a pipe, which ends when this process does.
pub struct Process {
    /// The process itself, for its pipes.
    pub child: Child,
}

impl Process {
    /// Starts it, its output where the command says.
    pub fn start(command: &mut Command) -> Result<Self> {
        let program = command.as_std().get_program().to_owned();
        let child = command.stdin(Stdio::piped()).spawn();
        let child = child.with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(Self { child })
    }

    /// Starts it, its output in a file.
    pub fn start_logged(command: &mut Command, log: &Path) -> Result<Self> {
        let log = std::fs::File::create(log)?;
        Self::start(command.stdout(log.try_clone()?).stderr(log))
    }

    /// How it ended, if it has.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// What it has used of the processors, in milliseconds.
    pub fn cpu_ms(&self) -> Result<f64> {
        let pid = self.child.id().context("the process has ended")?;
        cpu_ms(&pid.to_string())
    }

    /// The memory that is its own (neither files nor shared), in KiB.
    pub fn memory_kib(&self) -> Result<f64> {
        let pid = self.child.id().context("the process has ended")?;
        let file = format!("/proc/{pid}/status");
        let status = std::fs::read_to_string(&file).context(file)?;
        let line = status.lines().find(|line| line.starts_with("RssAnon:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(kib.context("no RssAnon in /proc/<pid>/status")?.parse()?)
    }
}

/// What a process, `self` or a number, has used of the processors, in milliseconds.
pub fn cpu_ms(process: &str) -> Result<f64> {
    let file = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&file).context(file)?;
    // The name, in parentheses, may hold spaces; `utime` and `stime` are fields 14 and 15.
    let (_, rest) = stat
        .rsplit_once(')')
        .context("no name in /proc/<pid>/stat")?;
    let times = rest.split_whitespace().skip(11).take(2);
    let ticks: f64 = times.map(str::parse::<f64>).sum::<Result<_, _>>()?;
    Ok(ticks * TICK_MS)
}

impl Drop for Process {
    /// Ends it, and waits for the end: its folder is removed next.
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        for _ in 0..200 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
