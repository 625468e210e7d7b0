//! Logs, metrics and traces: what operators see. No other room names their libraries' set-up.

mod cause;
pub mod logs;
pub mod metrics;
pub mod process;
mod shown;
pub mod source;
pub mod traces;

pub use cause::{innermost, unanswered};
pub use metrics::Metrics;
pub use shown::shown;
pub use source::Source;
pub use traces::Tracer;

/// A duration as log lines show it: milliseconds, to a tenth.
pub fn millis(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e4).round() / 10.0
}

/// The time in seconds since 1970.
pub fn now() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
