//! When each service was last known to be as it was answered. Written by registries, read by whoever shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use dashmap::DashMap;

use crate::model::ServiceKey;

/// When each watched service was last known to be as it was answered. A clone is the same one.
#[derive(Debug, Clone, Default)]
pub struct Freshness(Arc<DashMap<ServiceKey, Confirmed>>);

/// When one service was.
#[derive(Debug)]
struct Confirmed {
    at: SystemTime,
    /// What else confirms it.
    by: Option<Beat>,
}

/// When a registry last said of many services at once that they are as they were answered: it is noted once for all that go
/// along. A clone is the same one.
#[derive(Debug, Clone, Default)]
pub struct Beat(Arc<AtomicU64>);

impl Beat {
    /// The registry said so just now.
    pub fn confirm(&self) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let micros = u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(u64::MAX);
        self.0.store(micros, Ordering::Relaxed);
    }

    fn at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl Confirmed {
    fn at(&self) -> SystemTime {
        let by = self.by.as_ref().map(Beat::at);
        by.map_or(self.at, |by| by.max(self.at))
    }
}

impl Freshness {
    /// The registry said, just now, that the service is as it was answered last.
    pub fn confirm(&self, service: &ServiceKey) {
        match self.0.get_mut(service) {
            Some(mut confirmed) => confirmed.at = SystemTime::now(),
            None => {
                let (at, by) = (SystemTime::now(), None);
                self.0.insert(service.clone(), Confirmed { at, by });
            }
        }
    }

    /// From here on whatever confirms all of them confirms this service, which has been confirmed before.
    pub fn go_along(&self, service: &ServiceKey, beat: &Beat) {
        if let Some(mut confirmed) = self.0.get_mut(service) {
            confirmed.by = Some(beat.clone());
        }
    }

    /// From here on it does not any more: the service may be another one by now.
    pub fn part(&self, service: &ServiceKey) {
        if let Some(mut confirmed) = self.0.get_mut(service) {
            (confirmed.at, confirmed.by) = (confirmed.at(), None);
        }
    }

    /// Nobody watches the service any more.
    pub fn forget(&self, service: &ServiceKey) {
        self.0.remove(service);
    }

    /// When the registry said so last; nothing when it has not in this process's time.
    pub fn of(&self, service: &ServiceKey) -> Option<SystemTime> {
        self.0.get(service).map(|confirmed| confirmed.at())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Discovery;

    #[test]
    fn one_beat_confirms_all_that_go_along_and_nobody_else() {
        let (freshness, beat) = (Freshness::default(), Beat::default());
        let services = ["along", "parted", "alone", "gone"]
            .map(|name| ServiceKey::new(Discovery::Consul, name));
        for service in &services {
            freshness.go_along(service, &beat);
            assert_eq!(freshness.of(service), None, "it was never confirmed");
            freshness.confirm(service);
        }
        let [along, parted, alone, gone] = &services;
        for service in [along, parted, gone] {
            freshness.go_along(service, &beat);
        }
        let tick = || std::thread::sleep(Duration::from_millis(2));
        tick();
        beat.confirm();
        let first = freshness.of(along).unwrap();
        assert_eq!(freshness.of(parted), Some(first));
        assert!(freshness.of(alone).unwrap() < first);
        freshness.part(parted);
        freshness.forget(gone);
        tick();
        beat.confirm();
        assert!(freshness.of(along).unwrap() > first);
        assert_eq!(freshness.of(parted), Some(first));
        assert_eq!(freshness.of(gone), None);
    }
}
