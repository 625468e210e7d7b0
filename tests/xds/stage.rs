//! Plays a transcript: clients that say what is written, the real streams, and a watch on what holds in every
//! conversation whether it is written or not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use chancery::snapshot::ResourceType;
use chancery::xds::{Protocol, Request, Stream};

use crate::script::{Ask, Nonce, Step};
use crate::wire::{self, Received};
use crate::world::{Changes, World, short};

/// What is said, from both sides.
#[derive(Debug)]
pub struct Stage {
    protocol: Protocol,
    world: World,
    now: Instant,
    peers: BTreeMap<String, Peer>,
    speaker: String,
    /// What each version stood for so far, and the other way round.
    versions: BTreeMap<String, String>,
    contents: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

/// One client and its stream.
#[derive(Debug)]
struct Peer {
    stream: Stream,
    channels: BTreeMap<ResourceType, Channel>,
}

/// What a client knows of one type.
#[derive(Debug, Default, Clone)]
struct Channel {
    started: bool,
    names: BTreeSet<String>,
    received: Vec<Received>,
    /// How many of `received` are answered.
    answered: usize,
    /// What it accepted, with versions; in SotW the version of all is enough.
    has: BTreeMap<String, String>,
    version: String,
}

impl Stage {
    /// A server that knows nothing yet, and a client that is connected.
    pub fn new(protocol: Protocol) -> Self {
        let mut stage = Self {
            protocol,
            world: World::default(),
            now: Instant::now(),
            peers: BTreeMap::new(),
            speaker: String::new(),
            versions: BTreeMap::new(),
            contents: BTreeMap::new(),
            labels: BTreeMap::new(),
        };
        stage.enter("client", BTreeMap::new());
        stage
    }

    /// Does what a step says, and tells what the server sends upon it: each as it would be written, and its version.
    pub fn play(&mut self, step: &Step) -> Vec<(String, String)> {
        match step {
            Step::Snapshot(all) => {
                let changes = self.world.difference(all);
                self.publish(changes);
            }
            Step::Change(changes) => self.publish(changes.clone()),
            Step::Restart => {
                self.world.restart();
                self.reconnect(None);
            }
            Step::Connect(name) => {
                let name = name.clone().unwrap_or(self.speaker.clone());
                self.enter(&name, BTreeMap::new());
            }
            Step::Reconnect(name) => self.reconnect(name.as_deref()),
            Step::As(name) => {
                self.speaker.clone_from(name);
                let snapshot = self.world.snapshot.clone();
                self.peer().stream.handle_snapshot(snapshot);
            }
            Step::Request(ask) => self.request(ask),
            Step::Time(duration) => {
                let due = self.peer().stream.poll_timeout();
                self.now += *duration;
                let now = self.now;
                if due.is_none_or(|due| due > now) {
                    let early = self.peer().stream.poll_response(now);
                    assert!(early.is_none(), "sent without being woken: {early:?}");
                }
            }
            Step::Synced(wanted) => {
                assert_eq!(self.peer().stream.is_synced(), *wanted, "is_synced");
            }
            Step::Response(_) | Step::Silence => {}
        }
        self.drain()
    }

    /// Calls a version by a name: from now on the name stands for this version, and no other does.
    pub fn label(&mut self, label: &str, version: &str) {
        let known = self.labels.entry(label.to_owned());
        let known = known.or_insert_with(|| version.to_owned());
        assert_eq!(known, version, "@{label} is another version here");
        let mut same = self.labels.iter().filter(|(_, known)| *known == version);
        let (first, second) = (same.next(), same.next());
        assert!(second.is_none(), "{first:?} and {second:?} are the same");
    }

    fn peer(&mut self) -> &mut Peer {
        self.peers.get_mut(&self.speaker).unwrap()
    }

    fn publish(&mut self, changes: Changes) {
        self.world.publish(changes);
        let snapshot = self.world.snapshot.clone();
        self.peer().stream.handle_snapshot(snapshot);
    }

    fn enter(&mut self, name: &str, channels: BTreeMap<ResourceType, Channel>) {
        let mut stream = Stream::new(self.protocol);
        if self.world.snapshot.sequence > 0 {
            stream.handle_snapshot(self.world.snapshot.clone());
        }
        let peer = Peer { stream, channels };
        self.speaker = name.to_owned();
        self.peers.insert(self.speaker.clone(), peer);
    }

    fn reconnect(&mut self, name: Option<&str>) {
        let before = &self.peer().channels;
        let memories = before.iter().map(|(resource_type, channel)| {
            let memory = Channel {
                has: channel.has.clone(),
                version: channel.version.clone(),
                ..Channel::default()
            };
            (*resource_type, memory)
        });
        let memories = memories.collect();
        let name = name.unwrap_or(&self.speaker).to_owned();
        self.enter(&name, memories);
    }

