//! What has been answered from outside, as long as documents name it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use super::{Found, Provider, SecretName, Subject, VARIABLE, shows};

/// Values of before of one name that must not be shown either: proxies may still have them.
const FORMER: usize = 16;

/// Names that no document has any more, of which that is known.
const FORGOTTEN: usize = 4096;

/// What is said of a name.
#[derive(Clone, PartialEq, Eq)]
pub enum Verdict {
    Value(String),
    /// There is none, and why; said without any value.
    Nothing(String),
    /// It does not say whether there is one, and why.
    Denied(String),
}

/// What is known of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Unanswered,
    /// Denied, and no value is known.
    Denied,
    /// A value, or that there is none.
    Known,
}

/// What has been answered. All clones are the same: the loop writes it, and whoever reads, checks or shows documents looks it up.
#[derive(Clone, Default)]
pub struct Answers(Arc<RwLock<BTreeMap<Subject, Answered>>>);

#[derive(Default)]
struct Answered {
    /// The last one that there was.
    value: Option<String>,
    /// Why there is none now, or nobody is told whether there is.
    nothing: Option<String>,
    is_denied: bool,
    former: VecDeque<String>,
}

impl Answers {
    /// What is in force of a name: an answer that there is none counts, so that nobody takes what was taken back.
    pub(super) fn find(&self, name: Subject) -> Result<Found, String> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match all.get(&name) {
            Some(Answered {
                nothing: Some(why), ..
            }) => Err(format!("refers to {name}, {why}")),
            Some(Answered {
                value: Some(value), ..
            }) => Ok(Found::Text(value.clone())),
            _ => Ok(Found::Waits(name)),
        }
    }

    /// Takes what is said. Tells whether that is something else than before.
    pub fn take(&self, name: Subject, verdict: Verdict) -> bool {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let one = all.entry(name).or_default();
        let verdict = match verdict {
            Verdict::Value(value) if value.is_empty() => {
                Verdict::Nothing("which is empty: write it there".to_owned())
            }
            Verdict::Value(value) if value.len() > VARIABLE => Verdict::Nothing(format!(
                "which has {} bytes, allowed: at most {VARIABLE}",
                value.len()
            )),
            other => other,
        };
        one.is_denied = matches!(verdict, Verdict::Denied(_));
        match verdict {
            Verdict::Nothing(why) | Verdict::Denied(why) => {
                one.nothing.replace(why.clone()) != Some(why)
            }
            Verdict::Value(value) => {
                let was_nothing = one.nothing.take().is_some();
                if one.value.as_ref() == Some(&value) {
                    return was_nothing;
                }
                one.former.extend(one.value.replace(value));
                let over = one.former.len().saturating_sub(FORMER);
                one.former.drain(..over);
                true
            }
        }
    }

    /// Documents name these, and no others: what nobody names is asked anew when somebody does.
    pub fn keep(&self, wanted: &BTreeSet<Subject>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut unwanted = 0;
        all.retain(|name, one| {
            if wanted.contains(name) {
                return true;
            }
            if is_public(name) {
                return false;
            }
            one.former.extend(one.value.take());
            one.nothing = None;
            unwanted += 1;
            unwanted <= FORGOTTEN && !one.former.is_empty()
        });
    }

    pub fn standing(&self, name: &Subject) -> Standing {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match all.get(name) {
            Some(Answered { value: Some(_), .. }) => Standing::Known,
            Some(one) if one.nothing.is_some() && one.is_denied => Standing::Denied,
            Some(one) if one.nothing.is_some() => Standing::Known,
            _ => Standing::Unanswered,
        }
    }

    /// The secrets that there is a value of.
    pub fn known(&self) -> BTreeSet<SecretName> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().filter(|(_, one)| one.value.is_some());
        let secrets = known.filter_map(|(subject, _)| match subject {
            Subject::Secret(name) => Some(name.clone()),
            Subject::Provider(_) => None,
        });
        secrets.collect()
    }

    /// What providers have said last, which is no secret.
    pub fn providers(&self) -> BTreeMap<Provider, String> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().filter_map(|(subject, one)| match subject {
            Subject::Secret(_) => None,
            Subject::Provider(provider) => Some((provider.clone(), one.value.clone()?)),
        });
        known.collect()
    }

    /// Whether there is no secret, and was none.
    pub fn is_empty(&self) -> bool {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut secrets = all.iter().filter(|(subject, _)| !is_public(subject));
        secrets.all(|(_, one)| one.value.is_none() && one.former.is_empty())
    }

    /// Whether a text has a secret in it, or one of before.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let secrets = all.iter().filter(|(subject, _)| !is_public(subject));
        let mut values = secrets.flat_map(|(_, one)| one.value.iter().chain(&one.former));
        values.any(|value| shows(text, value))
    }
}

/// Whether everyone may see what is answered.
fn is_public(subject: &Subject) -> bool {
    matches!(subject, Subject::Provider(_))
}
