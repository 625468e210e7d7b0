//! Log lines: text for people, JSON for machines; colours only on a terminal. Besides, and so that they outlive a container,
//! a file a day and an OpenTelemetry collector.

mod last;
mod one_line;

use std::io::{IsTerminal, stderr, stdout};
use std::path::Path;

use clap::ValueEnum;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use serde::{Deserialize, Serialize};
use tonic::transport::ClientTlsConfig;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

pub use last::Last;
use one_line::OneLine;

/// How many days of files are kept.
const FILES: usize = 14;
/// The client of Kafka, as its lines have it.
const KAFKA: &str = "rskafka";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogOutput {
    /// Standard error.
    #[default]
    Stderr,
    /// Standard output.
    Stdout,
}

/// What is logged, and where to.
#[derive(Debug)]
pub struct Destinations<'a> {
    /// A level, or targets with levels. The audit trail is logged in any case.
    pub level: &'a str,
    pub format: LogFormat,
    pub output: LogOutput,
    /// A folder for a JSON file a day.
    pub folder: Option<&'a Path>,
    /// The URL of a collector.
    pub otlp: Option<&'a str>,
}

/// Logging under way: what is still held is written when this is dropped.
#[derive(Debug)]
pub struct Logs {
    /// What is logged.
    pub levels: Levels,
    /// The last lines.
    pub last: Last,
    _file: Option<WorkerGuard>,
    otlp: Option<SdkLoggerProvider>,
}

/// What is logged, which can change at any time.
#[derive(Debug, Clone, Default)]
pub struct Levels(Vec<reload::Handle<EnvFilter, Registry>>);

impl Levels {
    /// Logs at another level, or targets with levels.
    pub fn set(&self, level: &str) -> Result<(), Error> {
        // Checked before anything is changed.
        filter(level)?;
        for each in &self.0 {
            each.reload(filter(level)?)?;
        }
        Ok(())
    }

    fn filter(&mut self, level: &str) -> Result<Filter, Error> {
        let (layer, handle) = reload::Layer::new(filter(level)?);
        self.0.push(handle);
        Ok(layer)
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        if let Some(provider) = &self.otlp
            && let Err(error) = provider.shutdown()
        {
            eprintln!("chancery: the last log lines did not reach the collector: {error}");
        }
    }
}

/// Why logging cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a level, nor targets with levels.
    #[error("--log-level: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// The folder cannot be written to.
    #[error("--log-dir: {0}")]
    Folder(#[from] tracing_appender::rolling::InitError),
    /// The collector's address cannot be used.
    #[error("--otlp: {0}")]
    Otlp(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Logging has ended.
    #[error("--log-level: {0}")]
    Ended(#[from] reload::Error),
}

type Filter = reload::Layer<EnvFilter, Registry>;
type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging. Within a runtime, which a collector's connection needs.
pub fn init(to: &Destinations) -> Result<Logs, Error> {
    // Checked before anything is opened.
    filter(to.level)?;
    let mut levels = Levels::default();
    let (writer, terminal) = match to.output {
        LogOutput::Stderr => (BoxMakeWriter::new(stderr), stderr().is_terminal()),
        LogOutput::Stdout => (BoxMakeWriter::new(stdout), stdout().is_terminal()),
    };
    let lines = fmt::layer().with_ansi(terminal);
    let output = match to.format {
        LogFormat::Text => lines
            .with_target(false)
            .with_writer(OneLine(writer))
            .with_filter(levels.filter(to.level)?)
            .boxed(),
        LogFormat::Json => lines
            .with_writer(writer)
            .json()
            .flatten_event(true)
            .with_filter(levels.filter(to.level)?)
            .boxed(),
    };
    let last = Last::default();
    let kept = fmt::layer()
        .with_ansi(false)
        .with_writer(OneLine(last.clone()))
        .with_filter(levels.filter(to.level)?);
    let mut layers = vec![output, kept.boxed()];
    let (to_file, guard) = to
        .folder
        .map(|folder| file(folder, levels.filter(to.level)?))
        .transpose()?
        .unzip();
    layers.extend(to_file);
    let (to_collector, provider) = to
        .otlp
        .map(|url| otlp(url, levels.filter(to.level)?))
        .transpose()?
        .unzip();
    layers.extend(to_collector);
    tracing_subscriber::registry().with(layers).init();
    Ok(Logs {
        levels,
        last,
        _file: guard,
        otlp: provider,
    })
}

/// The audit trail is not lost to a level that is set for other reasons.
fn filter(level: &str) -> Result<EnvFilter, Error> {
    let audit = "audit=info".parse()?;
    let filter = EnvFilter::try_new(level)?.add_directive(audit);
    // It tells of each connection and each try, at all levels; what comes of them is told by who uses it.
    if level.contains(KAFKA) {
        return Ok(filter);
    }
    Ok(filter.add_directive(format!("{KAFKA}=off").parse()?))
}

fn file(folder: &Path, filter: Filter) -> Result<(Boxed, WorkerGuard), Error> {
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("chancery")
        .filename_suffix("jsonl")
        .max_log_files(FILES)
        .build(folder)?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let lines = fmt::layer()
        .with_ansi(false)
        .with_writer(writer)
        .json()
        .flatten_event(true);
    Ok((lines.with_filter(filter).boxed(), guard))
}

fn otlp(url: &str, filter: Filter) -> Result<(Boxed, SdkLoggerProvider), Error> {
    let mut exporter = LogExporter::builder().with_tonic().with_endpoint(url);
    if url.starts_with("https://") {
        exporter = exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
    }
    let provider = SdkLoggerProvider::builder()
        .with_resource(Resource::builder().with_service_name("chancery").build())
        .with_batch_exporter(exporter.build()?)
        .build();
    let bridge = OpenTelemetryTracingBridge::new(&provider);
    // What sending says must not be sent in turn.
    let own = Targets::new().with_default(LevelFilter::TRACE);
    let own = [
        "opentelemetry",
        "tonic",
        "h2",
        "hyper",
        "hyper_util",
        "tower",
    ]
    .into_iter()
    .fold(own, |own, target| own.with_target(target, LevelFilter::OFF));
    let filtered = bridge.with_filter(own).with_filter(filter);
    Ok((filtered.boxed(), provider))
}
