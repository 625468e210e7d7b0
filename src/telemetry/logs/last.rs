//! The last lines of the log, kept for who asks this process: a container may have no other place for them.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// How many lines are kept at most, and how many bytes of them.
const LINES: usize = 500;
const BYTES: usize = 256 * 1024;

/// The last lines. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Last(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Box<str>>,
    bytes: usize,
    /// How many there were before.
    gone: u64,
}

impl Last {
    /// The lines, oldest first, and how many there were before those.
    pub fn lines(&self) -> (Vec<String>, u64) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = kept.lines.iter().map(|line| String::from(&**line));
        (lines.collect(), kept.gone)
    }
}

impl Kept {
    fn push(&mut self, line: &str) {
        self.bytes += line.len();
        self.lines.push_back(line.into());
        while self.lines.len() > LINES || self.bytes > BYTES {
            let Some(oldest) = self.lines.pop_front() else {
                return;
            };
            self.bytes -= oldest.len();
            self.gone += 1;
        }
    }
}

impl<'a> MakeWriter<'a> for Last {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Last {
    /// Takes a line, which comes whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(text.trim_end());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_no_more_bytes_than_allowed() {
        let mut last = Last::default();
        for number in 0..LINES + 3 {
            let line = format!("line {number}\n");
            last.write_all(line.as_bytes()).unwrap();
        }
        let (lines, before) = last.lines();
        assert_eq!((lines.len(), before), (LINES, 3));
        assert_eq!((&*lines[0], &*lines[LINES - 1]), ("line 3", "line 502"));
        let long = "x".repeat(BYTES / 4);
        for _ in 0..20 {
            last.write_all(long.as_bytes()).unwrap();
        }
        let (lines, before) = last.lines();
        assert_eq!((lines.len(), before), (4, LINES as u64 + 19));
    }
}
