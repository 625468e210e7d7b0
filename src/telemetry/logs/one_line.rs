//! A log line is one line, whatever its fields hold: what comes from outside must not be able to write one of its own.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use crate::telemetry::shown::push;

/// The longest line, in characters.
const LINE: usize = 16 * 1024;
/// What colours begin with: only the formatter writes it, as it escapes that in fields itself.
const COLOUR: char = '\u{1b}';

/// Writes each event, which comes whole, as one line.
#[derive(Debug, Clone)]
pub struct OneLine<W>(pub W);

/// The writer of one event.
#[derive(Debug)]
pub struct Line<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for OneLine<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self.0.make_writer())
    }

    fn make_writer_for(&'a self, meta: &tracing::Metadata<'_>) -> Self::Writer {
        Line(self.0.make_writer_for(meta))
    }
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.write_all(line(event).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn line(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let mut line = String::with_capacity(text.len() + 1);
    for c in text.chars().take(LINE) {
        match c {
            COLOUR => line.push(c),
            _ => push(&mut line, c),
        }
    }
    if text.chars().nth(LINE).is_some() {
        line.push('…');
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_field_holds_writes_no_line_of_its_own() {
        let kept = Kept::default();
        let to = kept.clone();
        let logs = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(OneLine(move || to.clone()))
            .finish();
        tracing::subscriber::with_default(logs, || {
            let id = "a\n2026-11-28T22:00:00Z  INFO audit who=deploy";
            tracing::info!(node = %id, "node connected");
            tracing::info!("{}", "x".repeat(3 * LINE));
        });
        let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(log.lines().count(), 2, "{log}");
        assert!(log.contains("node=a\\n2026"), "{log}");
        assert!(log.len() < 2 * LINE, "{}", log.len());
    }
}
