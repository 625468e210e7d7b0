//! Refusals that are not judged yet: what another proxy of the cohort accepts is nobody's fault, so all of them are heard first.
//! Whoever refuses keeps what it had meanwhile. Pure: time is an argument.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cohort::Cohort;
use crate::snapshot::{Outcome, Refused, ResourceType};
use crate::xds::gateways::{Said, What};

/// How long others are waited for: one may answer nothing for good, and no other edit of the table reaches who refuses.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether all have spoken.
const LOOK: Duration = Duration::from_millis(10);

/// Refusals that are not judged yet, oldest first.
#[derive(Debug, Default)]
pub struct Unjudged {
    waiting: Vec<Waiting>,
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Waiting {
    place: (Arc<str>, Cohort),
    refused: Refused,
    /// When it is judged whatever others say.
    until: Instant,
    is_heard_out: bool,
}

impl Unjudged {
    pub fn add(&mut self, place: (Arc<str>, Cohort), refused: Refused, now: Instant) {
        self.waiting.push(Waiting {
            place,
            refused,
            until: now + PATIENCE,
            is_heard_out: false,
        });
    }

    /// When to look next.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        let looks = self.looked.map_or(now, |looked| looked + LOOK);
        (!self.waiting.is_empty()).then_some(looks)
    }

    /// Looks whether there are some that can be judged. `answered` tells up to which snapshot all of a cohort have answered what they
    /// were sent of a type.
    pub fn hear_out(
        &mut self,
        now: Instant,
        answered: impl Fn(&(Arc<str>, Cohort), ResourceType) -> u64,
    ) -> bool {
        if self.due(now).is_none_or(|due| now < due) {
            return false;
        }
        self.looked = Some(now);
        let mut known = HashMap::new();
        for one in &mut self.waiting {
            let of = one.refused.resource_type;
            let known = known.entry((&one.place, of));
            let answered = *known.or_insert_with(|| answered(&one.place, of));
            one.is_heard_out = one.until <= now || one.refused.sequence <= answered;
        }
        self.waiting.iter().any(|one| one.is_heard_out)
    }

    /// Takes those that can be judged.
    pub fn take_heard_out(&mut self) -> Vec<Said> {
        let heard_out = self.waiting.extract_if(.., |one| one.is_heard_out);
        let said = heard_out.map(|one| Said {
            gateway: one.place.0,
            cohort: one.place.1,
            what: What::Answered(Outcome::Refused(one.refused)),
        });
        said.collect()
    }

    /// A proxy is gone for good, and refuses nothing any more.
    pub fn handle_left(&mut self, gateway: &str, node: &str) {
        let is_theirs = |one: &Waiting| &*one.place.0 == gateway && &*one.refused.node == node;
        self.waiting.retain(|one| !is_theirs(one));
    }
}