    fn request(&mut self, ask: &Ask) {
        let (protocol, now) = (self.protocol, self.now);
        let peer = self.peer();
        let channel = peer.channels.entry(ask.resource_type).or_default();
        let answered = match ask.answers {
            None | Some(Nonce::Alien) => None,
            Some(Nonce::Last) => channel.received.len().checked_sub(1),
            Some(Nonce::Of(number)) => Some(number - 1),
        };
        let answered = answered.map(|index| (index, channel.received[index].clone()));
        let expects_answer = match &answered {
            Some((index, _)) => *index + 1 == channel.received.len() && *index >= channel.answered,
            None => false,
        };
        if let Some((index, response)) = &answered {
            channel.answered = channel.answered.max(index + 1);
            if ask.error.is_none() {
                channel.accept(response);
            }
        }
        channel.names.extend(ask.more.iter().cloned());
        channel.names.retain(|name| !ask.less.contains(name));
        let nonce = match (&ask.answers, &answered) {
            (Some(Nonce::Alien), _) => "alien",
            (_, Some((_, response))) => &response.nonce,
            (..) => "",
        };
        let request = channel.request(protocol, ask, nonce);
        let answer = peer.stream.handle_request(request, now);
        assert_eq!(answer.is_some(), expects_answer, "{answer:?}");
        if let (Some(answer), Some((_, response))) = (answer, answered) {
            assert_eq!(answer.resource_type, ask.resource_type);
            assert_eq!(answer.version.to_string(), response.version);
            assert_eq!(answer.error, ask.error);
        }
    }

    fn drain(&mut self) -> Vec<(String, String)> {
        let (protocol, now) = (self.protocol, self.now);
        let mut said = Vec::new();
        while let Some(response) = self.peer().stream.poll_response(now) {
            let response = wire::decode(protocol, &response);
            self.compare_versions(&response);
            said.push((write(&response), response.version.clone()));
            let channels = &mut self.peer().channels;
            let channel = channels.entry(response.resource_type).or_default();
            let unanswered = channel.received.len() - channel.answered;
            assert_eq!(unanswered, 0, "two responses on their way: {response:?}");
            assert!(
                channel
                    .received
                    .iter()
                    .all(|each| each.nonce != response.nonce),
                "a nonce is used twice: {response:?}"
            );
            channel.received.push(response);
        }
        said
    }

    /// A version stands for one content, and a content has one version, in all streams and processes.
    fn compare_versions(&mut self, response: &Received) {
        let mut pairs = Vec::new();
        for entry in &response.resources {
            pairs.push((entry.version.clone(), entry.text.clone()));
        }
        if self.protocol == Protocol::Sotw {
            let whole = response.resource_type.is_full_state();
            pairs.clear();
            let texts = response.resources.iter().map(|entry| entry.text.as_str());
            let mut texts: Vec<_> = texts.collect();
            texts.sort_unstable();
            pairs.extend(whole.then(|| (response.version.clone(), texts.join(" "))));
        }
        let word = short(response.resource_type);
        for (version, content) in pairs {
            let (version, content) = (format!("{word} {version}"), format!("{word} {content}"));
            let known = self.versions.entry(version.clone());
            assert_eq!(*known.or_insert(content.clone()), content, "same version");
            let known = self.contents.entry(content);
            assert_eq!(*known.or_insert(version.clone()), version, "same content");
        }
    }
}

impl Channel {
    fn accept(&mut self, response: &Received) {
        self.version.clone_from(&response.version);
        for entry in &response.resources {
            self.has.insert(entry.name.clone(), entry.version.clone());
        }
        for name in &response.removed {
            self.has.remove(name);
        }
    }

    fn request(&mut self, protocol: Protocol, ask: &Ask, nonce: &str) -> Request {
        let first = !std::mem::replace(&mut self.started, true);
        let error = ask.error.as_deref();
        match protocol {
            Protocol::Sotw => {
                let answered = self.answered.checked_sub(1);
                let last = answered.map_or("", |index| &self.received[index].nonce);
                let nonce = if ask.answers.is_some() { nonce } else { last };
                let names = self.names.iter().cloned().collect();
                wire::sotw_request(ask.resource_type, &self.version, nonce, names, error)
            }
            Protocol::Delta => {
                let initial = self.has.clone().into_iter().filter(|_| first);
                let (more, less) = (ask.more.clone(), ask.less.clone());
                wire::delta_request(ask.resource_type, nonce, more, less, initial, error)
            }
        }
    }
}

/// A response as a transcript writes it.
fn write(response: &Received) -> String {
    let resources = response.resources.iter();
    let mut words: Vec<String> = resources
        .map(|entry| entry.text.split('(').next().unwrap().to_owned())
        .collect();
    words.extend(response.removed.iter().map(|name| format!("-{name}")));
    words
        .sort_by(|left, right| (left.starts_with('-'), left).cmp(&(right.starts_with('-'), right)));
    if words.is_empty() {
        words.push("nothing".to_owned());
    }
    format!("{} {}", short(response.resource_type), words.join(" "))
}
