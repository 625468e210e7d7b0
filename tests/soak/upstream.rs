//! An instance that is stopped as a process is: with a runtime of its own, at whose end every connection ends. It comes back at
//! the same address.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use axum::Router;
use tokio::net::TcpSocket;
use tokio::runtime;
use tokio::sync::oneshot;

/// A place where an instance runs, or does not.
pub struct Upstream {
    pub name: String,
    pub address: SocketAddr,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Upstream {
    pub async fn start(name: &str, address: SocketAddr) -> Self {
        let mut upstream = Self {
            name: name.to_owned(),
            address,
            running: None,
        };
        upstream.start_again().await;
        upstream
    }

    pub async fn start_again(&mut self) {
        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let (name, address) = (self.name.clone(), self.address);
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let socket = TcpSocket::new_v4().unwrap();
                socket.set_reuseaddr(true).unwrap();
                socket.bind(address).unwrap();
                let listener = socket.listen(1024).unwrap();
                ready.send(()).unwrap();
                let app = Router::new().fallback(move || std::future::ready(name.clone()));
                tokio::select! {
                    served = axum::serve(listener, app) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        is_ready.await.unwrap();
        self.running = Some((stop, thread));
    }

    pub async fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            tokio::task::spawn_blocking(|| thread.join().unwrap())
                .await
                .unwrap();
        }
    }
}
