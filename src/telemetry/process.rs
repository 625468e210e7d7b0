//! What the system says of this process: read where it is asked for, at each scrape.

use std::fs;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::metrics::Process;

/// How it stands now. What the system does not say stays 0.
pub fn read() -> Process {
    let process = Process::default();
    if let Some(bytes) = resident_memory() {
        process.resident_memory.set(bytes);
    }
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    process.cpu.inc_by(seconds(spent.tv_sec, spent.tv_nsec));
    // One of them is the folder itself.
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        process.open_fds.set(count(open.count().saturating_sub(1)));
    }
    if let Some(max) = getrlimit(Resource::Nofile).current {
        process.max_fds.set(i64::try_from(max).unwrap_or(i64::MAX));
    }
    if let Some(started) = started() {
        process.start_time.set(started);
    }
    process
}

fn resident_memory() -> Option<i64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(count(rustix::param::page_size())))
}

fn started() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let boot = boot.lines().find_map(|line| line.strip_prefix("btime "))?;
    let boot: f64 = boot.trim().parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "there are about 100 a second")]
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    Some(boot + started_ticks(&stat)? / per_second)
}

/// When it began, in ticks since the system did.
fn started_ticks(stat: &str) -> Option<f64> {
    // The name of the program may hold anything; fields are counted from behind it, which is the second.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

fn seconds(whole: i64, nanos: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "to microseconds for 285 years")]
    let (whole, nanos) = (whole as f64, nanos as f64);
    whole + nanos / 1e9
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_as_the_system_says() {
        let process = read();
        // It runs, uses memory, has files open, and began before now and after the system did.
        assert!(process.cpu.get() > 0.0);
        assert!(process.resident_memory.get() > 1_000_000);
        assert!(process.open_fds.get() >= 3);
        assert!(process.max_fds.get() >= process.open_fds.get());
        #[expect(clippy::cast_precision_loss)]
        let now = crate::telemetry::now() as f64;
        let began = process.start_time.get();
        assert!(began > 0.0 && began <= now + 1.0, "{began}");
        assert!(now - began < 24.0 * 3600.0, "{began}");
    }

    #[test]
    fn the_name_of_a_program_is_passed_over() {
        let stat = "7 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(started_ticks(stat), Some(4711.0));
        assert_eq!(started_ticks("7 (a"), None);
    }
}
