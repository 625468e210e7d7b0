//! A wait that tells how far it is.

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until};
use tonic::Status;

use super::{Looked, PAUSE, look, timeout};
use crate::api::events::ALIVE;
use crate::api::{Api, pb};

struct Following {
    api: Api,
    began: Looked,
    deadline: Instant,
    last: Option<pb::WaitResponse>,
    is_over: bool,
    _place: OwnedSemaphorePermit,
}

/// How far a revision is, each time that it is further, until nothing more is to be waited for.
pub fn follow(
    api: &Api,
    asked: &pb::WaitRequest,
) -> Result<BoxStream<'static, Result<pb::WaitResponse, Status>>, Status> {
    let timeout = timeout(asked)?;
    super::is_revision(asked.revision)?;
    let place = api.lasting.waits.take()?;
    let following = Following {
        began: Looked::begin(api, asked.revision, asked.allow_none),
        api: api.clone(),
        deadline: Instant::now() + timeout,
        last: None,
        is_over: false,
        _place: place,
    };
    let over = api.shutdown.clone().cancelled_owned();
    let answers = stream::unfold(following, async |mut following| {
        let answer = following.next().await?;
        Some((Ok(answer), following))
    });
    Ok(answers.take_until(over).boxed())
}

impl Following {
    async fn next(&mut self) -> Option<pb::WaitResponse> {
        if self.is_over {
            return None;
        }
        let mut settled = self.api.gateways.settled();
        let mut nodes = self.api.nodes.changes();
        let mut others = self.api.others.changes();
        let mut expected = self.api.expected.changes();
        let alive = Instant::now() + ALIVE;
        loop {
            settled.mark_unchanged();
            nodes.mark_unchanged();
            others.mark_unchanged();
            expected.mark_unchanged();
            let answer = look(&self.api, &self.began);
            let now = Instant::now();
            self.is_over = answer.confirmed || !answer.rejected.is_empty() || now >= self.deadline;
            if self.is_over || now >= alive || self.last.as_ref() != Some(&answer) {
                self.last = Some(answer.clone());
                return Some(answer);
            }
            // Their senders live as long as this does.
            tokio::select! {
                Ok(()) = settled.changed() => {}
                Ok(()) = nodes.changed() => {}
                Ok(()) = others.changed() => {}
                Ok(()) = expected.changed() => {}
                () = sleep_until(self.deadline.min(alive)) => {}
            }
            // Many nodes answer at once.
            sleep(PAUSE).await;
        }
    }
}
