//! Self-preservation: an answer that takes away every healthy instance of a service at once, or as large a share of them as the
//! settings say, more likely tells of the registry than of the instances. The last healthy ones stay for a while then. Pure: time
//! is an argument.
//!
//! How long that is, the instances themselves may say (`Service.Meta` in Consul): documents that name one service share its
//! instances, so that none of them could say it for itself.
//!
//! What is done on purpose is believed at once: maintenance, and instances that are taken out one by one. Of Consul only:
//! files of instances are somebody's word.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::drain::identity;
use crate::model::instance::Status;
use crate::model::{Discovery, Instance, ServiceKey};
use crate::registry::Answer;

/// Instances that turn critical within this time do so at once: their agents tell of them one after the other.
const AT_ONCE: Duration = Duration::from_secs(5);

/// The entry of an instance's metadata that says how long instances of its service are kept: a time, or 0. Of several the longest
/// counts.
const META: &str = "chancery-keep-lost";
/// When instances are kept, and how long.
#[derive(Debug, Clone, Copy)]
pub struct KeepLost {
    /// How long they stay where they do not say so themselves; zero keeps nothing.
    pub time: Duration,
    /// How many of a hundred healthy ones have to be gone at once.
    pub percent: u32,
}

impl KeepLost {
    /// The longest time that anybody may set.
    pub const LONGEST: Duration = Duration::from_secs(24 * 3600);
}

/// The instances that are kept, of all services.
#[derive(Debug)]
pub struct Kept {
    rule: KeepLost,
    services: HashMap<ServiceKey, OfService>,
    /// What instances say of the time, and what is no time.
    unread: HashMap<ServiceKey, String>,
}

/// What is known of one service beside the instances in force.
#[derive(Debug, Default)]
struct OfService {
    /// Healthy ones that turned critical a moment ago, and when.
    critical: Vec<(Instant, Instance)>,
    keeping: Option<Keeping>,
}

#[derive(Debug)]
struct Keeping {
    instances: Vec<Instance>,
    /// How many there were at first.
    first: usize,
    /// How many others were healthy then.
    left: usize,
    began: Instant,
    time: Duration,
    /// What the registry says.
    answered: Arc<[Instance]>,
}

/// What there is to tell of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// So many instances are kept from now on.
    Begins(usize),
    /// The registry has enough healthy ones again, or said of each that was kept what became of it.
    Over,
    /// The time is over, and the registry says the same.
    Late,
}

impl Kept {
    pub fn new(rule: KeepLost) -> Self {
        Self {
            rule,
            services: HashMap::new(),
            unread: HashMap::new(),
        }
    }

    /// How long instances of a service are kept, of which some are.
    pub fn time(&self, service: &ServiceKey) -> Option<Duration> {
        let keeping = self.services.get(service)?.keeping.as_ref();
        keeping.map(|keeping| keeping.time)
    }

    /// What instances say of the time and what is no time, once.
    pub fn misread(&mut self, answer: &Answer) -> Option<String> {
        let said = answer
            .instances
            .iter()
            .filter_map(|it| it.metadata.get(META));
        let unread = said.filter(|text| read(text).is_none()).min().cloned();
        let before = match &unread {
            Some(text) => self.unread.insert(answer.service.clone(), text.clone()),
            None => self.unread.remove(&answer.service),
        };
        unread.filter(|text| before.as_ref() != Some(text))
    }

    /// The instances that are in force after `answer`, where `before` were until now.
    pub fn handle_answer(
        &mut self,
        before: &[Instance],
        answer: &Answer,
        now: Instant,
    ) -> (Arc<[Instance]>, Option<Turn>) {
        let said = before.iter().chain(&*answer.instances);
        let said = said.filter_map(|it| read(it.metadata.get(META)?)).max();
        let time = said.unwrap_or(self.rule.time);
        if time.is_zero() || answer.service.discovery != Discovery::Consul {
            let of = self.services.remove(&answer.service);
            let was_keeping = of.is_some_and(|of| of.keeping.is_some());
            return (answer.instances.clone(), was_keeping.then_some(Turn::Over));
        }
        let rule = KeepLost { time, ..self.rule };
        let of = self.services.entry(answer.service.clone()).or_default();
        let was_keeping = of.keeping.is_some();
        let turn = if was_keeping {
            of.follow(answer, now).then_some(Turn::Over)
        } else {
            of.begin(before, answer, now, rule).map(Turn::Begins)
        };
        let in_force = match &of.keeping {
            Some(keeping) => keeping.in_force(&answer.service),
            None => answer.instances.clone(),
        };
        if of.keeping.is_none() && of.critical.is_empty() {
            self.services.remove(&answer.service);
        }
        (in_force, turn)
    }

    /// No document names the service any more.
    pub fn forget(&mut self, service: &ServiceKey) {
        self.services.remove(service);
        self.unread.remove(service);
    }

    /// When the first time is over.
    pub fn deadline(&self) -> Option<Instant> {
        let keeping = self.services.values().filter_map(|of| of.keeping.as_ref());
        keeping.map(Keeping::until).min()
    }

    /// The services whose time is over, with what the registry says of them, which is in force now.
    pub fn handle_time(&mut self, now: Instant) -> Vec<Answer> {
        let mut over = Vec::new();
        for (service, of) in &mut self.services {
            if let Some(keeping) = of.keeping.take_if(|keeping| keeping.until() <= now) {
                of.critical.clear();
                over.push(Answer::sorted(service.clone(), keeping.answered));
            }
        }
        for answer in &over {
            self.services.remove(&answer.service);
        }
        over
    }

