//! `chancery echo`: an instance that answers every request with what it received. For the demo, docker-compose and trials.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;

/// What `echo` takes.
#[derive(Debug, clap::Args)]
pub struct Echo {
    /// Where to answer
    #[arg(long, default_value = "127.0.0.1:8081", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The name that stands in each answer
    #[arg(long, default_value = "echo")]
    name: Arc<str>,
}

#[derive(Serialize)]
struct HttpAnswer {
    instance: Arc<str>,
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
}

pub async fn run(echo: Echo) -> ExitCode {
    let listener = match TcpListener::bind(echo.listen).await {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("chancery echo: cannot listen on {}: {error}", echo.listen);
            return ExitCode::FAILURE;
        }
    };
    let app = Router::new().fallback(answer).with_state(echo.name);
    let served = axum::serve(listener, app).with_graceful_shutdown(async {
        super::terminated().await;
    });
    match served.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chancery echo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn answer(State(instance): State<Arc<str>>, request: Request) -> Json<HttpAnswer> {
    let headers = request.headers().iter().map(|(name, value)| {
        (
            name.to_string(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    });
    Json(HttpAnswer {
        instance,
        method: request.method().to_string(),
        path: request.uri().to_string(),
        headers: headers.collect(),
    })
}
