//! When each service was last known to be as it was answered. Written by registries, read by whoever shows it.

use std::sync::Arc;
use std::time::SystemTime;

use dashmap::DashMap;

use crate::model::ServiceKey;

/// When each watched service was last known to be as it was answered. A clone is the same one.
#[derive(Debug, Clone, Default)]
pub struct Freshness(Arc<DashMap<ServiceKey, SystemTime>>);

impl Freshness {
    /// The registry said, just now, that the service is as it was answered last.
    pub fn confirm(&self, service: &ServiceKey) {
        match self.0.get_mut(service) {
            Some(mut at) => *at = SystemTime::now(),
            None => {
                self.0.insert(service.clone(), SystemTime::now());
            }
        }
    }

    /// Nobody watches the service any more.
    pub fn forget(&self, service: &ServiceKey) {
        self.0.remove(service);
    }

    /// When the registry said so last; nothing when it has not in this process's time.
    pub fn of(&self, service: &ServiceKey) -> Option<SystemTime> {
        self.0.get(service).map(|at| *at)
    }
}
