//! The language of the transcripts: one step per line. It knows words, not the protocol.
//!
//! ```text
//! # a comment
//! snapshot CDS a=1(x) EDS x=1        all that the gateway holds from now on: name=content(names it refers to)
//! change CDS b=1 -a                  what is different from before
//! restart                            another process takes over with the same content; the client reconnects to it
//! connect | reconnect                a new stream; of a client that knows nothing, or knows what it accepted
//! connect old | reconnect new        the same beside the streams that are there
//! as old                             speaks for another stream
//! > CDS                              the client's request, here one that names nothing
//! > EDS +a -b                        … that wants `a` and no longer wants `b`
//! > EDS ack +c                       … that accepts the last response, and wants `c`
//! > EDS ack 1                        … that answers the first response of the type on this stream
//! > EDS nack "bad"                   … that refuses the last response
//! > EDS ack alien                    … that carries the nonce of another stream
//! < EDS a=1 -b @one                  the server's response; the version is called `one` from here on
//! < CDS nothing                      a response that is empty
//! < silence                          nothing is sent; so it is after every step that no response is written under
//! time 16s                           time goes by
//! synced | unsynced                  whether the client has all it wants
//! ```
//!
//! A line that begins with `sotw` or `delta` is for that protocol alone. Files are played in both, unless a line `only`
//! says otherwise.

use std::time::Duration;

use chancery::snapshot::ResourceType;
use chancery::xds::Protocol;

use crate::world::{Changes, SHORT};

/// One step, and where it stands.
#[derive(Debug)]
pub struct Line {
    /// The line in its file.
    pub number: usize,
    /// As it is written.
    pub text: String,
    /// What it says.
    pub step: Step,
}

/// What a line says.
#[derive(Debug)]
pub enum Step {
    /// The content is this from now on.
    Snapshot(Changes),
    /// The content changes.
    Change(Changes),
    /// Another process takes over.
    Restart,
    /// A new client; with a name, beside those that are there.
    Connect(Option<String>),
    /// A new stream of this client; with a name, beside those that are there.
    Reconnect(Option<String>),
    /// Speaks for another stream.
    As(String),
    /// The client says something.
    Request(Ask),
    /// The server must have said this.
    Response(String),
    /// The server must have said nothing.
    Silence,
    /// Time goes by.
    Time(Duration),
    /// Whether the client has all it wants.
    Synced(bool),
}

/// One request.
#[derive(Debug)]
pub struct Ask {
    /// What it is about.
    pub resource_type: ResourceType,
    /// Names wanted from now on.
    pub more: Vec<String>,
    /// Names not wanted any more.
    pub less: Vec<String>,
    /// Which response it answers.
    pub answers: Option<Nonce>,
    /// Why it refuses that.
    pub error: Option<String>,
}

/// Which response a request answers.
#[derive(Debug)]
pub enum Nonce {
    /// The last of its type.
    Last,
    /// That one of its type, from 1.
    Of(usize),
    /// One of another stream.
    Alien,
}

/// The protocols that a transcript is for.
pub fn protocols(text: &str) -> Vec<Protocol> {
    let all = [Protocol::Sotw, Protocol::Delta];
    let only = text.lines().find_map(|line| line.strip_prefix("only "));
    let wanted = |protocol: &Protocol| only.is_none_or(|only| only == protocol.as_str());
    all.into_iter().filter(wanted).collect()
}

/// The steps of a transcript in one protocol.
pub fn parse(text: &str, protocol: Protocol) -> Vec<Line> {
    let lines = text.lines().enumerate().filter_map(|(index, line)| {
        let text = line.split('#').next()?.trim();
        let step = match text.split_once(' ') {
            None if text.is_empty() => return None,
            Some(("only", _)) => return None,
            Some(("sotw" | "delta", step)) if !text.starts_with(protocol.as_str()) => {
                assert!(!step.is_empty());
                return None;
            }
            Some(("sotw" | "delta", step)) => step.trim(),
            _ => text,
        };
        let parsed = self::step(step);
        let number = index + 1;
        Some(Line {
            number,
            text: text.to_owned(),
            step: parsed.unwrap_or_else(|| panic!("line {number} says nothing known: {text}")),
        })
    });
    lines.collect()
}

fn step(text: &str) -> Option<Step> {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let name = (!rest.is_empty()).then(|| rest.to_owned());
    Some(match verb {
        "snapshot" => Step::Snapshot(changes(rest)?),
        "change" => Step::Change(changes(rest)?),
        "restart" => Step::Restart,
        "connect" => Step::Connect(name),
        "reconnect" => Step::Reconnect(name),
        "as" => Step::As(name?),
        ">" => Step::Request(request(rest)?),
        "<" if rest == "silence" => Step::Silence,
        "<" => Step::Response(rest.to_owned()),
        "time" => Step::Time(Duration::from_secs(rest.strip_suffix('s')?.parse().ok()?)),
        "synced" => Step::Synced(true),
        "unsynced" => Step::Synced(false),
        _ => return None,
    })
}

fn resource_type(word: &str) -> Option<ResourceType> {
    let index = SHORT.iter().position(|short| *short == word)?;
    Some(ResourceType::ALL[index])
}

fn changes(text: &str) -> Option<Changes> {
    let mut changes = Vec::new();
    let mut current = None;
    for word in text.split_whitespace() {
        if let Some(resource_type) = resource_type(word) {
            current = Some(resource_type);
        } else if let Some(name) = word.strip_prefix('-') {
            changes.push((current?, name.to_owned(), None));
        } else {
            let (name, _) = word.split_once('=')?;
            changes.push((current?, name.to_owned(), Some(word.to_owned())));
        }
    }
    Some(changes)
}

fn request(text: &str) -> Option<Ask> {
    let (text, error) = match text.split_once('"') {
        Some((text, error)) => (text, Some(error.strip_suffix('"')?.to_owned())),
        None => (text, None),
    };
    let mut words = text.split_whitespace().peekable();
    let mut ask = Ask {
        resource_type: resource_type(words.next()?)?,
        more: Vec::new(),
        less: Vec::new(),
        answers: None,
        error,
    };
    while let Some(word) = words.next() {
        if matches!(word, "ack" | "nack") {
            let nonce = match words.peek() {
                Some(&"alien") => Nonce::Alien,
                Some(number) if number.parse::<usize>().is_ok() => Nonce::Of(number.parse().ok()?),
                _ => Nonce::Last,
            };
            if !matches!(nonce, Nonce::Last) {
                words.next();
            }
            ask.answers = Some(nonce);
        } else if let Some(name) = word.strip_prefix('-') {
            ask.less.push(name.to_owned());
        } else {
            ask.more.push(word.strip_prefix('+')?.to_owned());
        }
    }
    Some(ask)
}
