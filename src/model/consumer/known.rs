//! All consumers as routes know them: who is behind which credential.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Basic, Consumer, Credentials, Jwt, Secret};
use crate::model::key::Id;
use crate::model::problem::Remark;

/// Who is behind which credential, and who is in which group. Whoever is behind one is `NAME` or, where others are told more of
/// it, `NAME/CREDENTIAL/LABELS/ABOUT/CUSTOM_ID`, each of which but the first may be empty: only the last may have a `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consumers {
    /// Consumers by the key that they send.
    pub keys: BTreeMap<Secret, Arc<str>>,
    /// Names with passwords, and the consumers, by the former.
    pub basics: BTreeMap<Arc<str>, (Basic, Arc<str>)>,
    /// What verifies tokens, and the consumers, by the claim that says whose they are.
    pub jwts: BTreeMap<Arc<str>, (Jwt, Arc<str>)>,
    /// The groups of consumers, by name; every consumer is there.
    pub groups: BTreeMap<Arc<str>, Option<Id>>,
    /// What each consumer is found as where strangers are it, by name.
    pub strangers: BTreeMap<Arc<str>, Arc<str>>,
    /// Whether a route, or a global rule, has strangers be somebody: only then their filters hold who is none.
    pub welcome: Welcome,
    /// Whether a global rule asks for them: only then its filters hold them as well.
    pub asked_by_rules: bool,
}

/// Who has strangers be somebody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Welcome {
    pub by_routes: bool,
    pub by_rules: bool,
}

/// A document with credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    Consumer(Arc<Consumer>),
    Credential {
        username: Arc<str>,
        credentials: Arc<Credentials>,
    },
}

/// Puts documents together, by path. Of two that hold the same credential the first in the order of paths has it; the other
/// is left out whole, and told.
pub(crate) fn together(
    holders: &BTreeMap<Arc<str>, Holder>,
) -> (Consumers, BTreeMap<Arc<str>, Remark>) {
    let mut known = Consumers::default();
    let mut owners = Owners::default();
    let mut conflicts = BTreeMap::new();
    let told = holders.values().filter_map(|holder| match holder {
        Holder::Consumer(consumer) => {
            let id = consumer.custom_id.as_deref().unwrap_or_default();
            let told = (&*consumer.labels, &*consumer.about, id);
            Some((&*consumer.username, told))
        }
        Holder::Credential { .. } => None,
    });
    let told: HashMap<&str, (&str, &str, &str)> = told.collect();
    for (path, holder) in holders {
        let (username, credential, credentials) = match holder {
            Holder::Consumer(consumer) => (&consumer.username, None, &consumer.credentials),
            Holder::Credential {
                username,
                credentials,
            } => (username, path.rsplit('/').next(), &**credentials),
        };
        if let Some(remark) = owners.conflict(credentials) {
            conflicts.insert(path.clone(), remark);
            continue;
        }
        owners.take(path, credentials);
        let (labels, about, id) = told.get(&**username).copied().unwrap_or_default();
        let found = match (credential, labels, about, id) {
            (None, "", "", "") => username.clone(),
            _ => {
                let credential = credential.unwrap_or_default();
                format!("{username}/{credential}/{labels}/{about}/{id}").into()
            }
        };
        if let Holder::Consumer(consumer) = holder {
            known
                .groups
                .insert(username.clone(), consumer.group.clone());
            known.strangers.insert(username.clone(), found.clone());
        }
        known.add(&found, credentials);
    }
    (known, conflicts)
}

impl Consumers {
    fn add(&mut self, found: &Arc<str>, credentials: &Credentials) {
        if let Some(key) = &credentials.key {
            self.keys.insert(key.clone(), found.clone());
        }
        if let Some(basic) = &credentials.basic {
            let of = (basic.clone(), found.clone());
            self.basics.insert(basic.username.clone(), of);
        }
        if let Some(jwt) = &credentials.jwt {
            let of = (jwt.clone(), found.clone());
            self.jwts.insert(jwt.key.clone(), of);
        }
    }
}

/// The documents that hold each credential.
#[derive(Default)]
struct Owners<'a>(BTreeMap<(&'static str, &'a str), &'a Arc<str>>);

impl<'a> Owners<'a> {
    fn conflict(&self, credentials: &Credentials) -> Option<Remark> {
        let mut parts = parts(credentials);
        parts.find_map(|(field, text)| {
            let owner = self.0.get(&(field, text))?;
            let message = format!("is that of `{owner}` as well, allowed: one that no other has");
            Some(Remark::new(format!("plugins.{field}"), message))
        })
    }

    fn take(&mut self, path: &'a Arc<str>, credentials: &'a Credentials) {
        for part in parts(credentials) {
            if let Entry::Vacant(free) = self.0.entry(part) {
                free.insert(path);
            }
        }
    }
}

/// What no two documents may share, by field.
fn parts(credentials: &Credentials) -> impl Iterator<Item = (&'static str, &str)> {
    let Credentials { key, basic, jwt } = credentials;
    let of_key = key.iter().map(|key| ("key-auth.key", key.reveal()));
    let of_basic = basic
        .iter()
        .map(|basic| ("basic-auth.username", &*basic.username));
    let of_jwt = jwt.iter().map(|jwt| ("jwt-auth.key", &*jwt.key));
    of_key.chain(of_basic).chain(of_jwt)
}
