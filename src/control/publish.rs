//! From the builders to the streams: each gateway's next snapshot, and up to which revision everything is published.

use tokio::time::Instant;

use super::{Control, report};
use crate::build::Builder;
use crate::model::Id;

impl Control {
    /// Publishes what the builders have to say, once enough is known and the pace admits it.
    pub(super) fn publish_if_due(&mut self) {
        let now = Instant::now();
        if !self.readiness.check(now) {
            return;
        }
        self.restored.handle_published();
        if !self.touched.is_empty() {
            if !self.pace.admits(now) {
                return;
            }
            let mut published = false;
            for gateway in std::mem::take(&mut self.touched) {
                published |= self.publish(&gateway, now);
            }
            let refused = self.builders.values().flat_map(Builder::refused).collect();
            report::refused(&self.metrics, &mut self.refused, refused);
            self.recall_withdrawn();
            let waiting = self.builders.values().flat_map(Builder::waiting).count();
            let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
            self.metrics.routes_waiting.set(waiting);
            // What proxies say touches a gateway, and mostly changes nothing: no burst.
            if published {
                self.pace.published(Instant::now());
            }
        }
        self.settled.problems = self.problems().into();
        self.gateways.settle(self.settled.clone());
    }

    /// Tells whether there was anything to publish.
    fn publish(&mut self, gateway: &Id, began: Instant) -> bool {
        let Some(builder) = self.builders.get_mut(gateway) else {
            return false;
        };
        let next = builder.next(self.settled.revision, &self.instances, &self.drains);
        if !builder.exists() {
            // The builder stays: if the gateway returns, its snapshots go on counting where streams left them.
            self.gateways.publish(&gateway.to_string(), None);
            return true;
        }
        let Some((snapshot, tallies)) = next else {
            return false;
        };
        let took = began.elapsed();
        self.gateways
            .publish(&snapshot.gateway, Some(snapshot.clone()));
        self.gateways.events().published(&snapshot, &tallies);
        report::published(&self.metrics, &snapshot, &tallies, took);
        true
    }
}
