//! One address before several replicas, as a load balancer is: connections go to whichever it is turned to.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// An address that leads to another one.
pub struct Relay {
    pub address: SocketAddr,
    target: watch::Sender<SocketAddr>,
}

impl Relay {
    /// Listens on `address`, and leads to `target`.
    pub async fn to(address: Ipv4Addr, target: SocketAddr) -> Self {
        let listener = TcpListener::bind((address, 18000)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (target, turned) = watch::channel(target);
        tokio::spawn(relay(listener, turned));
        Self { address, target }
    }

    /// Ends all connections; new ones lead to `target`.
    pub fn turn(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }
}

async fn relay(listener: TcpListener, turned: watch::Receiver<SocketAddr>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let mut turned = turned.clone();
        let target = *turned.borrow_and_update();
        tokio::spawn(async move {
            let Ok(mut far) = TcpStream::connect(target).await else {
                return;
            };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                _ = turned.changed() => {}
            }
        });
    }
}
