//! Since when instances have their status, by what registries said when. Of what was so in the first answer nothing is known.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::model::instance::Status;
use crate::model::{Instance, ServiceKey};

use super::question::{Owned, owned};

/// By service, those whose status is known to have begun.
#[derive(Debug, Default)]
pub struct Since(HashMap<ServiceKey, HashMap<Owned, SystemTime>>);

impl Since {
    /// At that time the instances of a service were others than before.
    pub fn note(
        &mut self,
        service: &ServiceKey,
        before: &[Instance],
        after: &[Instance],
        at: SystemTime,
    ) {
        let was: HashMap<Owned, Status> =
            before.iter().map(|one| (owned(one), one.status)).collect();
        let known = self.0.remove(service).unwrap_or_default();
        let began = after.iter().filter_map(|one| {
            let one_is = owned(one);
            let is_same = was.get(&one_is) == Some(&one.status);
            let at = if is_same { *known.get(&one_is)? } else { at };
            Some((one_is, at))
        });
        let began: HashMap<_, _> = began.collect();
        if !began.is_empty() {
            self.0.insert(service.clone(), began);
        }
    }

    pub fn of(&self, service: &ServiceKey) -> HashMap<Owned, SystemTime> {
        self.0.get(service).cloned().unwrap_or_default()
    }

    pub fn forget(&mut self, service: &ServiceKey) {
        self.0.remove(service);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Discovery;

    #[test]
    fn a_status_begins_when_it_is_first_answered_and_not_with_the_first_answer() {
        let service = ServiceKey::new(Discovery::Consul, "echo");
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let one = |port, status| Instance {
            status,
            ..Instance::new("n/a", [10, 0, 0, 1].into(), port)
        };
        let mut since = Since::default();
        let mut before = vec![one(1, Status::Passing), one(2, Status::Passing)];
        let mut told = |after: Vec<Instance>, seconds| {
            since.note(&service, &before, &after, at(seconds));
            let of = since.of(&service);
            let told = after.iter().map(|one| of.get(&owned(one)).copied());
            let told: Vec<_> = told.collect();
            before = after;
            told
        };
        let [a, b, c] = [
            one(1, Status::Passing),
            one(2, Status::Critical),
            one(3, Status::Passing),
        ];
        assert_eq!(told(vec![a.clone(), b.clone()], 10), [None, Some(at(10))]);
        assert_eq!(
            told(vec![b.clone(), c.clone()], 20),
            [Some(at(10)), Some(at(20))]
        );
        // Gone and back: it is there since then.
        assert_eq!(told(vec![a, c.clone()], 30), [Some(at(30)), Some(at(20))]);
        assert_eq!(
            told(vec![one(2, Status::Passing), c], 40),
            [Some(at(40)), Some(at(20))]
        );
    }
}
