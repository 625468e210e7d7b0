//! Agents that stand before Consul's own, and do what they are told at the worst moment.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use reqwest::Method;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::support::http;

pub async fn serve(listener: TcpListener, app: Router) -> JoinHandle<()> {
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() })
}

/// An agent before the real one: what it is told to do it does, and never answers.
pub struct Slow {
    pub address: SocketAddr,
    pub told: Arc<Notify>,
}

pub async fn slow(address: Ipv4Addr, consul: String) -> Slow {
    let told = Arc::new(Notify::new());
    let state = (consul, told.clone());
    let app = Router::new().fallback(pass_on).with_state(state);
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, app).await;
    Slow { address, told }
}

async fn pass_on(
    State((consul, told)): State<(String, Arc<Notify>)>,
    request: Request,
) -> StatusCode {
    let url = format!("{consul}{}", request.uri());
    let answer = http::send(&http::client(), Method::PUT, &url, &[]).await;
    if url.contains("enable=true") {
        told.notify_one();
        return pending().await;
    }
    StatusCode::from_u16(answer.unwrap().status).unwrap()
}

/// Passes on to Consul what an agent is told; before the instance is taken out, another replica has taken the entry for
/// abandoned, and struck it.
pub async fn overtaken(address: Ipv4Addr, consul: String, etcd: String) -> SocketAddr {
    let pass_on = async |State((consul, etcd)): State<(String, String)>, request: Request| {
        let url = format!("{consul}{}", request.uri());
        if url.contains("enable=true") {
            let mut etcd = etcd_client::Client::connect([etcd], None).await.unwrap();
            for part in ["journal", "claims"] {
                let all = etcd_client::DeleteOptions::new().with_prefix();
                let key = format!("/chancery/drain/{part}/");
                etcd.delete(key, Some(all)).await.unwrap();
            }
        }
        let method = request.method().clone();
        let answer = http::send(&http::client(), method, &url, &[]).await;
        let answer = answer.unwrap();
        (StatusCode::from_u16(answer.status).unwrap(), answer.body)
    };
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let app = Router::new().fallback(pass_on);
    serve(listener, app.with_state((consul, etcd))).await;
    at
}

/// Passes on to Consul what an agent is asked; which checks there are it says only once somebody was taken out.
pub async fn in_turn(address: Ipv4Addr, consul: String) -> (SocketAddr, Arc<Notify>) {
    #[derive(Clone)]
    struct Turns {
        consul: String,
        asked: Arc<Notify>,
        told: Arc<Notify>,
    }
    let pass_on = async |State(turns): State<Turns>, request: Request| {
        let url = format!("{}{}", turns.consul, request.uri());
        let method = request.method().clone();
        let answer = http::send(&http::client(), method, &url, &[]).await;
        if url.contains("enable=true") {
            turns.told.notify_one();
        } else if url.ends_with("/agent/checks") {
            turns.asked.notify_one();
            turns.told.notified().await;
        }
        let answer = answer.unwrap();
        (StatusCode::from_u16(answer.status).unwrap(), answer.body)
    };
    let (asked, told) = (Arc::default(), Arc::default());
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let turns = Turns {
        consul,
        asked: Arc::clone(&asked),
        told,
    };
    let app = Router::new().fallback(pass_on);
    serve(listener, app.with_state(turns)).await;
    (at, asked)
}
