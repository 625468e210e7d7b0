//! A connection between the store and etcd that a test can cut, while etcd goes on serving others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Cable {
    pub port: u16,
    plugged: watch::Sender<bool>,
    connections: Arc<AtomicUsize>,
}

impl Cable {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (plugged, now) = watch::channel(true);
        let connections = Arc::new(AtomicUsize::new(0));
        tokio::spawn(relay(listener, port, now, Arc::clone(&connections)));
        Self {
            port: own,
            plugged,
            connections,
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn cut(&self) {
        self.plugged.send_replace(false);
    }

    pub fn plug(&self) {
        self.plugged.send_replace(true);
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn relay(
    listener: TcpListener,
    port: u16,
    plugged: watch::Receiver<bool>,
    connections: Arc<AtomicUsize>,
) {
    while let Ok((mut near, _)) = listener.accept().await {
        let mut plugged = plugged.clone();
        if !*plugged.borrow_and_update() {
            continue;
        }
        connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else {
                return;
            };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                _ = plugged.wait_for(|plugged| !plugged) => {}
            }
        });
    }
}