    /// Those that are kept of a service.
    pub fn of(&self, service: &ServiceKey) -> &[Instance] {
        let of = self.services.get(service);
        let keeping = of.and_then(|of| of.keeping.as_ref());
        keeping.map_or(&[], |keeping| &keeping.instances)
    }

    /// How many are kept in all.
    pub fn count(&self) -> usize {
        let keeping = self.services.values().filter_map(|of| of.keeping.as_ref());
        keeping.map(|keeping| keeping.instances.len()).sum()
    }
}

impl OfService {
    /// Begins to keep where too much would go. Tells how many that are.
    fn begin(
        &mut self,
        before: &[Instance],
        answer: &Answer,
        now: Instant,
        rule: KeepLost,
    ) -> Option<usize> {
        let answered = Answered::new(&answer.instances);
        self.critical.retain(|(since, instance)| {
            now.duration_since(*since) < AT_ONCE && answered.is_critical(instance)
        });
        // With those that turned critical before, at the same time.
        let there = before.iter().filter(|it| is_healthy(it)).count() + self.critical.len();
        let healthy = before.iter().filter(|instance| is_healthy(instance));
        let (gone, critical): (Vec<_>, Vec<_>) = healthy
            .filter(|instance| answered.takes_away(instance))
            .partition(|instance| !answered.is_critical(instance));
        let critical = critical.into_iter().map(|one| (now, one.clone()));
        self.critical.extend(critical);
        if !is_too_little(answered.healthy, there, rule.percent) {
            return None;
        }
        let critical = self.critical.iter().map(|(_, instance)| instance);
        let lost: Vec<_> = critical.chain(gone).cloned().collect();
        // One alone is taken out one by one, unless the answer itself is doubtful.
        let least = if answer.doubtful { 1 } else { 2 };
        if lost.len() < least {
            return None;
        }
        self.critical.clear();
        let first = lost.len();
        self.keeping = Some(Keeping {
            instances: lost,
            first,
            left: answered.healthy,
            began: now,
            time: rule.time,
            answered: answer.instances.clone(),
        });
        Some(first)
    }

    /// Lets go of what the registry tells of by name. Whether that is the end of it.
    fn follow(&mut self, answer: &Answer, now: Instant) -> bool {
        let Some(keeping) = &mut self.keeping else {
            return false;
        };
        let before = Answered::new(&keeping.answered);
        let answered = Answered::new(&answer.instances);
        keeping.instances.retain(|instance| {
            let deregistered = before.has(instance) && !answered.has(instance);
            !deregistered && answered.takes_away(instance)
        });
        // Others whose agents are later to tell of their checks.
        if now.duration_since(keeping.began) < AT_ONCE {
            let others = keeping.answered.iter();
            let others = others.filter(|it| is_healthy(it) && answered.is_critical(it));
            let before = keeping.instances.len();
            keeping.instances.extend(others.cloned());
            let more = keeping.instances.len() - before;
            keeping.first += more;
            keeping.left = keeping.left.saturating_sub(more);
        }
        // Half of them carry the load of all; fewer would not.
        let enough = answered.healthy.saturating_sub(keeping.left) * 2 >= keeping.first;
        keeping.answered = answer.instances.clone();
        let over = enough || keeping.instances.is_empty();
        if over {
            self.keeping = None;
        }
        over
    }
}

impl Keeping {
    fn until(&self) -> Instant {
        self.began + self.time
    }

    /// What the registry says, and those that are kept in its place.
    fn in_force(&self, service: &ServiceKey) -> Arc<[Instance]> {
        let kept: BTreeSet<_> = self.instances.iter().map(identity).collect();
        let others = self.answered.iter();
        let others = others.filter(|instance| !kept.contains(&identity(instance)));
        let all = self.instances.iter().chain(others).cloned().collect();
        Answer::new(service.clone(), all).instances
    }
}

/// An answer, ready to be asked.
struct Answered<'a> {
    statuses: HashMap<(&'a str, std::net::IpAddr, u16), Status>,
    /// Where healthy ones are, whatever their ids.
    addresses: BTreeSet<SocketAddr>,
    healthy: usize,
}

impl<'a> Answered<'a> {
    fn new(instances: &'a [Instance]) -> Self {
        let healthy = || instances.iter().filter(|instance| is_healthy(instance));
        Self {
            statuses: instances
                .iter()
                .map(|instance| (identity(instance), instance.status))
                .collect(),
            addresses: healthy().map(address).collect(),
            healthy: healthy().count(),
        }
    }

    fn has(&self, instance: &Instance) -> bool {
        self.statuses.contains_key(&identity(instance))
    }

    fn is_critical(&self, instance: &Instance) -> bool {
        self.statuses.get(&identity(instance)) == Some(&Status::Critical)
    }

    /// Whether a healthy instance is no more, and not on purpose.
    fn takes_away(&self, instance: &Instance) -> bool {
        match self.statuses.get(&identity(instance)) {
            None => !self.addresses.contains(&address(instance)),
            Some(status) => *status == Status::Critical,
        }
    }
}

/// What an entry of metadata says of the time.
fn read(text: &str) -> Option<Duration> {
    let time = humantime::parse_duration(text).ok();
    time.filter(|time| *time <= KeepLost::LONGEST)
}

/// Whether so few are left of `there` that `percent` of them, or more, are gone.
fn is_too_little(left: usize, there: usize, percent: u32) -> bool {
    left * 100 <= there * (100 - percent.min(100) as usize)
}

fn is_healthy(instance: &Instance) -> bool {
    instance.status <= Status::Warning
}

fn address(instance: &Instance) -> SocketAddr {
    SocketAddr::new(instance.address, instance.port)
}

#[cfg(test)]
mod tests;
