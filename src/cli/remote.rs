//! What the commands that ask a running Chancery have in common: where it is, how to show the answer, tables.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use prost_types::Timestamp;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::place::Place;
use super::web::Web;
use crate::api::access;
use crate::api::pb::control_client::ControlClient;

/// Where the running Chancery is, and how to show what it answers.
#[derive(Debug, clap::Args)]
pub struct Remote {
    #[command(flatten)]
    server: Server,
    /// How to show the answer
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    pub output: Output,
}

/// Where it is, and what it has to be shown.
#[derive(Debug, clap::Args)]
pub struct Server {
    #[command(flatten)]
    place: Place,
    /// The API key to show, where there are keys; other users of the machine can read flags, so prefer the variable
    #[arg(
        long,
        env = "CHANCERY_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    api_key: Option<String>,
}

/// How to show an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs: the messages of the control API.
    Json,
}

/// The control API of a running Chancery.
pub type Client = ControlClient<InterceptedService<Channel, Shown>>;

/// The key that is shown with every call.
#[derive(Clone)]
pub struct Shown(Option<MetadataValue<Ascii>>);

impl Interceptor for Shown {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(key) = &self.0 {
            request.metadata_mut().insert(access::HEADER, key.clone());
        }
        Ok(request)
    }
}

impl Remote {
    pub async fn connect(&self) -> Result<Client> {
        self.server.connect().await
    }
}

impl Server {
    /// Its admin port over HTTP, where each call may take so long.
    pub fn web(&self, within: Duration) -> Result<Web> {
        self.place.web(self.api_key.clone(), within)
    }

    pub async fn connect(&self) -> Result<Client> {
        let channel = self.place.channel().await?;
        let mut key = self
            .api_key
            .as_deref()
            .map(MetadataValue::try_from)
            .transpose()
            .context("--api-key")?;
        if let Some(key) = &mut key {
            key.set_sensitive(true);
        }
        Ok(ControlClient::with_interceptor(channel, Shown(key))
            .max_decoding_message_size(usize::MAX))
    }
}

/// The exit status of a command, and what it has to say when it failed.
pub fn exit(command: &str, outcome: Result<ExitCode>) -> ExitCode {
    let error = match outcome {
        Ok(code) => return code,
        Err(error) => error,
    };
    let status = error.downcast_ref::<tonic::Status>();
    match status {
        Some(status) => eprintln!("chancery {command}: {}", status.message()),
        None => eprintln!("chancery {command}: {error:#}"),
    }
    match status.map(|status| status.code()) {
        Some(Code::InvalidArgument) => ExitCode::from(super::USAGE),
        _ => ExitCode::FAILURE,
    }
}

/// Prints rows in columns as wide as what is in them; the last one is as wide as it likes.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        say!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(head);
    for row in rows {
        line(row.each_ref().map(String::as_str));
    }
}

/// As much of a version as tells it from others.
pub fn short(version: &str) -> String {
    version.chars().take(12).collect()
}

/// A time, to the second.
pub fn time(at: Option<Timestamp>) -> String {
    at.map(|at| Timestamp { nanos: 0, ..at }.to_string())
        .unwrap_or_default()
}

/// An address with its port.
pub fn place(address: &str, port: u32) -> String {
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}
