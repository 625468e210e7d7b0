//! How a connection tells its streams that they are to end.

use std::sync::Arc;

use tokio::sync::watch;
use tonic::Status;

/// Why a connection's streams end, once they are to.
#[derive(Debug, Clone)]
pub struct Ending(Arc<watch::Sender<Option<Status>>>);

impl Default for Ending {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Ending {
    pub fn say(&self, why: Status) {
        self.0.send_replace(Some(why));
    }

    /// Waits until the connection is to end, which may never be.
    pub async fn said(&self) -> Status {
        let mut said = self.0.subscribe();
        // The sender is here.
        let said = said.wait_for(Option::is_some).await.ok();
        let said = said.and_then(|said| said.clone());
        said.unwrap_or_else(|| Status::unavailable("the connection ends"))
    }
}
